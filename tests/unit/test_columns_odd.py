"""Files in stranger shapes: constants, confidences, both orders' numbers, decisions inside longer texts."""

import json
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gadfly.benchmarks.judging.columns import FIELDS, HOW, JUDGES, PAIRS, SWAPPED, read_columns
from gadfly.benchmarks.judging.judgements import read_judgements
from gadfly.benchmarks.judging.spellings import Kind, extracted, largest
from gadfly.errors import InputError
from gadfly.metrics.judged import Judged


def read(
    tmp_path: Path, rows: list[dict[str, object]], *maps: str, kind: Kind | None = None, labels: str = ""
) -> list[Judged]:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return list(read_judgements(path, read_columns(maps, kind=kind, labels=[labels] if labels else [])).rows)


def test_every_field_that_a_judge_or_a_pair_has_is_a_field() -> None:
    assert set(FIELDS) >= JUDGES
    assert set(FIELDS) >= PAIRS
    assert set(SWAPPED) | set(SWAPPED.values()) <= JUDGES
    assert set(get_args(Kind)) == {"verdict", "pair", "class", "mark"}


# ---------------------------------------------------------------- constants


def test_a_gold_label_that_is_the_same_in_every_row_needs_no_column(tmp_path: Path) -> None:
    rows = read(
        tmp_path,
        [{"chosen": 2.5, "rejected": 1.0}, {"chosen": -1, "rejected": 0}, {"chosen": 3, "rejected": 3}],
        "gold=first@constant,first_score=chosen,second_score=rejected",
    )
    assert [row.gold for row in rows] == ["first"] * 3
    assert [row.right for row in rows] == [True, False, False]


def test_a_constant_may_name_the_judge_too(tmp_path: Path) -> None:
    (row,) = read(tmp_path, [{"g": 1, "s": 1}], "judge=me@constant,gold=g,said=s")
    assert row.judge == "me"


# ---------------------------------------------------------------- confidence


def test_a_confidence_is_of_what_is_said(tmp_path: Path) -> None:
    rows = read(
        tmp_path,
        [
            {"g": 1, "s": "right", "c": 0.9},
            {"g": 1, "s": "wrong", "c": 0.9},
            {"g": 0, "s": "unsure", "c": 0.5},
        ],
        "gold=g,said=s,confidence=c",
    )
    assert [row.score for row in rows] == [0.9, pytest.approx(0.1), None]
    pairs = read(
        tmp_path,
        [{"g": "A", "s": "A", "c": "75%"}, {"g": "A", "s": "B", "c": 0.75}, {"g": "A", "s": "tie", "c": 1}],
        "gold=g,said=s,confidence=c",
        kind="pair",
    )
    assert [row.score for row in pairs] == [0.5, -0.5, None]


def test_a_confidence_out_of_a_hundred_has_to_be_said_to_be_one(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"g": 1, "s": "wrong", "c": 85}]
    with pytest.raises(InputError, match="confidence=COLUMN@percent"):
        read(tmp_path, rows, "gold=g,said=s,confidence=c")
    (row,) = read(tmp_path, rows, "gold=g,said=s,confidence=c@percent")
    assert row.score == pytest.approx(0.15)


def test_a_missing_confidence_leaves_the_verdict(tmp_path: Path) -> None:
    (row,) = read(tmp_path, [{"g": 1, "s": 1, "c": None}], "gold=g,said=s,confidence=c")
    assert (row.said, row.score) == ("correct", None)


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        ("gold=g,confidence=c", "nothing that a judge said"),
        ("gold=g,step=c,confidence=c", "what it is of: said"),
        ("gold=g,said=s,score=c,confidence=c", "another number"),
        ("gold=g,said=s,confidence=s", "confidence is not a number"),
        ("gold=g,first_score=c,second_score=c,swapped_first_score=c", "together"),
        ("gold=g,said=s,order=o,swapped_score=c", "one of the two"),
    ],
)
def test_fields_that_do_not_go_together_are_one_clear_error(tmp_path: Path, maps: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, [{"g": 1, "s": "right", "c": 0.5, "o": "given"}], maps)


# ---------------------------------------------------------------- oracles


def test_a_file_may_say_which_judgements_saw_the_reference(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"g": 1, "s": 1, "r": "yes"},
        {"g": 1, "s": 1, "r": False},
        {"g": 1, "s": 1},
    ]
    assert [row.saw_reference for row in read(tmp_path, rows, "gold=g,said=s,saw_reference=r")] == [
        True,
        False,
        False,
    ]
    with pytest.raises(InputError, match="saw_reference is 'perhaps'"):
        read(tmp_path, [{"g": 1, "s": 1, "r": "perhaps"}], "gold=g,said=s,saw_reference=r")
    several = "gold=g,said:a=s,said:b=s,saw_reference:b=true@constant"
    assert [row.saw_reference for row in read(tmp_path, rows[:1], several)] == [False, True]


# ---------------------------------------------------------------- both orders' numbers in one row


