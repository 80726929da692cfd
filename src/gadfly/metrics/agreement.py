"""How far two or more raters say the same, beyond chance or not.

A coefficient that is undefined is None, never NaN: where chance alone would give full agreement
(everybody used one label only), kappa and alpha are 0 / 0. Rank correlations are in `gadfly.metrics.ranks`.
"""

from collections.abc import Hashable, Sequence
from itertools import combinations
from math import isfinite
from typing import Literal, TypeAlias, cast

import numpy as np

from gadfly.errors import InputError
from gadfly.metrics.clustering import drawn_sums, figure_of, ratio, share
from gadfly.metrics.intervals import Floats
from gadfly.metrics.judged import Rows
from gadfly.metrics.measurement import Measurement
from gadfly.metrics.proportions import Unreadable
from gadfly.records import Record

Labels: TypeAlias = Sequence[Hashable]
Weights: TypeAlias = Literal["none", "linear", "quadratic"]
Level: TypeAlias = Literal["nominal", "ordinal", "interval"]

_UNREAD = object()
"""The label of what could not be read, which equals no other."""


class Agreement(Record):
    """Two raters on the same cases."""

    raw: Measurement
    """Share of cases on which they say the same."""
    kappa: Measurement | None
    """Cohen's kappa; None where it is undefined."""


class PairAgreement(Record):
    """Two judges of a table."""

    first: str
    second: str
    agreement: Agreement | None
    """None: there is no case that both have judged."""


class AgreementTable(Record):
    """Several judges on the same cases."""

    judges: tuple[str, ...]
    pairs: tuple[PairAgreement, ...]
    """Every pair once, in the order of `judges`."""
    alpha: float | None
    """Krippendorff's alpha of all of them, nominal; None where it is undefined."""

    def table(self, figure: Literal["raw", "kappa"] = "kappa") -> tuple[tuple[float | None, ...], ...]:
        """The figure, judge by judge; None on the diagonal and wherever it is undefined."""
        found: dict[tuple[str, str], float | None] = {}
        for pair in self.pairs:
            measured = None
            if pair.agreement is not None:
                measured = pair.agreement.raw if figure == "raw" else pair.agreement.kappa
            value = None if measured is None else measured.value
            found[pair.first, pair.second] = found[pair.second, pair.first] = value
        return tuple(tuple(found.get((one, other)) for other in self.judges) for one in self.judges)


# ---------------------------------------------------------------- two raters


def raw_agreement(a: Labels, b: Labels) -> float:
    """Share of places at which two sequences have the same label.

    Raises:
        InputError: they are empty or of different lengths.
    """
    _same_length(a, b)
    return sum(one == other for one, other in zip(a, b, strict=True)) / len(a)


def cohen_kappa(
    a: Labels, b: Labels, *, weights: Weights = "none", order: Labels | None = None
) -> float | None:
    """Cohen's kappa (1960), weighted (1968) where the labels have an order.

    1 less observed over expected disagreement, where a disagreement weighs 1 (`none`), the distance
    of the labels' places in the order (`linear`) or its square (`quadratic`).

    Args:
        a: One rater's labels.
        b: The other's, of the same cases in the same order.
        weights: What a disagreement weighs.
        order: The labels from lowest to highest, unused ones included: they count as places. Needed
            with weights unless the labels are numbers, which are ordered as they are.

    Returns:
        None where expected disagreement is 0: both used one label, the same.

    Raises:
        InputError: the sequences are empty or of different lengths, or the order is missing, repeats a
            label or lacks one.
    """
    _same_length(a, b)
    places = _places([*a, *b], order, ordered=weights != "none")
    distance = _distances(len(places), weights)
    parts = _kappa_parts([places[one] for one in a], [places[other] for other in b], distance)
    value = float(_kappas(parts.sum(axis=0, keepdims=True), distance)[0])
    return None if np.isnan(value) else value


# ---------------------------------------------------------------- any number of raters


def fleiss_kappa(ratings: Sequence[Labels]) -> float | None:
    """Fleiss' kappa (1971) from labels: one row an item, with the same number of labels in each.

    The raters of one item need not be those of another. None where only one label was ever used.

    Raises:
        InputError: as `fleiss_kappa_of_counts`.
    """
    labels = list(dict.fromkeys(label for row in ratings for label in row))
    return fleiss_kappa_of_counts([[list(row).count(label) for label in labels] for row in ratings])


