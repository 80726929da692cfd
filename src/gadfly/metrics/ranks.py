"""Figures of ranks: rank correlations of two judges' numbers, and the order that numbers give to cases.

Ties never depend on where their cases stand. A coefficient that is undefined is None, never NaN.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt

import numpy as np

from gadfly.errors import InputError
from gadfly.metrics.clustering import Clusters, ratio
from gadfly.metrics.intervals import Floats, Integers, enough, numbered, percentile_interval, resampled
from gadfly.metrics.judged import Rows
from gadfly.metrics.measurement import Measurement
from gadfly.records import Record

_PRODUCTS = 1e10
"""Multiplications that the resamples of Kendall's tau may take in all."""
_COLUMNS = 1024
_FEWEST = 200


class RankAgreement(Record):
    """A judge's numbers beside people's. None where one of both never varies."""

    spearman: Measurement | None
    kendall: Measurement | None
    """Tau-b."""


def kendall_tau(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Kendall's tau-b (1945): ties do not count in the numerator, and shrink the denominator.

    None where one of the vectors does not vary.

    Raises:
        InputError: the vectors are empty, of different lengths, or hold what is no finite number.
    """
    x, y = _levels(a, b)
    if x.max() == 0 or y.max() == 0:
        return None
    order = np.lexsort((y, x))
    pairs = len(x) * (len(x) - 1) // 2
    tied_x, tied_y, tied = _tied(x), _tied(y), _tied(x * (int(y.max()) + 1) + y)
    discordant = _inversions(y[order])
    above = pairs - tied_x - tied_y + tied - 2 * discordant
    return max(-1.0, min(1.0, above / sqrt(pairs - tied_x) / sqrt(pairs - tied_y)))


def spearman(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Spearman's rank correlation (1904): Pearson's of ranks, of which tied values share the mean.

    None where one of the vectors does not vary.

    Raises:
        InputError: the vectors are empty, of different lengths, or hold what is no finite number.
    """
    x, y = _levels(a, b)
    value = float(_spearman(np.ones((1, len(x))), x, y)[0])
    return None if np.isnan(value) else value


def rank_agreement(
    rows: Rows, *, level: float = 0.95, resamples: int | None = None, seed: int = 0
) -> RankAgreement:
    """How a judge's numbers (`score`) order cases beside people's (`gold_score`); resampled by cluster.

    Rows without a number of people's are left out; those without one of the judge's are unscored: left
    out and counted.

    Args:
        rows: Of one judge.
        level: Of the intervals.
        resamples: How many; None: as many as elsewhere where numbers repeat, at least 200 where they do not,
            since each takes the square of the distinct pairs of numbers for tau.
        seed: Of the resamples.

    Raises:
        InputError: no row has both numbers, or one is not finite.
    """
    cases = [row for row in rows if row.gold_score is not None]
    both = [(row.score, row.gold_score or 0.0, row.cluster) for row in cases if row.score is not None]
    if not both:
        raise InputError("no row has both a score and a score that people gave")
    mine, theirs = [score for score, _, _ in both], [gold for _, gold, _ in both]
    x, y = _levels(mine, theirs)
    cells, cell = np.unique(np.column_stack([x, y]), axis=0, return_inverse=True)
    kinds = cluster_kinds(cell.ravel().astype(np.int64), [cluster for _, _, cluster in both])
    fitting = max(_FEWEST, min(enough(len(both)), int(_PRODUCTS / len(cells) ** 2)))
    one, other = cells[:, 0], cells[:, 1]

    def both_of(weights: Floats) -> Floats:
        counts = kinds.counts(weights, len(cells))
        return np.column_stack([_spearman(counts, one, other), _kendall(counts, one, other)])

    draws = resampled(both_of, kinds.times, resamples=fitting if resamples is None else resamples, seed=seed)

    def interval(value: float | None, column: int) -> Measurement | None:
        if value is None:
            return None
        unscored = len(cases) - len(both)
        return percentile_interval(value, draws[:, column], n=len(cases), unscored=unscored, level=level)

    return RankAgreement(
        spearman=interval(spearman(mine, theirs), 0), kendall=interval(kendall_tau(mine, theirs), 1)
    )


# ---------------------------------------------------------------- clusters of cells


@dataclass(frozen=True, kw_only=True)
class Kinds:
    """Clusters of cases, where a case is no more than its cell: those with the same cells are one kind."""

    times: Integers
    """How many clusters there are of each kind."""
    kind: Integers
    """The kind of each entry; entries are the cells of all kinds, in the order of cells."""
    cell: Integers

    @property
    def clusters(self) -> int:
        """All clusters."""
        return int(self.times.sum())

    def counts(self, weights: Floats, cells: int) -> Floats:
        """What each cell weighs, shape (b, cells), for weights of the kinds; in whole cases."""
        entries = np.rint(weights * self.clusters)[:, self.kind]
        if len(self.cell) == cells:
            return entries
        starts = np.flatnonzero(np.diff(self.cell, prepend=-1))
        return np.add.reduceat(entries, starts, axis=1, dtype=np.float64)


def cluster_kinds(cell: Integers, clusters: Clusters | None) -> Kinds:
    """The kinds of clusters of cases whose cells are numbered from 0, each in use."""
    members: dict[int, list[int]] = {}
    for number, one in zip(numbered(clusters, len(cell)).tolist(), cell.tolist(), strict=True):
        members.setdefault(number, []).append(one)
    times: dict[tuple[int, ...], int] = {}
    for ones in members.values():
        key = tuple(sorted(ones))
        times[key] = times.get(key, 0) + 1
    kinds = sorted(times)
    entries = sorted((one, number) for number, ones in enumerate(kinds) for one in ones)
    return Kinds(
        times=np.array([times[key] for key in kinds], dtype=np.int64),
        kind=np.array([number for _, number in entries], dtype=np.int64),
        cell=np.array([one for one, _ in entries], dtype=np.int64),
    )


# ---------------------------------------------------------------- parts


def _levels(a: Sequence[float], b: Sequence[float]) -> tuple[Integers, Integers]:
    """Each value as its place among the distinct ones."""
    if len(a) != len(b) or not a:
        raise InputError(f"two raters need the same cases, at least one; there are {len(a)} and {len(b)}")
    if not all(isfinite(value) for value in (*a, *b)):
        raise InputError("a rank correlation takes finite numbers; leave out what is unscored")
    x, y = (np.unique(np.array(one, dtype=np.float64), return_inverse=True)[1] for one in (a, b))
    return x.astype(np.int64), y.astype(np.int64)


def _tied(levels: Integers) -> int:
    """Pairs of equal values."""
    _, sizes = np.unique(levels, return_counts=True)
    return int((sizes * (sizes - 1) // 2).sum())


def _inversions(levels: Integers) -> int:
    """Pairs of which the earlier is the higher, bit by bit from the highest: n log n."""
    found, values = 0, levels
    for bit in reversed(range(int(levels.max()).bit_length())):
        ones = (values >> bit) & 1
        prefix = values >> (bit + 1)
        # Values of one prefix stand together, in their first order.
        starts = np.flatnonzero(np.diff(prefix, prepend=-1))
        before = np.cumsum(ones) - ones
        sizes = np.diff(starts, append=len(values))
        found += int(((before - np.repeat(before[starts], sizes)) * (1 - ones)).sum())
        values = values[np.argsort(values >> bit, kind="stable")]
    return found


def _mid_ranks(counts: Floats, levels: Integers) -> tuple[Floats, Floats]:
    """Rank of each cell, less half the cases, and the sum of squares of it; counts have shape (b, cells)."""
    order = np.argsort(levels, kind="stable")
    starts = np.flatnonzero(np.diff(levels[order], prepend=-1))
    sizes = np.add.reduceat(counts[:, order], starts, axis=1, dtype=np.float64)
    middle = np.cumsum(sizes, axis=1) - sizes / 2 - counts.sum(axis=1, keepdims=True) / 2
    return middle[:, levels], np.einsum("bv,bv,bv->b", sizes, middle, middle)


def _spearman(counts: Floats, x: Integers, y: Integers) -> Floats:
    """Of cells with levels x and y, for counts of shape (b, cells); NaN where undefined."""
    one, spread = _mid_ranks(counts, x)
    other, over = _mid_ranks(counts, y)
    found = ratio(np.einsum("bv,bv,bv->b", counts, one, other), np.sqrt(spread * over))
    return np.clip(found, -1, 1)


def _kendall(counts: Floats, x: Integers, y: Integers) -> Floats:
    """Tau-b of cells with levels x and y, for counts of shape (b, cells); NaN where undefined."""
    above = np.zeros(len(counts))
    light, one, other = counts.astype(np.float32), x.astype(np.float32), y.astype(np.float32)
    for start in range(0, len(x), _COLUMNS):
        block = slice(start, start + _COLUMNS)
        concord = np.sign(one[:, None] - one[block]) * np.sign(other[:, None] - other[block])
        above += np.einsum("bv,bv->b", (light @ concord).astype(np.float64), counts[:, block])
    n = counts.sum(axis=1)
    untied = [n * n - _squares(counts, levels) for levels in (x, y)]
    return np.clip(ratio(above, np.sqrt(untied[0] * untied[1])), -1, 1)


def _squares(counts: Floats, levels: Integers) -> Floats:
    order = np.argsort(levels, kind="stable")
    starts = np.flatnonzero(np.diff(levels[order], prepend=-1))
    return (np.add.reduceat(counts[:, order], starts, axis=1, dtype=np.float64) ** 2).sum(axis=1)
