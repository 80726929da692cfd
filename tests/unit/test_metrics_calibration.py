"""Calibration: bins, calibration error, Brier score, risk and coverage, and what rows become."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gadfly.errors import InputError
from gadfly.metrics.calibration import (
    Binning,
    Closed,
    Forecasts,
    brier,
    calibration_error,
    confidence_gaps,
    forecasts,
    reliability,
)
from gadfly.metrics.judged import Judged
from gadfly.metrics.proportions import wilson
from gadfly.metrics.selective import Ties, risk_coverage, selective_accuracy

CASES = st.lists(st.tuples(st.integers(0, 20).map(lambda k: k / 20), st.booleans()), min_size=1, max_size=25)
BINNING = st.sampled_from(["equal width", "equal mass"])
CLOSED = st.sampled_from(["right", "left"])
TIES = st.sampled_from(["averaged", "together"])
FEW = settings(deadline=None, max_examples=40)


def made(cases: list[tuple[float, bool]]) -> Forecasts:
    return Forecasts(confidence=tuple(p for p, _ in cases), right=tuple(r for _, r in cases))


# ---------------------------------------------------------------- bins and calibration error


@given(CASES, st.integers(1, 12), BINNING, CLOSED)
@FEW
def test_bins_hold_every_case_once_and_their_means_lie_within(
    cases: list[tuple[float, bool]], bins: int, binning: Binning, closed: Closed
) -> None:
    found = reliability(made(cases), bins=bins, binning=binning, closed=closed)
    assert sum(one.accuracy.n for one in found) == len(cases)
    assert 1 <= len(found) <= bins
    for one in found:
        assert one.low - 1e-12 <= one.confidence <= one.high + 1e-12
    mean = sum(one.confidence * one.accuracy.n for one in found) / len(cases)
    assert mean == pytest.approx(np.mean([p for p, _ in cases]))


@given(CASES, st.sampled_from(["uniform", "quantile"]))
@FEW
def test_bins_are_those_of_scikit_learn(cases: list[tuple[float, bool]], strategy: str) -> None:
    calibration = pytest.importorskip("sklearn.calibration")
    right, confidence = [r for _, r in cases], [p for p, _ in cases]
    if len(set(right)) < 2:
        return
    # Confidences a little off the cuts: scikit-learn's own cuts carry rounding errors.
    confidence = [min(1.0, p + 0.001) for p in confidence]
    accuracy, mean = calibration.calibration_curve(right, confidence, n_bins=5, strategy=strategy)
    found = reliability(
        Forecasts(confidence=tuple(confidence), right=tuple(right)),
        bins=5,
        binning="equal width" if strategy == "uniform" else "equal mass",
    )
    if strategy == "uniform":
        assert [one.accuracy.value for one in found] == pytest.approx(accuracy.tolist())
        assert [one.confidence for one in found] == pytest.approx(mean.tolist())
    else:
        assert len(found) == len(accuracy)


def test_a_confidence_on_a_cut_falls_where_the_convention_says() -> None:
    found = made([(0.3, True), (0.35, False)])
    assert [one.high for one in reliability(found)] == [0.3, 0.4]
    assert [(one.low, one.accuracy.n) for one in reliability(found, closed="left")] == [(0.3, 2)]
    assert calibration_error(found).value == pytest.approx((0.7 + 0.35) / 2)
    assert calibration_error(found, closed="left").value == pytest.approx(0.175)


def test_equal_mass_bins_hold_equal_numbers_and_keep_ties_together() -> None:
    spread = made([(k / 100, k % 2 == 0) for k in range(100)])
    assert {one.accuracy.n for one in reliability(spread, bins=5, binning="equal mass")} == {20}
    tied = made([(0.9, True)] * 7 + [(0.5, False)] * 3)
    assert [one.accuracy for one in reliability(tied, bins=5, binning="equal mass")] == [
        wilson(0, 3),
        wilson(7, 7),
    ]


@given(CASES, st.integers(1, 12), BINNING, CLOSED, st.randoms(use_true_random=False))
@FEW
def test_calibration_error_is_the_weighted_gap_of_the_bins_in_any_order(
    cases: list[tuple[float, bool]], bins: int, binning: Binning, closed: Closed, shuffler: random.Random
) -> None:
    found = calibration_error(made(cases), bins=bins, binning=binning, closed=closed)
    gaps = reliability(made(cases), bins=bins, binning=binning, closed=closed)
    by_hand = sum(abs(one.accuracy.value - one.confidence) * one.accuracy.n for one in gaps) / len(cases)
    assert found.value == pytest.approx(by_hand, abs=1e-9)
    assert 0 <= found.low <= found.value <= found.high <= 1
    shuffler.shuffle(cases)
    again = calibration_error(made(cases), bins=bins, binning=binning, closed=closed)
    assert again.value == pytest.approx(found.value, abs=1e-9)


def test_the_known_calibration_error_of_overconfidence_comes_out() -> None:
    found = calibration_error(made([(0.9, k < 60) for k in range(100)]))
    assert found.value == pytest.approx(0.3)
    assert found.low < 0.3 < found.high
    assert calibration_error(made([(0.5, k % 2 == 0) for k in range(10)])).value == 0


def test_clusters_widen_and_unscored_cases_are_counted() -> None:
    right = tuple(k % 3 == 0 for k in range(30) for _ in range(4))
    plain = Forecasts(confidence=(0.8,) * 120, right=right, unscored=5)
    grouped = Forecasts(
        confidence=(0.8,) * 120, right=right, unscored=5, clusters=tuple(k // 4 for k in range(120))
    )
    assert calibration_error(grouped).half_width > 1.5 * calibration_error(plain).half_width
    for found in (calibration_error(plain), brier(plain).score, risk_coverage(plain).area):
        assert (found.n, found.unscored) == (125, 5)


# ---------------------------------------------------------------- Brier


@given(CASES)
@FEW
def test_the_brier_score_is_that_of_scikit_learn(cases: list[tuple[float, bool]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    expected = metrics.brier_score_loss([r for _, r in cases], [p for p, _ in cases], pos_label=True)
    found = brier(made(cases)).score
    assert found.value == pytest.approx(expected, abs=1e-9)
    assert 0 <= found.low <= found.high <= 1


@given(CASES, st.one_of(st.none(), st.integers(1, 8)), BINNING)
@FEW
def test_the_parts_of_the_brier_score_add_up_to_it(
    cases: list[tuple[float, bool]], bins: int | None, binning: Binning
) -> None:
    found = brier(made(cases), bins=bins, binning=binning)
    whole = found.reliability - found.resolution + found.uncertainty + found.within
    assert found.score.value == pytest.approx(whole, abs=1e-9)
    assert found.reliability >= 0
    assert -1e-12 <= found.resolution <= found.uncertainty + 1e-12
    if bins is None:
        assert found.within == pytest.approx(0, abs=1e-12)


def test_saying_the_base_rate_scores_the_uncertainty() -> None:
    found = brier(made([(0.25, k == 0) for k in range(4)]))
    assert (found.score.value, found.uncertainty) == (pytest.approx(0.1875), pytest.approx(0.1875))
    assert (found.reliability, found.resolution) == (0, 0)


# ---------------------------------------------------------------- risk and coverage


def by_hand(cases: list[tuple[float, bool]], ties: Ties) -> float:
    """Area under the risk-coverage curve, over many random orders or by thresholds."""
    if ties == "together":
        risks: list[float] = []
        for confidence, _ in cases:
            taken = [right for other, right in cases if other >= confidence]
            risks.append(1 - sum(taken) / len(taken))
        return float(np.mean(risks))
    shuffler = random.Random(0)
    areas: list[float] = []
    for _ in range(4000):
        shuffler.shuffle(cases)
        wrong = np.cumsum([not right for _, right in sorted(cases, key=lambda case: -case[0])])
        areas.append(float((wrong / np.arange(1, len(cases) + 1)).mean()))
    return float(np.mean(areas))


def test_the_area_is_the_mean_over_random_orders_of_ties_or_that_of_thresholds() -> None:
    generator = np.random.default_rng(0)
    cases = [
        (float(p) / 4, bool(r)) for p, r in zip(*generator.integers(0, [[5], [2]], (2, 14)), strict=True)
    ]
    for ties in ("averaged", "together"):
        assert risk_coverage(made(cases), ties=ties).area.value == pytest.approx(
            by_hand(cases[:], ties), abs=2e-3 if ties == "averaged" else 1e-9
        )


@given(CASES, TIES)
@FEW
def test_risk_ends_at_the_error_rate_and_the_area_is_bounded(
    cases: list[tuple[float, bool]], ties: Ties
) -> None:
    found = risk_coverage(made(cases), ties=ties)
    wrong = sum(not right for _, right in cases) / len(cases)
    assert found.coverage[-1] == 1
    assert found.risk[-1] == pytest.approx(wrong)
    assert all(0 <= risk <= 1 + 1e-12 for risk in found.risk)
    assert list(found.coverage) == sorted(found.coverage)
    assert 0 <= found.area.value <= 1
    assert 0 <= found.excess <= found.area.value + 1e-12
    if ties == "averaged":
        assert found.area.value == pytest.approx(np.mean(found.risk), abs=1e-9)
    assert risk_coverage(made(cases[::-1]), ties=ties).area.value == pytest.approx(found.area.value)


@given(CASES)
@FEW
def test_only_the_order_of_confidence_counts_for_the_area(cases: list[tuple[float, bool]]) -> None:
    squared = [(p**2, right) for p, right in cases]
    assert risk_coverage(made(squared)).area == risk_coverage(made(cases)).area


def test_an_ideal_order_has_no_excess_and_the_worst_has_most() -> None:
    ideal = made([(0.9, True)] * 3 + [(0.1, False)] * 2)
    assert risk_coverage(ideal).excess == 0
    assert risk_coverage(ideal, ties="averaged").area.value == pytest.approx((1 / 4 + 2 / 5) / 5)
    worst = made([(0.1, True)] * 3 + [(0.9, False)] * 2)
    assert risk_coverage(worst).area.value == pytest.approx((1 + 1 + 2 / 3 + 2 / 4 + 2 / 5) / 5)


def test_the_area_has_an_interval_around_it() -> None:
    generator = np.random.default_rng(0)
    chance = generator.random(200)
    found = risk_coverage(
        made([(float(p), bool(r)) for p, r in zip(chance, generator.random(200) < chance, strict=True)])
    )
    assert found.area.low < found.area.value < found.area.high
    assert found.area.high - found.area.low < 0.2


def test_selective_accuracy_takes_the_most_confident_share() -> None:
    found = selective_accuracy(made([(0.9, True), (0.8, True), (0.3, False), (0.2, True)]), 0.5)
    assert (found.accuracy.value, found.coverage, found.threshold) == (1.0, 0.5, 0.8)
    tied = made([(0.9, True), (0.5, True), (0.5, False), (0.5, False)])
    part = selective_accuracy(tied, 0.5)
    assert (part.accuracy.value, part.coverage) == (pytest.approx((1 + 1 / 3) / 2), 0.5)
    whole = selective_accuracy(tied, 0.5, ties="together")
    assert (whole.accuracy.value, whole.coverage, whole.threshold) == (0.5, 1.0, 0.5)
    with pytest.raises(InputError, match="coverage"):
        selective_accuracy(tied, 0.0)


@given(CASES, st.floats(0.01, 1.0), TIES)
@FEW
def test_full_coverage_is_plain_accuracy_and_any_coverage_is_reached(
    cases: list[tuple[float, bool]], coverage: float, ties: Ties
) -> None:
    full = selective_accuracy(made(cases), 1.0, ties=ties)
    assert full.accuracy.value == pytest.approx(np.mean([right for _, right in cases]))
    found = selective_accuracy(made(cases), coverage, ties=ties)
    assert found.coverage >= coverage - 1e-9
    assert -1e-9 <= found.accuracy.low <= found.accuracy.high <= 1 + 1e-9


# ---------------------------------------------------------------- counts, rows, refusals


def test_over_and_underconfidence_are_counted_apart() -> None:
    found = confidence_gaps(made([(0.9, False), (0.5, False), (0.2, True), (0.2, False), (0.95, True)]))
    assert (found.overconfident_wrong, found.underconfident_right) == (1, 1)
    assert found.overconfident == wilson(1, 5)
    strict = confidence_gaps(made([(0.7, False), (0.3, True)]), confident=0.8, unconfident=0.2)
    assert (strict.overconfident_wrong, strict.underconfident_right) == (0, 0)
    with pytest.raises(InputError, match="must not be above"):
        confidence_gaps(made([(0.7, False)]), confident=0.2, unconfident=0.8)


ROWS = [
    Judged(item="a", gold="correct", said="correct", score=0.9, group="g"),
    Judged(item="b", gold="incorrect", said="incorrect", score=0.2),
    Judged(item="c", gold="first", said="second", score=-0.5),
    Judged(item="d", gold="tie", said="first", score=0.5),
    Judged(item="e", gold="correct", said=None, score=None),
    Judged(item="f", gold=None, said="correct", score=0.5),
]


def test_a_score_is_the_chance_that_the_answer_is_right_or_the_first_is_better() -> None:
    found = forecasts(ROWS)
    assert found.confidence == (0.9, 0.2, 0.25)
    assert found.right == (True, False, True)
    assert (found.clusters, found.unscored, found.n) == (("g", "b", "c"), 1, 4)


def test_about_the_verdict_a_score_is_the_chance_that_the_judge_is_right() -> None:
    found = forecasts(ROWS, about="verdict")
    assert found.confidence == (0.9, 0.8, 0.75)
    assert found.right == (True, True, False)


def test_scores_out_of_range_and_labels_without_truth_are_refused() -> None:
    with pytest.raises(InputError, match="'a' has the score 7"):
        forecasts([Judged(item="a", gold="correct", score=7)])
    with pytest.raises(InputError, match="neither right nor wrong"):
        forecasts([Judged(item="a", gold="B", score=0.5)])
    with pytest.raises(InputError, match="no row"):
        forecasts([Judged(item="a", gold="correct")])
    with pytest.raises(InputError, match="no probability"):
        made([(1.5, True)])
    with pytest.raises(InputError, match="at least one"):
        made([])
    with pytest.raises(InputError, match="bins is 0"):
        reliability(made([(0.5, True)]), bins=0)
