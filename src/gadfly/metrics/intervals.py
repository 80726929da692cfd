"""Bootstrap intervals for means and paired differences.

The bootstrap resamples problems (or clusters of them), never single answers: two methods on the
same problems are compared problem by problem. Seeded, so that the same data give the same interval,
in whatever order they come and whatever their clusters are called.

Units with the same numbers are drawn as one kind, by a multinomial: the same distribution as
drawing them one by one, for a fraction of the work.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gadfly.errors import InputError
from gadfly.metrics.measurement import Measurement

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]

RESAMPLES = 10_000
ENOUGH = 1_000
"""The least that is drawn where nobody says how many: an end is then off by about 4 % of the half width."""
_DRAWN = 5_000_000
_CELLS = 400_000
_RARE = 16
"""Drawing a kind by its binomial costs about as much as drawing this many units."""


def enough(size: int) -> int:
    """Resamples where nobody says how many: 10,000; fewer, never below 1,000, of more than 500 units."""
    return min(RESAMPLES, max(ENOUGH, _DRAWN // max(size, 1)))


def resampled(
    statistic: Callable[[Floats], Floats],
    units: int | Integers,
    *,
    resamples: int | None = None,
    seed: int = 0,
) -> Floats:
    """The bootstrap distribution of a statistic.

    `statistic` is handed weights of shape (b, units), each row summing to 1, and returns b values (or b
    rows); it is called in blocks, so memory stays bounded.

    Args:
        statistic: Of weights.
        units: How many units there are, or how many of each kind of unit: then weights are of kinds.
        resamples: How many; None: `enough` for so many units.
        seed: Of the draws.

    Raises:
        InputError: there is no unit, or no resample is asked for.
    """
    times = np.ones(units, dtype=np.int64) if isinstance(units, int) else units
    n, kinds = int(times.sum()), len(times)
    if n < 1:
        raise InputError("an interval needs at least one case")
    count = enough(n) if resamples is None else resamples
    if count < 1:
        raise InputError(f"resamples is {count}; it must be 1 or more")
    generator = np.random.default_rng(seed)
    block = max(1, min(count, _CELLS // n))
    kind = None if kinds == n else np.repeat(np.arange(kinds), times)
    parts: list[Floats] = []
    for start in range(0, count, block):
        rows = min(block, count - start)
        if kinds * _RARE < n:
            counts = generator.multinomial(n, times / n, size=rows)
        else:
            drawn = generator.integers(0, n, size=(rows, n))
            drawn = drawn if kind is None else kind[drawn]
            drawn += np.arange(rows)[:, None] * kinds
            counts = np.bincount(drawn.ravel(), minlength=rows * kinds).reshape(rows, kinds)
        parts.append(statistic(counts / n))
    return np.concatenate(parts)


def numbered(clusters: Sequence[Hashable] | None, n: int) -> Integers:
    """Each row's cluster as a number from 0, in order of appearance; without labels a row is a cluster.

    Raises:
        InputError: the labels do not match the rows.
    """
    if clusters is None:
        return np.arange(n, dtype=np.int64)
    if len(clusters) != n:
        raise InputError(f"{len(clusters)} cluster labels for {n} values; give one a value")
    number = {label: index for index, label in enumerate(dict.fromkeys(clusters))}
    return np.array([number[label] for label in clusters], dtype=np.int64)


def cluster_sums(parts: Floats, clusters: Sequence[Hashable] | None) -> Floats:
    """Column sums within each cluster: (rows, k) to (clusters, k).

    Raises:
        InputError: there is no row, or the labels do not match.
    """
    if parts.size == 0:
        raise InputError("an interval needs at least one case")
    member = numbered(clusters, len(parts))
    if clusters is None:
        return parts
    sums = np.zeros((int(member.max()) + 1, parts.shape[1]))
    np.add.at(sums, member, parts)
    return sums


def kinds_of(sums: Floats) -> tuple[Floats, Integers]:
    """The distinct rows, sorted, and how often each comes."""
    # Sums in another order of rows may differ in their last digit.
    kinds, times = cast(tuple[Floats, Integers], np.unique(np.round(sums, 12), axis=0, return_counts=True))
    return kinds, times.astype(np.int64)


def mean_interval(
    values: ArrayLike,
    *,
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
    resamples: int | None = None,
    seed: int = 0,
) -> Measurement:
    """The mean of a vector with its percentile bootstrap interval.

    With `clusters` (one label a value) whole clusters are resampled: for values that are not
    independent, such as several samples of one problem.

    Raises:
        InputError: the vector is empty or holds what is no finite number, or the labels do not match it.
    """
    vector = np.asarray(values, dtype=np.float64).ravel()
    if not np.isfinite(vector).all():
        raise InputError("a mean takes finite numbers; leave out what is unscored")
    kinds, times = kinds_of(cluster_sums(np.column_stack([vector, np.ones_like(vector)]), clusters))

    def statistic(weights: Floats) -> Floats:
        sums, sizes = (weights @ kinds).T
        return sums / sizes

    draws = resampled(statistic, times, resamples=resamples, seed=seed)
    return percentile_interval(float(vector.mean()), draws, n=len(vector), level=level)


def paired_difference(
    values: ArrayLike,
    baseline: ArrayLike,
    *,
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Measurement:
    """Mean of `values - baseline`, problem by problem, with its percentile bootstrap interval.

    Raises:
        InputError: the vectors are empty or of different lengths.
    """
    mine, theirs = np.asarray(values, dtype=np.float64), np.asarray(baseline, dtype=np.float64)
    if mine.shape != theirs.shape:
        raise InputError(f"paired vectors of different lengths: {mine.shape} and {theirs.shape}")
    return mean_interval(mine - theirs, clusters=clusters, level=level, seed=seed)


def percentile_interval(
    value: float, draws: Floats, *, n: int, unscored: int = 0, level: float = 0.95
) -> Measurement:
    """A figure with the percentiles of its resamples, stretched to hold the figure where they do not.

    A resample in which the figure is undefined (NaN) takes no part. All to twelve decimals.
    """
    defined = draws[np.isfinite(draws)]
    low, high = quantiles(defined, level) if len(defined) else (value, value)
    value = round(value, 12)
    return Measurement(value=value, low=min(low, value), high=max(high, value), n=n, unscored=unscored)


def quantiles(draws: Floats, level: float = 0.95) -> tuple[float, float]:
    """The ends of the percentile interval, to twelve decimals: a rounding error is no difference.

    Raises:
        InputError: the level is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise InputError(f"level is {level}; it must be between 0 and 1, such as 0.95")
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return round(float(low), 12), round(float(high), 12)
