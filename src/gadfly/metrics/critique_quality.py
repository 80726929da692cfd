"""How true and how complete critiques are, by their atomic statements.

MetaCritique (arXiv:2401.04518, section 3): a critique is taken apart into atomic information units. Its
precision is the share of its own units that are true; its recall is the share of a reference critique's
units that it covers; its F1 is their harmonic mean.

Convention. A corpus has two F1s: the mean of the critiques' F1s (`"mean of critiques"`, the paper's), and
the harmonic mean of mean precision and mean recall (`"of the means"`). The second is never the lower.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from gadfly.errors import InputError
from gadfly.metrics.clustering import drawn_sums, figures_of, harmonic
from gadfly.metrics.intervals import Floats
from gadfly.metrics.measurement import Measurement
from gadfly.records import Record

Average: TypeAlias = Literal["mean of critiques", "of the means"]


class UnitLabels(Record):
    """One critique's units, labelled."""

    own: tuple[bool, ...]
    """Its own units: whether each is true."""
    reference: tuple[bool, ...]
    """The reference critique's units: whether it covers each."""
    group: str = ""
    """What makes critiques dependent, such as the answer that they are about."""


class CritiqueQuality(Record):
    """One critique's figures, each a share; None where there are no units to take a share of."""

    precision: float | None
    recall: float | None
    f1: float | None


class CorpusQuality(Record):
    """Means over critiques, with intervals that resample clusters of critiques."""

    precision: Measurement
    recall: Measurement
    f1: Measurement


def critique_quality(own: Sequence[bool], reference: Sequence[bool]) -> CritiqueQuality:
    """Precision, recall and F1 of one critique; F1 is 0 where either is 0."""
    precision = sum(own) / len(own) if own else None
    recall = sum(reference) / len(reference) if reference else None
    return CritiqueQuality(precision=precision, recall=recall, f1=_f1(precision, recall))


def corpus_quality(
    critiques: Sequence[UnitLabels],
    *,
    average: Average = "mean of critiques",
    level: float = 0.95,
    seed: int = 0,
) -> CorpusQuality:
    """Mean precision, recall and F1 of many critiques.

    A critique without units, or one whose reference has none, is unscored: left out and counted. Critiques
    that share a `group` are resampled together; one without is on its own.

    Raises:
        InputError: no critique can be scored.
    """
    rows: list[tuple[float, float, float, float]] = []
    clusters: list[str | int] = []
    for place, critique in enumerate(critiques):
        one = critique_quality(critique.own, critique.reference)
        if one.precision is not None and one.recall is not None and one.f1 is not None:
            rows.append((1.0, one.precision, one.recall, one.f1))
            clusters.append(critique.group or place)
    if not rows:
        raise InputError("no critique has units of its own and of a reference")
    sums = drawn_sums(
        np.array(rows, dtype=np.float64),
        clusters,
        n=len(critiques),
        unscored=len(critiques) - len(rows),
        seed=seed,
    )

    def means(totals: Floats) -> Floats:
        precision, recall, f1 = (totals[:, 1:] / totals[:, :1]).T
        return np.column_stack(
            [precision, recall, f1 if average == "mean of critiques" else harmonic(precision, recall)]
        )

    precision, recall, f1 = figures_of(means, sums, level=level)
    # A mean over rows that are there is defined.
    assert precision is not None
    assert recall is not None
    assert f1 is not None
    return CorpusQuality(precision=precision, recall=recall, f1=f1)


def _f1(precision: float | None, recall: float | None) -> float | None:
    if precision is None or recall is None:
        return None
    return 2 * precision * recall / (precision + recall) if precision and recall else 0.0
