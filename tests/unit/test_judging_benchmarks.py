import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support import judging_files as files
from support.commands import gadfly
from support.judging_files import write, write_all

from gadfly.benchmarks import load_benchmark, notes_of
from gadfly.benchmarks.judging.load import list_judging_benchmarks, load_cases
from gadfly.errors import InputError
from gadfly.protocols import JudgingBenchmark
from gadfly.records import Case, Gold, Problem

FIRST, SECOND, TIE = ((0,), (1,)), ((1,), (0,)), ((0, 1),)


def cases(name: str, folder: Path, query: str = "") -> list[tuple[Problem, Case]]:
    return list(load_cases(write_all(name, folder) + query).cases())


def golds(name: str, folder: Path, query: str = "") -> list[Gold]:
    return [case.gold for _, case in cases(name, folder, query)]


def steps(golds: list[Gold]) -> list[tuple[str | None, bool, int | None]]:
    return [(gold.verdict, gold.stepwise, gold.wrong_step) for gold in golds]


# Steps are counted from 0.


def test_bigbench_mistake_counts_from_0_and_null_is_no_wrong_step(tmp_path: Path) -> None:
    found = cases("bigbench-mistake", tmp_path)
    assert [problem.id for problem, _ in found] == [
        "bigbench-mistake-dyck_languages-0000",
        *(f"bigbench-mistake-word_sorting-000{n}" for n in range(3)),
    ]
    assert steps([case.gold for _, case in found]) == [
        ("incorrect", True, 1),
        ("incorrect", True, 1),
        ("correct", True, None),
        ("incorrect", True, 0),
    ]
    problem, case = found[1]
    assert (problem.text, problem.reference) == ("Sort: b a", "a b")
    assert case.candidates[0].steps[case.gold.wrong_step or 0] == "So b is first.\n"
    assert "".join(case.candidates[0].steps) == case.candidates[0].text


def test_bigbench_mistake_can_be_asked_for_the_verdict_on_the_answer(tmp_path: Path) -> None:
    by_answer = golds("bigbench-mistake", tmp_path, "?verdict=answer&subset=word_sorting")
    assert steps(by_answer) == [("incorrect", True, 1), ("correct", True, None), ("correct", True, 0)]


def test_bigbench_mistake_in_one_file_has_its_subset_in_the_field_task(tmp_path: Path) -> None:
    rows = [{"task": task, **row} for task in ("b", "a") for row in files.BIGBENCH]
    path = write(tmp_path / "traces.jsonl", rows)
    found = list(load_cases(f"bigbench-mistake:{path}").cases())
    assert [problem.metadata["subset"] for problem, _ in found] == ["b"] * 3 + ["a"] * 3
    assert found[3][0].id == "bigbench-mistake-a-0000"


def test_mr_ben_counts_from_1_and_quotes_the_wrong_line_of_code(tmp_path: Path) -> None:
    found = {problem.id: (problem, case) for problem, case in cases("mr-ben", tmp_path)}
    assert steps([case.gold for _, case in found.values()]) == [
        ("incorrect", True, 1),
        ("incorrect", True, 0),
        ("correct", True, None),
        ("incorrect", False, None),
    ]
    problem, case = found["mr-ben-q-1-ada"]
    assert problem.text == "What is 2 + 2, doubled?\nA: 8 \nB: 10 "
    assert problem.reference == "A", "the corrected answer"
    assert problem.metadata == {"subset": "math", "group": "q-1"}
    assert case.candidates[0].author == "ada"
    assert case.gold.critique == "The sum is wrong."
    assert [(one.text, one.step, one.suggestion) for one in case.gold.findings] == [
        ("The sum is wrong.", 0, "Step 1: 2 + 2 = 4."),
        ("2 + 2 is 4.", 0, None),
    ]
    code = found["mr-ben-q-2-ada"][1]
    assert code.candidates[0].steps[1] == "    y = x + 1\n"
    assert found["mr-ben-q-1-bob"][1].gold.findings == ()


