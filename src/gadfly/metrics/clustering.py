"""Rows that are not independent: errors and intervals by cluster, and two judges on the same items.

Several judgements of one problem (samples, orders, answers) share what makes it hard. Whatever is
resampled or summed here is therefore a whole cluster; for `Judged` rows that is `row.cluster`.
Evaluations with clustered questions: Miller 2024, arXiv:2411.00640, section 2.2.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Literal, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from gadfly.errors import InputError
from gadfly.metrics.intervals import mean_interval, quantiles, resampled
from gadfly.metrics.judged import Judged, Rows
from gadfly.metrics.measurement import Flips, Measurement
from gadfly.metrics.proportions import mcnemar, wilson

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Statistic: TypeAlias = Callable[[Floats], Floats]
Clusters: TypeAlias = Sequence[Hashable]
SmallSample: TypeAlias = Literal["none", "clusters"]
Tail: TypeAlias = Literal["t", "normal"]
Unreadable: TypeAlias = Literal["left out", "wrong"]
Unmatched: TypeAlias = Literal["refuse", "left out"]


def numbered(clusters: Clusters | None, n: int) -> Integers:
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
        InputError: there is no value, or the labels do not match.
    """
    vector = _vector(values)
    member = numbered(clusters, len(vector))
    groups = int(member.max()) + 1
    if groups < 2:
        return None
    sums = np.bincount(member, weights=vector - vector.mean(), minlength=groups)
    factor = groups / (groups - 1) if small_sample == "clusters" else 1.0
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
        quantile = float(cast(float, stats.t.ppf((1 + level) / 2, freedom)))  # pyright: ignore[reportUnknownMemberType]
    mean = float(vector.mean())
    return Measurement(value=mean, low=mean - quantile * error, high=mean + quantile * error, n=len(vector))


# ---------------------------------------------------------------- the bootstrap


def function_of_sums(
    statistic: Statistic,
    parts: ArrayLike,
    clusters: Clusters | None = None,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> Measurement | None:
    """A figure that depends on its rows only through sums, with its clustered percentile interval.

    Args:
        statistic: Takes sums of shape (b, d) and returns b values, NaN where the figure is undefined.
        parts: What each row adds to the sums, shape (n, d).
        clusters: One label a row; whole clusters are resampled.
        level: Of the interval.
        seed: Of the resamples.

    Returns:
        None where the figure itself is undefined. Resamples in which it is are left out of the interval.

    Raises:
        InputError: there is no row, or the labels do not match.
    """
    return figure_of(statistic, drawn_sums(parts, clusters, seed=seed), level=level)


@dataclass(frozen=True, kw_only=True)
class Sums:
    """Column sums of n rows, and of every resample of their clusters: one bootstrap for several figures."""

    whole: Floats
    """Shape (1, d)."""
    draws: Floats
    """Shape (b, d)."""
    n: int


def drawn_sums(parts: ArrayLike, clusters: Clusters | None = None, *, seed: int = 0) -> Sums:
    """The sums that `function_of_sums` hands to its statistic.

    Raises:
        InputError: there is no row, or the labels do not match.
    """
    matrix = np.asarray(parts, dtype=np.float64)
    if matrix.size == 0:
        raise InputError("an interval needs at least one case")
    matrix = matrix.reshape(len(matrix), -1)
    member = numbered(clusters, len(matrix))
    groups = int(member.max()) + 1
    sums = np.zeros((groups, matrix.shape[1]))
    np.add.at(sums, member, matrix)
    # Back to whole counts, so that a rounding error does not pass for a difference.
    draws = resampled(lambda weights: np.rint(weights * groups) @ sums, groups, seed=seed)
    return Sums(whole=sums.sum(axis=0, keepdims=True), draws=draws, n=len(matrix))


def figure_of(statistic: Statistic, sums: Sums, *, level: float = 0.95) -> Measurement | None:
    """One figure of `function_of_sums`, from sums drawn before."""
    value = float(statistic(sums.whole)[0])
    if np.isnan(value):
        return None
    drawn = statistic(sums.draws)
    low, high = quantiles(drawn[~np.isnan(drawn)], level)
    return Measurement(value=round(value, 12), low=low, high=high, n=sums.n)


def ratio(above: Floats, below: Floats) -> Floats:
    """Entry by entry, NaN where `below` is not above 0: for the statistics of `function_of_sums`."""
    return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below > 0)


