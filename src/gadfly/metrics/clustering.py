"""Figures of rows that are not independent: what is resampled or summed is a whole cluster.

Several judgements of one problem (samples, orders, answers) share what makes it hard. For `Judged` rows
the cluster is `row.cluster`. Evaluations with clustered questions: Miller 2024, arXiv:2411.00640,
section 2.2. Two judges on the same rows are in `gadfly.metrics.paired`.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Literal, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from gadfly.errors import InputError
from gadfly.metrics.intervals import (
    Floats,
    cluster_sums,
    enough,
    kinds_of,
    mean_interval,
    numbered,
    percentile_interval,
    resampled,
)
from gadfly.metrics.measurement import Measurement
from gadfly.metrics.proportions import wilson

Statistic: TypeAlias = Callable[[Floats], Floats]
Clusters: TypeAlias = Sequence[Hashable]
SmallSample: TypeAlias = Literal["none", "clusters"]
Tail: TypeAlias = Literal["t", "normal"]


# ---------------------------------------------------------------- the analytical error


def standard_error(
    values: ArrayLike, clusters: Clusters | None = None, *, small_sample: SmallSample = "clusters"
) -> float | None:
    """Cluster-robust standard error of a mean: square root of sum over clusters of (sum of residuals)², by n.

    With one value a cluster and the small-sample factor it is the textbook s / sqrt(n).

    Args:
        values: One a row.
        clusters: One label a row; None: rows are independent.
        small_sample: `clusters` multiplies the variance by G / (G - 1) for G clusters, which is what
            regression packages do for a mean; `none` does not.

    Returns:
        None where there is one cluster only: nothing then tells how clusters differ.

    Raises:
        InputError: there is no value, one is not finite, or the labels do not match.
    """
    vector = _vector(values)
    sums = cluster_sums((vector - vector.mean())[:, None], clusters)[:, 0]
    if len(sums) < 2:
        return None
    factor = len(sums) / (len(sums) - 1) if small_sample == "clusters" else 1.0
    return sqrt(factor * float(sums @ sums)) / len(vector)


def clustered_mean(
    values: ArrayLike,
    clusters: Clusters | None = None,
    *,
    small_sample: SmallSample = "clusters",
    tail: Tail = "t",
    level: float = 0.95,
) -> Measurement | None:
    """A mean with its interval from `standard_error`; no resampling.

    `tail="t"` takes Student's t with G - 1 degrees of freedom, `normal` the normal quantile. The
    interval may leave the range of the values. None where there is one cluster only.

    Raises:
        InputError: as `standard_error`.
    """
    vector = _vector(values)
    error = standard_error(vector, clusters, small_sample=small_sample)
    if error is None:
        return None
    quantile = NormalDist().inv_cdf((1 + level) / 2)
    if tail == "t":
        freedom = int(numbered(clusters, len(vector)).max())
        quantile = float(cast(float, special.stdtrit(freedom, (1 + level) / 2)))  # pyright: ignore[reportUnknownMemberType]
    mean = float(vector.mean())
    return Measurement(value=mean, low=mean - quantile * error, high=mean + quantile * error, n=len(vector))


# ---------------------------------------------------------------- figures of sums


@dataclass(frozen=True, kw_only=True)
class Sums:
    """Column sums of rows, and of every resample of their clusters: one bootstrap for several figures."""

    whole: Floats
    """Shape (1, d)."""
    draws: Floats
    """Shape (b, d)."""
    n: int
    """Cases of the figures, unscored ones included."""
    unscored: int


def drawn_sums(
    parts: ArrayLike,
    clusters: Clusters | None = None,
    *,
    n: int | None = None,
    unscored: int = 0,
    resamples: int | None = None,
    seed: int = 0,
) -> Sums:
    """One bootstrap over clusters.

    Args:
        parts: What each row adds to the sums, shape (rows, d).
        clusters: One label a row; whole clusters are resampled. None: rows are independent.
        n: Cases that the figures are of; None: as many as rows.
        unscored: Those of them that could not be scored.
        resamples: How many; None: 10,000; fewer, at least 1,000, with more than 500 clusters.
        seed: Of the resamples.

    Raises:
        InputError: there is no row, or the labels do not match.
    """
    matrix = np.asarray(parts, dtype=np.float64)
    if matrix.size == 0:
        raise InputError("an interval needs at least one case")
    matrix = matrix.reshape(len(matrix), -1)
    sums = cluster_sums(matrix, clusters)
    kinds, times = kinds_of(sums)
    groups = len(sums)
    count = enough(max(groups, sums.shape[1])) if resamples is None else resamples
    # Back to whole counts, so that a rounding error does not pass for a difference.
    draws = resampled(lambda weights: np.rint(weights * groups) @ kinds, times, resamples=count, seed=seed)
    return Sums(
        whole=sums.sum(axis=0, keepdims=True),
        draws=draws,
        n=len(matrix) if n is None else n,
        unscored=unscored,
    )


def figure_of(statistic: Statistic, sums: Sums, *, level: float = 0.95) -> Measurement | None:
    """A figure that depends on its rows only through sums, with its percentile interval.

    `statistic` takes sums of shape (b, d) and returns b values, NaN where the figure is undefined. None
    where it is so for all rows; resamples in which it is are left out of the interval.
    """
    value = float(statistic(sums.whole)[0])
    if not np.isfinite(value):
        return None
    return percentile_interval(value, statistic(sums.draws), n=sums.n, unscored=sums.unscored, level=level)


def figures_of(statistic: Statistic, sums: Sums, *, level: float = 0.95) -> tuple[Measurement | None, ...]:
    """`figure_of` for each column of a statistic that returns shape (b, k)."""
    whole, draws = statistic(sums.whole), statistic(sums.draws)
    return tuple(
        percentile_interval(value, draws[:, column], n=sums.n, unscored=sums.unscored, level=level)
        if np.isfinite(value)
        else None
        for column, value in enumerate(whole[0].tolist())
    )


def ratio(above: Floats, below: Floats, *, undefined: float = np.nan) -> Floats:
    """Entry by entry `above / below`; `undefined` where `below` is not above 0."""
    return np.divide(above, below, out=np.full(np.shape(below), undefined), where=below > 1e-12)


def harmonic(one: Floats, other: Floats) -> Floats:
    """Harmonic mean of two shares, entry by entry: 0 where either is 0, NaN where either is NaN."""
    found = ratio(2 * one * other, one + other, undefined=0.0)
    return np.where(np.isnan(one + other), np.nan, found)


def share(
    worths: Sequence[float],
    clusters: Clusters | None = None,
    *,
    level: float = 0.95,
    resamples: int | None = None,
    seed: int = 0,
) -> Measurement:
    """The mean of rows that are each worth 0 to 1, such as True and False.

    Wilson's interval where every row is 0 or 1 and a cluster by itself, else the clustered bootstrap.

    Raises:
        InputError: there is no row, or the labels do not match.
    """
    if not worths:
        raise InputError("a share needs at least one case")
    alone = int(numbered(clusters, len(worths)).max()) + 1 == len(worths)
    if alone and all(worth in (0, 1) for worth in worths):
        return wilson(round(sum(worths)), len(worths), level=level)
    return mean_interval(worths, clusters=clusters, level=level, resamples=resamples, seed=seed)


def _vector(values: ArrayLike) -> Floats:
    vector = np.asarray(values, dtype=np.float64).ravel()
    if vector.size == 0:
        raise InputError("a mean needs at least one value")
    if not np.isfinite(vector).all():
        raise InputError("a mean takes finite numbers; leave out what is unscored")
    return vector
