"""Other people's judgement files by a mapping of their columns."""

import json
from pathlib import Path

import pytest

from gadfly.benchmarks.judging.columns import read_columns
from gadfly.benchmarks.judging.judgements import read_judgements
from gadfly.benchmarks.judging.mapped import MappedCases
from gadfly.errors import InputError
from gadfly.metrics.judged import Judged


def written(tmp_path: Path, *rows: object, name: str = "rows.jsonl") -> Path:
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read(path: Path, *maps: str, labels: tuple[str, ...] = (), kind: str | None = None) -> list[Judged]:
    return list(read_judgements(path, read_columns(maps, kind=kind, labels=labels)))  # type: ignore[arg-type]


def test_verdicts_are_read_in_their_usual_spellings(tmp_path: Path) -> None:
    path = written(
        tmp_path, {"g": 1, "s": "Correct"}, {"g": False, "s": "WRONG"}, {"g": "yes", "s": "no idea"}
    )
    rows = read(path, "gold=g,said=s")
    assert [(row.gold, row.said) for row in rows] == [
        ("correct", "correct"),
        ("incorrect", "incorrect"),
        ("correct", None),
    ]
    assert rows[2].why == "not a label: 'no idea'"


def test_both_orders_of_a_pair_become_two_rows_that_name_answers(tmp_path: Path) -> None:
    path = written(tmp_path, {"id": "x", "label": "A", "ab": "A>B", "ba": "A>B"})
    plain, swapped = read(path, "item=id", "gold=label,said=ab,swapped=ba")
    assert (plain.said, plain.swapped) == ("first", False)
    assert (swapped.said, swapped.swapped, swapped.gold) == ("second", True, "first")


def test_a_swapped_decision_that_names_the_answers_already_is_left_as_it_is(tmp_path: Path) -> None:
    path = written(tmp_path, {"label": 2, "ab": "1", "ba": "2"})
    _, swapped = read(path, "gold=label,said=ab,swapped_back=ba")
    assert swapped.said == "second"


def test_a_dot_goes_into_nested_values(tmp_path: Path) -> None:
    path = written(tmp_path, {"label": "A>B", "j": [{"d": "B>A"}, {"d": None}]})
    plain, swapped = read(path, "gold=label,said=j.0.d,swapped=j.1.d")
    assert (plain.said, swapped.said, swapped.why) == ("second", None, "empty")


def test_joined_columns_vote_and_a_split_vote_is_no_label(tmp_path: Path) -> None:
    path = written(tmp_path, {"a": 1, "b": 1, "c": 2, "s": 1}, {"a": 1, "b": 2, "c": 0, "s": 1})
    rows = read(path, "gold=a+b+c,said=s", kind="pair")
    assert [row.gold for row in rows] == ["first", "tie"]
    verdicts = written(tmp_path, {"a": 1, "b": 0, "s": 1}, name="v.jsonl")
    assert read(verdicts, "gold=a+b,said=s")[0].gold is None


def test_joined_texts_name_an_item(tmp_path: Path) -> None:
    path = written(tmp_path, {"p": "x", "i": 1, "g": 1, "s": 1}, {"p": "y", "i": 1, "g": 1, "s": 1})
    assert [row.item for row in read(path, "item=p+i,gold=g,said=s")] == ["x 1", "y 1"]


def test_steps_may_be_counted_from_one_and_no_step_means_none_is_wrong(tmp_path: Path) -> None:
    path = written(tmp_path, {"g": 2, "s": 2}, {"g": None, "s": 1}, {"g": 0, "s": 0})
    rows = read(path, "gold_step=g@1,step=s@1")
    assert [(row.gold_step, row.step) for row in rows] == [(1, 1), (None, 0), (None, None)]
    assert [(row.gold, row.said) for row in rows] == [
        ("incorrect", "incorrect"),
        ("correct", "incorrect"),
        ("correct", "correct"),
    ]
    assert all(row.stepwise for row in rows)


