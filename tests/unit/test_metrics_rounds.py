"""Success over turns, its slope, and the gain of feedback."""
# pyright: reportUnknownMemberType=false
# (pytest.approx has no complete types.)

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gadfly.errors import InputError
from gadfly.metrics.rounds import Episode, by_budget, feedback_gain, fit, improvement_rate, success_rate

FAST = 200
rates_by_budget = st.lists(st.floats(0, 100), min_size=2, max_size=8).map(
    lambda rates: dict(enumerate(rates, start=1))
)


def test_a_task_run_twice_needs_a_convention() -> None:
    rows = [Episode(task="a", budget=2, success=True), Episode(task="a", budget=1, success=False)]
    rows.append(Episode(task="a", budget=2, success=False))
    assert by_budget(rows, duplicates="first") == {1: {"a": False}, 2: {"a": True}}
    assert by_budget(rows, duplicates="last")[2] == {"a": False}
    with pytest.raises(InputError, match="run twice"):
        by_budget(rows)


def test_an_unscored_task_is_wrong_or_left_out() -> None:
    outcomes = {"a": True, "b": None, "c": False}
    strict, lenient = success_rate(outcomes), success_rate(outcomes, unreadable="left out")
    assert (strict.value, strict.n, strict.unscored) == (pytest.approx(1 / 3), 3, 1)
    assert (lenient.value, lenient.n, lenient.unscored) == (0.5, 3, 1)
    with pytest.raises(InputError, match="at least one"):
        success_rate({"b": None}, unreadable="left out")


@given(rates_by_budget)
@settings(max_examples=60, deadline=None)
def test_the_line_is_that_of_scipy(rates: dict[int, float]) -> None:
    stats = pytest.importorskip("scipy.stats")
    if np.ptp(list(rates.values())) < 1e-3:
        return
    theirs = stats.linregress(list(rates), list(rates.values()))
    ours = fit(rates)
    assert ours.slope == pytest.approx(theirs.slope, abs=1e-8)
    assert ours.intercept == pytest.approx(theirs.intercept, abs=1e-7)
    assert ours.r_squared == pytest.approx(theirs.rvalue**2, abs=1e-8)


def test_rounding_comes_before_the_fit() -> None:
    rates = {1: 0.4, 2: 0.6}
    assert fit(rates).slope == pytest.approx(0.2)
    assert fit(rates, rounded=0).slope == 1.0


def test_rates_that_never_change_leave_nothing_to_explain() -> None:
    found = fit({1: 0.1, 2: 0.1, 3: 0.1})
    assert (found.slope, found.r_squared, found.n) == (pytest.approx(0), None, 3)
    with pytest.raises(InputError, match="two budgets"):
        fit({5: 0.3})


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=30))
@settings(max_examples=40, deadline=None)
def test_the_mean_of_the_slopes_is_the_slope_of_the_means(rows: list[tuple[bool, bool, bool]]) -> None:
    runs = {turns: {str(task): row[turns] for task, row in enumerate(rows)} for turns in range(3)}
    rates = {turns: success_rate(run).value for turns, run in runs.items()}
    found = improvement_rate(runs, resamples=FAST)
    assert found.value == pytest.approx(fit(rates).slope, abs=1e-10)
    assert found.low - 1e-9 <= found.value <= found.high + 1e-9


def test_the_gain_of_feedback_is_over_the_tasks_of_both_runs() -> None:
    without = {"a": False, "b": False, "c": True, "d": None}
    advised = {"a": True, "b": False, "c": True, "d": True, "e": True}
    found = feedback_gain(advised, without, resamples=FAST)
    assert (found.value, found.n, found.unscored) == (0.5, 4, 1)
    assert feedback_gain(without, advised, resamples=FAST).value == -0.5


def test_runs_without_a_task_in_common_are_refused() -> None:
    with pytest.raises(InputError, match="share no task"):
        feedback_gain({"a": True}, {"b": True})
    with pytest.raises(InputError, match="two budgets"):
        improvement_rate({1: {"a": True}})