def test_mr_gsm8k_counts_from_1(tmp_path: Path) -> None:
    found = golds("mr-gsm8k", tmp_path)
    assert steps(found) == [
        ("incorrect", True, 1),
        ("correct", True, None),
        ("incorrect", False, None),
    ]
    assert [gold.critique for gold in found] == ["2 + 2 is 4", None, "it misreads the question"]
    text = {**files.MR_GSM8K[0], "model_output_steps": "There are two.\n\n2 + 2 = 5.", "sampled_model": "ada"}
    path = write(tmp_path / "text.jsonl", [text])
    ((_, case),) = load_cases(f"mr-gsm8k:{path}").cases()
    assert case.candidates[0].steps == ("There are two.\n", "2 + 2 = 5.")
    assert case.candidates[0].author == "ada"
    listed = {**text, "model_output_steps": str(files.MR_GSM8K[0]["model_output_steps"])}
    ((_, case),) = load_cases(f"mr-gsm8k:{write(tmp_path / 'listed.csv', [listed])}").cases()
    assert case.candidates[0].steps == ("Step 1: there are two.\n", "Step 2: 2 + 2 = 5.")
    assert case.gold.wrong_step == 1


def test_processbench_counts_from_0_and_minus_1_is_no_wrong_step(tmp_path: Path) -> None:
    found = cases("processbench", tmp_path)
    assert [problem.id for problem, _ in found] == ["processbench-gsm8k-0", "processbench-gsm8k-1"]
    assert steps([case.gold for _, case in found]) == [("incorrect", True, 1), ("correct", True, None)]
    assert found[0][1].candidates[0].text == "There are two.\n\n2 + 2 = 5."
    assert found[0][1].candidates[0].author == "ada-7b"


def test_prm800k_takes_the_planned_solution_and_its_first_step_rated_minus_1(tmp_path: Path) -> None:
    found = cases("prm800k", tmp_path)
    assert [problem.id for problem, _ in found] == [f"prm800k-phase2_test-00000{n}" for n in (0, 1, 2, 4)]
    assert steps([case.gold for _, case in found]) == [
        ("incorrect", True, 1),
        ("correct", True, None),
        (None, False, None),
        ("correct", True, None),
    ]
    assert found[0][1].candidates[0].text == "There are two.\n2 + 2 = 5.\nSo 5."
    assert found[3][1].candidates[0].text == "There are two.\n4.", "the chosen step, then the labeller's own"
    assert len(cases("prm800k", tmp_path, "?screening=true")) == 5


# One answer, or a critique of it.


def test_criticbench_of_lin_has_a_verdict_and_every_right_answer(tmp_path: Path) -> None:
    found = cases("criticbench-lin", tmp_path)
    assert [case.gold.verdict for _, case in found] == ["incorrect", "correct"]
    assert [problem.reference for problem, _ in found] == ["4\nfour", "4"]
    assert len({str(problem.metadata["group"]) for problem, _ in found}) == 1


def test_criticbench_of_lan_tells_its_three_tasks_apart(tmp_path: Path) -> None:
    found = cases("criticbench-lan", tmp_path)
    assert [problem.metadata["subset"] for problem, _ in found] == [
        *["comparison/chat"] * 3,
        "meta-feedback/qa",
        "feedback/translate",
    ]
    assert [case.gold.tiers for _, case in found[:3]] == [FIRST, SECOND, TIE]
    meta, feedback = found[3][1], found[4][1]
    assert meta.critique is not None
    assert (meta.critique.text, meta.critique.target) == ("Kind.", meta.candidates[0].id)
    assert meta.gold.value == 2.0
    assert (feedback.gold.value, feedback.gold.critique) == (6.0, "Right.")


def test_realcritic_takes_lists_of_one(tmp_path: Path) -> None:
    found = cases("realcritic", tmp_path)
    assert [problem.id for problem, _ in found] == [
        "realcritic-gpqa-0",
        "realcritic-math-0",
        "realcritic-math-1",
    ]
    assert [case.gold.verdict for _, case in found] == ["incorrect", "incorrect", "correct"]
    assert [problem.privileged for problem, _ in found[1:]] == [{}, {"solution": "2 + 3"}]
    assert found[1][1].candidates[0].text == "It is 5."


