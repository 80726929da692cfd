"""Whether confidence means what it says: calibration error, Brier score, over- and underconfidence.

Everything here takes `Forecasts`: probabilities beside what came true, from plain sequences or from
rows. All figures are free of the order of their cases: cases with equal confidence are never told
apart by where they stand.

Models that know what they know: Kadavath et al. 2022, arXiv:2207.05221. Overconfidence and
underconfidence as counts: arXiv:2309.16145. Answering only where confident: `gadfly.metrics.selective`.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from gadfly.errors import InputError
from gadfly.metrics.clustering import drawn_sums, figure_of, share
from gadfly.metrics.intervals import Floats, Integers, mean_interval, numbered
from gadfly.metrics.judged import Judged, Rows
from gadfly.metrics.measurement import Measurement
from gadfly.metrics.proportions import wilson
from gadfly.records import Record

Binning: TypeAlias = Literal["equal width", "equal mass"]
Closed: TypeAlias = Literal["right", "left"]
About: TypeAlias = Literal["answer", "verdict"]

_POSITIVE = {"correct": True, "incorrect": False, "first": True, "second": False}
_PAIR = {"first", "second", "tie"}


@dataclass(frozen=True, kw_only=True)
class Forecasts:
    """Probabilities beside what came true, one entry a case."""

    confidence: tuple[float, ...]
    """From 0 to 1: how likely the case was held to come true."""
    right: tuple[bool, ...]
    """Whether it did."""
    clusters: tuple[Hashable, ...] | None = None
    """What a bootstrap resamples together; None: every case by itself."""
    unscored: int = 0
    """Cases that have no confidence. They are left out of every figure, and counted beside it."""

    def __post_init__(self) -> None:
        if len(self.confidence) != len(self.right) or not self.right:
            raise InputError(
                "calibration needs as many confidences as outcomes, at least one; there are "
                f"{len(self.confidence)} and {len(self.right)}"
            )
        for value in self.confidence:
            if not 0 <= value <= 1:
                raise InputError(f"{value} is no probability; map scores to 0..1 first")
        numbered(self.clusters, len(self.right))

    @property
    def n(self) -> int:
        """Cases, those without a confidence among them."""
        return len(self.right) + self.unscored

    def counted(self, found: Measurement) -> Measurement:
        """The measurement with the number of cases and of those without a confidence."""
        return found.model_copy(update={"n": self.n, "unscored": self.unscored})


def forecasts(rows: Rows, *, about: About = "answer") -> Forecasts:
    """The confidence of a judge's rows, from their `score`.

    One answer: the score is the probability, 0 to 1, that the answer is right. A pair: (1 + score) / 2 is
    the probability that the first is the better one, for scores from -1 to 1.

    Rows without a label, and pairs that people call a tie, are no cases. Rows without a score (or, for
    `verdict`, with nothing said or a tie) are unscored.

    Args:
        rows: Of one judge.
        about: `answer`: the forecast is that the answer is correct (that the first is better), and
            people say whether it is. `verdict`: the forecast is that what the judge said is right.

    Raises:
        InputError: a score is out of its range, a label is none of correct, incorrect, first, second and
            tie, or no row has all that is needed.
    """
    cases = [row for row in rows if row.gold is not None and row.gold != "tie"]
    chances = [(row, _chance(row, about)) for row in cases]
    kept = [(row, chance) for row, chance in chances if chance is not None]
    if not kept:
        raise InputError("no row has both a label and a score")
    return Forecasts(
        confidence=tuple(chance for _, chance in kept),
        right=tuple(_truth(row) if about == "answer" else row.right is True for row, _ in kept),
        clusters=tuple(row.cluster for row, _ in kept),
        unscored=len(cases) - len(kept),
    )


def _truth(row: Judged) -> bool:
    if row.gold not in _POSITIVE:
        raise InputError(f"item {row.item!r} has the label {row.gold!r}, which is neither right nor wrong")
    return _POSITIVE[row.gold]


def _chance(row: Judged, about: About) -> float | None:
    _truth(row)
    if row.score is None or (about == "verdict" and row.said not in _POSITIVE):
        return None
    chance = (1 + row.score) / 2 if row.gold in _PAIR else row.score
    if not 0 <= chance <= 1:
        raise InputError(
            f"item {row.item!r} has the score {row.score}; a confidence is 0 to 1 for one answer and "
            "-1 to 1 for a pair"
        )
    return chance if about == "answer" or _POSITIVE[row.said or ""] else 1 - chance


# ---------------------------------------------------------------- bins


class Bin(Record):
    """Cases of about equal confidence."""

    low: float
    high: float
    """The ends of the bin; see `closed` for which of them belongs to it."""
    confidence: float
    """Mean confidence of its cases."""
    accuracy: Measurement
    """Share that came true, with Wilson's interval."""


def reliability(
    found: Forecasts, *, bins: int = 10, binning: Binning = "equal width", closed: Closed = "right"
) -> tuple[Bin, ...]:
    """Confidence and accuracy bin by bin, empty bins left out: the reliability diagram.

    Args:
        found: The forecasts.
        bins: How many.
        binning: `equal width` cuts 0..1 evenly. `equal mass` cuts at the quantiles of the confidences, so
            that bins hold about as many cases each; equal confidences stay together, and bins can be fewer.
        closed: Which bin takes a confidence that lies on a cut: `right` the lower one (Guo et al. 2017,
            arXiv:1706.04599), `left` the upper one. Judges like round numbers, so it matters.

    Raises:
        InputError: `bins` is below 1.
    """
    member, edges = _binned(found, bins, binning, closed)
    confidence, right = np.array(found.confidence), np.array(found.right)
    made: list[Bin] = []
    for index in np.unique(member):
        inside = member == index
        made.append(
            Bin(
                low=float(edges[index]),
                high=float(edges[index + 1]),
                confidence=float(confidence[inside].mean()),
                accuracy=wilson(int(right[inside].sum()), int(inside.sum())),
            )
        )
    return tuple(made)


