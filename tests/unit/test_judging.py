"""Running judges on cases, and the reports they get."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
from pydantic import ValidationError
from support.judgements import Knowing, Pairs, Sums

from gadfly.errors import InputError
from gadfly.protocols import Judge
from gadfly.recipes.judge.baselines import Constant, CopiesReference, FirstShown, RandomGuess, RandomOrder
from gadfly.records import (
    Candidate,
    Case,
    Critique,
    Failure,
    Finding,
    Gold,
    Problem,
    Ranking,
    Rollout,
    Score,
    both_orders,
)
from gadfly.run.judge_measure import measure_run
from gadfly.run.judge_report import JudgeReport
from gadfly.run.judging import first_wrong_step, judge_case, judge_cases, judged, returns
from gadfly.run.store import read_rollouts

pytestmark = pytest.mark.anyio
ONE, OTHER = Candidate(text="It is 4.", author="a"), Candidate(text="It is 5!", author="b")
PROBLEM = Problem(id="p", prompt="2 + 2?", reference="4", answer_kind="number")
PAIR = Case(candidates=(ONE, OTHER), gold=Gold(tiers=((0,), (1,))))


@dataclass(frozen=True, kw_only=True)
class Marks:
    """A scorer that likes short answers."""

    async def __call__(self, problem: Problem, candidate: Candidate, /) -> Score:
        value = None if "silent" in candidate.text else 1 / len(candidate.text)
        failure = None if value else Failure(boundary="parse", type="ParseError", message="nothing said")
        return Score(target=candidate.id, value=value, author="marks", failure=failure)


async def report_of(judge: Judge, tmp_path: Path, *, pairs: bool = False) -> JudgeReport:
    bench = Pairs() if pairs else Sums()
    cases = [shown for problem, case in bench.cases() for shown in both_orders(problem, case)]
    await judge_cases(judge, cases, out=tmp_path / "run", benchmark=bench.name)
    return measure_run(tmp_path / "run", benchmark=bench.name, judge=type(judge).__name__)


def value(report: JudgeReport, name: str) -> float:
    found = report.figure(name)
    assert found is not None, f"no figure {name!r}"
    return found.value


# ---------------------------------------------------------------- cases


def test_a_case_needs_candidates_that_can_be_told_apart() -> None:
    with pytest.raises(ValidationError, match="at least one candidate"):
        Case(candidates=())
    with pytest.raises(ValidationError, match="draw of its own"):
        Case(candidates=(ONE, ONE))


def test_gold_tiers_must_name_every_candidate() -> None:
    with pytest.raises(ValidationError, match="do not name 2 candidates"):
        Case(candidates=(ONE, OTHER), gold=Gold(tiers=((0,),)))


def test_both_orders_keep_the_gold_and_name_the_swapped_case() -> None:
    (_, plain), (problem, swapped) = both_orders(PROBLEM, PAIR)
    assert plain.shown == (ONE, OTHER)
    assert swapped.shown == (OTHER, ONE)
    assert swapped.gold == plain.gold
    assert problem.id == "p~swapped"
    assert both_orders(PROBLEM, Case(candidates=(ONE,))) == ((PROBLEM, Case(candidates=(ONE,))),)


# ---------------------------------------------------------------- judges of each kind


def test_what_a_judge_returns_is_read_off_its_annotation() -> None:
    assert returns(Constant()) == "critique"
    assert returns(Marks) == "score"
    assert returns(FirstShown()) == "ranking"
    with pytest.raises(InputError, match="no judge"):
        returns(object())


async def test_a_scorer_orders_answers_by_its_marks_and_ties_are_one_tier() -> None:
    found = await judge_case(Marks(), PROBLEM, Case(candidates=(OTHER, Candidate(text="4", author="c"))))
    assert isinstance(found, Ranking)
    assert len(found.tiers) == 2
    tied = await judge_case(Marks(), PROBLEM, PAIR)
    assert isinstance(tied, Ranking)
    assert tied.tiers == ((ONE.id, OTHER.id),)
    assert tied.strength == 0


async def test_one_unscored_answer_fails_the_order_with_its_reason() -> None:
    silent = Candidate(text="silent", author="c")
    found = await judge_case(Marks(), PROBLEM, Case(candidates=(ONE, silent)))
    assert isinstance(found, Ranking)
    assert found.tiers == ()
    assert found.failure is not None
    assert found.failure.message == "nothing said"


async def test_a_critic_orders_answers_by_its_verdicts() -> None:
    found = await judge_case(CopiesReference(), PROBLEM, PAIR)
    assert isinstance(found, Ranking)
    assert found.tiers == ((ONE.id,), (OTHER.id,))
    assert found.saw_reference


async def test_a_ranker_refuses_a_single_answer_and_says_what_to_take() -> None:
    with pytest.raises(InputError, match="take a judge that marks or criticises single answers"):
        await judge_case(FirstShown(), PROBLEM, Case(candidates=(ONE,)))


async def test_a_critic_is_given_the_critique_where_that_is_what_is_judged() -> None:
    words = Critique(target=ONE.id, text="fine", author="x")
    found = await judge_case(Constant(), PROBLEM, Case(candidates=(ONE,), critique=words))
    assert isinstance(found, Critique)
    assert found.target == words.id


async def test_a_judge_never_sees_the_reference_or_the_gold_unless_it_says_so() -> None:
    seen: list[Problem] = []

    @dataclass(frozen=True, kw_only=True)
    class Spy:
        async def __call__(self, problem: Problem, candidates: Sequence[Candidate], /) -> Ranking:
            seen.append(problem)
            return Ranking(tiers=tuple((one.id,) for one in candidates), author="spy")

    await judge_cases(Spy(), [(PROBLEM, PAIR)])
    assert seen[0].reference is None


# ---------------------------------------------------------------- rows


def test_a_swapped_decision_is_mapped_back_to_the_answers() -> None:
    (_, _), (problem, swapped) = both_orders(PROBLEM, PAIR)
    said = Ranking(tiers=((OTHER.id,), (ONE.id,)), author="x", strength=0.5)
    row = judged(Rollout(problem=problem, solver="x", case=swapped, judgement=said))
    assert (row.item, row.swapped, row.gold, row.said, row.score) == ("p", True, "first", "second", -0.5)


def test_a_failed_judgement_is_unscored_with_its_reason() -> None:
    failure = Failure(boundary="model", type="ServerFailed", message="500")
    row = judged(Rollout(problem=PROBLEM, solver="x", case=PAIR, failure=failure))
    assert row.said is None
    assert row.why == "model: ServerFailed: 500"


def test_the_first_wrong_step_is_the_earliest_that_is_named() -> None:
    findings = (Finding(text="b", step=3), Finding(text="a", step=1), Finding(text="c"))
    words = Critique(target="t", text="", author="x", verdict="incorrect", findings=findings)
    assert first_wrong_step(words) == 1
    assert first_wrong_step(words.model_copy(update={"verdict": "correct"})) is None


def test_a_solvers_rollout_is_no_judgement() -> None:
    with pytest.raises(InputError, match="a solver's, not a judge's"):
        judged(Rollout(problem=PROBLEM, solver="x"))


# ---------------------------------------------------------------- the reports they deserve


async def test_a_critic_that_always_says_correct_finds_nothing_and_is_a_constant(
    tmp_path: Path,
) -> None:
    report = await report_of(Constant(says="correct"), tmp_path)
    assert value(report, "verdicts right") == pytest.approx(40 / 60)
    assert value(report, "recall of wrong answers") == 0
    assert value(report, "AUROC") == 0.5
    assert value(report, "Cohen's kappa") == 0
    assert value(report, "says correct") == 1
    assert value(report, "found in wrong solutions") == 0
    assert value(report, "none called in right solutions") == 1
    assert any("says 'correct' of everything" in line for line in report.warnings)
    assert {example.kind for example in report.examples} == {"missed error"}


async def test_a_critic_that_always_says_wrong_finds_everything_at_the_base_rates_precision(
    tmp_path: Path,
) -> None:
    report = await report_of(Constant(says="incorrect"), tmp_path)
    assert value(report, "recall of wrong answers") == 1
    assert value(report, "precision on wrong answers") == pytest.approx(20 / 60)
    assert value(report, "AUROC") == 0.5
    assert value(report, "Matthews correlation") == 0
    assert value(report, "found in wrong solutions") == 0
    assert any("says 'incorrect' of everything" in line for line in report.warnings)
    kinds = {example.kind for example in report.examples}
    assert kinds == {"false alarm", "right verdict, wrong step"}


async def test_a_critic_that_copies_the_reference_is_right_and_marked_as_an_oracle(tmp_path: Path) -> None:
    report = await report_of(CopiesReference(), tmp_path)
    assert value(report, "F1") == 1
    assert report.oracle == report.rows == 60


async def test_a_random_critic_is_at_chance(tmp_path: Path) -> None:
    report = await report_of(RandomGuess(), tmp_path)
    auroc = report.figure("AUROC")
    assert auroc is not None
    assert auroc.low < 0.5 < auroc.high
    assert report.oracle == 0
    kappa = report.figure("Cohen's kappa")
    assert kappa is not None
    assert kappa.low < 0 < kappa.high


async def test_a_knowing_critic_beats_all_of_them(tmp_path: Path) -> None:
    report = await report_of(Knowing(), tmp_path)
    assert value(report, "verdicts right") > 0.8
    assert value(report, "found in wrong solutions") > 0.8
    assert {part.name for part in report.parts} == {"even", "odd"}


async def test_a_judge_that_prefers_the_first_place_is_at_chance_and_wholly_biased(tmp_path: Path) -> None:
    report = await report_of(FirstShown(), tmp_path, pairs=True)
    assert value(report, "pairs right, mean of both orders") == 0.5
    assert value(report, "right in both orders") == 0
    assert value(report, "both orders agree") == 0
    assert value(report, "prefers what is shown first") == 1
    assert report.places == {"always the first shown": 40}


async def test_a_random_order_has_no_place_to_prefer(tmp_path: Path) -> None:
    report = await report_of(RandomOrder(), tmp_path, pairs=True)
    assert value(report, "both orders agree") == 1
    assert value(report, "prefers what is shown first") == 0.5


async def test_a_reference_critic_orders_pairs_and_stays_an_oracle(tmp_path: Path) -> None:
    report = await report_of(CopiesReference(), tmp_path, pairs=True)
    assert value(report, "right in both orders") == 1
    assert report.oracle == report.rows


# ---------------------------------------------------------------- the folder


async def test_a_judges_run_resumes_without_judging_twice(tmp_path: Path) -> None:
    cases = list(Sums(size=10).cases())
    first = await judge_cases(Knowing(), cases[:4], out=tmp_path, benchmark="sums")
    again = await judge_cases(Knowing(), cases, out=tmp_path, benchmark="sums")
    assert (first.new, again.new, again.rollouts) == (4, 6, 10)
    rows = list(read_rollouts(tmp_path))
    assert [row.case for row in rows] == [case for _, case in cases]


async def test_a_case_that_has_changed_since_is_refused(tmp_path: Path) -> None:
    (problem, case), *_ = Sums(size=1).cases()
    await judge_cases(Knowing(), [(problem, case)], out=tmp_path)
    other = case.model_copy(update={"candidates": (ONE,)})
    with pytest.raises(InputError, match="has changed since"):
        await judge_cases(Knowing(), [(problem, other)], out=tmp_path)


def test_the_same_judge_gives_the_same_report_twice(tmp_path: Path) -> None:
    first = anyio.run(report_of, Knowing(), tmp_path / "a")
    second = anyio.run(report_of, Knowing(), tmp_path / "b")
    assert first == second
    assert JudgeReport.model_validate_json(first.model_dump_json()) == first