def test_metacritique_judges_each_critique_by_itself(tmp_path: Path) -> None:
    human, model = cases("metacritique", tmp_path)
    assert (human[0].id, model[0].id) == ("metacritique-0-human", "metacritique-0-llm1")
    assert human[0].privileged == {
        "aius": ["No saw."],
        "precision_labels": [True],
        "reference_aius": ["A saw is wrong.", "Turn."],
        "recall_labels": [True, False],
    }
    assert human[1].critique is not None
    assert model[1].critique is not None
    assert (human[1].critique.author, model[1].critique.author) == ("human", "ada")
    assert [case.gold.value for _, case in (human, model)] == [0.66, 0.0]
    assert human[1].gold.critique == "A saw is wrong. Say to turn."
    assert human[0].reference == "Turn the lid."


def test_metacritique_takes_a_critique_a_row_too(tmp_path: Path) -> None:
    labels: dict[str, Any] = {"aius": ["No saw."], "precision_labels": [1], "recall_labels": [0]}
    row = {"index": 4, "question": "q", "response": "r", "critique": "No saw.", "critic": "ada", "f1": 0.5}
    path = write(tmp_path / "critiques.jsonl", [{**row, **labels}])
    (found,) = load_cases(f"metacritique:{path}").cases()
    assert found[1].critique is not None
    assert (found[1].critique.author, found[1].gold.value) == ("ada", 0.5)
    assert found[0].privileged["precision_labels"] == [True]


def test_metacritique_without_a_critique_is_an_answer_with_its_reference_critique(tmp_path: Path) -> None:
    row = {
        "index": 1,
        "question": "q",
        "response": "r",
        "gpt4_critique": {"critique": "No.", "aius": ["No."]},
    }
    path = write(tmp_path / "benchmark_data.json", [row])
    ((problem, case),) = load_cases(f"metacritique:{path}").cases()
    assert (problem.id, case.critique, case.gold.critique) == ("metacritique-1-answer", None, "No.")
    assert [finding.text for finding in case.gold.findings] == ["No."]


def test_metacritique_needs_as_many_labels_as_claims(tmp_path: Path) -> None:
    human = files.checked("No saw.", ["No saw.", "Turn."], [True], [True, False], 0.66)
    path = write(tmp_path / "a.json", [{**files.METACRITIQUE[0], "human_critique": human}])
    with pytest.raises(InputError, match="'precision_labels' should be a list of 2 labels"):
        load_cases(f"metacritique:{path}")


def test_shepherd_is_read_in_both_published_forms(tmp_path: Path) -> None:
    ((problem, case),) = cases("shepherd", tmp_path)
    assert (problem.text, problem.reference, case.candidates[0].text) == ("Two and two?", "4", "5")
    assert [finding.text for finding in case.gold.findings] == ["It is 4.", "Said twice."]
    assert problem.privileged["error_types"] == ["ARITHMETIC", "REDUNDANCY"]
    assert (case.gold.value, case.gold.verdict) == (4.0, None)
    path = write(tmp_path / "human_data_for_model.jsonl", files.SHEPHERD)
    ((problem, case),) = load_cases(f"shepherd:{path}").cases()
    assert (problem.id, case.gold.critique, case.gold.value) == ("shepherd-5", "It is 4.", None)


def test_mint_calls_a_proposal_right_only_where_the_dialogue_ends_on_it(tmp_path: Path) -> None:
    found = cases("mint", tmp_path)
    assert [case.gold.verdict for _, case in found] == ["incorrect", "incorrect", "correct"]
    assert {problem.text for problem, _ in found} == {"Two and two?"}
    assert {case.candidates[0].author for _, case in found} == {"ada"}
    assert {str(problem.metadata["subset"]) for problem, _ in found} == {"gsm8k"}
    assert "Expert" not in found[2][1].candidates[0].text
    assert len(found[2][1].candidates[0].steps) == 7


