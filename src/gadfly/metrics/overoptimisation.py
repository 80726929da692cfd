"""Reward against gold: whether what training rewards still follows what is right.

A policy optimised against a proxy gains by the proxy long after it stopped to gain by the truth (Gao et al.
2022, arXiv:2210.10760). The sign is a proxy that rises while gold does not.
"""

from collections.abc import Sequence

import numpy as np

from gadfly.errors import InputError
from gadfly.metrics.clustering import drawn_sums, figure_of, ratio
from gadfly.metrics.intervals import Floats, percentile_interval
from gadfly.metrics.measurement import Measurement
from gadfly.records import Record, Text


class Rewarded(Record):
    """One answer: what it was rewarded with, and whether it was right."""

    problem: Text
    proxy: float | None
    """The training reward; None: unscored."""
    gold: bool | None
    """By the exact checker; None: unscored."""


class RewardTruth(Record):
    """Reward and truth of the same answers. Intervals resample problems."""

    proxy: Measurement
    gold: Measurement
    correlation: Measurement | None
    """Pearson's, over answers; None where one of the two never varies."""


class Rise(Record):
    """How far reward and truth moved between two sets of answers."""

    proxy: Measurement
    gold: Measurement
    paired: bool
    """Whether both sets are of the same problems, so that they were compared problem by problem."""

    @property
    def over_optimised(self) -> bool:
        """The reward rose, with its interval above zero, and the truth did not."""
        return self.proxy.low > 0 and not self.gold.low > 0


def reward_truth(rows: Sequence[Rewarded], *, seed: int = 0) -> RewardTruth:
    """Mean reward, mean truth and their correlation, over answers that have both.

    Raises:
        InputError: none has both.
    """
    problems, values = _scored(rows)
    x, y = values.T
    parts = np.column_stack([np.ones_like(x), x, y, x * x, y * y, x * y])
    sums = drawn_sums(parts, problems, n=len(rows), unscored=len(rows) - len(x), seed=seed)
    means = [figure_of(lambda drawn, c=c: drawn[:, c] / drawn[:, 0], sums) for c in (1, 2)]
    assert means[0] is not None
    assert means[1] is not None
    return RewardTruth(proxy=means[0], gold=means[1], correlation=figure_of(_pearson, sums))


def rise(rows: Sequence[Rewarded], baseline: Sequence[Rewarded], *, seed: int = 0) -> Rise:
    """How far mean reward and mean truth rose over a baseline, answers of each problem together.

    Where both have the same problems these are resampled together, else each set by itself.

    Raises:
        InputError: one of the two has no answer with both reward and truth.
    """
    mine, theirs = _by_problem(rows), _by_problem(baseline)
    unscored = len(rows) - int(sum(one[0] for one in mine.values()))
    if mine.keys() == theirs.keys():
        names = sorted(mine)
        both = np.array([[*mine[name], *theirs[name]] for name in names])
        drawn = drawn_sums(both, n=len(rows), unscored=unscored, seed=seed)
        whole, draws = _differences(drawn.whole), _differences(drawn.draws)
    else:
        own = drawn_sums(list(mine.values()), seed=seed)
        # Another seed: the two sets are independent, and so are their draws.
        other = drawn_sums(list(theirs.values()), seed=seed + 1)
        count = min(len(own.draws), len(other.draws))
        whole = _differences(np.hstack([own.whole, other.whole]))
        draws = _differences(np.hstack([own.draws[:count], other.draws[:count]]))
    proxy, gold = (
        percentile_interval(float(whole[0, c]), draws[:, c], n=len(rows), unscored=unscored) for c in (0, 1)
    )
    return Rise(proxy=proxy, gold=gold, paired=mine.keys() == theirs.keys())


def _scored(rows: Sequence[Rewarded]) -> tuple[list[str], Floats]:
    known = [
        (one.problem, one.proxy, one.gold) for one in rows if one.proxy is not None and one.gold is not None
    ]
    if not known:
        raise InputError("no answer has both a reward and a truth")
    return [one[0] for one in known], np.array([[proxy, float(gold)] for _, proxy, gold in known])


def _by_problem(rows: Sequence[Rewarded]) -> dict[str, list[float]]:
    """Count, sum of rewards and sum of truths of each problem."""
    found: dict[str, list[float]] = {}
    for name, (proxy, gold) in zip(*_scored(rows), strict=True):
        row = found.setdefault(name, [0.0, 0.0, 0.0])
        row[0] += 1
        row[1] += float(proxy)
        row[2] += float(gold)
    return found


def _differences(sums: Floats) -> Floats:
    """Mean reward and mean truth of the first three columns less those of the last three."""
    return sums[:, 1:3] / sums[:, :1] - sums[:, 4:6] / sums[:, 3:4]


def _pearson(sums: Floats) -> Floats:
    n, x, y, xx, yy, xy = sums.T
    spread = np.maximum(xx / n - (x / n) ** 2, 0) * np.maximum(yy / n - (y / n) ** 2, 0)
    # A spread that is only rounding is none.
    return np.clip(ratio(xy / n - x * y / n**2, np.where(spread > 1e-18, np.sqrt(spread), 0)), -1, 1)
