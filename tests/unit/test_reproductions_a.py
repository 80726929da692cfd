"""ReasonEval, MetaCritique and MR-Score: small records of our own, and the published ones."""

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from gadfly.errors import InputError
from gadfly.reproductions.check import Check, Note, Reproduction
from gadfly.reproductions.metacritique import REPRODUCTION as METACRITIQUE
from gadfly.reproductions.mr_score import REPRODUCTION as MR_SCORE
from gadfly.reproductions.reasoneval import REPRODUCTION as REASONEVAL

DATA = Path(__file__).parents[3] / "shared" / "data"
Row = Mapping[str, object]


def write(path: Path, rows: Sequence[Row]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def checks(reproduction: Reproduction, folder: Path) -> dict[str, Check]:
    return {one.what: one for one in reproduction.checks(folder) if isinstance(one, Check)}


def notes(reproduction: Reproduction, folder: Path) -> list[str]:
    return [one.text for one in reproduction.checks(folder) if isinstance(one, Note)]


# ---------------------------------------------------------------- ReasonEval


def valid(*scores: float) -> Row:
    """Three class scores a sub-step whose last two sum to these."""
    return {"scores": [[1 - one, one / 4, one * 3 / 4] for one in scores]}


def verdict(word: str, step: str) -> Row:
    return {"response": "...", "correctness_pred": word, "error_step_pred": step}


def solution(number: int, first: int | None, sizes: Sequence[int], evaluators: Mapping[str, Row]) -> Row:
    return {
        "id": number,
        "steps": [["part"] * size for size in sizes],
        "solution": "correct" if first is None else "wrong",
        "first_error_step": "N/A" if first is None else first,
        "evaluators": evaluators,
    }


def invalid_rows() -> list[Row]:
    """Two right and two wrong solutions; `judge` misreads one verdict, `prm` calls one good one bad."""
    return [
        solution(
            0,
            None,
            [1, 2],
            {
                "new-prm": valid(0.9, 0.8, 0.4),
                "judge": verdict("Correct", "N/A"),
                "plain": {"scores": [0.9, 0.8, 0.7]},
                "whole": {"scores": 0.03},
            },
        ),
        solution(
            1,
            None,
            [1, 1],
            {
                "new-prm": valid(0.9, 0.8),
                "judge": verdict("correct", "N/A"),
                "plain": {"scores": [0.9, 0.8]},
                "whole": {"scores": 0.02},
            },
        ),
        solution(
            2,
            2,
            [2, 1, 1],
            {
                "new-prm": valid(0.9, 0.7, 0.1, 0.9),
                "judge": verdict("Wrong", "Step 2"),
                "plain": {"scores": [0.9, 0.8, 0.3, 0.1]},
                "whole": {"scores": 0.01},
            },
        ),
        solution(
            3,
            1,
            [1, 1],
            {
                "new-prm": valid(0.3, 0.9),
                "judge": verdict("**Wrong**", "Step 9"),
                "plain": {"scores": [0.9, 0.95]},
                "whole": {"scores": 0.05},
            },
        ),
    ]


def redundant_rows() -> list[Row]:
    neutral = {"scores": [[0.1, 0.05, 0.85], [0.1, 0.5, 0.4]]}
    return [
        {
            "id": 0,
            "steps": [["a"], ["b"]],
            "rating": [1, 0],
            "evaluators": {"new-prm": neutral, "judge": verdict("Present", "Steps 2")},
        },
        {
            "id": 1,
            "steps": [["a"], ["b"], ["c"]],
            "rating": [1, 1, -1],
            "evaluators": {
                "new-prm": {"scores": [[0.1, 0.1, 0.8], [0.1, 0.0, 0.9], [0.0, 0.9, 0.1]]},
                "judge": verdict("Absent", "N/A"),
            },
        },
    ]


def reasoneval(folder: Path, values: Mapping[str, Mapping[str, float]]) -> None:
    write(folder / "invalid.jsonl.gz", invalid_rows())
    write(folder / "redundant.jsonl.gz", redundant_rows())
    (folder / "published.json").write_text(json.dumps({"source": "ours", "values": values}), encoding="utf-8")


def test_reasoneval_figures_come_from_records_of_evaluators_nobody_published(tmp_path: Path) -> None:
    published = {
        # Solutions: one of two right ones is called bad.
        "invalid|solution|macro_f1": {"new-prm": 0.733, "judge": 0.733, "plain": 0.733, "whole": 0.5},
        "invalid|solution|auc": {"new-prm": 1.0, "plain": 0.5, "whole": 0.5},
        # Steps judged: 4 of the right solutions, then good and bad, then bad.
        "invalid|step|macro_f1": {"new-prm": 0.844, "judge": 0.788, "plain": 0.788},
        "invalid|step|auc": {"new-prm": 1.0},
        "redundant|solution|macro_f1": {"new-prm": 0.333, "judge": 1.0},
        "redundant|solution|auc": {"new-prm": 0.0},
        "redundant|step|macro_f1": {"new-prm": 1.0, "judge": 1.0},
        "redundant|step|auc": {"new-prm": 1.0},
    }
    reasoneval(tmp_path, published)
    found = checks(REASONEVAL, tmp_path)
    assert len(found) == sum(len(row) for row in published.values())
    assert {what: one.ours for what, one in found.items() if not one.matched} == {}


def test_a_wrong_published_number_comes_out_as_differing(tmp_path: Path) -> None:
    reasoneval(tmp_path, {"invalid|solution|macro_f1": {"new-prm": 0.735, "judge": 0.733}})
    found = checks(REASONEVAL, tmp_path)
    assert found["invalid, solution, macro_f1, new-prm"].status == "differing"
    assert found["invalid, solution, macro_f1, judge"].status == "matched"


def test_what_the_records_cannot_give_is_none_and_differs(tmp_path: Path) -> None:
    reasoneval(
        tmp_path,
        {
            "invalid|solution|auc": {"judge": 0.5},
            "invalid|step|macro_f1": {"whole": 0.5, "absent": 0.5},
            "invalid|chapter|macro_f1": {"judge": 0.5},
            "other": {"judge": 0.5},
        },
    )
    found = checks(REASONEVAL, tmp_path)
    assert len(found) == 5
    assert {(one.ours, one.status) for one in found.values()} == {(None, "differing")}


def test_verdicts_that_are_not_the_bare_word_are_noted(tmp_path: Path) -> None:
    reasoneval(tmp_path, {"invalid|solution|macro_f1": {"judge": 0.733}})
    found = notes(REASONEVAL, tmp_path)
    assert sum("1 of 4 verdicts of judge" in text for text in found) == 1
    assert "invalid: judge names exactly the first wrong step in 1 of 2" in found
    assert "invalid: new-prm names exactly the first wrong step in 2 of 2" in found


def test_reasoneval_says_which_record_is_broken(tmp_path: Path) -> None:
    reasoneval(tmp_path, {"invalid|solution|macro_f1": {"judge": 0.733}})
    broken = [
        ([solution(7, None, [2], {"prm": valid(0.5)})], "solution 7, prm: 1 scores cannot belong"),
        ([solution(7, 3, [1], {"prm": valid(0.5)})], "first wrong step is number 2"),
        ([solution(7, None, [1], {"prm": {}})], "neither scores nor a verdict"),
        ([{**solution(7, 1, [1], {}), "first_error_step": "N/A"}], "solution 7 is wrong, but"),
        ([{"id": 7}], r"invalid.jsonl.gz:1: steps"),
    ]
    for rows, message in broken:
        write(tmp_path / "invalid.jsonl.gz", rows)
        with pytest.raises(InputError, match=message):
            list(REASONEVAL.checks(tmp_path))
    with pytest.raises(InputError, match="no file"):
        list(REASONEVAL.checks(tmp_path / "nowhere"))


def test_reasoneval_needs_a_rating_for_each_step_and_published_numbers(tmp_path: Path) -> None:
    reasoneval(tmp_path, {"invalid|solution|macro_f1": {"judge": 0.733}})
    for text in ("{", '{"values": {}}', '{"values": {"invalid|solution|auc": {"judge": "high"}}}'):
        (tmp_path / "published.json").write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match="no published numbers"):
            list(REASONEVAL.checks(tmp_path))
    (tmp_path / "published.json").unlink()
    with pytest.raises(InputError, match=r"no file .*published\.json"):
        list(REASONEVAL.checks(tmp_path))
    write(tmp_path / "redundant.jsonl.gz", [{**redundant_rows()[0], "rating": [1]}])
    with pytest.raises(InputError, match="1 ratings for 2 steps"):
        list(REASONEVAL.checks(tmp_path))


