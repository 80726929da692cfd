"""The difficulty tail: problems in bins by how often a base model solves them.

A loop that learns from its own right answers sees the easy problems most, so that hard ones may be lost
(tail narrowing, arXiv:2411.00750). The bins come from one half of the base's samples and its accuracy in
them from the other half: a problem that was lucky in the half that chose its bin is not in the half that is
measured, so regression to the mean does not pass for a change.
"""

from collections.abc import Sequence

import numpy as np

from gadfly.metrics.estimators import Floats, Pool

BINS = ("never solved", "below half", "half or more", "always solved")


def solve_rates(pool: Pool) -> Floats:
    """The share of a problem's samples that are right; unscored ones are not."""
    return np.array([sum(one.right is True for one in row) / len(row) for row in pool], dtype=np.float64)


def halves(pool: Pool) -> tuple[Pool, Pool]:
    """The first and the second half of every problem's samples; the second is larger where they are odd."""
    return [row[: len(row) // 2] for row in pool], [row[len(row) // 2 :] for row in pool]


def difficulty(pool: Pool) -> tuple[str, ...]:
    """The bin of each problem, by all samples of this pool: one of `BINS`."""
    return tuple(map(_bin, solve_rates(pool).tolist()))


def members(bins: Sequence[str]) -> dict[str, list[int]]:
    """Places of each bin's problems, hardest bin first; bins without problems are left out."""
    found = {name: [place for place, one in enumerate(bins) if one == name] for name in BINS}
    return {name: places for name, places in found.items() if places}


def _bin(rate: float) -> str:
    if rate in (0.0, 1.0):
        return BINS[-1] if rate else BINS[0]
    return BINS[1] if rate < 0.5 else BINS[2]
