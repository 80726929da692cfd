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
    return list(read_judgements(path, read_columns(maps, kind=kind, labels=labels)).rows)  # type: ignore[arg-type]


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
    rows = read(path, "gold_step=g@1@blank,step=s@1")
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
        (("gold_score=s,said=s",), "not a number"),
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


# ---------------------------------------------------------------- shapes of other people's files


def test_several_judges_may_stand_in_columns_of_one_row(tmp_path: Path) -> None:
    path = written(tmp_path, {"g": 1, "x": "correct", "y": "**Wrong.**"}, {"g": 0, "x": "?", "y": "wrong"})
    rows = read(path, "gold=g,said:ann=x,said:bob=y")
    assert [(row.judge, row.item, row.said) for row in rows] == [
        ("ann", "0", "correct"),
        ("bob", "0", "incorrect"),
        ("ann", "1", None),
        ("bob", "1", "incorrect"),
    ]


def test_two_orders_in_two_rows_name_places_unless_told_otherwise(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        {"id": 1, "swap": False, "g": "A", "s": "A", "p": 9, "q": 4},
        {"id": 1, "swap": True, "g": "A", "s": "A", "p": 9, "q": 4},
    )
    plain, swapped = read(path, "item=id,order=swap,gold=g,said=s")
    assert (plain.swapped, plain.gold, plain.said) == (False, "first", "first")
    assert (swapped.swapped, swapped.gold, swapped.said) == (True, "first", "second")
    _, named = read(path, "item=id,order=swap,gold=g@places,said=s@answers")
    assert (named.gold, named.said) == ("second", "first")
    scored = read(path, "item=id,order=swap,gold=g,first_score=p,second_score=q")
    assert [(row.said, row.score) for row in scored] == [("first", 5), ("second", -5)]


def test_an_order_that_cannot_be_read_is_an_error_and_can_be_told(tmp_path: Path) -> None:
    path = written(tmp_path, {"id": 1, "who": "gpt", "s": "A"}, {"id": 1, "who": "llama", "s": "A"})
    with pytest.raises(InputError, match="the order 'gpt' is neither given nor swapped"):
        read(path, "item=id,order=who,said=s")
    _, swapped = read(path, "item=id,order=who,said=s", labels=("gpt:given,llama:swapped",))
    assert (swapped.swapped, swapped.said) == (True, "second")


def test_a_missing_step_is_unscored_and_steps_may_be_words(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        *({"g": -1, "s": said} for said in (None, "Step 4", "4.", "N/A", "none", "-1", "Steps 2 and 3")),
    )
    rows = read(path, "gold_step=g,step=s@1")
    assert [(row.said, row.step) for row in rows] == [
        (None, None),
        ("incorrect", 3),
        ("incorrect", 3),
        ("correct", None),
        ("correct", None),
        ("correct", None),
        (None, None),
    ]
    assert [row.why for row in rows if row.said is None] == ["empty", "not a step: 'Steps 2 and 3'"]


def test_an_empty_gold_step_is_no_label_and_is_said(tmp_path: Path) -> None:
    path = written(tmp_path, {"g": None, "s": 1}, {"g": 0, "s": 1})
    found = read_judgements(path, read_columns(["gold_step=g,step=s"]))
    assert [(row.gold, row.stepwise) for row in found.rows] == [(None, False), ("incorrect", True)]
    assert "1 rows have an empty gold_step" in found.warnings[0]


def test_the_first_wrong_step_may_be_the_first_low_number(tmp_path: Path) -> None:
    path = written(tmp_path, {"g": [1, 0, -1], "s": [0.9, 0.4, 0.1]}, {"g": [1, 1], "s": [0.9, None]})
    wrong, right = read(path, "gold_step=g@under0,step=s@under0.5")
    assert (wrong.gold_step, wrong.step) == (2, 1)
    assert (right.gold, right.said, right.why) == ("correct", None, "not a number: ''")


def test_a_list_of_numbers_needs_to_be_told_which_counts(tmp_path: Path) -> None:
    path = written(tmp_path, {"r": [1, 2, 6], "s": "85%"}, {"r": [4, 4, 4], "s": "?"})
    rows = read(path, "gold_score=r@mean,score=s")
    assert [(row.gold_score, row.score) for row in rows] == [(3, 0.85), (4, None)]
    assert rows[1].why == "not a number: '?'"
    with pytest.raises(InputError, match="say which number counts: gold_score=r@mean"):
        read(path, "gold_score=r,score=s")