def test_mint_judges_the_critics_call_on_a_proposal(tmp_path: Path) -> None:
    found = cases("mint", tmp_path, "?of=feedback")
    critiques = [case.critique for _, case in found]
    assert [critique.verdict for critique in critiques if critique] == ["correct", "incorrect"]
    assert [case.gold.verdict for _, case in found] == ["incorrect", "correct"]
    assert {critique.author for critique in critiques if critique} == {"gpt-4-0613"}


def test_mint_is_read_a_dialogue_a_row_too(tmp_path: Path) -> None:
    row = {
        "model": "ada",
        "feedback": "None",
        "task": "gsm8k",
        "id": 3,
        "reference": "4",
        "success": 0,
        "end": "error",
        "history": [
            {"role": "user", "content": "Task:\nTwo and two?\n"},
            {"role": "assistant", "content": "<solution> 5 </solution>"},
            {"role": "user", "content": "Your answer is wrong."},
            {"role": "assistant", "content": "<solution> 3 </solution>"},
        ],
    }
    path = write(tmp_path / "dialogues.jsonl", [row])
    found = list(load_cases(f"mint:{path}").cases())
    assert [problem.id for problem, _ in found] == [
        "mint-ada-None-gsm8k-3-turn0",
        "mint-ada-None-gsm8k-3-turn2",
    ]
    assert [case.gold.verdict for _, case in found] == ["incorrect", None], "an error hid the last check"
    assert found[0][0].text == "Two and two?"
    path = write(tmp_path / "steps.jsonl", [{**row, "end": "max_steps"}])
    assert [case.gold.verdict for _, case in load_cases(f"mint:{path}").cases()] == ["incorrect"] * 2


# Several answers.


def test_judgebench_labels_become_tiers_and_equal_answers_stay_two(tmp_path: Path) -> None:
    found = cases("judgebench", tmp_path)
    assert [case.gold.tiers for _, case in found] == [FIRST, SECOND]
    same = found[1][1].candidates
    assert same[0].text == same[1].text
    assert [candidate.draw for candidate in same] == [(), (1,)]
    assert {str(problem.metadata["group"]) for problem, _ in found} == {"mmlu-pro-law-7"}


def test_llmbar_names_subsets_after_their_folders(tmp_path: Path) -> None:
    found = cases("llmbar", tmp_path)
    assert [problem.id for problem, _ in found] == [
        f"llmbar-{subset}-000{n}" for subset in ("CaseStudy/Base_9", "LLMBar/Natural") for n in range(2)
    ]
    assert [case.gold.tiers for _, case in found] == [FIRST, SECOND] * 2


def test_reward_bench_does_not_put_the_chosen_answer_first_always(tmp_path: Path) -> None:
    found = cases("reward-bench", tmp_path)
    assert {case.gold.tiers for _, case in found} == {FIRST, SECOND}
    for problem, case in found:
        best = case.candidates[case.gold.tiers[0][0]]
        assert best.text == problem.text.removeprefix("Say ").removesuffix(".")
        assert best.author == "human"


def test_reward_bench_2_has_a_best_of_four_and_ties(tmp_path: Path) -> None:
    four, reference, tied = cases("reward-bench-2", tmp_path)
    authors = {candidate.text: candidate.author for candidate in four[1].candidates}
    assert authors == {"4": "ada", "5": "bob", "6": "cy", "7": "di"}
    texts = [
        [case.candidates[place].text for place in case.gold.tiers[0]] for _, case in (four, reference, tied)
    ]
    assert [sorted(best) for best in texts] == [["4"], ["blue"], ["blue", "red"]]
    assert [len(tier) for tier in four[1].gold.tiers] == [1, 3]
    assert reference[0].metadata["group"] == tied[0].metadata["group"] != four[0].metadata["group"]
    assert {candidate.author for candidate in tied[1].candidates} == {"unknown"}


