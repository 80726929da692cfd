"""Biases of judges: length, self-preference, self-recognition, and liking one's like."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (pytest.approx, numpy.linalg and statsmodels have no complete types.)

from math import exp, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gadfly.errors import InputError
from gadfly.metrics.bias import length_bias, length_slope, self_preference, self_recognition
from gadfly.metrics.judged import Judged
from gadfly.metrics.similarity import error_overlap, probable_overlap, similarity_bias

FAST = 200
MIRRORED = {"first": "second", "second": "first", "tie": "tie", None: None}


def pair(item: int, said: str | None, gold: str | None, lengths: tuple[int, int], who: str = "me") -> Judged:
    return Judged(item=str(item), judge="me", said=said, gold=gold, lengths=lengths, authors=(who, "other"))


def mirrored(row: Judged) -> Judged:
    return row.model_copy(
        update={
            "said": MIRRORED[row.said],
            "gold": MIRRORED[row.gold],
            "lengths": row.lengths[::-1],
            "authors": row.authors[::-1],
        }
    )


def simulated(slope: float, n: int = 4000) -> list[Judged]:
    """A judge who follows gold and, with this slope, the log ratio of the lengths."""
    generator = np.random.default_rng(1)
    rows: list[Judged] = []
    for item in range(n):
        lengths = (int(generator.integers(50, 800)), int(generator.integers(50, 800)))
        if lengths[0] == lengths[1]:
            continue
        gold = ("first", "second")[int(generator.random() < 0.5)]
        odds = slope * log(lengths[0] / lengths[1]) + (1.0 if gold == "first" else -1.0)
        said = "first" if generator.random() < 1 / (1 + exp(-odds)) else "second"
        rows.append(pair(item, said, gold, lengths))
    return rows


# ---------------------------------------------------------------- length


def test_a_judge_that_follows_length_has_the_slope_that_made_it() -> None:
    found = length_bias(simulated(0.8), resamples=FAST)
    assert found.slope is not None
    assert found.slope.low < 0.8 < found.slope.high
    assert found.slope.value == pytest.approx(0.8, abs=0.15)
    assert found.excess.low > 0


def test_a_judge_that_follows_gold_alone_has_no_length_bias() -> None:
    found = length_bias(simulated(0.0), resamples=FAST)
    assert found.slope is not None
    assert not found.slope.excludes(0)
    assert not found.excess.excludes(0)


def test_the_slope_agrees_with_statsmodels() -> None:
    api = pytest.importorskip("statsmodels.api")
    rows = simulated(0.5, n=300)
    columns = [
        [log(row.lengths[0] / row.lengths[1]), 1.0, 1.0 if row.gold == "first" else -1.0] for row in rows
    ]
    fitted = api.Logit([row.said == "first" for row in rows], columns).fit(disp=0)
    found = length_bias(rows, resamples=FAST).slope
    assert found is not None
    assert found.value == pytest.approx(fitted.params[0], abs=1e-6)
    # The clustered error of single rows is near the model's own.
    assert found.half_width / 1.96 == pytest.approx(fitted.bse[0], rel=0.15)


def test_people_who_like_length_too_leave_no_excess() -> None:
    rows = [pair(item, "first", "first", (90, 10)) for item in range(20)]
    found = length_bias(rows, resamples=FAST)
    assert (found.excess.value, found.excess.low, found.excess.high) == (0, 0, 0)
    assert found.slope is None


def test_equal_lengths_and_pairs_without_gold_are_left_out_and_unscored_ones_counted() -> None:
    rows = [pair(0, "first", "second", (9, 3)), pair(1, "first", "second", (3, 3))]
    rows += [pair(2, "first", None, (9, 3)), pair(3, None, "first", (9, 3))]
    found = length_bias(rows, resamples=FAST).excess
    assert (found.value, found.n, found.unscored) == (1.0, 2, 1)


def test_a_tie_is_half_a_decision_for_the_longer_answer_or_none() -> None:
    rows = [pair(0, "tie", "second", (9, 3)), pair(1, "second", "second", (9, 3))]
    assert length_bias(rows, resamples=FAST).excess.value == 0.25
    assert length_bias(rows, ties="left out", resamples=FAST).excess.value == 0.0


def test_what_cannot_show_a_length_bias_is_refused() -> None:
    with pytest.raises(InputError, match="unequal lengths"):
        length_bias([pair(0, "first", "first", (3, 3))])
    with pytest.raises(InputError, match="'A'"):
        length_bias([pair(0, "A", "first", (3, 4))])


labels = st.sampled_from(["first", "second", "tie"])
judged = st.builds(
    pair,
    st.integers(0, 6),
    labels,
    labels,
    st.tuples(st.integers(1, 50), st.integers(51, 99)),
)


@given(st.lists(judged, min_size=1, max_size=25))
@settings(max_examples=40, deadline=None)
def test_naming_the_answers_the_other_way_round_changes_no_bias(rows: list[Judged]) -> None:
    here, there = (length_bias(some, resamples=20) for some in (rows, [mirrored(row) for row in rows]))
    assert here.excess == there.excess
    assert (here.slope is None) == (there.slope is None)
    if here.slope and there.slope:
        assert here.slope.value == pytest.approx(there.slope.value, abs=1e-5)
        assert here.slope.half_width == pytest.approx(there.slope.half_width, rel=1e-4, abs=1e-6)
    mine, theirs = (self_preference(some, resamples=20) for some in (rows, [mirrored(row) for row in rows]))
    assert mine == theirs
    assert mine.excess.value == pytest.approx(mine.judge - mine.people)


def verdict(item: int, said: str | None, gold: str | None, length: int) -> Judged:
    return Judged(item=str(item), said=said, gold=gold, lengths=(length,))


def test_a_critic_that_follows_length_has_the_slope_that_made_it() -> None:
    generator = np.random.default_rng(2)
    rows: list[Judged] = []
    for item in range(4000):
        length, right = int(generator.integers(20, 900)), generator.random() < 0.6
        odds = 0.7 * (log(length) - 5.5) + (1.0 if right else -1.0)
        said = "correct" if generator.random() < 1 / (1 + exp(-odds)) else "incorrect"
        rows.append(verdict(item, said, "correct" if right else "incorrect", length))
    found = length_slope(rows)
    assert found is not None
    assert found.low < 0.7 < found.high
    assert found.value == pytest.approx(0.7, abs=0.15)
    unread = [row.model_copy(update={"said": None}) for row in rows[:10]]
    assert length_slope([*unread, *rows[10:]]) == length_slope(rows[10:]).model_copy(  # pyright: ignore[reportOptionalMemberAccess]
        update={"n": len(rows), "unscored": 10}
    )


def test_a_slope_over_length_needs_lengths_that_differ_and_labels_of_one_answer() -> None:
    same = [verdict(n, ("correct", "incorrect")[n % 2], "correct", 7) for n in range(8)]
    assert length_slope(same) is None
    with pytest.raises(InputError, match="two verdicts"):
        length_slope([verdict(0, "correct", "correct", 3), verdict(1, None, "correct", 4)])
    with pytest.raises(InputError, match="'first'"):
        length_slope([verdict(n, "first", "correct", n) for n in range(3)])


# ---------------------------------------------------------------- self


def test_self_preference_is_what_the_judge_says_beyond_people() -> None:
    rows = [pair(item, "first", "second", (1, 1)) for item in range(3)]
    rows += [pair(3, "first", "first", (1, 1)), pair(4, "second", "tie", (1, 1), who="third")]
    found = self_preference(rows, resamples=FAST)
    assert (found.judge, found.people, found.excess.value) == (1.0, 0.25, 0.75)
    assert found.excess.n == 4
    assert found.undue is not None
    assert (found.undue.value, found.undue.n) == (1.0, 3)


def test_a_judge_may_go_by_another_name_among_the_authors() -> None:
    rows = [pair(0, "second", "first", (1, 1), who="third")]
    with pytest.raises(InputError, match="judge's"):
        self_preference(rows)
    assert self_preference(rows, own={"me": "other"}, resamples=FAST).excess.value == 1.0


def test_a_pair_of_ones_own_answers_shows_no_preference() -> None:
    rows = [Judged(item="0", judge="me", said="first", gold="second", authors=("me", "me"))]
    with pytest.raises(InputError):
        self_preference(rows)


def test_recognition_is_measured_against_the_chance_of_each_row() -> None:
    rows = [
        Judged(item="a", judge="me", said="first", authors=("me", "x")),
        Judged(item="b", judge="me", said="third", authors=("x", "y", "me", "z")),
        Judged(item="c", judge="me", said=None, why="unreadable", authors=("me", "x")),
        Judged(item="d", judge="me", said="first", authors=("x", "y")),
    ]
    found = self_recognition(rows, resamples=FAST)
    assert (found.accuracy.value, found.accuracy.n, found.accuracy.unscored) == (1.0, 3, 1)
    assert found.chance == pytest.approx(0.375)
    assert found.excess.value == pytest.approx(0.625)
    strict = self_recognition(rows, unreadable="wrong", resamples=FAST)
    assert strict.accuracy.value == pytest.approx(2 / 3)


def test_a_judge_that_always_picks_the_first_place_recognises_nothing() -> None:
    rows = [
        Judged(item=str(item), judge="me", said=said, swapped=swapped, authors=("me", "x"))
        for item in range(20)
        for said, swapped in (("first", False), ("second", True))
    ]
    found = self_recognition(rows, resamples=FAST)
    assert (found.accuracy.value, found.excess.value) == (0.5, 0.0)
    assert found.shown_first.value == 0.5
    assert found.shown_first.low == 0.5


def test_recognition_needs_a_pick_among_at_most_five() -> None:
    with pytest.raises(InputError, match="with a pick"):
        self_recognition([Judged(item="a", judge="me", said="tie", authors=("me", "x"))])
    with pytest.raises(InputError, match="at most 5"):
        self_recognition([Judged(item="a", judge="me", said="first", authors=("me", *"abcde"))])


# ---------------------------------------------------------------- likeness

choices = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40
).filter(lambda rows: any(one != right or other != right for one, other, right in rows))


@given(choices)
@settings(max_examples=60, deadline=None)
def test_the_overlap_is_symmetric_and_one_for_a_model_with_itself(rows: list[tuple[int, int, int]]) -> None:
    one, other, gold = ([row[place] for row in rows] for place in range(3))
    options = [4] * len(rows)
    there = error_overlap(one, other, gold=gold, options=options, resamples=20)
    back = error_overlap(other, one, gold=gold, options=options, resamples=20)
    assert there.kappa.value == pytest.approx(back.kappa.value)
    assert there.kappa.value <= 1 + 1e-12
    assert there.observed == pytest.approx(np.mean([a == b for a, b in zip(one, other, strict=True)]))
    if one != gold:
        same = error_overlap(one, one, gold=gold, options=options, resamples=20)
        assert same.kappa.value == pytest.approx(1.0)


def test_the_overlap_of_a_small_case_is_the_one_by_hand() -> None:
    # Accuracies 3/4 and 1/2; equal on items 0, 1 and 3; chance of meeting on a wrong option 1/3.
    found = error_overlap([0, 1, 2, 3], [0, 1, 1, 3], gold=[0, 1, 2, 0], options=[4] * 4, resamples=FAST)
    expected = 0.75 * 0.5 + 0.25 * 0.5 / 3
    assert found.accuracies == (0.75, 0.5)
    assert found.expected == pytest.approx(expected)
    assert found.kappa.value == pytest.approx((0.75 - expected) / (1 - expected))


def test_independent_models_overlap_by_chance_alone() -> None:
    generator = np.random.default_rng(1)
    gold = generator.integers(0, 4, 3000).tolist()
    one, other = (
        [right if generator.random() < 0.6 else int((right + generator.integers(1, 4)) % 4) for right in gold]
        for _ in range(2)
    )
    found = error_overlap(one, other, gold=gold, options=[4] * 3000, resamples=FAST)
    assert not found.kappa.excludes(0)
    assert found.kappa.value == pytest.approx(0, abs=0.05)


def test_an_unsure_model_agrees_with_itself_less_than_always() -> None:
    rows = [[0.5, 0.5], [0.1, 0.9]]
    found = probable_overlap(rows, rows, gold=[0, 1], resamples=FAST)
    assert found.observed == pytest.approx((0.5 + 0.82) / 2)
    assert found.accuracies == (pytest.approx(0.7), pytest.approx(0.7))
    assert found.kappa.value < 1


def test_overlaps_that_mean_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="always right"):
        error_overlap([0, 1], [0, 1], gold=[0, 1], options=[2, 2])
    with pytest.raises(InputError, match="none of its 2"):
        error_overlap([2], [0], gold=[0], options=[2])
    with pytest.raises(InputError, match="as many"):
        error_overlap([0], [0, 1], gold=[0], options=[2])
    with pytest.raises(InputError, match="add up to 1"):
        probable_overlap([[0.5, 0.6]], [[1.0, 0.0]], gold=[0])
    with pytest.raises(InputError, match="as many rows"):
        probable_overlap([], [], gold=[])


def test_liking_ones_like_is_seen_only_beyond_accuracy() -> None:
    generator = np.random.default_rng(2)
    accuracy = generator.uniform(0.2, 0.9, 60)
    likeness = accuracy + generator.normal(0, 0.1, 60)
    fair = accuracy + generator.normal(0, 0.05, 60)
    biased = fair + likeness
    assert not similarity_bias(fair.tolist(), likeness.tolist(), accuracy.tolist(), resamples=FAST).excludes(
        0
    )
    found = similarity_bias(biased.tolist(), likeness.tolist(), accuracy.tolist(), resamples=FAST)
    assert found.low > 0.5


def test_the_partial_correlation_is_that_of_the_residuals() -> None:
    generator = np.random.default_rng(3)
    scores, likeness, accuracy = generator.normal(size=(3, 25))
    scores = scores + likeness + 5
    line = np.column_stack([accuracy, np.ones(25)])
    left = [column - line @ np.linalg.lstsq(line, column)[0] for column in (scores, likeness)]
    found = similarity_bias(scores.tolist(), likeness.tolist(), accuracy.tolist(), resamples=FAST)
    assert found.value == pytest.approx(np.corrcoef(*left)[0, 1])


def test_nothing_is_left_to_correlate_where_a_number_is_constant() -> None:
    with pytest.raises(InputError, match="vary"):
        similarity_bias([1, 2, 3, 4], [1, 1, 1, 1], [1, 3, 2, 5])
    with pytest.raises(InputError, match="four models"):
        similarity_bias([1, 2, 3], [1, 2, 1], [1, 3, 2])
