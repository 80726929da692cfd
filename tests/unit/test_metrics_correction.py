"""What corrections do: exact decomposition, gains, slopes, and the generation-verification gap."""
# pyright: reportUnknownMemberType=false

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gadfly.errors import InputError
from gadfly.metrics.correction import Corrected, Mode, correction, gains, slope_over_rounds
from gadfly.metrics.intervals import paired_difference
from gadfly.metrics.measurement import Sample
from gadfly.metrics.proportions import mcnemar
from gadfly.metrics.verification import Choice, verification_gap

PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=25)
FEW = settings(deadline=None, max_examples=40)


def corrected(pairs: list[tuple[bool | None, bool | None]], per_item: int = 1) -> list[Corrected]:
    return [
        Corrected(item=f"i{k // per_item}", draw=k % per_item, before=before, after=after)
        for k, (before, after) in enumerate(pairs)
    ]


# ---------------------------------------------------------------- decomposition


@given(PAIRS, st.integers(1, 3))
@FEW
def test_accuracy_after_is_made_of_confidence_and_critique_exactly(
    pairs: list[tuple[bool, bool]], per_item: int
) -> None:
    found = correction(corrected(list(pairs), per_item))
    n = len(pairs)
    kept, lost = found.stayed_right, found.flips.right_to_wrong
    gained, stuck = found.flips.wrong_to_right, found.stayed_wrong
    assert kept + lost + gained + stuck == n
    before = Fraction(kept + lost, n)
    level = Fraction(kept, kept + lost) if kept + lost else Fraction(0)
    critique = Fraction(gained, gained + stuck) if gained + stuck else Fraction(0)
    after = before * level + (1 - before) * critique
    assert after == Fraction(sum(after for _, after in pairs), n)
    assert found.after.value == pytest.approx(float(after), abs=1e-11)
    assert found.before.value == pytest.approx(float(before), abs=1e-11)
    assert (found.confidence is None) == (before == 0)
    assert (found.critique is None) == (before == 1)
    if found.confidence is not None:
        assert found.confidence.value == pytest.approx(float(level), abs=1e-11)
    if found.critique is not None:
        assert found.critique.value == pytest.approx(float(critique), abs=1e-11)


@given(PAIRS)
@FEW
def test_gain_is_repair_less_damage(pairs: list[tuple[bool, bool]]) -> None:
    found = correction(corrected(list(pairs)))
    assert found.gain.value == pytest.approx(found.after.value - found.before.value, abs=1e-11)
    assert found.gain.value == pytest.approx(
        found.wrong_to_right.value - found.right_to_wrong.value, abs=1e-11
    )
    assert found.flips.p_value == mcnemar(found.flips.wrong_to_right, found.flips.right_to_wrong)
    expected = paired_difference([after for _, after in pairs], [before for before, _ in pairs])
    # The draws are not the same: the ends may be one answer apart.
    near = 1 / len(pairs) + 1e-9
    assert found.gain.low == pytest.approx(expected.low, abs=near)
    assert found.gain.high == pytest.approx(expected.high, abs=near)
    assert correction(corrected(list(pairs[::-1]))).after.value == found.after.value


def test_the_relative_score_is_nought_and_one_at_its_bounds() -> None:
    # Half right before: the bounds are a quarter and three quarters.
    at_low = corrected([(True, True), (True, False), (False, False), (False, False)])
    at_high = corrected([(True, True), (True, True), (False, True), (False, False)])
    for records, value in ((at_low, 0.0), (at_high, 1.0)):
        found = correction(records).relative
        assert found is not None
        assert found.value == value
    beyond = correction(corrected([(True, True), (False, True)])).relative
    assert beyond is not None
    assert beyond.value == 1.5
    assert correction(corrected([(True, False)])).relative is None


@given(st.integers(1, 9))
@FEW
def test_an_unchanged_answer_has_the_relative_score_of_a_half(right: int) -> None:
    found = correction(corrected([(k < right, k < right) for k in range(10)])).relative
    assert found is not None
    assert found.value == pytest.approx(0.5)


def test_attempts_of_an_item_are_pooled_as_in_the_papers_sums() -> None:
    # Item 0: P(a) = 1/2, P(b|a) = 1, P(b|not a) = 0; item 1: P(a) = 1, P(b|a) = 1/2.
    records = corrected([(True, True), (False, False), (True, True), (True, False)], per_item=2)
    found = correction(records)
    assert found.confidence is not None
    assert found.confidence.value == pytest.approx((0.5 * 1 + 1 * 0.5) / 1.5)
    # Two items are all there is to resample, so the interval spans both.
    assert (found.confidence.low, found.confidence.high) == (0.5, 1.0)


