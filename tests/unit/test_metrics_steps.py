"""Located errors, MR-Score and the scores of single steps."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (pytest.approx and scikit-learn have no complete types.)

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gadfly.errors import InputError
from gadfly.metrics.judged import Judged
from gadfly.metrics.steps import (
    above,
    first_wrong_step,
    found_step,
    good_and_bad,
    mr_score,
    mr_score_rows,
    solution_score,
    step_scores,
    up_to_first_wrong,
)


def located(item: str, gold_step: int | None, said: str | None, step: int | None = None) -> Judged:
    gold = "correct" if gold_step is None else "incorrect"
    return Judged(item=item, gold=gold, said=said, stepwise=True, gold_step=gold_step, step=step)


places = st.one_of(st.none(), st.integers(0, 3))
answers = st.lists(
    st.tuples(places, st.sampled_from(["correct", "incorrect", None]), places), min_size=1, max_size=15
)

# ---------------------------------------------------------------- the first wrong step


def test_the_step_must_match_exactly_on_wrong_solutions_and_none_be_named_on_right_ones() -> None:
    rows = [
        located("1", 2, "incorrect", 2),
        located("2", 2, "incorrect", 1),
        located("3", 0, "incorrect", None),
        located("4", 1, "correct", None),
        located("5", None, "correct", None),
        located("6", None, "incorrect", 0),
        Judged(item="7", gold="incorrect", said="incorrect", step=1),
    ]
    found = first_wrong_step(rows)
    assert (found.accuracy.value, found.n) == (pytest.approx(2 / 6), 6)
    assert found.on_wrong is not None
    assert (found.on_wrong.value, found.on_wrong.n) == (0.25, 4)
    assert found.on_right is not None
    assert (found.on_right.value, found.on_right.n) == (0.5, 2)
    assert found.f1 is not None
    assert found.f1.value == pytest.approx(2 * 0.25 * 0.5 / 0.75)
    assert found.f1.low <= found.f1.value <= found.f1.high


def test_saying_right_while_naming_a_step_is_not_finding_that_there_is_none() -> None:
    assert found_step(located("1", None, "correct"))
    assert not found_step(located("1", None, "correct", 0))
    assert not found_step(located("1", 0, None, 0))


def test_an_unreadable_verdict_finds_nothing_and_is_counted_on_its_side() -> None:
    rows = [
        located("1", 2, None),
        located("2", 2, "incorrect", 2),
        located("3", None, None),
        located("4", None, "correct"),
    ]
    counted, dropped = first_wrong_step(rows), first_wrong_step(rows, unreadable="left out")
    assert (counted.accuracy.value, counted.unscored) == (0.5, 2)
    assert (dropped.accuracy.value, dropped.unscored, dropped.n) == (1.0, 2, 4)
    assert counted.on_right is not None
    assert (counted.on_right.value, counted.on_right.unscored, counted.on_right.n) == (0.5, 1, 2)


def test_without_right_or_wrong_solutions_there_is_no_f1() -> None:
    found = first_wrong_step([located("1", 2, "incorrect", 2)])
    assert (found.on_right, found.f1) == (None, None)
    assert found.accuracy.value == 1.0
    with pytest.raises(InputError, match="first wrong one"):
        first_wrong_step([Judged(item="1", said="correct")])


def test_the_f1_of_a_side_that_is_all_missed_is_zero() -> None:
    found = first_wrong_step([located("1", 2, "correct"), located("2", None, "correct")])
    assert found.f1 is not None
    assert found.f1.value == 0.0


@given(answers, st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_located_figures_are_bounded_and_know_no_order(
    found: list[tuple[int | None, str | None, int | None]], chance: random.Random
) -> None:
    rows = [located(str(place), *one) for place, one in enumerate(found)]
    one, other = first_wrong_step(rows), first_wrong_step(chance.sample(rows, len(rows)))
    for mine, theirs in ((one.accuracy, other.accuracy), (one.f1, other.f1), (one.on_wrong, other.on_wrong)):
        assert (mine is None) == (theirs is None)
        if mine is not None and theirs is not None:
            assert mine.value == pytest.approx(theirs.value)
            assert 0 <= mine.low <= mine.high <= 1
    if one.f1 is not None and one.on_right is not None and one.on_wrong is not None:
        low, high = sorted((one.on_wrong.value, one.on_right.value))
        assert low - 1e-9 <= one.f1.value <= high + 1e-9 or one.f1.value == 0.0


# ---------------------------------------------------------------- MR-Score


def test_mr_score_weighs_its_parts_and_cuts_a_negative_correlation() -> None:
    assert mr_score(50.0, 40.0, 20.0) == pytest.approx(10 + 12 + 10)
    assert mr_score(-0.9, 0.5, 0.1) == pytest.approx(0.2)
    assert mr_score(1.0, 1.0, 1.0) == pytest.approx(1.0)
    assert mr_score(0.5, 0.1, 0.9, weights=(1.0, 0.0, 0.0)) == pytest.approx(0.5)


def test_mr_score_from_records_counts_steps_and_reasons_among_the_wrong_ones() -> None:
    rows = [
        located("1", 1, "incorrect", 1),
        located("2", 1, "incorrect", 0),
        located("3", 2, "incorrect", 2),
        located("4", 0, "correct"),
        located("5", None, "correct"),
        located("6", None, "correct"),
    ]
    reasons = [True, True, None, False, None, True]
    found = mr_score_rows(rows, reasons)
    assert (found.step, found.reason) == (0.5, 0.25)
    assert found.mcc == pytest.approx((3 * 2 - 0 * 1) / (3 * 4 * 2 * 3) ** 0.5)
    assert found.score == pytest.approx(mr_score(found.mcc, 0.5, 0.25))
    assert mr_score_rows(rows, reasons, reasons="wherever right").reason == 0.5
    assert found.n == 6


def test_an_unreadable_verdict_in_mr_score_is_a_claim_of_the_other_class_or_left_out() -> None:
    rows = [located("1", 1, "incorrect", 1), located("2", None, None), located("3", None, "correct")]
    published = mr_score_rows(rows, [True, None, None])
    assert published.mcc == pytest.approx(0.5)
    assert published.unscored == 1
    assert mr_score_rows(rows, [True, None, None], unreadable="left out").mcc == pytest.approx(1.0)


def test_mr_score_refuses_records_it_cannot_use() -> None:
    with pytest.raises(InputError, match="1 rows but 2"):
        mr_score_rows([located("1", 1, "incorrect")], [True, False])
    with pytest.raises(InputError, match="at least one wrong"):
        mr_score_rows([located("1", None, "correct")], [None])


# ---------------------------------------------------------------- scores of steps


def test_a_step_of_several_parts_is_as_good_as_its_worst_part() -> None:
    assert step_scores([0.9, 0.2, 0.8, 0.7], [1, 2, 1]) == (0.9, 0.2, 0.7)
    for sizes in ([1, 2], [1, 2, 2], [4, 0]):
        with pytest.raises(InputError, match="cannot belong"):
            step_scores([0.9, 0.2, 0.8, 0.7], sizes)


@given(st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=4), min_size=1, max_size=6))
def test_grouping_steps_does_not_change_the_score_of_the_solution(parts: list[list[float]]) -> None:
    flat = [score for part in parts for score in part]
    scores = step_scores(flat, [len(part) for part in parts])
    assert len(scores) == len(parts)
    assert solution_score(scores) == min(flat)


def test_a_solution_needs_a_step_and_a_score_at_the_threshold_is_not_good() -> None:
    assert above([0.4, 0.5, 0.6], 0.5) == (False, False, True)
    with pytest.raises(InputError, match="without steps"):
        solution_score([])


def test_steps_after_the_first_wrong_one_are_not_judged() -> None:
    assert up_to_first_wrong(4, 1) == (True, False, None, None)
    assert up_to_first_wrong(2, None) == (True, True)
    for first in (-1, 2):
        with pytest.raises(InputError, match="2 steps"):
            up_to_first_wrong(2, first)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_macro_f1_of_good_and_bad_agrees_with_scikit_learn(pairs: list[tuple[bool, bool]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    good, said = [one for one, _ in pairs], [one for _, one in pairs]
    expected = metrics.f1_score(good, said, labels=[True, False], average="macro", zero_division=0)
    assert good_and_bad(good, said).f1 == pytest.approx(expected)


def test_a_missing_verdict_is_a_claim_of_the_other_class_unless_told_otherwise() -> None:
    good = [True, True, False, False, None]
    said = [True, None, False, None, True]
    turned = [True, False, False, True, True]
    assert good_and_bad(good, said).f1 == good_and_bad(good, turned).f1 == pytest.approx(0.5)
    assert good_and_bad(good, said, unreadable="left out").f1 == pytest.approx(1.0)
    assert good_and_bad(good, said, unreadable="wrong").f1 == pytest.approx(2 / 3)
    with pytest.raises(InputError, match="1 labels for 2"):
        good_and_bad([True], [True, False])
    with pytest.raises(InputError, match="no cases"):
        good_and_bad([None], [True])
