"""Win rates, with and without control for length."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gadfly.errors import InputError
from gadfly.metrics.clustering import standard_error
from gadfly.metrics.preference import (
    LengthWeights,
    equal_length_preferences,
    fit_length_control,
    length_controlled,
    length_feature,
    shares,
    win_rate,
)


def test_the_two_codings_say_the_same() -> None:
    one = win_rate([1.0, 2.0, 1.5, 1.25, None], coding="1 or 2")
    other = win_rate([0.0, 1.0, 0.5, 0.25, None], coding="share")
    assert one == other
    assert one.rate.value == pytest.approx(0.4375)


def test_the_old_sign_for_a_draw_is_a_draw() -> None:
    assert shares([0.0, 1.5, 2.0], coding="1 or 2") == [0.5, 0.5, 1.0]
    assert win_rate([0.0, 2.0], coding="1 or 2").draws == 1


def test_a_draw_is_worth_half_a_win_nothing_or_its_case() -> None:
    given = [1.0, 1.0, 0.5, 0.0]
    assert win_rate(given, ties="half").rate.value == pytest.approx(0.625)
    assert win_rate(given, ties="wrong").rate.value == pytest.approx(0.5)
    assert win_rate(given, ties="left out").rate.value == pytest.approx(2 / 3)


def test_wins_losses_and_draws_are_counted_whatever_a_draw_is_worth() -> None:
    for draws in ("half", "wrong", "left out"):
        found = win_rate([0.9, 0.6, 0.5, 0.1, None], ties=draws)
        assert (found.wins, found.losses, found.draws, found.read) == (2, 1, 1, 4)


def test_the_discrete_rate_rounds_preferences() -> None:
    found = win_rate([0.9, 0.6, 0.5, 0.1])
    assert found.discrete.value == pytest.approx(0.625)
    assert found.rate.value == pytest.approx(0.525)


def test_unread_preferences_are_left_out_and_shown() -> None:
    found = win_rate([1.0, None, 0.0, None])
    assert (found.rate.value, found.rate.n, found.rate.unscored) == (0.5, 4, 2)


def test_the_standard_error_is_that_of_a_mean() -> None:
    values = [0.1, 0.4, 0.8, 0.9]
    assert standard_error(values) == pytest.approx(np.std(values, ddof=1) / 2)
    assert win_rate(values).standard_error == pytest.approx(standard_error(values))
    assert standard_error([0.3]) is None
    assert win_rate([0.3]).standard_error is None


def test_the_interval_agrees_with_the_standard_error() -> None:
    generator = np.random.default_rng(1)
    found = win_rate(generator.random(500).tolist())
    assert found.standard_error is not None
    assert found.rate.half_width == pytest.approx(1.96 * found.standard_error, rel=0.05)


def test_clusters_widen_the_interval() -> None:
    given = [1.0] * 20 + [0.0] * 20
    labels = [index // 10 for index in range(40)]
    alone, together = win_rate(given), win_rate(given, clusters=labels)
    assert together.rate.value == alone.rate.value
    assert together.rate.half_width > 1.5 * alone.rate.half_width


@pytest.mark.parametrize(
    ("given", "coding"),
    [([1.2], "share"), ([-0.1], "share"), ([0.5], "1 or 2"), ([2.5], "1 or 2"), ([float("nan")], "share")],
)
def test_a_preference_outside_of_its_coding_is_refused(given: list[float], coding: str) -> None:
    with pytest.raises(InputError, match="outside of"):
        win_rate(given, coding=coding)  # pyright: ignore[reportArgumentType]


def test_nothing_to_measure_is_refused() -> None:
    for given, draws in (([], "half"), ([None], "half"), ([0.5], "left out")):
        with pytest.raises(InputError, match="at least one preference"):
            win_rate(given, ties=draws)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="cluster labels"):
        win_rate([0.5], clusters=["a", "b"])


# ---------------------------------------------------------------- length control

HARD = [-1.0, 0.0, 0.5, 2.0]


def test_at_equal_length_only_model_and_difficulty_count() -> None:
    weights = LengthWeights(model=0.3, length=-5.0, difficulty=0.7)
    wanted = [1 / (1 + np.exp(-(0.3 + 0.7 * hard))) for hard in HARD]
    assert equal_length_preferences(weights, HARD) == pytest.approx(wanted)
    found = length_controlled(weights, HARD)
    assert found.value == pytest.approx(np.mean(wanted))
    assert found.low < found.value < found.high


def test_a_model_against_itself_wins_half() -> None:
    weights = LengthWeights(model=-1.2, length=-0.4, difficulty=0.9)
    assert length_controlled(weights.against(weights), HARD).value == 0.5


def test_two_models_against_each_other_win_what_the_other_loses() -> None:
    one, other = LengthWeights(model=-1.2, difficulty=0.9), LengthWeights(model=0.4, difficulty=0.2)
    there = length_controlled(one.against(other), HARD).value
    back = length_controlled(other.against(one), HARD).value
    assert there + back == pytest.approx(1)


def test_the_length_feature_is_scaled_by_its_deviation_and_bounded() -> None:
    baseline, model = [100, 100, 100], [50, 100, 400]
    apart = np.array([50.0, 0.0, -300.0])
    assert length_feature(baseline, model) == pytest.approx(np.tanh(apart / apart.std(ddof=1)))
    assert length_feature([5, 7], [4, 6]) == [0.0, 0.0]
    with pytest.raises(InputError, match="lengths of the baseline"):
        length_feature([1], [1, 2])


def made(n: int, weights: LengthWeights) -> tuple[list[float], list[float], list[float]]:
    generator = np.random.default_rng(7)
    hard, length = generator.normal(size=n), np.tanh(generator.normal(size=n))
    logits = weights.model + weights.length * length + weights.difficulty * hard
    return (1 / (1 + np.exp(-logits))).tolist(), length.tolist(), hard.tolist()


def test_without_a_penalty_the_fit_finds_the_weights_that_made_the_preferences() -> None:
    true = LengthWeights(model=-0.8, length=-1.7, difficulty=0.6)
    wanted, length, hard = made(200, true)
    found = fit_length_control(wanted, length=length, difficulties=hard, penalty=0)
    assert found.model_dump() == pytest.approx(true.model_dump(), abs=1e-6)


def test_the_fit_is_the_least_of_the_documented_loss() -> None:
    wanted, length, hard = made(60, LengthWeights(model=0.5, length=-1.0, difficulty=1.0))
    rounded = [float(round(value)) for value in wanted]
    features = np.column_stack([np.ones(60), length, hard])

    def loss(weights: NDArray[np.float64]) -> float:
        logits = features @ weights
        return float((np.logaddexp(0, logits) - np.array(rounded) * logits).sum() + 0.25 * (weights**2).sum())

    found = fit_length_control(rounded, length=length, difficulties=hard, penalty=0.5)
    weights = np.array([found.model, found.length, found.difficulty])
    for place in range(3):
        for nudge in (-1e-3, 1e-3):
            assert loss(weights + nudge * np.eye(3)[place]) > loss(weights)


def test_length_control_takes_the_gain_of_length_away() -> None:
    generator = np.random.default_rng(3)
    lengths = generator.integers(100, 900, size=300)
    baseline = generator.integers(100, 600, size=300)
    longer = [float(one > other) for one, other in zip(lengths, baseline, strict=True)]
    assert win_rate(longer).rate.value > 0.65
    fitted = fit_length_control(longer, length=length_feature(baseline.tolist(), lengths.tolist()))
    assert fitted.length < 0
    assert length_controlled(fitted, [0.0] * 300).value == pytest.approx(0.5, abs=0.12)


def test_a_model_that_always_wins_has_finite_weights() -> None:
    found = fit_length_control([1.0] * 30, length=[0.0] * 30)
    assert 3 < found.model < 10
    assert found.difficulty == found.length == 0


def test_unread_preferences_take_no_part_in_a_fit() -> None:
    wanted, length, hard = made(40, LengthWeights(model=0.2, length=-1.0, difficulty=0.3))
    whole = fit_length_control(wanted[:30], length=length[:30], difficulties=hard[:30])
    gaps = fit_length_control([*wanted[:30], *[None] * 10], length=length, difficulties=hard)
    assert gaps == whole


def test_a_fit_that_cannot_be_made_is_refused() -> None:
    with pytest.raises(InputError, match="one of each"):
        fit_length_control([1.0], length=[0.0, 1.0])
    with pytest.raises(InputError, match="at least one"):
        fit_length_control([None], length=[0.0])
    with pytest.raises(InputError, match="below 0"):
        fit_length_control([1.0], length=[0.0], penalty=-1)