# ---------------------------------------------------------------- MetaCritique


def critique(index: int, own: Sequence[int], reference: Sequence[int], stored: Sequence[float]) -> Row:
    return {
        "index": index,
        "critic": "a new critic",
        "slot": "llm3",
        "aius": ["unit"] * len(own),
        "precision_labels": own,
        "recall_labels": reference,
        "precision": stored[0],
        "recall": stored[1],
        "f1": stored[2],
    }


def test_metacritique_checks_each_stored_value(tmp_path: Path) -> None:
    write(
        tmp_path / "critiques.jsonl.gz",
        [
            critique(0, [1, 0], [1, 1, 0, 0], [0.5, 0.5, 0.5]),
            critique(1, [1], [0], [1, 0, 0]),
            critique(2, [1, 1], [1, 0], [1.0, 0.5, 0.75]),
            critique(3, [], [1], [0.0, 1.0, 0.0]),
        ],
    )
    found = checks(METACRITIQUE, tmp_path)
    assert len(found) == 12
    differing = [what for what, one in found.items() if one.status == "differing"]
    assert differing == [
        "critique 2, llm3 (a new critic), F1",
        "critique 3, llm3 (a new critic), precision",
        "critique 3, llm3 (a new critic), F1",
    ]
    assert found["critique 3, llm3 (a new critic), F1"].ours is None
    (text,) = notes(METACRITIQUE, tmp_path)
    assert "mean F1 0.3889" in text
    assert "F1 of the means 0.4762" in text