def test_joined_numbers_are_averaged(tmp_path: Path) -> None:
    path = written(tmp_path, {"a": 1, "b": 4, "s": 1})
    assert read(path, "gold_score=a+b,score=s")[0].gold_score == 2.5


def test_marks_of_people_and_a_judge_without_labels_are_marks(tmp_path: Path) -> None:
    path = written(tmp_path, {"g": 4, "s": 3})
    columns = read_columns(["gold_score=g,score=s"])
    assert columns.kind == "mark"
    (row,) = read_judgements(path, columns).rows
    assert (row.said, row.score) == (None, 3)


def test_double_brackets_are_read_out_of_a_text_where_they_agree(tmp_path: Path) -> None:
    path = written(tmp_path, *({"s": text} for text in ("so [[A]]", "[[A]] or [[B]]", "neither")))
    rows = read(path, "said=s@brackets", kind="pair")
    assert [(row.said, row.why) for row in rows] == [
        ("first", ""),
        (None, "contradicting [[...]]"),
        (None, "no [[...]]"),
    ]


def test_a_preference_beyond_its_scale_is_unscored(tmp_path: Path) -> None:
    path = written(tmp_path, {"p": 7})
    assert read(path, "preference=p")[0].why == "a preference beyond 1 to 2: 7"


def test_labels_of_another_kind_are_an_error_and_not_half_read(tmp_path: Path) -> None:
    path = written(tmp_path, {"g": 1, "s": 1}, {"g": 2, "s": 2})
    with pytest.raises(InputError, match="gold is not a label: '2'; --kind pair where"):
        read(path, "gold=g,said=s")
    with pytest.raises(InputError, match="said is not a label: '2'; --kind pair where"):
        read(path, "said=s")
    assert [row.gold for row in read(path, "gold=g,said=s", kind="pair")] == ["first", "second"]


def test_labels_of_people_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    path = written(tmp_path, {"g": "hm", "s": 1}, {"g": 1, "s": 1}, {"g": "", "s": 1})
    found = read_judgements(path, read_columns(["gold=g,said=s"]))
    assert found.warnings == (
        "1 rows are left out of skill, since what people say is: not a label: 'hm' (1)",
    )
    told = read_judgements(path, read_columns(["gold=g,said=s"], labels=["hm:incorrect"]))
    assert [row.gold for row in told.rows] == ["incorrect", "correct", None]
    with pytest.raises(InputError, match="no gold label can be read: not a label: 'hm'; --labels 'hm:OURS'"):
        read(written(tmp_path, {"g": "hm", "s": 1}, name="odd.jsonl"), "gold=g,said=s")


def test_a_row_may_lack_a_column_that_others_have(tmp_path: Path) -> None:
    path = written(tmp_path, {"g": 1}, {"g": 1, "s": 1})
    rows = read(path, "gold=g,said=s")
    assert [(row.said, row.why) for row in rows] == [(None, "empty"), ("correct", "")]


def test_names_with_dots_are_found_in_nested_values(tmp_path: Path) -> None:
    path = written(tmp_path, {"by": {"llama-3.1": {"said": "right"}}})
    assert read(path, "said=by.llama-3.1.said")[0].said == "correct"


def test_tables_with_semicolons_are_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("\ufeffid;g;s\n1;right;wrong\n", encoding="utf-8")
    (row,) = read(path, "item=id,gold=g,said=s")
    assert (row.item, row.gold, row.said) == ("1", "correct", "incorrect")


def test_a_list_of_steps_is_an_answer_in_steps(tmp_path: Path) -> None:
    path = written(tmp_path, {"q": "2+2?", "a": ["2+2", "=5"], "g": 1})
    columns = read_columns(["problem=q,answer=a,gold_step=g"])
    ((_, case),) = MappedCases(name="rows", path=path, columns=columns).cases()
    assert case.candidates[0].steps == ("2+2\n", "=5")
    assert (case.gold.verdict, case.gold.wrong_step) == ("incorrect", 1)


def test_a_judge_is_not_run_on_labels_that_cannot_be_read(tmp_path: Path) -> None:
    path = written(tmp_path, {"q": "2+2?", "a": "5", "g": "hm"})
    with pytest.raises(InputError, match=r"rows\.jsonl:1: gold is not a label: 'hm'"):
        list(MappedCases(name="r", path=path, columns=read_columns(["problem=q,answer=a,gold=g"])).cases())
