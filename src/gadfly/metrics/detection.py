"""How well a judge or critic tells wrong answers from right ones.

Conventions. A verdict that could not be read is None. `unreadable` says what it counts as:

- `"wrong"`: never right and never a claim. It is a miss where it stands on a case of a class (that
  class's recall falls) and no false alarm for any other class (their precision stays).
- `"left out"`: the case is dropped, as if the judge had not been asked; the count of such cases stays.
- `"other class"`: a claim of the wrong one of two classes, so that precision falls too.

What is undefined for lack of a claim (the precision of a class never named) is 0, as in scikit-learn
with `zero_division=0`. What is undefined for lack of cases (AUROC with one class) is None.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from gadfly.errors import InputError
from gadfly.metrics.clustering import drawn_sums, figures_of, ratio
from gadfly.metrics.intervals import Floats, Integers, enough, percentile_interval, resampled
from gadfly.metrics.judged import Judged, Rows
from gadfly.metrics.measurement import Measurement
from gadfly.metrics.ranks import Kinds, cluster_kinds
from gadfly.records import Record

Unreadable: TypeAlias = Literal["wrong", "left out", "other class"]
NOTHING = ""
"""What the confusion table calls a verdict that could not be read."""


class ClassFigures(Record):
    """One class against the rest."""

    precision: float
    """Of the cases said to be of the class, the share that are; 0 where none was."""
    recall: float
    """Of the cases of the class, the share said to be; 0 where there are none."""
    f1: float
    """Harmonic mean of both; 0 where both are 0."""
    cases: int
    """How often it is the gold label."""
    said: int


class Classification(Record):
    """Verdicts against gold labels, all classes alike."""

    accuracy: float
    precision: float
    """Macro: the plain mean over the classes, as are `recall` and `f1`."""
    recall: float
    f1: float
    by_class: Mapping[str, ClassFigures]
    confusion: Mapping[str, Mapping[str, int]]
    """Gold label -> verdict -> cases; what could not be read is under the empty label."""
    n: int
    """All cases, unscored ones included."""
    unscored: int


class Detection(Record):
    """How well one class, as a rule the wrong answers, is found. Intervals resample clusters."""

    precision: Measurement
    recall: Measurement | None
    """None, as is `f1`: no case is of the class looked for."""
    f1: Measurement | None
    accuracy: Measurement
    auroc: Measurement | None
    """None, as is `mcc`: all cases are of one class."""
    mcc: Measurement | None
    acceptance: Measurement
    """Share of the cases said to be of the other class: what the judge lets pass."""
    positives: int
    """Cases of the class looked for."""
    n: int
    unscored: int


def classification(
    gold: Sequence[str],
    said: Sequence[str | None],
    *,
    classes: Sequence[str],
    unreadable: Unreadable = "wrong",
) -> Classification:
    """Accuracy, and macro precision, recall and F1 over `classes`.

    Equal to scikit-learn's `precision_recall_fscore_support(labels=classes, average="macro",
    zero_division=0)` where every verdict is readable.

    Raises:
        InputError: a label is none of the classes, the lists differ in length, or nothing is left.
    """
    verdicts = _verdicts(gold, said, classes=classes, unreadable=unreadable)
    confusion = {label: dict.fromkeys((*classes, NOTHING), 0) for label in classes}
    for label, verdict in verdicts:
        confusion[label][verdict or NOTHING] += 1
    by_class = {label: _class_figures(confusion, label) for label in classes}
    figures = list(by_class.values())
    return Classification(
        accuracy=sum(label == verdict for label, verdict in verdicts) / len(verdicts),
        precision=sum(one.precision for one in figures) / len(figures),
        recall=sum(one.recall for one in figures) / len(figures),
        f1=sum(one.f1 for one in figures) / len(figures),
        by_class=by_class,
        confusion=confusion,
        n=len(gold),
        unscored=sum(verdict is None for verdict in said),
    )


def matthews(
    gold: Sequence[str],
    said: Sequence[str | None],
    *,
    classes: Sequence[str] | None = None,
    unreadable: Unreadable = "wrong",
) -> float:
    """Matthews' correlation of verdicts with gold labels, -1 to 1, for two or more classes.

    Gorodkin's R_K (2004), which for two classes is Matthews' phi (1975). With `unreadable="wrong"` what
    could not be read is a verdict that no gold label equals. 0 where one side never varies.

    Raises:
        InputError: a label is none of the classes, the lists differ in length, or nothing is left.
    """
    known = list(classes) if classes is not None else sorted({*gold, *(one for one in said if one)})
    verdicts = _verdicts(gold, said, classes=known, unreadable=unreadable)
    labels = [*known, NOTHING]
    truth = np.array([[label == name for name in labels] for label, _ in verdicts], dtype=np.float64)
    claim = np.array([[(one or NOTHING) == name for name in labels] for _, one in verdicts], dtype=np.float64)
    right = np.array([[float((truth * claim).sum())]])
    whole = float(len(verdicts))
    return float(_correlation(right[0] / whole, truth.sum(0)[None] / whole, claim.sum(0)[None] / whole)[0])


def auroc(scores: Sequence[float], positive: Sequence[bool]) -> float | None:
    """Area under the ROC curve: how often a positive case scores above a negative one, ties half.

    The Mann-Whitney statistic over its largest value. None where all cases are of one class.

    Raises:
        InputError: the lists differ in length.
    """
    if len(scores) != len(positive):
        raise InputError(f"{len(scores)} scores for {len(positive)} labels")
    if not any(positive) or all(positive):
        return None
    return _Ranked.of(scores, positive).area()


def detection(
    rows: Rows,
    *,
    positive: str = "incorrect",
    negative: str = "correct",
    unreadable: Literal["wrong", "left out"] = "wrong",
    higher: Literal["positive", "negative"] = "negative",
    level: float = 0.95,
    resamples: int | None = None,
    seed: int = 0,
) -> Detection:
    """How well the class `positive` is found, each figure with its clustered bootstrap interval.

    Rows without a gold label are left out. A verdict that is neither class, such as `unsure`, can be
    read, but is no detection and never right; an unreadable one is the same under `"wrong"`. AUROC ranks
    by `score`, of which a `higher` value speaks for that class. Where no row has a score it ranks by the
    verdict (neither class: halfway). Rows without a rank are left out of AUROC and counted there. A
    resample in which a figure is undefined for lack of cases does not enter its interval. `resamples` is
    10,000 where it is None; fewer, at least 1,000, with more than 500 clusters.

    Raises:
        InputError: no row can be used, a gold label is neither class, or a score is not finite.
    """
    labelled = [row for row in rows if row.gold is not None]
    kept = [row for row in labelled if row.said is not None or unreadable == "wrong"]
    if not kept:
        raise InputError("detection needs at least one row with a gold label and a readable verdict")
    odd = next((row for row in labelled if row.gold not in (positive, negative)), None)
    if odd is not None:
        raise InputError(f"item {odd.item!r}: the gold label {odd.gold!r} is not {positive} or {negative}")
    classes = (positive, negative)
    unscored = sum(row.said is None for row in labelled)
    drawn = _Drawn(level=level, resamples=resamples, seed=seed)
    found = _counted(kept, classes, drawn, n=len(labelled), unscored=unscored)
    precision, recall, f1, accuracy, acceptance, mcc = found
    # Shares of all rows, and a precision that is 0 where undefined, are always there.
    assert precision is not None
    assert accuracy is not None
    assert acceptance is not None
    return Detection(
        precision=precision,
        recall=recall,
        f1=f1,
        accuracy=accuracy,
        auroc=_area(labelled, classes, higher, drawn),
        mcc=mcc,
        acceptance=acceptance,
        positives=sum(row.gold == positive for row in labelled),
        n=len(labelled),
        unscored=unscored,
    )


# ---------------------------------------------------------------- verdicts and classes


def _verdicts(
    gold: Sequence[str], said: Sequence[str | None], *, classes: Sequence[str], unreadable: Unreadable
) -> list[tuple[str, str | None]]:
    """Pairs of gold label and verdict after the convention for unreadable ones."""
    if len(gold) != len(said):
        raise InputError(f"{len(gold)} gold labels for {len(said)} verdicts")
    if NOTHING in classes or len(set(classes)) < len(classes):
        raise InputError(f"classes must be different and not empty: {list(classes)}")
    for label in (*gold, *said):
        if label is not None and label not in classes:
            raise InputError(f"the label {label!r} is none of the classes {', '.join(classes)}")
    if unreadable == "other class" and len(classes) != 2:
        raise InputError(f'unreadable="other class" needs two classes, not {len(classes)}')
    pairs: list[tuple[str, str | None]] = list(zip(gold, said, strict=True))
    if unreadable == "left out":
        pairs = [pair for pair in pairs if pair[1] is not None]
    if unreadable == "other class":
        other = {classes[0]: classes[1], classes[1]: classes[0]}
        pairs = [(label, other[label] if verdict is None else verdict) for label, verdict in pairs]
    if not pairs:
        raise InputError("there is no case with a readable verdict" if gold else "there are no cases")
    return pairs


def _class_figures(confusion: Mapping[str, Mapping[str, int]], label: str) -> ClassFigures:
    hits = confusion[label][label]
    cases = sum(confusion[label].values())
    claims = sum(row[label] for row in confusion.values())
    return ClassFigures(
        precision=hits / claims if claims else 0.0,
        recall=hits / cases if cases else 0.0,
        f1=2 * hits / (cases + claims) if hits else 0.0,
        cases=cases,
        said=claims,
    )


def _correlation(right: Floats, truth: Floats, claim: Floats) -> Floats:
    """R_K from shares: `right` (b), `truth` and `claim` (b, classes); 0 where a side never varies."""
    above = right - (truth * claim).sum(axis=1)
    spread = (1.0 - (truth**2).sum(axis=1)) * (1.0 - (claim**2).sum(axis=1))
    # Shares that sum to 1 leave rounding errors of this size where nothing varies.
    defined = spread > 1e-12
    found = np.divide(above, np.sqrt(np.abs(spread)), out=np.zeros_like(above), where=defined)
    return np.clip(found, -1.0, 1.0)


# ---------------------------------------------------------------- ranks


@dataclass(frozen=True, kw_only=True)
class _Ranked:
    """Cases in order of score, so that the area can be had for many weightings at once."""

    kinds: Kinds
    positive: Integers
    """Which entries of `kinds` are positive cases, lowest score first."""
    negative: Integers
    low: Integers
    """For each positive entry, how many negative ones score lower."""
    high: Integers
    """The same with those that score equal."""

    @classmethod
    def of(
        cls, scores: Sequence[float], positive: Sequence[bool], clusters: Sequence[str] | None = None
    ) -> "_Ranked":
        values = np.array(scores, dtype=np.float64)
        if not np.isfinite(values).all():
            raise InputError("a score is not a finite number")
        level = np.unique(values, return_inverse=True)[1]
        # Even cells are negative, odd ones positive.
        kinds = cluster_kinds((2 * level + np.array(positive)).astype(np.int64), clusters)
        up, down = np.flatnonzero(kinds.cell % 2), np.flatnonzero(kinds.cell % 2 == 0)
        at, against = kinds.cell[up] // 2, kinds.cell[down] // 2
        return cls(
            kinds=kinds,
            positive=kinds.kind[up],
            negative=kinds.kind[down],
            low=np.searchsorted(against, at, side="left").astype(np.int64),
            high=np.searchsorted(against, at, side="right").astype(np.int64),
        )

    def area(self) -> float:
        """Area over all cases."""
        return float(self.areas((self.kinds.times / self.kinds.clusters)[None])[0])

    def areas(self, weights: Floats) -> Floats:
        """Area for each row of weights of the kinds; NaN where a class has no weight."""
        whole = np.rint(weights * self.kinds.clusters)
        up, down = whole[:, self.positive], whole[:, self.negative]
        below = np.zeros((len(down), down.shape[1] + 1))
        np.cumsum(down, axis=1, out=below[:, 1:])
        found = np.einsum("bp,bp->b", up, below[:, self.low]) + np.einsum("bp,bp->b", up, below[:, self.high])
        return ratio(found, 2 * up.sum(axis=1) * below[:, -1])


# ---------------------------------------------------------------- intervals


@dataclass(frozen=True, kw_only=True)
class _Drawn:
    """How intervals are made."""

    level: float
    resamples: int | None
    seed: int


def _counted(
    rows: Sequence[Judged], classes: tuple[str, str], drawn: _Drawn, *, n: int, unscored: int
) -> tuple[Measurement | None, ...]:
    """Precision, recall, F1, accuracy, acceptance and MCC."""
    positive, negative = classes
    counts: list[tuple[float, ...]] = []
    for row in rows:
        wrong, hit, passed = row.gold == positive, row.said == positive, row.said == negative
        counts.append((1.0, wrong, hit, wrong and hit, passed, row.gold == row.said))
    sums = drawn_sums(
        np.array(counts, dtype=np.float64),
        [row.cluster for row in rows],
        n=n,
        unscored=unscored,
        resamples=drawn.resamples,
        seed=drawn.seed,
    )
    return figures_of(_figures, sums, level=drawn.level)


def _figures(totals: Floats) -> Floats:
    """The six figures from weighted counts (b, 6); NaN where one is undefined."""
    n, wrong, said, hits, passed, right = totals.T
    f1 = np.where(wrong > 0, ratio(2 * hits, wrong + said, undefined=0.0), np.nan)
    truth = np.column_stack([wrong, n - wrong, np.zeros_like(n)]) / n[:, None]
    claim = np.column_stack([said, passed, n - said - passed]) / n[:, None]
    varies = (wrong > 1e-12) & (n - wrong > 1e-12)
    mcc = np.where(varies, _correlation(right / n, truth, claim), np.nan)
    precision = ratio(hits, said, undefined=0.0)
    return np.column_stack([precision, ratio(hits, wrong), f1, right / n, passed / n, mcc])


def _area(rows: Sequence[Judged], classes: tuple[str, str], higher: str, drawn: _Drawn) -> Measurement | None:
    """AUROC by score where any row has one, by verdict elsewhere."""
    scored = [(row, row.score) for row in rows if row.score is not None]
    sign = 1.0 if scored and higher == "positive" else -1.0
    worth = {classes[0]: 0.0, classes[1]: 1.0}
    ranks = scored or [(row, worth.get(row.said, 0.5)) for row in rows if row.said is not None]
    if not ranks:
        return None
    ranked = _Ranked.of(
        [sign * rank for _, rank in ranks],
        [row.gold == classes[0] for row, _ in ranks],
        [row.cluster for row, _ in ranks],
    )
    value = ranked.area()
    if np.isnan(value):
        return None
    resamples = enough(len(ranks)) if drawn.resamples is None else drawn.resamples
    draws = resampled(ranked.areas, ranked.kinds.times, resamples=resamples, seed=drawn.seed)
    return percentile_interval(value, draws, n=len(rows), unscored=len(rows) - len(ranks), level=drawn.level)