def test_metacritique_notes_units_without_labels_and_refuses_other_labels(tmp_path: Path) -> None:
    row = critique(0, [1, 0], [1], [0.5, 1.0, 2 / 3])
    write(tmp_path / "critiques.jsonl.gz", [{**row, "aius": ["one"]}])
    assert "2 labels for 1 units" in notes(METACRITIQUE, tmp_path)[0]
    write(tmp_path / "critiques.jsonl.gz", [critique(0, [], [1], [0.0, 1.0, 0.0])])
    assert notes(METACRITIQUE, tmp_path) == []
    write(tmp_path / "critiques.jsonl.gz", [{**row, "recall_labels": [2]}])
    with pytest.raises(InputError, match="recall_labels"):
        list(METACRITIQUE.checks(tmp_path))


# ---------------------------------------------------------------- MR-Score


def mr_ben(number: int, steps: list[str] | str, first: str | None, subject: str = "math") -> Row:
    return {
        "subject": subject,
        "i": number,
        "Model_Solution_Steps": steps,
        "Model_Solution_Correctness": "correct" if first is None else "incorrect",
        "Model_Solution_First_Error_Step": "N/A" if first is None else first,
    }


def mr_folder(folder: Path, table: str) -> None:
    (folder / "mr_gsm8k_table.csv").write_text(table, encoding="utf-8")
    write(
        folder / "traces.jsonl.gz",
        [
            {"task": "sorting", "i": 0, "steps": ["a", "b"], "mistake_index": 1},
            {"task": "sorting", "i": 1, "steps": ["a"], "mistake_index": None},
        ],
    )
    write(
        folder / "mr_ben.jsonl.gz",
        [
            mr_ben(0, ["a", "b"], "1"),
            mr_ben(1, ["a", "b"], "2"),
            mr_ben(2, ["a"], None),
            mr_ben(3, ["a"], "5"),
            mr_ben(4, "x = 1\n    y = 2\n    z", "y = 2", "coding"),
            mr_ben(5, "x = 1\nx = 1", "x = 1", "coding"),
        ],
    )


HEADER = "model,mcc_k0,mcc_k7,step_k0,step_k7,reason_k0,reason_k7,mr_k0,mr_k7\n"


def test_mr_scores_of_any_model_and_setting_come_from_its_own_row(tmp_path: Path) -> None:
    mr_folder(tmp_path, HEADER + "new model,50.0,-20.0,40.0,10.0,20.0,4.0,32.1,5.2\n")
    found = checks(MR_SCORE, tmp_path)
    assert [(what, one.status) for what, one in found.items()] == [
        ("MR-GSM8K, new model, MR-Score k0", "matched"),
        ("MR-GSM8K, new model, MR-Score k7", "differing"),
    ]