def test_two_scores_decide_for_the_greater_and_equal_ones_tie(tmp_path: Path) -> None:
    path = written(tmp_path, {"a": 8, "b": 5}, {"a": 5, "b": 5}, {"a": None, "b": 5})
    rows = read(path, "first_score=a,second_score=b")
    assert [row.said for row in rows] == ["first", "tie", None]
    assert rows[0].score == 3


def test_a_preference_between_one_and_two_is_a_number_about_the_first(tmp_path: Path) -> None:
    path = written(tmp_path, {"p": 1.0}, {"p": 1.75}, {"p": 1.5}, {"p": 0})
    rows = read(path, "preference=p")
    assert [(row.said, row.score) for row in rows] == [
        ("first", 1.0),
        ("second", -0.5),
        ("tie", 0.0),
        ("tie", 0.0),
    ]


def test_a_score_alone_says_correct_from_the_threshold_on(tmp_path: Path) -> None:
    path = written(tmp_path, {"g": 1, "s": 0.5}, {"g": 1, "s": 0.49})
    assert [row.said for row in read(path, "gold=g,score=s")] == ["correct", "incorrect"]


def test_their_spelling_can_be_told(tmp_path: Path) -> None:
    path = written(tmp_path, {"g": "model two", "s": "Model One"})
    maps = ("gold=g,said=s",)
    (row,) = read(path, *maps, labels=("model one:first,model two:second",), kind="pair")
    assert (row.gold, row.said) == ("second", "first")


def test_classes_are_labels_as_they_stand(tmp_path: Path) -> None:
    path = written(tmp_path, {"g": "spam", "s": "Ham"})
    (row,) = read(path, "gold=g,said=s", kind="class")
    assert (row.gold, row.said) == ("spam", "Ham")


def test_lengths_and_authors_come_from_the_answers(tmp_path: Path) -> None:
    path = written(tmp_path, {"g": 1, "s": 1, "a": "long one", "b": "x", "m": "gpt", "n": "llama"})
    (row,) = read(path, "gold=g,said=s,first=a,second=b,first_author=m,second_author=n")
    assert row.lengths == (8, 1)
    assert row.authors == ("gpt", "llama")


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (("gold",), "not field=column"),
        (("glod=x",), "did you mean gold"),
        (("gold=a,gold=b",), "gives gold twice"),
        (("gold=g",), "nothing that a judge said"),
        (("said=nowhere",), "no column 'nowhere' for said; there are g, s"),
        (("first_score=g",), "first_score and second_score together"),
        (("gold_score=s,said=s",), "no number"),
        (("said=s,item=g",), "the same item '1' of the same judge"),
    ],
)
def test_a_mapping_that_does_not_fit_is_one_clear_error(
    tmp_path: Path, maps: tuple[str, ...], message: str
) -> None:
    path = written(tmp_path, {"g": 1, "s": "A"}, {"g": 1, "s": "B"})
    with pytest.raises(InputError, match=message):
        read(path, *maps)


def test_labels_that_are_none_of_ours_are_refused() -> None:
    with pytest.raises(InputError, match="is not theirs:first"):
        read_columns(["first=a"], labels=["x:left"])


def test_a_mapped_file_gives_cases_for_a_judge(tmp_path: Path) -> None:
    row = {"id": "q1", "q": "2+2?", "a": "4", "b": "4", "who": "A", "ref": "4"}
    path = written(tmp_path, row)
    columns = read_columns(["item=id,problem=q,first=a,second=b,gold=who,reference=ref"])
    ((problem, case),) = MappedCases(name="rows", path=path, columns=columns).cases()
    assert (problem.id, problem.text, problem.reference) == ("q1", "2+2?", "4")
    assert [one.text for one in case.candidates] == ["4", "4"]
    assert case.gold.tiers == ((0,), (1,))


def test_a_mapping_without_answers_cannot_run_a_judge(tmp_path: Path) -> None:
    path = written(tmp_path, {"q": "2+2?"})
    with pytest.raises(InputError, match="needs problem, and answer or first and second"):
        list(MappedCases(name="rows", path=path, columns=read_columns(["problem=q"])).cases())