def test_pandalm_takes_the_majority_and_nan_for_no_input(tmp_path: Path) -> None:
    found = cases("pandalm", tmp_path)
    assert [case.gold.tiers for _, case in found] == [FIRST, TIE, TIE]
    assert [problem.text for problem, _ in found[:2]] == ["Repeat.\n\nx", "Repeat."]
    assert [candidate.author for candidate in found[0][1].candidates] == ["llama-7b", "opt-7b"]
    assert golds("pandalm", tmp_path, "?even=unlabelled")[2].tiers == ()


def test_alpaca_eval_gathers_the_votes_on_the_same_two_answers(tmp_path: Path) -> None:
    found = golds("alpaca-eval", tmp_path)
    assert [gold.tiers for gold in found] == [SECOND, TIE, TIE, (), FIRST]
    assert [gold.value for gold in found] == [-0.5, 0.0, 0.0, None, 0.5]
    assert len(golds("alpaca-eval", tmp_path, "?votes=each")) == len(files.ALPACA_EVAL)


def test_mt_bench_gathers_votes_whichever_model_was_called_a(tmp_path: Path) -> None:
    one, two = cases("mt-bench", tmp_path)
    assert one[0].privileged["votes"] == ["first", "first", "second"]
    assert one[1].gold.tiers == FIRST
    assert [candidate.text for candidate in one[1].candidates] == ["ada one", "bob one"]
    assert two[1].gold.tiers == TIE
    assert two[0].text == "[Question 1]\nHi?\n\n[Question 2]\nAnd?"
    assert two[1].candidates[1].steps == ("[Answer 1]\nbob one\n\n", "[Answer 2]\nbob two")
    each = cases("mt-bench", tmp_path, "?votes=each&subset=turn-1")
    assert [case.gold.tiers for _, case in each] == [FIRST, SECOND, SECOND]
    assert each[1][1].candidates[0].author == "bob"


def test_ultrafeedback_orders_by_mark_and_leaves_out_what_has_none(tmp_path: Path) -> None:
    whole, unmarked = cases("ultrafeedback", tmp_path)
    assert whole[1].gold.tiers == ((1,), (0, 2))
    assert whole[0].reference == "Yes"
    assert (unmarked[1].gold.tiers, unmarked[0].reference) == ((), None)
    single = golds("ultrafeedback", tmp_path, "?by=answer")
    assert [gold.value for gold in single] == [7.0, 9.0, 7.0, 7.0, None]
    assert single[0].critique == "ada could do better"
    rated = golds("ultrafeedback", tmp_path, "?by=answer&mark=ratings")
    assert [gold.value for gold in rated[:3]] == [4.5, None, 4.5]


# A user's own file.


def test_a_path_is_a_users_own_cases(tmp_path: Path) -> None:
    path = write(tmp_path / "own.jsonl", files.OWN)
    found = list(load_cases(str(path)).cases())
    assert [problem.id for problem, _ in found] == [f"own-0000{n}" for n in range(6)]
    one, lines, pair, three, tie, unlabelled = (case for _, case in found)
    assert (one.gold.verdict, one.gold.stepwise) == ("correct", False)
    assert (lines.gold.verdict, lines.gold.wrong_step) == ("incorrect", 1)
    assert lines.candidates[0].steps == ("there are two\n", "so 5")
    assert pair.gold.tiers == FIRST
    assert [candidate.author for candidate in pair.candidates] == ["ada", "bob"]
    assert three.gold.tiers == ((1, 2), (0,))
    assert tie.gold.tiers == TIE
    assert unlabelled.gold == Gold()
    assert found[0][0].metadata["subset"] == "sums"


