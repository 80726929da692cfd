"""Answering only where confident: risk against coverage, and accuracy at a coverage.

Selective answering by a model's own judgement: Self-Judge, arXiv:2409.00935. The figures are free of the
order of their cases: how cases of equal confidence are taken is an argument.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from gadfly.errors import InputError
from gadfly.metrics.calibration import Forecasts
from gadfly.metrics.intervals import Floats, Integers, percentile_interval, resampled
from gadfly.metrics.measurement import Measurement
from gadfly.metrics.ranks import Kinds, cluster_kinds
from gadfly.records import Record

Ties: TypeAlias = Literal["averaged", "together"]

RESAMPLES = 1_000
"""Fewer than elsewhere: every resample walks the whole curve."""


class RiskCoverage(Record):
    """What answering only where confident would give."""

    coverage: tuple[float, ...]
    """Share of cases answered, rising to 1."""
    risk: tuple[float, ...]
    """Share of those that are wrong."""
    area: Measurement
    """AURC: mean risk over cases, most confident first; lower is better."""
    excess: float
    """Area above that of an ideal order of the same cases; 0 where all right ones come first."""


class Selective(Record):
    """Answering only the most confident share of cases."""

    accuracy: Measurement
    coverage: float
    """Share of cases answered."""
    threshold: float
    """Lowest confidence that is answered."""


def risk_coverage(
    found: Forecasts,
    *,
    ties: Ties = "averaged",
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> RiskCoverage:
    """Risk-coverage curve, its area (AURC) and the excess of it (Geifman et al. 2019, arXiv:1805.08206).

    Args:
        found: The forecasts.
        ties: Cases of equal confidence are taken one by one in random order, of which this is the exact mean
            (`averaged`: one point a case), or all at once, as a threshold takes them (`together`: one point a
            distinct confidence, weighted by its cases in the area).
        level: Of the area's interval.
        resamples: How many; every one walks the whole curve.
        seed: Of the resamples.
    """
    groups = _Ranked.of(found)
    draws = resampled(
        lambda weights: groups.area(weights, ties), groups.kinds.times, resamples=resamples, seed=seed
    )
    area = float(groups.area(groups.whole, ties)[0])
    right, n = sum(found.right), len(found.right)
    ideal = sum((k - right) / k for k in range(right + 1, n + 1)) / n
    coverage, risk = groups.curve(ties)
    return RiskCoverage(
        coverage=tuple(coverage.tolist()),
        risk=tuple(risk.tolist()),
        area=percentile_interval(area, draws, n=found.n, unscored=found.unscored, level=level),
        excess=max(0.0, round(area - ideal, 12)),
    )


def selective_accuracy(
    found: Forecasts,
    coverage: float,
    *,
    ties: Ties = "averaged",
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Selective:
    """Accuracy over the most confident `coverage` of the cases.

    Of the cases at the threshold a fraction counts, such that the coverage is exact (`averaged`), or all
    do, so that the coverage may be higher (`together`). In a resample the threshold is found anew.

    Raises:
        InputError: the coverage is not above 0 and at most 1.
    """
    if not 0 < coverage <= 1:
        raise InputError(f"coverage is {coverage}; it must be above 0 and at most 1")
    groups = _Ranked.of(found)
    accuracy, covered, last = groups.selected(groups.whole, coverage, ties)
    draws = resampled(
        lambda w: groups.selected(w, coverage, ties)[0], groups.kinds.times, resamples=resamples, seed=seed
    )
    return Selective(
        accuracy=percentile_interval(
            float(accuracy[0]), draws, n=found.n, unscored=found.unscored, level=level
        ),
        coverage=float(covered[0]),
        threshold=float(groups.levels[int(last[0])]),
    )


@dataclass(frozen=True, kw_only=True)
class _Ranked:
    """Cases from the most confident to the least; those of equal confidence make a group."""

    levels: Floats
    kinds: Kinds
    group: Integers
    """Where the entries of each group begin."""
    wrong: Floats
    """Whether the case of each entry is wrong."""

    @staticmethod
    def of(found: Forecasts) -> "_Ranked":
        levels, group = np.unique(-np.array(found.confidence), return_inverse=True)
        wrong = 1 - np.array(found.right, dtype=np.int64)
        kinds = cluster_kinds(2 * group.astype(np.int64) + wrong, found.clusters)
        return _Ranked(
            levels=-levels,
            kinds=kinds,
            group=np.flatnonzero(np.diff(kinds.cell // 2, prepend=-1)).astype(np.int64),
            wrong=(kinds.cell % 2).astype(np.float64),
        )

    @property
    def whole(self) -> Floats:
        """Weights of all cases."""
        return (self.kinds.times / self.kinds.clusters)[None]

    def sums(self, weights: Floats) -> tuple[Floats, Floats]:
        """Cases and errors of each group, shape (b, groups), for weights of the kinds."""
        # A case counts as often as its cluster was drawn: whole numbers again.
        times = np.rint(weights * self.kinds.clusters)[:, self.kinds.kind]
        errors = times * self.wrong
        if len(self.group) == len(self.wrong):
            return times, errors
        return (
            np.add.reduceat(times, self.group, axis=1, dtype=np.float64),
            np.add.reduceat(errors, self.group, axis=1, dtype=np.float64),
        )

    def area(self, weights: Floats, ties: Ties) -> Floats:
        cases, errors = self.sums(weights)
        covered = np.cumsum(cases, axis=1, dtype=np.float64)
        wrong = np.cumsum(errors, axis=1, dtype=np.float64)
        if ties == "together":
            risk = np.divide(wrong, covered, out=np.zeros_like(wrong), where=covered > 0)
            return (cases * risk).sum(axis=1) / covered[:, -1]
        # Case j of a group has the risk (E + j e) / (W + j) = e + (E - e W) / (W + j), where W cases with E
        # errors come before the group and e is its rate; the sum over j is a difference of harmonic numbers.
        rate = np.divide(errors, cases, out=np.zeros_like(cases), where=cases > 0)
        before = covered - cases
        harmonic = np.zeros(int(covered.max()) + 1)
        harmonic[1:] = np.cumsum(1 / np.arange(1, len(harmonic), dtype=np.float64), dtype=np.float64)
        spread = harmonic[covered.astype(np.int64)] - harmonic[before.astype(np.int64)]
        return (errors + (wrong - errors - rate * before) * spread).sum(axis=1) / covered[:, -1]

    def curve(self, ties: Ties) -> tuple[Floats, Floats]:
        cases, errors = (part[0] for part in self.sums(self.whole))
        covered, wrong = np.cumsum(cases, dtype=np.float64), np.cumsum(errors, dtype=np.float64)
        if ties == "averaged":
            wrong = np.cumsum(np.repeat(errors / cases, cases.astype(np.int64)), dtype=np.float64)
            covered = np.arange(1, len(wrong) + 1, dtype=np.float64)
        return covered / covered[-1], wrong / covered

    def selected(self, weights: Floats, coverage: float, ties: Ties) -> tuple[Floats, Floats, Integers]:
        """Accuracy, coverage reached, and the last group that is answered."""
        cases, errors = self.sums(weights)
        covered = np.cumsum(cases, axis=1, dtype=np.float64)
        wrong = np.cumsum(errors, axis=1, dtype=np.float64)
        total = covered[:, -1]
        wanted = coverage * total
        last = (covered >= (wanted * (1 - 1e-12))[:, None]).argmax(axis=1).astype(np.int64)
        rows = np.arange(len(last))
        taken, missed = covered[rows, last], wrong[rows, last]
        if ties == "averaged":
            rate = errors[rows, last] / cases[rows, last]
            missed = missed - (taken - wanted) * rate
            taken = wanted
        return 1 - missed / taken, taken / total, last
