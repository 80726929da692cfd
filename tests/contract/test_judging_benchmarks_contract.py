"""What every benchmark of judges and critics keeps to, on small files and on the published ones."""

import hashlib
import os
import re
from collections import Counter
from pathlib import Path

import pytest
from support.judging_files import FILES, write_all

from gadfly.benchmarks import notes_of
from gadfly.benchmarks.judging.load import list_judging_benchmarks, load_cases
from gadfly.protocols import JudgingBenchmark
from gadfly.records import Candidate, Case, Gold, Problem, Rollout, both_orders
from gadfly.run.judging import judged

NAMES = sorted(FILES)


@pytest.fixture(params=NAMES)
def spec(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return write_all(str(request.param), tmp_path)


def test_every_benchmark_of_judges_is_in_this_suite() -> None:
    assert {about.name for about in list_judging_benchmarks()} == set(NAMES)


def test_cases_come_in_a_fixed_order_with_names_of_their_own(spec: str) -> None:
    benchmark = load_cases(spec)
    found = list(benchmark.cases())
    assert found
    assert found == list(benchmark.cases()) == list(load_cases(spec).cases())
    names = [both[0].id for problem, case in found for both in both_orders(problem, case)]
    assert len(set(names)) == len(names)
    for problem, case in found:
        assert Problem.model_validate_json(problem.model_dump_json()) == problem
        assert Case.model_validate_json(case.model_dump_json()) == case


def test_names_do_not_depend_on_which_folder_the_files_lie_in(
    spec: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = write_all(spec.partition(":")[0], tmp_path_factory.mktemp("another"))
    ids = [[problem.id for problem, _ in load_cases(one).cases()] for one in (spec, other)]
    assert ids[0] == ids[1]


def test_gold_fits_the_case(spec: str) -> None:
    for problem, case in load_cases(spec).cases():
        check_gold(problem, case)


def test_the_gold_label_is_in_nothing_that_a_blind_judge_is_shown(spec: str) -> None:
    for problem, _ in load_cases(spec).cases():
        blind = problem.blind()
        assert blind.reference is None
        assert not blind.privileged
        assert set(blind.metadata) == {"subset", "group"}
        assert all(isinstance(value, str) for value in blind.metadata.values())
        assert problem.text.strip()


def test_a_case_becomes_a_row_for_the_metrics(spec: str) -> None:
    for problem, case in load_cases(spec).cases():
        row = judged(Rollout(problem=problem, solver="nobody", case=case))
        assert row.item == problem.id
        assert row.group
        assert row.stepwise == case.gold.stepwise
        assert (row.gold is None) == (case.gold.verdict is None and not case.gold.tiers)


def test_notes_tell_the_checksum_the_licence_and_whom_to_cite(spec: str, tmp_path: Path) -> None:
    benchmark: JudgingBenchmark = load_cases(spec)
    about = next(one for one in list_judging_benchmarks() if one.name == spec.partition(":")[0])
    notes = "\n".join(notes_of(benchmark))
    assert f"licence: {about.licence}; cite {about.citation}" in notes
    assert re.search(r"\d+ rows", notes)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    found = re.findall(r"SHA-256 (?:of all )?([0-9a-f]{16})\b", notes)
    assert sorted(found) == sorted(hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in files)


def check_gold(problem: Problem, case: Case) -> None:
    gold, first = case.gold, case.candidates[0]
    assert gold.verdict is None or len(case.candidates) == 1
    assert not gold.tiers or len(case.candidates) > 1
    assert gold.wrong_step is None or gold.stepwise
    for candidate in case.candidates:
        assert candidate.author
        assert not candidate.steps or "".join(candidate.steps) == candidate.text
    if gold.stepwise:
        assert gold.wrong_step is None or 0 <= gold.wrong_step < len(first.steps), problem.id
        assert gold.verdict == ("correct" if gold.wrong_step is None else "incorrect")
    if case.critique is not None:
        assert case.critique.target == first.id
    assert all(finding.step is None or finding.step < len(first.steps) for finding in gold.findings)


# The published files, where they are at hand.


def published(name: str) -> Path:
    root = Path(os.environ.get("GADFLY_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not (root / name).is_file():
        pytest.skip("the published records are not here (set GADFLY_DATA)")
    return root / name


def loaded(spec: str, file: str) -> list[tuple[Problem, Case]]:
    found = list(load_cases(f"{spec}:{published(file)}").cases())
    for problem, case in found:
        check_gold(problem, case)
    assert len({problem.id for problem, _ in found}) == len(found)
    return found


def subsets(found: list[tuple[Problem, Case]]) -> Counter[object]:
    return Counter(problem.metadata["subset"] for problem, _ in found)


def tiers(found: list[tuple[Problem, Case]]) -> Counter[object]:
    return Counter(case.gold.tiers for _, case in found)


def test_bigbench_mistake_has_its_300_chains_a_task_and_986_dyck_languages() -> None:
    found = loaded("bigbench-mistake", "bigbench_mistake/traces.jsonl.gz")
    assert subsets(found) == {
        "dyck_languages": 986,
        "word_sorting": 300,
        "tracking_shuffled_objects": 300,
        "logical_deduction": 300,
        "multistep_arithmetic": 300,
    }
    assert sum(case.gold.wrong_step is None for _, case in found) == 478


def test_mr_ben_has_4534_solutions_and_nearly_every_wrong_step() -> None:
    found = loaded("mr-ben", "bigbench_mistake/mr_ben.jsonl.gz")
    assert len(found) == 4534
    assert sum(case.gold.verdict == "correct" for _, case in found) == 1798
    lost = [problem.metadata["subset"] for problem, case in found if not case.gold.stepwise]
    assert Counter(lost) == {"coding": 13, "medicine": 1}, "no step, or one that the answer has not"


def test_judgebench_has_620_pairs() -> None:
    found = loaded("judgebench", "judgebench/pairs.jsonl.gz")
    assert tiers(found) == {((0,), (1,)): 336, ((1,), (0,)): 284}


def test_llmbar_has_1200_pairs_of_which_419_are_its_own() -> None:
    found = loaded("llmbar", "llmbar/instances.jsonl.gz")
    assert len(found) == 1200
    assert sum(count for name, count in subsets(found).items() if str(name).startswith("LLMBar/")) == 419


def test_pandalm_has_the_published_counts_of_labels() -> None:
    found = loaded("pandalm", "pandalm/pairs.jsonl.gz")
    assert tiers(found) == {((0, 1),): 105, ((0,), (1,)): 422, ((1,), (0,)): 472}


def test_metacritique_has_300_critiques_with_their_f1() -> None:
    found = loaded("metacritique", "metacritique/critiques.jsonl.gz")
    assert len(found) == 300
    assert all(case.critique is not None for _, case in found)
    for problem, case in found:
        true, covered = (problem.privileged[f"{name}_labels"] for name in ("precision", "recall"))
        assert isinstance(true, list)
        assert isinstance(covered, list)
        precision, recall = (sum(map(bool, labels)) / len(labels) for labels in (true, covered))
        f1 = 2 * precision * recall / (precision + recall) if precision and recall else 0.0
        assert case.gold.value == pytest.approx(f1)


def test_shepherd_has_1317_answers_with_the_errors_people_found() -> None:
    found = loaded("shepherd", "critique_training/shepherd.jsonl.gz")
    assert len(found) == 1317
    assert sum(len(case.gold.findings) for _, case in found) == 1703
    assert all(case.gold.critique and case.gold.value for _, case in found)


def test_mint_dialogues_that_succeed_end_on_their_one_right_proposal() -> None:
    found = loaded("mint", "mint_bench/dialogues_k5.jsonl.gz")
    assert sum(case.gold.verdict == "correct" for _, case in found) == 233
    right = Counter(problem.metadata["group"] for problem, case in found if case.gold.verdict == "correct")
    assert set(right.values()) == {1}


def test_gold_that_does_not_fit_is_noticed() -> None:
    answers = (Candidate(text="a", author="x"), Candidate(text="b", author="y"))
    problem = Problem(id="p", prompt="q")
    case = Case(candidates=answers, gold=Gold(tiers=((0,), (1,))))
    check_gold(problem, case)
    for gold in (Gold(verdict="correct"), Gold(wrong_step=1), Gold(stepwise=True)):
        with pytest.raises(AssertionError):
            check_gold(problem, case.model_copy(update={"gold": gold}))
