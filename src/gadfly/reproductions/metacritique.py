"""MetaCritique: how true and how complete critiques are (arXiv:2401.04518), from their labelled units.

Precision, recall and F1 of each critique are checked against what is stored beside its labels. The
leaderboard is not: the verdicts behind it are not published.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from gadfly.metrics.critique_quality import UnitLabels, corpus_quality, critique_quality
from gadfly.parsing.typed_rows import read_typed
from gadfly.reproductions.check import Check, Note, Reproduction


class _Critique(BaseModel):
    index: int | str
    """The answer criticised; critiques of the same answer share it."""
    critic: str
    slot: str
    """Which of the critiques of that answer this is."""
    aius: list[str]
    precision_labels: list[Literal[0, 1]]
    recall_labels: list[Literal[0, 1]]
    precision: float
    recall: float
    f1: float

    def labels(self) -> UnitLabels:
        return UnitLabels(
            own=tuple(label == 1 for label in self.precision_labels),
            reference=tuple(label == 1 for label in self.recall_labels),
            group=str(self.index),
        )


def _checks(folder: Path) -> Iterator[Check | Note]:
    slots: dict[str, list[UnitLabels]] = {}
    for row in read_typed(folder / "critiques.jsonl.gz", _Critique):
        labels = row.labels()
        slots.setdefault(row.slot, []).append(labels)
        ours = critique_quality(labels.own, labels.reference)
        where = f"critique {row.index}, {row.slot} ({row.critic})"
        yield Check(
            what=f"{where}, precision", part="precision", published=row.precision, ours=ours.precision
        )
        yield Check(what=f"{where}, recall", part="recall", published=row.recall, ours=ours.recall)
        yield Check(what=f"{where}, F1", part="F1", published=row.f1, ours=ours.f1)
        if len(row.aius) != len(labels.own):
            yield Note(text=f"{where}: {len(labels.own)} labels for {len(row.aius)} units")
    for slot, critiques in slots.items():
        yield from _corpus(slot, critiques)


def _corpus(slot: str, critiques: list[UnitLabels]) -> Iterator[Note]:
    """The means, which nobody published, under both conventions."""
    if not any(one.own and one.reference for one in critiques):
        return
    found = corpus_quality(critiques, average="mean of critiques")
    other = corpus_quality(critiques, average="of the means").f1.value
    yield Note(
        text=f"{slot}: mean precision {found.precision.value:.4f}, mean recall {found.recall.value:.4f}, "
        f"mean F1 {found.f1.value:.4f} [{found.f1.low:.4f}, {found.f1.high:.4f}]; "
        f"F1 of the means {other:.4f}"
    )


REPRODUCTION = Reproduction(
    name="metacritique",
    summary="MetaCritique's precision, recall and F1 of 300 critiques, from the labels of their units",
    citation="Sun et al. 2024, The Critique of Critique, arXiv:2401.04518",
    licence="Apache-2.0",
    conventions=(
        "critique_quality: F1 is 0 where precision or recall is 0",
        'corpus_quality(average="mean of critiques"); "of the means" beside it',
    ),
    checks=_checks,
)
