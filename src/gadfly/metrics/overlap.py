"""How much the points that two reviewers raise about one document overlap, against two controls.

The measures of Liang et al. 2023, arXiv:2310.01783: model against person, beside person against person (how
much agreement there is to be had) and model against the person of another document (how much of it is
talk that fits any document). Which points are the same is given: by people, by rule
(`gadfly.primitives.pooling`) or by a model (`gadfly.primitives.matching`).

A point may match several of the other side. The hit rate counts points of the first side that match at
all; the symmetric measures need one number of shared points, which `shared` says how to take.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Literal, TypeAlias

import numpy as np

from gadfly.errors import InputError
from gadfly.metrics.intervals import mean_interval
from gadfly.metrics.measurement import Measurement
from gadfly.records import Record

Measure: TypeAlias = Literal["hit rate", "szymkiewicz-simpson", "jaccard", "dice"]
Shared: TypeAlias = Literal["one to one", "of the first"]
Control: TypeAlias = Literal["model-human", "human-human", "shuffled"]


class Compared(Record):
    """The points of two sources about one document, and which are the same."""

    document: str
    kind: Control
    first: int
    """Points of the first side: the model, or the first person."""
    second: int
    pairs: tuple[tuple[int, int], ...] = ()
    """Positions, counted from 0, that match."""
    unreadable: bool = False
    """Whether the matching could not be read: then the comparison is unscored."""


class OverlapReport(Record):
    """Mean overlap for each kind of comparison; intervals resample documents. None: there are none."""

    measure: Measure
    model_human: Measurement | None
    human_human: Measurement | None
    shuffled: Measurement | None
    over_human: Measurement | None
    """Model-human less human-human, document by document, over documents that have both."""
    over_shuffled: Measurement | None
    """Model-human less shuffled, likewise."""


def overlap(compared: Compared, measure: Measure, *, shared: Shared = "one to one") -> float | None:
    """One comparison's overlap, 0 to 1; None where a side that is divided by has no point.

    `shared` is for the symmetric measures: `one to one` takes the most pairs in which no point comes twice;
    `of the first` the points of the first side that match, cut at the size of the second.

    Raises:
        InputError: a pair names a point that is not there.
    """
    first, second = compared.first, compared.second
    if any(not (0 <= a < first and 0 <= b < second) for a, b in compared.pairs):
        raise InputError(f"{compared.document}: a pair names a point outside {first} and {second}")
    if compared.unreadable:
        return None
    hits = len({a for a, _ in compared.pairs})
    both = _largest_matching(compared.pairs) if shared == "one to one" else min(hits, second)
    top, bottom = {
        "hit rate": (hits, first),
        "szymkiewicz-simpson": (both, min(first, second)),
        "jaccard": (both, first + second - both),
        "dice": (2 * both, first + second),
    }[measure]
    return top / bottom if bottom else None


def overlap_report(
    comparisons: Sequence[Compared],
    *,
    measure: Measure = "hit rate",
    shared: Shared = "one to one",
    level: float = 0.95,
    seed: int = 0,
) -> OverlapReport:
    """Mean overlap of each kind with a bootstrap over documents, and the two paired differences.

    Comparisons without a value are left out and counted as unscored. A document counts in the differences
    by the mean of its comparisons of a kind; in the means every comparison counts.
    """
    values: dict[Control, list[tuple[str, float]]] = {"model-human": [], "human-human": [], "shuffled": []}
    lost: dict[Control, int] = dict.fromkeys(values, 0)
    for one in comparisons:
        value = overlap(one, measure, shared=shared)
        if value is None:
            lost[one.kind] += 1
        else:
            values[one.kind].append((one.document, value))

    def mean(kind: Control) -> Measurement | None:
        if not values[kind]:
            return None
        names, numbers = zip(*values[kind], strict=True)
        found = mean_interval(numbers, clusters=names, level=level, seed=seed)
        return found.model_copy(update={"n": found.n + lost[kind], "unscored": lost[kind]})

    def lead(kind: Control) -> Measurement | None:
        mine, theirs = _by_document(values["model-human"]), _by_document(values[kind])
        both = [name for name in mine if name in theirs]
        if not both:
            return None
        return mean_interval([mine[name] - theirs[name] for name in both], level=level, seed=seed)

    return OverlapReport(
        measure=measure,
        model_human=mean("model-human"),
        human_human=mean("human-human"),
        shuffled=mean("shuffled"),
        over_human=lead("human-human"),
        over_shuffled=lead("shuffled"),
    )


def shuffled_partners(
    documents: Sequence[str], *, strata: Mapping[str, str] | None = None, seed: int = 0
) -> dict[str, str]:
    """For each document another one whose reviews it is held against: nobody gets their own.

    With `strata` (a label a document, such as its journal) partners share the label; a document alone
    with its label has no partner and is left out. Every document is partner once.

    Raises:
        InputError: a document comes twice.
    """
    if len(set(documents)) < len(documents):
        raise InputError("a document comes twice")
    random = Random(seed)
    groups: dict[str, list[str]] = {}
    for document in documents:
        groups.setdefault((strata or {}).get(document, ""), []).append(document)
    partners: dict[str, str] = {}
    for members in groups.values():
        if len(members) < 2:
            continue
        random.shuffle(members)
        # Each is given the next one round the circle: a shift cannot meet itself.
        partners.update(zip(members, [*members[1:], members[0]], strict=True))
    return {document: partners[document] for document in documents if document in partners}


def _by_document(values: Sequence[tuple[str, float]]) -> dict[str, float]:
    gathered: dict[str, list[float]] = {}
    for name, value in values:
        gathered.setdefault(name, []).append(value)
    return {name: float(np.mean(numbers)) for name, numbers in gathered.items()}


def _largest_matching(pairs: Sequence[tuple[int, int]]) -> int:
    """The size of the largest matching of a bipartite graph, by augmenting paths (Kuhn's algorithm)."""
    neighbours: dict[int, list[int]] = {}
    for a, b in pairs:
        neighbours.setdefault(a, []).append(b)
    taken: dict[int, int] = {}

    def place(a: int, tried: set[int]) -> bool:
        for b in neighbours[a]:
            if b in tried:
                continue
            tried.add(b)
            if b not in taken or place(taken[b], tried):
                taken[b] = a
                return True
        return False

    return sum(place(a, set()) for a in neighbours)