def test_a_table_of_cases_is_read_with_its_empty_cells_as_nothing(tmp_path: Path) -> None:
    rows = [
        {"Question": "q", "answers": '["x", "y"]', "label": "2", "step": "", "answer": ""},
        {"Question": "q", "answers": "", "label": "", "step": "2", "answer": "a\nb"},
        {"Question": "q", "answers": "", "label": "", "step": "none", "answer": "a\nb"},
    ]
    path = write(tmp_path / "own.csv", rows)
    found = [case for _, case in load_cases(f"{path}?steps_from=1").cases()]
    assert found[0].gold.tiers == SECOND
    assert steps([case.gold for case in found[1:]]) == [("incorrect", True, 1), ("correct", True, None)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"answer": "x"}, r"own.jsonl:2: .*no field 'problem' or 'question'"),
        ({"problem": "q"}, r"own.jsonl:2: .*no field 'answer'"),
        ({"problem": "q", "answer": "x", "gold": "maybe"}, "'gold' should be correct or incorrect"),
        ({"problem": "q", "answer": "x", "step": 3}, "'step' should be none or from 0 to 0, not '3'"),
        ({"problem": "q", "answers": ["x", "y"], "gold": "third"}, "should be first, second or tie"),
        ({"problem": "q", "answers": ["x", "y", "z"], "gold": "4"}, "should be one of 3 answers"),
        ({"problem": "q", "answers": "x, y"}, "should be a JSON array"),
        ({"id": "a", "problem": "q", "answer": "x"}, "the id 'a' stands in an earlier row too"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path: Path, row: files.Row, message: str) -> None:
    path = write(tmp_path / "own.jsonl", [{"id": "a", "problem": "q", "answer": "x"}, row])
    with pytest.raises(InputError, match=message):
        load_cases(str(path))


# What goes wrong is said with its place and its mend.


@pytest.mark.parametrize(
    ("name", "file", "content", "message"),
    [
        ("bigbench-mistake", "a.jsonl", [{"input": "x"}], r"a.jsonl:1: not a row of BIG-Bench.*'steps'"),
        (
            "bigbench-mistake",
            "a.jsonl",
            [{**files.BIGBENCH[0], "mistake_index": 3}],
            "'mistake_index' should be one of 3 steps, not '3'",
        ),
        ("processbench", "a.json", [{**files.PROCESSBENCH[0], "label": 2}], "should be one of 2 steps"),
        ("judgebench", "a.jsonl", [{**files.JUDGEBENCH[0], "label": "A"}], "should be A>B or B>A or A=B"),
        ("llmbar", "a.json", [{**files.LLMBAR[0], "label": 3}], "item 1: .*should be 1 or 2, not '3'"),
        ("pandalm", "a.json", [files.pandalm_row(0, (1, 1, 5))], "'annotator3' should be 0, 1 or 2"),
        ("alpaca-eval", "a.json", [files.alpaca_vote("a", "b", 3)], "should be 0 or from 1 to 2"),
        ("mt-bench", "a.jsonl", [{**files.MT_BENCH[0], "winner": "ada"}], "model_a, model_b or tie"),
        ("mr-ben", "a.json", {"q": [{"Question_UUID": "q"}]}, "no field 'Sampled_Model'"),
        ("prm800k", "a.jsonl", [{"question": "q"}], "'question' should be an object, not 'q'"),
        ("reward-bench-2", "a.jsonl", [{**files.REWARD_BENCH_2[0], "rejected": []}], "a list of answers"),
        ("realcritic", "a.jsonl", [{**files.REALCRITIC[0], "previous_score": []}], "true or false"),
        ("mr-ben", "a.json", {}, "has no rows"),
        ("pandalm", "a.json", ["x"], "item 1: expected an object with fields, not str"),
    ],
)
def test_a_row_of_another_format_is_refused(
    tmp_path: Path, name: str, file: str, content: object, message: str
) -> None:
    path = write(tmp_path / file, content)
    with pytest.raises(InputError, match=message):
        load_cases(f"{name}:{path}")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("judgbench:x", "no benchmark of judges 'judgbench'; did you mean 'judgebench'"),
        ("judgebench", r"judgebench needs its file: download https://.* say 'judgebench:hub'"),
        ("llmbar", "llmbar needs its file: download https://.*/LLMBar and say 'llmbar:LLMBar/Dataset'$"),
        ("llmbar:hub", "no copy of LLMBar on the hub is known; download https://"),
        ("judgebench:nowhere.jsonl", "there is no file nowhere.jsonl"),
        ("judgebench:{folder}?strict=true", "judgebench: no option 'strict'"),
        ("judgebench:{folder}?subset=law", "no case of the subset law; there are mmlu-pro-law"),
        ("mint:{folder}", "holds no .*results.jsonl of MINT; download https://"),
        ("cases", "which file"),
    ],
)
def test_what_is_missing_is_named_with_what_to_do(tmp_path: Path, spec: str, message: str) -> None:
    write_all("judgebench", tmp_path)
    with pytest.raises(InputError, match=message):
        load_cases(spec.format(folder=tmp_path))


