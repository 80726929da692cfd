"""What a judge or critic is worth: the figures of one report."""

from collections.abc import Mapping, Sequence
from typing import Literal, Self, TypeAlias

from pydantic import Field

from gadfly.metrics.measurement import Measurement
from gadfly.records import Record, Usage

JudgeKind: TypeAlias = Literal["verdict", "pair", "class", "mark"]
SKILL = ("verdicts right", "pairs right, mean of both orders", "pairs right", "labels right")
"""The figure that stands for a report's skill: the first of these that it has."""


class JudgeFigure(Record):
    """One figure with its interval, or why there is none."""

    name: str
    found: Measurement | None = None
    """None: it is not defined on these rows."""
    why: str = ""
    """What it means or, where it is not defined, the reason."""
    unit: Literal["share", "number"] = "share"
    """A share is printed in percent."""


class Section(Record):
    """Figures that belong together."""

    title: str
    figures: tuple[JudgeFigure, ...]


class ReliabilityBin(Record):
    """Judgements of about the same confidence."""

    confidence: float
    """Mean confidence in the bin, 0 to 1."""
    share: Measurement
    """How many of them are right."""


class Part(Record):
    """One subset of the rows."""

    name: str
    accuracy: Measurement


class Example(Record):
    """One judgement of a kind of failure, for reading."""

    kind: str
    item: str
    gold: str
    said: str
    problem: str = ""
    answers: tuple[str, ...] = ()
    words: str = ""
    """What the judge wrote."""

    @property
    def said_beside_gold(self) -> str:
        """Both sides in one sentence."""
        return f"people say {self.gold or 'nothing'}, the judge says {self.said or 'nothing'}"


class JudgeReport(Record):
    """One judge on one benchmark."""

    version: Literal[1] = 1
    benchmark: str
    judge: str
    model: str = ""
    kind: JudgeKind
    rows: int
    """Judgements, both orders of a pair counted."""
    items: int
    """Things judged."""
    labelled: int
    """Judgements with something that people said to hold them against."""
    unscored: int
    reasons: Mapping[str, int] = Field(default_factory=dict[str, int])
    """Why judgements are unscored, by how often."""
    oracle: int = 0
    """Judgements whose author had seen the reference."""
    sections: tuple[Section, ...] = ()
    confusion: Mapping[str, Mapping[str, int]] = Field(default_factory=dict[str, Mapping[str, int]])
    """What people say, then what the judge says; the empty label is an unscored judgement."""
    places: Mapping[str, int] = Field(default_factory=dict[str, int])
    """Pairs judged in both orders, by what the two judgements were together."""
    reliability: tuple[ReliabilityBin, ...] = ()
    parts: tuple[Part, ...] = ()
    failures: Mapping[str, int] = Field(default_factory=dict[str, int])
    """Kinds of failure by how often; one judgement may be of several."""
    examples: tuple[Example, ...] = ()
    """The first few of each kind of failure."""
    usage: Usage | None = None
    """None: a file of judgements says nothing of their cost."""
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """Where the rows are from: licence, checksum, citation; and the conventions of the figures."""

    def figure(self, name: str) -> Measurement | None:
        """The figure of this name, in whatever section."""
        for section in self.sections:
            for figure in section.figures:
                if figure.name == name:
                    return figure.found
        return None

    def warned(self, warnings: Sequence[str]) -> Self:
        """The same report with more warnings."""
        return self.model_copy(update={"warnings": (*self.warnings, *warnings)})

    @property
    def skill(self) -> Measurement | None:
        """The figure that stands for its skill; None where nobody said what is right."""
        return next((found for name in SKILL if (found := self.figure(name)) is not None), None)