def fleiss_kappa_of_counts(table: Sequence[Sequence[int]]) -> float | None:
    """Fleiss' kappa from counts: one row an item, one column a label.

    Raises:
        InputError: there is no item, items differ in their number of ratings, or it is below 2.
    """
    totals = {sum(row) for row in table}
    if len(totals) != 1 or min(totals) < 2:
        raise InputError(
            f"every item needs the same number of ratings, at least 2; there are {sorted(totals)}; "
            "krippendorff_alpha takes any number"
        )
    raters = totals.pop()
    counts = np.array(table, dtype=np.float64)
    observed = float(((counts**2).sum(axis=1) - raters).mean() / (raters * (raters - 1)))
    used = counts.sum(axis=0)
    if np.count_nonzero(used) < 2:
        return None
    expected = float(((used / used.sum()) ** 2).sum())
    return (observed - expected) / (1 - expected)


def krippendorff_alpha(
    ratings: Sequence[Labels], *, level: Level = "nominal", order: Labels | None = None
) -> float | None:
    """Krippendorff's alpha (2011): any number of raters, gaps allowed.

    1 less observed over expected disagreement of pairs of ratings; an item with m ratings gives each of
    its pairs the weight 1 / (m - 1), and items with fewer than two ratings give nothing.

    Args:
        ratings: One row an item, one column a rater; None: not rated.
        level: Disagreement is 1 (`nominal`), the square of the number of ratings between two labels, their
            own counted half (`ordinal`), or the square of the difference (`interval`).
        order: The labels from lowest to highest, for `ordinal`; not needed for numbers.

    Returns:
        None where no item has two ratings, or all ratings of such items are the same.

    Raises:
        InputError: the labels have no order, or are no numbers where `interval` needs them.
    """
    items = [[label for label in row if label is not None] for row in ratings]
    items = [row for row in items if len(row) > 1]
    places = _places([label for row in items for label in row], order, ordered=level != "nominal")
    if level == "interval" and not all(_is_number(label) for label in places):
        raise InputError("interval alpha takes numbers; use level='ordinal' with an order for other labels")
    pairs = np.zeros((len(places), len(places)))
    for row in items:
        counts = np.bincount([places[label] for label in row], minlength=len(places)).astype(np.float64)
        pairs += (np.outer(counts, counts) - np.diag(counts)) / (len(row) - 1)
    totals = pairs.sum(axis=1)
    distance = _alpha_distances(totals, list(places), level)
    expected = float((np.outer(totals, totals) * distance).sum())
    if expected <= 0:
        return None
    return 1 - (float(totals.sum()) - 1) * float((pairs * distance).sum()) / expected


# ---------------------------------------------------------------- rows


