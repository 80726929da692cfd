"""Precision, recall and F1 over any number of classes, all classes alike, with intervals.

The figures of `gadfly.metrics.detection.classification`, of rows and with a clustered bootstrap. What
is undefined for lack of a claim or of a case is 0, as in scikit-learn with `zero_division=0`.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from gadfly.errors import InputError
from gadfly.metrics.clustering import drawn_sums, figures_of, ratio
from gadfly.metrics.intervals import Floats
from gadfly.metrics.judged import Rows
from gadfly.metrics.measurement import Measurement
from gadfly.records import Record


class Macro(Record):
    """Plain means over the classes."""

    precision: Measurement
    recall: Measurement
    f1: Measurement
    classes: tuple[str, ...]


def macro(
    rows: Rows,
    *,
    classes: Sequence[str] | None = None,
    unreadable: Literal["wrong", "left out"] = "wrong",
    level: float = 0.95,
    resamples: int | None = None,
    seed: int = 0,
) -> Macro:
    """Macro precision, recall and F1 over the rows that have gold.

    Args:
        rows: Judgements with any labels.
        classes: What the mean is over; every label that people or the judge use where None.
        unreadable: `wrong`: a verdict that could not be read is a miss of its class, and a claim of none.
        level: Of the intervals.
        resamples: 10,000 where None; fewer, at least 1,000, with more than 500 clusters.
        seed: Of the bootstrap.

    Raises:
        InputError: no row can be used, or a label is none of the classes.
    """
    labelled = [row for row in rows if row.gold is not None]
    kept = [row for row in labelled if row.said is not None or unreadable == "wrong"]
    if not kept:
        raise InputError("macro figures need at least one row with a gold label and a readable verdict")
    used = {label for row in kept for label in (row.gold, row.said) if label is not None}
    known = sorted(used) if classes is None else list(dict.fromkeys(classes))
    odd = sorted(used - set(known))
    if odd:
        raise InputError(f"the label {odd[0]!r} is none of the classes {', '.join(known)}")
    truth = np.array([[row.gold == name for name in known] for row in kept], dtype=np.float64)
    claim = np.array([[row.said == name for name in known] for row in kept], dtype=np.float64)
    sums = drawn_sums(
        np.hstack([truth, claim, truth * claim]),
        [row.cluster for row in kept],
        n=len(labelled),
        unscored=sum(row.said is None for row in labelled),
        resamples=resamples,
        seed=seed,
    )
    precision, recall, f1 = figures_of(_means, sums, level=level)
    # Every class has its 0 where it is undefined, so that the means always exist.
    assert precision is not None
    assert recall is not None
    assert f1 is not None
    return Macro(precision=precision, recall=recall, f1=f1, classes=tuple(known))


def _means(totals: Floats) -> Floats:
    """The three means from sums of gold labels, claims and hits by class: shape (b, 3k)."""
    cases, claims, hits = np.split(totals, 3, axis=1)
    figures = (
        ratio(hits, claims, undefined=0.0),
        ratio(hits, cases, undefined=0.0),
        ratio(2 * hits, cases + claims, undefined=0.0),
    )
    return np.column_stack([figure.mean(axis=1) for figure in figures])