@pytest.mark.parametrize(
    ("name", "query", "message"),
    [
        ("mt-bench", "votes=some", "'votes' must be majority or each, not 'some'"),
        ("pandalm", "even=half", "'even' must be tie or unlabelled"),
        ("bigbench-mistake", "verdict=x", "'verdict' must be steps or answer"),
        ("prm800k", "screening=perhaps", "must be true or false"),
    ],
)
def test_an_option_with_another_value_is_refused(tmp_path: Path, name: str, query: str, message: str) -> None:
    spec = write_all(name, tmp_path)
    with pytest.raises(InputError, match=message):
        load_cases(f"{spec}?{query}")


def test_a_limit_keeps_the_first_cases_and_the_notes(tmp_path: Path) -> None:
    spec = write_all("judgebench", tmp_path)
    limited = load_cases(spec, limit=1)
    assert list(limited.cases()) == list(load_cases(spec).cases())[:1]
    assert notes_of(limited) == notes_of(load_cases(spec))
    assert limited.name == spec
    with pytest.raises(InputError, match="limit must be 1 or more"):
        load_cases(spec, limit=0)


def test_an_id_that_comes_twice_is_numbered(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [files.JUDGEBENCH[0]] * 3)
    found = [problem.id for problem, _ in load_cases(f"judgebench:{path}").cases()]
    assert found == ["judgebench-p-0", "judgebench-p-0#2", "judgebench-p-0#3"]


def test_of_a_large_file_only_the_first_case_is_read_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.jsonl", [files.JUDGEBENCH[0], {"pair_id": "broken"}])
    message = r"a.jsonl:2: not a row of JudgeBench"
    with pytest.raises(InputError, match=message):
        load_cases(f"judgebench:{path}")
    monkeypatch.setattr("gadfly.benchmarks.judging.cases._CHECKED_WHOLE", 10)
    large = load_cases(f"judgebench:{path}")
    assert len(list(load_cases(f"judgebench:{path}", limit=1).cases())) == 1
    with pytest.raises(InputError, match=message):
        list(large.cases())


def test_of_many_files_the_notes_tell_one_checksum(tmp_path: Path) -> None:
    for name in "abcd":
        write(tmp_path / f"{name}.jsonl", files.BIGBENCH)
    (note, _) = notes_of(load_cases(f"bigbench-mistake:{tmp_path}"))
    assert note.startswith(f"{tmp_path.name}: 12 rows in 4 files, SHA-256 of all ")
    write(tmp_path / "d.jsonl", files.BIGBENCH[:2] + files.BIGBENCH[:1])
    (changed, _) = notes_of(load_cases(f"bigbench-mistake:{tmp_path}"))
    assert changed != note