def agreement(
    rows: Rows,
    *,
    unreadable: Unreadable = "left out",
    weights: Weights = "none",
    order: Sequence[str] | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Agreement:
    """A judge with what people say, over the rows that have a label; resampled by cluster.

    Args:
        rows: Of one judge.
        unreadable: Rows that the judge left unscored are `left out` of both figures, or agree with nobody
            (`wrong`): kappa then takes them as a label of their own.
        weights: As in `cohen_kappa`, and so is `order`.
        order: The labels from lowest to highest.
        level: Of the intervals.
        seed: Of the resamples.

    Raises:
        InputError: no row is left, weights are wanted without an order or with unreadable rows as `wrong`.
    """
    cases = [(row.gold, row.said, row.cluster) for row in rows if row.gold is not None]
    return _agreement(cases, unreadable=unreadable, weights=weights, order=order, level=level, seed=seed)


def agreement_between(
    rows: Rows,
    *,
    people: str | None = None,
    unreadable: Unreadable = "left out",
    weights: Weights = "none",
    order: Sequence[str] | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> AgreementTable:
    """Every two judges on the cases that both were given: same item, shown in the same order.

    Judges are told apart by `judge`. Under the name `people`, where one is given, people's labels join
    the table as one more judge. The other arguments are those of `agreement`.

    Raises:
        InputError: a judge has two rows of one case, there are fewer than two judges, or as `agreement`.
    """
    said = _said_by_judge(rows, people)
    if len(said) < 2:
        raise InputError(f"agreement needs two judges; the rows have {list(said) or 'none'}")
    clusters = {(row.item, row.swapped): row.cluster for row in rows}
    pairs: list[PairAgreement] = []
    for one, other in combinations(said, 2):
        cases = [
            (said[one][case], said[other][case], clusters[case]) for case in said[one] if case in said[other]
        ]
        read = [case for case in cases if None not in case] if unreadable == "left out" else cases
        found = None
        if read:
            found = _agreement(
                cases, unreadable=unreadable, weights=weights, order=order, level=level, seed=seed
            )
        pairs.append(PairAgreement(first=one, second=other, agreement=found))
    ratings = [[said[judge].get(case) for judge in said] for case in clusters]
    return AgreementTable(judges=tuple(said), pairs=tuple(pairs), alpha=krippendorff_alpha(ratings))


def _said_by_judge(rows: Rows, people: str | None) -> dict[str, dict[tuple[str, bool], str | None]]:
    said: dict[str, dict[tuple[str, bool], str | None]] = {}
    gold: dict[tuple[str, bool], str | None] = {}
    for row in rows:
        case = (row.item, row.swapped)
        mine = said.setdefault(row.judge, {})
        if case in mine:
            raise InputError(f"judge {row.judge!r} has two rows of item {row.item!r} in one order")
        mine[case] = row.said
        if row.gold is not None and gold.setdefault(case, row.gold) != row.gold:
            raise InputError(f"item {row.item!r} has two labels: {gold[case]!r} and {row.gold!r}")
    if people is not None:
        if people in said:
            raise InputError(f"there is a judge {people!r}; give people another name")
        said[people] = gold
    return said


def _agreement(
    cases: Sequence[tuple[str | None, str | None, str]],
    *,
    unreadable: Unreadable,
    weights: Weights,
    order: Labels | None,
    level: float,
    seed: int,
) -> Agreement:
    unread = sum(None in case for case in cases)
    if unread and unreadable == "wrong" and weights != "none":
        raise InputError('what could not be read has no place in an order: pass unreadable="left out"')
    kept = [case for case in cases if unreadable == "wrong" or None not in case]
    if not kept:
        raise InputError("no case has a label from both sides")
    clusters = [cluster for _, _, cluster in kept]
    # Two unread sides do not agree: each gets a label of its own.
    a: list[Hashable] = [(_UNREAD, 0) if one is None else one for one, _, _ in kept]
    b: list[Hashable] = [(_UNREAD, 1) if other is None else other for _, other, _ in kept]
    same = [one == other for one, other in zip(a, b, strict=True)]
    # In an order of their own: intervals must not know which row came first.
    known = sorted({label for case in kept for label in case[:2] if label is not None})
    places = _places([*known, *a, *b], order, ordered=weights != "none", extra=unread > 0)
    distance = _distances(len(places), weights)
    parts = _kappa_parts([places[one] for one in a], [places[other] for other in b], distance)
    sums = drawn_sums(parts, clusters, n=len(cases), unscored=unread, seed=seed)
    raw = share(same, clusters, level=level, seed=seed)
    return Agreement(
        raw=raw.model_copy(update={"n": len(cases), "unscored": unread}),
        kappa=figure_of(lambda drawn: _kappas(drawn, distance), sums, level=level),
    )


# ---------------------------------------------------------------- parts


def _kappa_parts(a: Sequence[int], b: Sequence[int], distance: Floats) -> Floats:
    """What each case adds to the sums that kappa needs: its disagreement, and a count for each side."""
    sides = np.eye(len(distance))
    return np.hstack([distance[a, b][:, None], sides[a], sides[b]])


def _kappas(sums: Floats, distance: Floats) -> Floats:
    """Kappa from sums of `_kappa_parts`, shape (b, 1 + 2k); NaN where it is undefined."""
    observed, (first, second) = sums[:, 0], np.split(sums[:, 1:], 2, axis=1)
    expected = ((first @ distance) * second).sum(axis=1)
    return 1 - ratio(observed * first.sum(axis=1), expected)


def _distances(size: int, weights: Weights) -> Floats:
    places = np.arange(size, dtype=np.float64)
    apart = np.abs(places[:, None] - places)
    if weights == "none":
        return (apart > 0).astype(np.float64)
    return apart if weights == "linear" else apart**2


def _alpha_distances(totals: Floats, labels: Labels, level: Level) -> Floats:
    if level == "nominal":
        return _distances(len(labels), "none")
    if level == "interval":
        values = np.array(labels, dtype=np.float64)
        return (values[:, None] - values) ** 2
    middle = np.cumsum(totals, dtype=np.float64) - totals / 2
    return (middle[:, None] - middle) ** 2


def _places(
    labels: Labels, order: Labels | None, *, ordered: bool, extra: bool = False
) -> dict[Hashable, int]:
    """Each label's place; `extra` allows labels outside of the order, after its end."""
    used = list(dict.fromkeys(labels))
    if order is None:
        if ordered:
            if not all(_is_number(label) for label in used):
                raise InputError("labels that are no numbers need an order: pass order=(lowest, ...)")
            used.sort(key=lambda label: cast(float, label))
        return {label: place for place, label in enumerate(used)}
    if len(set(order)) < len(order):
        raise InputError(f"the order {list(order)!r} repeats a label")
    missing = [label for label in used if label not in order]
    if missing and not extra:
        raise InputError(f"the order {list(order)!r} lacks the label {missing[0]!r}")
    return {label: place for place, label in enumerate((*order, *missing))}


def _is_number(label: Hashable) -> bool:
    return isinstance(label, int | float) and isfinite(label)


def _same_length(a: Labels, b: Labels) -> None:
    if len(a) != len(b) or not a:
        raise InputError(f"two raters need the same cases, at least one; there are {len(a)} and {len(b)}")
