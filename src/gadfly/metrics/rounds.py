"""Success over turns: what more attempts, and what feedback between them, are worth.

The measures of MINT (arXiv:2309.10691): the success rate within a budget of k turns,
the slope of that rate over k, and the gain of feedback at the same k.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np

from gadfly.errors import InputError
from gadfly.metrics.intervals import Floats, mean_interval
from gadfly.metrics.measurement import Measurement
from gadfly.metrics.proportions import Unreadable, share_of
from gadfly.records import Record

Duplicates: TypeAlias = Literal["first", "last", "refuse"]
"""Which row counts where a task was run twice at one budget."""
Outcomes: TypeAlias = Mapping[str, bool | None]
"""One run: task to success; None: it could not be scored."""


class Episode(Record):
    """One attempt at a task with at most `budget` turns."""

    task: str
    budget: int
    success: bool | None
    """None: it could not be scored."""


class Trend(Record):
    """A line through the success rates, by least squares over the budgets."""

    slope: float
    """Rise for one more turn, in the unit of the rates."""
    intercept: float
    r_squared: float | None
    """None where the rates are all the same: there is nothing to explain."""
    n: int
    """How many budgets the line goes through."""


def by_budget(
    episodes: Iterable[Episode], *, duplicates: Duplicates = "refuse"
) -> dict[int, dict[str, bool | None]]:
    """Outcomes by budget, lowest first, then by task.

    Raises:
        InputError: a task stands twice at one budget, under `duplicates="refuse"`.
    """
    found: dict[int, dict[str, bool | None]] = {}
    for episode in episodes:
        run = found.setdefault(episode.budget, {})
        if episode.task not in run or duplicates == "last":
            run[episode.task] = episode.success
        elif duplicates == "refuse":
            raise InputError(
                f"task {episode.task!r} was run twice at budget {episode.budget}; "
                'say which counts: duplicates="first" or "last"'
            )
    return dict(sorted(found.items()))


def success_rate(outcomes: Outcomes, *, unreadable: Unreadable = "wrong", level: float = 0.95) -> Measurement:
    """Share of the tasks that succeeded (MINT's SR at k), as a fraction, with Wilson's interval.

    Raises:
        InputError: no task counts.
    """
    found = share_of(list(outcomes.values()), unreadable=unreadable, level=level)
    if found is None:
        raise InputError("a success rate needs at least one task that counts")
    return found


def fit(rates: Mapping[int, float], *, rounded: int | None = None) -> Trend:
    """The line through success rates by budget; `rounded` digits are kept of each rate before the fit.

    MINT fits rates in percent that were rounded to 2 digits first; slope and r squared
    differ from the unrounded ones in the third digit.

    Raises:
        InputError: fewer than two budgets: no line is determined.
    """
    if len(rates) < 2:
        raise InputError(f"a slope needs success rates at two budgets or more, not {len(rates)}")
    turns = np.array(list(rates), dtype=np.float64)
    given = rates.values() if rounded is None else (round(rate, rounded) for rate in rates.values())
    values = np.array(list(given), dtype=np.float64)
    off = values - values.mean()
    slope = float(slope_weights(list(rates)) @ off)
    spread = float(off @ off)
    # Equal rates leave a spread of rounding errors, or none.
    explained = None if spread <= 1e-18 else slope**2 * float(((turns - turns.mean()) ** 2).sum()) / spread
    intercept = float(values.mean() - slope * turns.mean())
    return Trend(slope=slope, intercept=intercept, r_squared=explained, n=len(rates))


def slope_weights(turns: Sequence[float]) -> Floats:
    """What the values at each turn are multiplied by, for their sum to be the least-squares slope.

    Turns have to differ.
    """
    away = np.array(turns, dtype=np.float64)
    away = away - away.mean()
    return away / float((away**2).sum())


def improvement_rate(
    runs: Mapping[int, Outcomes], *, level: float = 0.95, resamples: int | None = None, seed: int = 0
) -> Measurement:
    """The slope with an interval: tasks are resampled, each with all its budgets.

    The slope of a mean is the mean of the tasks' slopes, so this equals `fit` of unrounded rates
    (as fractions) over the tasks that were run at every budget; others are left out. An unscored
    outcome counts as no success.

    Raises:
        InputError: fewer than two budgets, or no task was run at all of them.
    """
    if len(runs) < 2:
        raise InputError(f"a slope needs runs at two budgets or more, not {len(runs)}")
    shared = _shared(list(runs.values()))
    right = np.array([[run[task] is True for run in runs.values()] for task in shared], dtype=np.float64)
    slopes = right @ slope_weights(list(runs))
    found = mean_interval(slopes, level=level, resamples=resamples, seed=seed)
    return found.model_copy(update={"unscored": _unscored(list(runs.values()), shared)})


def feedback_gain(
    with_feedback: Outcomes,
    without: Outcomes,
    *,
    level: float = 0.95,
    resamples: int | None = None,
    seed: int = 0,
) -> Measurement:
    """Success with feedback less success without, at the same budget, task by task, as a fraction.

    Tasks that only one of the runs has are left out, so that both rates are of the same tasks. An
    unscored outcome counts as no success.

    Raises:
        InputError: the runs share no task.
    """
    shared = _shared([with_feedback, without])
    differences = [(with_feedback[task] is True) - (without[task] is True) for task in shared]
    found = mean_interval(differences, level=level, resamples=resamples, seed=seed)
    return found.model_copy(update={"unscored": _unscored([with_feedback, without], shared)})


def _shared(runs: Sequence[Outcomes]) -> list[str]:
    shared = [task for task in runs[0] if all(task in run for run in runs[1:])]
    if not shared:
        raise InputError("the runs share no task, so there is nothing to compare")
    return shared


def _unscored(runs: Sequence[Outcomes], tasks: Sequence[str]) -> int:
    return sum(any(run[task] is None for run in runs) for task in tasks)