def test_unscored_answers_count_as_wrong_or_leave_their_pair() -> None:
    records = corrected([(True, None), (None, True), (True, True)])
    found = correction(records)
    assert (found.before.value, found.after.value) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert (found.after.n, found.after.unscored) == (3, 2)
    left = correction(records, unreadable="left out")
    assert (left.after.value, left.after.n, left.after.unscored, left.flips.n) == (1.0, 3, 2, 1)
    with pytest.raises(InputError, match="no pair"):
        correction(corrected([(True, None)]), unreadable="left out")


def test_a_correction_says_what_it_cost_and_whether_a_reference_was_seen() -> None:
    records = [one.model_copy(update={"tokens": 30}) for one in corrected([(True, True), (False, True)])]
    found = correction(records)
    assert (found.tokens, found.saw_reference) == (60, False)
    sighted = correction([records[0].model_copy(update={"saw_reference": True}), records[1]])
    assert sighted.saw_reference


# ---------------------------------------------------------------- gains and rounds


def rounds(item: str, *answers: bool | None, critic: str = "c", mode: Mode = "self") -> list[Corrected]:
    return [
        Corrected(item=item, before=before, after=after, critic=critic, mode=mode, round=number)
        for number, (before, after) in enumerate(pairwise(answers), start=1)
    ]


RUN = [
    *rounds("a", False, True, True),
    *rounds("b", False, False, True),
    *rounds("c", True, True, False),
    *rounds("d", True, True, True),
]


def test_gains_are_told_apart_by_critic_mode_and_round() -> None:
    given_answers = [Corrected(item=i, before=False, after=True, critic="c", mode="cross") for i in "ab"]
    found = {(one.mode, one.round): one for one in gains([*RUN, *given_answers])}
    assert found["self", 1].gain.value == 0.25
    assert found["self", 2].gain.value == 0.0
    assert found["cross", 1].gain.value == 1.0
    assert found["self", 2].after.value == 0.75


def test_the_baseline_of_a_gain_is_the_criticised_the_first_or_a_direct_answer() -> None:
    second = next(one for one in gains(RUN, against="first") if one.round == 2)
    assert second.gain.value == 0.25
    direct = gains(RUN, against={"a": True, "b": True, "c": True, "d": None})
    assert [one.gain.value for one in direct] == [0.0, 0.0]
    assert [one.gain.unscored for one in direct] == [1, 1]
    left = gains(RUN, against={"a": True, "b": True, "c": True, "d": None}, unreadable="left out")
    assert [one.gain.value for one in left] == [pytest.approx(-1 / 3), pytest.approx(-1 / 3)]
    with pytest.raises(InputError, match="'b' has no direct answer"):
        gains(RUN, against={"a": True})


def test_a_critic_may_do_harm() -> None:
    found = gains([*rounds("a", True, False), *rounds("b", True, False)])[0]
    assert (found.gain.value, found.gain.low, found.gain.high) == (-1.0, -1.0, -1.0)


def test_the_slope_is_that_of_least_squares() -> None:
    found = slope_over_rounds(RUN)
    expected = np.polyfit([0, 1, 2], [0.5, 0.75, 0.75], 1)[0]
    assert found.value == pytest.approx(expected)
    assert found.low <= found.value <= found.high
    assert (found.n, found.unscored) == (4, 0)
    assert slope_over_rounds(RUN[::-1]).value == found.value


def test_an_attempt_that_stops_keeps_its_answer_or_leaves_the_later_rounds() -> None:
    records = [*rounds("a", True, True), *rounds("b", False, False, False)]
    assert slope_over_rounds(records).value == pytest.approx(0)
    left = slope_over_rounds(records, stopped="left out")
    assert left.value == pytest.approx(np.polyfit([0, 1, 2], [0.5, 0.5, 0.0], 1)[0])


def test_unscored_rounds_count_as_wrong_or_are_left_out_of_the_slope() -> None:
    records = [*rounds("a", True, None), *rounds("b", True, True)]
    assert slope_over_rounds(records).value == -0.5
    left = slope_over_rounds(records, unreadable="left out")
    assert (left.value, left.unscored) == (0.0, 1)
    with pytest.raises(InputError, match="no scored answer"):
        slope_over_rounds(rounds("a", True, None), unreadable="left out")


def test_rounds_of_one_attempt_come_once_and_of_one_critic() -> None:
    with pytest.raises(InputError, match="round twice"):
        gains([*rounds("a", True, True), *rounds("a", True, True)])
    with pytest.raises(InputError, match="one critic"):
        slope_over_rounds([*rounds("a", True, True), *rounds("a", True, True, critic="other")])
    with pytest.raises(InputError, match="one critic"):
        slope_over_rounds([])


