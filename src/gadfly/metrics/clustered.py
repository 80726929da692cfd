"""Several figures of one set of rows with their intervals, from one bootstrap over clusters."""

from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from gadfly.metrics.intervals import Floats, quantiles, resampled
from gadfly.metrics.measurement import Measurement


def cluster_numbers(clusters: Sequence[Hashable]) -> NDArray[np.int64]:
    """The number of each row's cluster, from 0 in order of first appearance."""
    number = {label: index for index, label in enumerate(dict.fromkeys(clusters))}
    return np.array([number[label] for label in clusters], dtype=np.int64)


def cluster_sums(values: Floats, member: NDArray[np.int64]) -> Floats:
    """Column sums within each cluster: (rows, k) to (clusters, k)."""
    sums = np.zeros((int(member.max()) + 1, values.shape[1]))
    np.add.at(sums, member, values)
    return sums


def measured(
    statistic: Callable[[Floats], Floats], clusters: int, *, n: int, unscored: int = 0, seed: int = 0
) -> tuple[Measurement | None, ...]:
    """Each column of a statistic with its percentile interval; None where it is undefined (NaN).

    `statistic` is handed weights of shape (b, clusters), each row summing to 1, and returns (b, k). A
    resample in which a column is undefined does not enter the interval of that column.

    Raises:
        InputError: there is no cluster.
    """
    draws = resampled(statistic, clusters, seed=seed)
    point = statistic(np.full((1, clusters), 1 / clusters))[0]
    found: list[Measurement | None] = []
    for column, value in enumerate(point.tolist()):
        defined = draws[:, column][np.isfinite(draws[:, column])]
        if not np.isfinite(value):
            found.append(None)
            continue
        low, high = quantiles(defined) if len(defined) else (value, value)
        found.append(Measurement(value=round(value, 12), low=low, high=high, n=n, unscored=unscored))
    return tuple(found)


def share(part: Floats, whole: Floats, *, undefined: float = np.nan) -> Floats:
    """`part / whole`, element by element; `undefined` where `whole` is 0."""
    return np.divide(part, whole, out=np.full(part.shape, undefined), where=whole > 1e-12)


def harmonic(one: Floats, other: Floats) -> Floats:
    """Harmonic mean of two shares, element by element: 0 where either is 0, NaN where either is NaN."""
    found = share(2 * one * other, one + other, undefined=0.0)
    return np.where(np.isnan(one + other), np.nan, found)