def calibration_error(
    found: Forecasts,
    *,
    bins: int = 10,
    binning: Binning = "equal width",
    closed: Closed = "right",
    level: float = 0.95,
    seed: int = 0,
) -> Measurement:
    """Expected calibration error: mean over cases of |accuracy - confidence| of their bin.

    Naeini et al. 2015; Guo et al. 2017, arXiv:1706.04599, equation 3. Bins as in `reliability`. The figure
    is above 0 for a calibrated judge too, by chance, and more so with few cases in a bin. The bootstrap keeps
    the bins, adds that same bias once more, and so is stretched to hold the figure where it would not.

    Raises:
        InputError: `bins` is below 1.
    """
    member, edges = _binned(found, bins, binning, closed)
    width = len(edges) - 1
    gaps = np.array(found.right, dtype=np.float64) - np.array(found.confidence)
    parts = np.hstack([np.eye(width)[member] * gaps[:, None], np.ones((len(gaps), 1))])

    def error(sums: Floats) -> Floats:
        return np.abs(sums[:, :-1]).sum(axis=1) / sums[:, -1]

    sums = drawn_sums(parts, found.clusters, n=found.n, unscored=found.unscored, seed=seed)
    measured = figure_of(error, sums, level=level)
    assert measured is not None  # there is a case
    return measured


def _binned(found: Forecasts, bins: int, binning: Binning, closed: Closed) -> tuple[Integers, Floats]:
    if bins < 1:
        raise InputError(f"bins is {bins}; it must be 1 or more")
    # Division keeps round cuts exact (linspace makes 0.30000000000000004 of 3/10).
    edges = np.arange(bins + 1, dtype=np.float64) / bins
    if binning == "equal mass":
        edges = np.quantile(np.array(found.confidence), edges)
    member = np.searchsorted(edges[1:-1], found.confidence, side="left" if closed == "right" else "right")
    return member.astype(np.int64), edges


# ---------------------------------------------------------------- Brier


class Brier(Record):
    """Brier score with its parts: `score` = reliability - resolution + uncertainty + within."""

    score: Measurement
    """Mean squared distance of confidence from outcome; 0 is best."""
    reliability: float
    """How far the bins' confidences are from their accuracies; 0 is calibrated."""
    resolution: float
    """How far the bins' accuracies are from the overall one; higher is better."""
    uncertainty: float
    """What always saying the base rate would score."""
    within: float
    """What the bins hide; 0 where cases of a bin have equal confidence."""


def brier(
    found: Forecasts,
    *,
    bins: int | None = None,
    binning: Binning = "equal width",
    closed: Closed = "right",
    level: float = 0.95,
    seed: int = 0,
) -> Brier:
    """Brier score (1950), decomposed (Murphy 1973).

    With `bins=None` every distinct confidence is a bin of its own, and the three parts make the score.
    With bins there is a fourth: within-bin variance of confidence, less twice its covariance with the
    outcome (Stephenson, Coelho and Jolliffe 2008).

    Raises:
        InputError: `bins` is below 1.
    """
    confidence, right = np.array(found.confidence), np.array(found.right, dtype=np.float64)
    if bins is None:
        member = np.unique(confidence, return_inverse=True)[1].astype(np.int64)
    else:
        member = np.unique(_binned(found, bins, binning, closed)[0], return_inverse=True)[1]
    sizes = np.bincount(member).astype(np.float64)
    forecast = np.bincount(member, weights=confidence) / sizes
    outcome = np.bincount(member, weights=right) / sizes
    base = float(right.mean())
    inside, hit = confidence - forecast[member], right - outcome[member]
    squares = (confidence - right) ** 2
    score = mean_interval(squares, clusters=found.clusters, level=level, seed=seed)
    return Brier(
        score=found.counted(score),
        reliability=float(sizes @ (forecast - outcome) ** 2) / len(right),
        resolution=float(sizes @ (outcome - base) ** 2) / len(right),
        uncertainty=base * (1 - base),
        within=float((inside**2 - 2 * inside * hit).mean()),
    )


# ---------------------------------------------------------------- counts


class ConfidenceGaps(Record):
    """Confidence on the wrong side of competence."""

    overconfident_wrong: int
    """Cases held likely that did not come true."""
    underconfident_right: int
    """Cases held unlikely that did."""
    overconfident: Measurement
    """Share of all cases with a confidence that are overconfident and wrong."""
    underconfident: Measurement
    """Share of all cases with a confidence that are underconfident and right."""


def confidence_gaps(
    found: Forecasts, *, confident: float = 0.5, unconfident: float = 0.5, level: float = 0.95
) -> ConfidenceGaps:
    """How often confidence is above `confident` and wrong, or below `unconfident` and right.

    The bounds themselves are neither. A case may be in neither group where the two differ.

    Raises:
        InputError: `unconfident` is above `confident`.
    """
    if unconfident > confident:
        raise InputError(f"unconfident ({unconfident}) must not be above confident ({confident})")
    cases = list(zip(found.confidence, found.right, strict=True))
    over = [value > confident and not right for value, right in cases]
    under = [value < unconfident and right for value, right in cases]
    return ConfidenceGaps(
        overconfident_wrong=sum(over),
        underconfident_right=sum(under),
        overconfident=found.counted(share(over, found.clusters, level=level)),
        underconfident=found.counted(share(under, found.clusters, level=level)),
    )