# ---------------------------------------------------------------- generation and verification


def samples(*cells: tuple[bool | None, float | None]) -> list[Sample]:
    return [Sample(key=None, right=right, score=score) for right, score in cells]


POOLS = st.lists(
    st.lists(st.tuples(st.booleans(), st.integers(0, 4).map(lambda k: k / 4)), min_size=1, max_size=5),
    min_size=1,
    max_size=8,
)
CHOICES = st.sampled_from(["threshold", "top share", "proportional"])


def test_the_gap_is_the_truth_of_chosen_samples_less_that_of_all() -> None:
    pool = [
        samples((True, 0.9), (False, 0.1)),
        samples((True, 0.2), (False, 0.8), (False, 0.1), (False, 0.1)),
    ]
    found = verification_gap(pool)
    assert found.gap is not None
    assert (found.raw.value, found.chosen.value) == (0.375, 0.5)
    assert found.gap.value == pytest.approx(0.125)
    assert found.kept == pytest.approx(2 / 6)
    room = verification_gap(pool, variant="of the room").gap
    each = verification_gap(pool, variant="of each problem's room").gap
    assert room is not None
    assert each is not None
    assert room.value == pytest.approx(0.125 / 0.625)
    assert each.value == pytest.approx((0.5 / 0.5 + -0.25 / 0.75) / 2)


def test_scores_can_be_weights_or_choose_a_share_with_ties_in_part() -> None:
    pool = [samples((True, 3.0), (False, 1.0), (False, 0.0), (False, 0.0))]
    assert verification_gap(pool, choice="proportional").chosen.value == 0.75
    assert verification_gap(pool, choice="top share", at=0.5).chosen.value == 0.5
    tied = [samples((True, 1.0), (True, 0.5), (False, 0.5))]
    assert verification_gap(tied, choice="top share", at=2 / 3).chosen.value == pytest.approx(1.5 / 2)
    with pytest.raises(InputError, match="below 0"):
        verification_gap([samples((True, -1.0))], choice="proportional")
    with pytest.raises(InputError, match="share to keep"):
        verification_gap(tied, choice="top share", at=0.0)


def test_a_problem_of_which_nothing_is_kept_counts_as_it_is_or_not_at_all() -> None:
    pool = [samples((True, 0.9), (False, 0.1)), samples((True, 0.1), (False, None))]
    raw, left = verification_gap(pool), verification_gap(pool, nothing_kept="left out")
    assert raw.gap is not None
    assert left.gap is not None
    assert (raw.gap.value, left.gap.value) == (0.25, 0.5)
    assert (raw.gap.n, raw.gap.unscored, raw.samples, raw.unscored) == (2, 1, 4, 1)
    with pytest.raises(InputError, match="keeps"):
        verification_gap([samples((True, 0.1))], nothing_kept="left out")


def test_samples_without_truth_are_wrong_or_left_out() -> None:
    pool = [samples((True, 0.9), (None, 0.9))]
    assert verification_gap(pool).raw.value == 0.5
    assert verification_gap(pool, unreadable="left out").raw.value == 1.0
    assert verification_gap(pool, unreadable="left out", variant="of the room").gap is None


@given(POOLS, CHOICES, st.floats(0.1, 1.0))
@FEW
def test_a_verifier_that_knows_nothing_adds_nothing_and_an_oracle_never_harms(
    pool: list[list[tuple[bool, float]]], choice: Choice, at: float
) -> None:
    blind = [samples(*[(right, 1.0) for right, _ in row]) for row in pool]
    assert verification_gap(blind, choice=choice, at=at).gap == verification_gap(blind).gap
    nothing = verification_gap(blind, choice=choice, at=at).gap
    assert nothing is not None
    assert nothing.value == pytest.approx(0, abs=1e-9)
    oracle = [samples(*[(right, float(right)) for right, _ in row]) for row in pool]
    best = verification_gap(oracle, choice=choice, at=at).gap
    assert best is not None
    assert best.value >= -1e-9
    mixed = [samples(*row) for row in pool]
    found = verification_gap(mixed, choice=choice, at=at)
    assert found.gap is not None
    assert found.gap.value == pytest.approx(found.chosen.value - found.raw.value, abs=1e-9)
    assert 0 <= found.kept <= 1 + 1e-12
    turned = verification_gap([row[::-1] for row in mixed][::-1], choice=choice, at=at).gap
    assert turned is not None
    assert turned.value == pytest.approx(found.gap.value, abs=1e-9)