def test_a_compressed_file_is_read_as_the_same_cases(tmp_path: Path) -> None:
    spec = write_all("mr-ben", tmp_path)
    plain = list(load_cases(spec).cases())
    for path in sorted(tmp_path.iterdir()):
        (tmp_path / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert list(load_cases(spec).cases()) == plain
    (tmp_path / "math.json.gz").write_bytes(b"not compressed")
    with pytest.raises(InputError, match=r"math.json.gz cannot be read"):
        load_cases(spec)


def test_json_lines_in_a_file_called_json_are_read(tmp_path: Path) -> None:
    path = tmp_path / "gsm8k.json"
    path.write_text("".join(json.dumps(row) + "\n" for row in files.PROCESSBENCH))
    assert len(list(load_cases(f"processbench:{path}").cases())) == 2
    path.write_text('{"id": "a"}\nnot json\n')
    with pytest.raises(InputError, match=r"gsm8k.json:2: not a line of JSON"):
        load_cases(f"processbench:{path}")
    path.write_text("[1, 2")
    with pytest.raises(InputError, match=r"gsm8k.json: not JSON"):
        load_cases(f"processbench:{path}")


# The hub's copy, through a stand-in for the package datasets.


class Hub(ModuleType):
    """Takes the place of the package datasets."""

    def __init__(self, rows: list[dict[str, Any]], error: Exception | None = None) -> None:
        super().__init__("datasets")
        self.asked: list[tuple[str, str | None, str, str | None]] = []
        self.rows, self.error = rows, error

    def load_dataset(
        self, path: str, name: str | None, *, split: str, revision: str | None
    ) -> Iterator[dict[str, Any]]:
        self.asked.append((path, name, split, revision))
        if self.error:
            raise self.error
        return iter(self.rows)


def test_the_hubs_copy_is_read_split_by_split_at_its_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(files.JUDGEBENCH)
    monkeypatch.setitem(sys.modules, "datasets", hub)
    benchmark: JudgingBenchmark = load_cases("judgebench:hub:abc123?split=claude")
    assert len(list(benchmark.cases())) == 2
    assert set(hub.asked) == {("ScalerLab/JudgeBench", None, "claude", "abc123")}
    assert notes_of(benchmark)[0] == "ScalerLab/JudgeBench, split claude, abc123: 2 rows"
    hub.asked.clear()
    assert len(list(load_cases("judgebench:hub").cases())) == 4
    assert {asked[2] for asked in hub.asked} == {"gpt", "claude"}


def test_the_hub_out_of_reach_names_the_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", Hub([], OSError("no route")))
    message = r"cannot be had \(OSError: no route\); download https://.* and say 'judgebench:"
    with pytest.raises(InputError, match=message):
        load_cases("judgebench:hub")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(InputError, match=r"pip install datasets; or download https://"):
        load_cases("judgebench:hub")


def test_gsm8k_comes_from_the_hub_in_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub([{"question": "Two and two?", "answer": "#### 4"}])
    monkeypatch.setitem(sys.modules, "datasets", hub)
    (problem,) = load_benchmark("gsm8k:hub?split=train").problems()
    assert (problem.id, problem.reference) == ("gsm8k-train-0000", "4")
    assert set(hub.asked) == {("openai/gsm8k", "main", "train", None)}


def test_a_file_is_read_without_the_package_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)  # importing it now fails
    for name in files.FILES:
        assert load_cases(write_all(name, tmp_path / name))


def test_the_listing_tells_benchmarks_to_judge_from_those_to_solve() -> None:
    rows: list[dict[str, Any]] = json.loads(gadfly("benchmarks", "--json").out)
    tasks = {row["name"]: row["task"] for row in rows}
    assert len(tasks) == len(rows), "no name is both"
    assert {name for name, task in tasks.items() if task == "judge"} == set(files.FILES)
    assert tasks["gsm8k"] == "solve"
    listed = gadfly("benchmarks", "judge").out.splitlines()
    assert [line.split()[1] for line in listed[1:]] == ["judge"] * len(files.FILES)


def test_every_benchmark_of_judges_tells_of_itself() -> None:
    abouts = list_judging_benchmarks()
    assert {about.name for about in abouts} == set(files.FILES)
    for about in abouts:
        assert about.name == "cases" or "https://" in about.needs
        assert "subset" in about.options
        assert about.example.partition(":")[0].removesuffix(".jsonl") == about.name