def test_the_numbers_of_the_other_order_name_places_unless_told_otherwise(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"g": "A", "a": 8, "b": 5, "a2": 3, "b2": 7}]
    maps = "gold=g,first_score=a,second_score=b,swapped_first_score=a2{0},swapped_second_score=b2{0}"
    plain, other = read(tmp_path, rows, maps.format(""))
    assert (plain.said, plain.score) == ("first", 3)
    assert (other.swapped, other.said, other.score) == (True, "first", 4)
    _, other = read(tmp_path, rows, maps.format("@answers"))
    assert (other.said, other.score) == ("second", -4)


def test_the_preference_and_the_score_of_the_other_order_are_read_too(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"p": 1.25, "q": 1.75}, {"p": 1.0, "q": None}]
    one, other, _, missing = read(tmp_path, rows, "preference=p,swapped_preference=q")
    assert (one.said, other.said, other.score) == ("first", "first", 0.5)
    assert (missing.said, missing.why) == (None, "no number")
    _, other = read(tmp_path, [{"s": 0.2, "t": 0.4}], "score=s,swapped_score=t", kind="pair")
    assert (other.said, other.score) == ("second", -0.4)


def test_a_decision_of_the_other_order_takes_its_number_along_and_is_one_row(tmp_path: Path) -> None:
    rows = read(
        tmp_path,
        [{"s": "A", "n": 0.5, "w": "B", "m": -0.25}],
        "said=s,score=n,swapped=w,swapped_score=m",
        kind="pair",
    )
    assert [(row.swapped, row.said, row.score) for row in rows] == [
        (False, "first", 0.5),
        (True, "first", 0.25),
    ]


def test_a_number_that_stands_for_none_can_be_told(tmp_path: Path) -> None:
    rows = read(
        tmp_path, [{"a": -1, "b": -1}, {"a": 4, "b": 2}], "first_score=a,second_score=b", labels="-1:none"
    )
    assert [(row.said, row.why) for row in rows] == [(None, "no number: '-1'"), ("first", "")]


# ---------------------------------------------------------------- decisions inside longer texts


@pytest.mark.parametrize(
    ("how", "text", "found"),
    [
        ("boxed", r"so \boxed{1}, no, \boxed{ 3 }.", "3"),
        ("boxed", r"\boxed{3", ""),
        ("boxed", "3", ""),
        ("line", "Because.\n\n**Final verdict: B**\n", "B"),
        ("line", "wrong", "wrong"),
        ("line", "  \n", ""),
        ("line", "Verdict:", ""),
        ("brackets", "[[A]] or [[B]]", ""),
        ("brackets", "so [[B]]", "B"),
        ("pair", "8 7\nAssistant 1 ...", 8.0),
        ("pair", "both are fine", ""),
    ],
)
def test_a_decision_is_read_where_it_was_said_to_stand(how: str, text: str, found: object) -> None:
    said, why = extracted(text, [how])
    assert said == found
    assert bool(why) == (found == "")


def test_the_two_scores_of_a_text_are_told_apart_and_boxed_steps_are_read(tmp_path: Path) -> None:
    (row,) = read(tmp_path, [{"t": "8 7\nwords"}], "first_score=t@pair,second_score=t@pair")
    assert (row.said, row.score) == ("first", 1)
    rows = read(
        tmp_path,
        [{"g": 2, "t": r"\boxed{2}"}, {"g": -1, "t": r"\boxed{-1}"}, {"g": 1, "t": "none at all"}],
        "gold_step=g,step=t@boxed",
    )
    assert [(row.said, row.step) for row in rows] == [("incorrect", 2), ("correct", None), (None, None)]


@given(st.text(), st.sampled_from(["boxed", "line", "pair", "brackets"]))
def test_no_text_makes_reading_raise(text: str, how: str) -> None:
    said, why = extracted(text, [how])
    assert why or said != ""


# ---------------------------------------------------------------- the largest of several


def test_the_largest_of_several_numbers_is_a_choice(tmp_path: Path) -> None:
    rows = read(
        tmp_path,
        [{"r": [0.1, 0.7, 0.2]}, {"r": [0.5, 0.5, 0.1]}, {"r": [0.9, None, 0.2]}],
        "gold=1@constant,said=r@largest",
        kind="class",
    )
    assert [row.said for row in rows] == ["1", None, None]
    pairs = read(tmp_path, [{"r": [1, 2]}, {"r": [3, 3]}], "gold=A@constant,said=r@largest", kind="pair")
    assert [row.said for row in pairs] == ["second", "tie"]
    assert largest([], ()) == ""
    assert largest(["x"], ()) == ""


def test_what_may_follow_a_column_is_all_said_to_the_user(tmp_path: Path) -> None:
    for how in HOW:
        (row,) = read(tmp_path, [{"g": 1, "s": 1}], "gold=g", "said=s", f"gold_step=g{how}")
        assert row.gold == "correct", how