@pytest.mark.parametrize(
    ("printed", "status"),
    [
        ("32.1", "matched"),
        ("32.2", "differing"),
        ("32.10", "differing"),
        ("32.05", "matched"),
        ("33", "differing"),
    ],
)
def test_the_tolerance_follows_from_the_printed_digits(tmp_path: Path, printed: str, status: str) -> None:
    mr_folder(tmp_path, f"model,mcc_a,step_a,reason_a,mr_a\nm,50.0,40.0,20.0,{printed}\n")
    (found,) = checks(MR_SCORE, tmp_path).values()
    assert found.status == status


def test_labels_of_steps_are_counted_and_unusable_ones_named(tmp_path: Path) -> None:
    mr_folder(tmp_path, HEADER + "new model,50.0,0,40.0,0,20.0,0,32.0,0\n")
    text = "\n".join(notes(MR_SCORE, tmp_path))
    assert "BIG-Bench Mistake: 2 solutions (sorting 2)" in text
    assert 'sorting: 1 of 2 have a wrong step; always "no mistake" is right in 50.0 %' in text
    assert "MR-Ben: 6 solutions (coding 2, math 4)" in text
    assert "math: 3 of 4 are wrong; the first wrong step of 1 is none of the steps" in text
    assert "gets MR-Score 15.0" in text
    assert "coding: 2 of 2 are wrong; the first wrong step of 1 is" in text


def test_mr_score_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    for table, message in [
        (HEADER + "m,50.0,0,40.0,0,20.0,0,-,0\n", "mr_k0 is no number: '-'"),
        (HEADER + "m,nan,0,40.0,0,20.0,0,1,0\n", "mcc_k0 is no number"),
        ("model,mcc_k0\nm,1\n", "no column starts with"),
        ("model,mcc_k0,mr_k0\nm,1,1\n", "step_k0 is no number"),
    ]:
        mr_folder(tmp_path, table)
        with pytest.raises(InputError, match=message):
            list(MR_SCORE.checks(tmp_path))
    mr_folder(tmp_path, HEADER + "m,50.0,0,40.0,0,20.0,0,32.0,0\n")
    write(tmp_path / "traces.jsonl.gz", [{"task": "sorting", "i": 0, "steps": ["a"], "mistake_index": 1}])
    with pytest.raises(InputError, match="sorting 0: step 1 of 1"):
        list(MR_SCORE.checks(tmp_path))


# ---------------------------------------------------------------- the published records


@pytest.mark.parametrize(
    ("reproduction", "numbers"),
    [(REASONEVAL, 80), (METACRITIQUE, 900), (MR_SCORE, 28)],
    ids=lambda x: str(x)[:12],
)
def test_every_published_number_comes_out(reproduction: Reproduction, numbers: int) -> None:
    folder = DATA / reproduction.name
    if not folder.is_dir():
        pytest.skip(f"there are no records of {reproduction.name} on this machine")
    found = checks(reproduction, folder)
    assert len(found) == numbers
    assert [what for what, one in found.items() if one.status != "matched"] == []


def test_the_step_data_sets_have_their_published_sizes() -> None:
    folder = DATA / MR_SCORE.name
    if not folder.is_dir():
        pytest.skip("there are no records of bigbench_mistake on this machine")
    text = "\n".join(notes(MR_SCORE, folder))
    assert "2186 solutions (dyck_languages 986, logical_deduction 300, multistep_arithmetic 300" in text
    assert "tracking_shuffled_objects 300, word_sorting 300)" in text
    assert "MR-Ben: 4534 solutions" in text


def test_exact_first_error_accuracy_on_the_published_records() -> None:
    folder = DATA / REASONEVAL.name
    if not folder.is_dir():
        pytest.skip("there are no records of reasoneval on this machine")
    found = notes(REASONEVAL, folder)
    assert "invalid: gpt4 names exactly the first wrong step in 43 of 83" in found
    assert "invalid: reasoneval_llemma-34b names exactly the first wrong step in 59 of 83" in found