def share(hits: Sequence[bool], clusters: Clusters | None = None, *, level: float = 0.95) -> Measurement:
    """A share of rows: Wilson's interval where every cluster has one row, else the clustered bootstrap.

    Raises:
        InputError: there is no row, or the labels do not match.
    """
    if not hits:
        raise InputError("a share needs at least one case")
    if int(numbered(clusters, len(hits)).max()) + 1 == len(hits):
        return wilson(sum(hits), len(hits), level=level)
    return mean_interval(np.array(hits, dtype=np.float64), clusters=clusters, level=level)


# ---------------------------------------------------------------- two judges


def matched(
    rows: Rows, baseline: Rows, *, unmatched: Unmatched = "refuse"
) -> tuple[tuple[Judged, Judged], ...]:
    """Rows of two judges on the same case, in the order of the first: same item, shown in the same order.

    `unmatched` says what becomes of cases that one of the judges has not judged.

    Raises:
        InputError: a judge has two rows of one case, none is shared, or some are not and that is refused.
    """
    mine, theirs = _by_case(rows), _by_case(baseline)
    odd = [case for case in (*mine, *theirs) if case not in mine or case not in theirs]
    if odd and unmatched == "refuse":
        raise InputError(
            f"not the same cases: {len(odd)} are on one side only, such as item {odd[0][0]!r}; "
            'pass unmatched="left out" to compare on the shared ones'
        )
    pairs = tuple((row, theirs[case]) for case, row in mine.items() if case in theirs)
    if not pairs:
        raise InputError("the two judges share no case")
    return pairs


def paired(
    rows: Rows,
    baseline: Rows,
    value: Callable[[Judged], float | None],
    *,
    unreadable: Unreadable = "left out",
    unmatched: Unmatched = "refuse",
    level: float = 0.95,
    seed: int = 0,
) -> Measurement:
    """Mean of a row's value less the baseline's on the same case, with a clustered percentile interval.

    Args:
        rows: One judge, at most one row a case.
        baseline: The other.
        value: A row's figure, such as `lambda row: row.right`; None: it has none.
        unreadable: Pairs in which a value is None are `left out`, or a None is worth 0 (`wrong`).
        unmatched: As in `matched`.
        level: Of the interval.
        seed: Of the resamples.

    Raises:
        InputError: as `matched`, or every pair is left out.
    """
    pairs = matched(rows, baseline, unmatched=unmatched)
    values = [(value(mine), value(theirs)) for mine, theirs in pairs]
    unread = sum(None in both for both in values)
    kept = [i for i, both in enumerate(values) if unreadable == "wrong" or None not in both]
    if not kept:
        raise InputError("no case has a value from both judges")
    differences = [float(values[i][0] or 0.0) - float(values[i][1] or 0.0) for i in kept]
    clusters = [pairs[i][0].cluster for i in kept]
    found = mean_interval(differences, clusters=clusters, level=level, seed=seed)
    return found.model_copy(update={"n": len(pairs), "unscored": unread})


def row_flips(
    rows: Rows, baseline: Rows, *, unreadable: Unreadable = "wrong", unmatched: Unmatched = "refuse"
) -> Flips:
    """Cases that one judge gets right and the other does not, with McNemar's exact test.

    The baseline is "before". Cases nobody labelled are left out. The test takes cases as independent.

    Raises:
        InputError: as `matched`, or no case is left.
    """
    pairs = [
        (theirs.right, mine.right)
        for mine, theirs in matched(rows, baseline, unmatched=unmatched)
        if mine.gold is not None and theirs.gold is not None
    ]
    if unreadable == "left out":
        pairs = [both for both in pairs if None not in both]
    if not pairs:
        raise InputError("no case has a label and a judgement from both judges")
    lost = sum(before is True and after is not True for before, after in pairs)
    gained = sum(before is not True and after is True for before, after in pairs)
    return Flips(right_to_wrong=lost, wrong_to_right=gained, n=len(pairs), p_value=mcnemar(gained, lost))


def _by_case(rows: Rows) -> dict[tuple[str, bool], Judged]:
    found: dict[tuple[str, bool], Judged] = {}
    for row in rows:
        case = (row.item, row.swapped)
        if case in found:
            raise InputError(f"item {row.item!r} comes twice in one order; give one row a case")
        found[case] = row
    return found


def _vector(values: ArrayLike) -> Floats:
    vector = np.asarray(values, dtype=np.float64).ravel()
    if vector.size == 0:
        raise InputError("a mean needs at least one value")
    return vector
