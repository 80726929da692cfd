"""Answers and the words about them."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from gadfly.records.record import Named, Record, Text

Verdict: TypeAlias = Literal["correct", "incorrect", "unsure"]
Severity: TypeAlias = Literal["blocking", "major", "minor"]
Boundary: TypeAlias = Literal["model", "parse", "tool", "scorer", "recipe", "budget"]
Outcome: TypeAlias = Literal["fixed", "ignored", "harmful"]


class Failure(Record):
    """An error that became data, named by the boundary it crossed."""

    boundary: Boundary
    type: str
    message: Text


class Candidate(Named):
    """A proposed answer, whole or partial."""

    text: Text
    author: str
    parents: tuple[str, ...] = ()
    """Ids of the candidates and critiques this one was made from."""
    draw: tuple[int, ...] = ()
    steps: tuple[str, ...] = ()
    """The text cut into addressable steps; joined, they give `text` back."""
    logprob: float | None = None
    """Mean log-probability of its tokens, where the backend reported them."""

    def prefix(self, step: int) -> str:
        """The text of the steps before `step` (counted from 0).

        Raises:
            IndexError: the candidate has fewer steps.
        """
        if not 0 <= step <= len(self.steps):
            raise IndexError(f"candidate has {len(self.steps)} steps; there is no step {step}")
        return "".join(self.steps[:step])


class Finding(Record):
    """One located point of a critique."""

    text: Text
    step: int | None = None
    """Which step of the candidate, counted from 0."""
    span: tuple[int, int] | None = None
    """Which characters of the candidate's text, half open."""
    severity: Severity | None = None
    suggestion: str | None = None
    outcome: Outcome | None = None
    """What became of it, once a revision has been looked at."""


class Critique(Named):
    """Words about a candidate, a critique or a judgement (whatever `target` names)."""

    target: str
    text: Text
    author: str
    verdict: Verdict | None = None
    """None: the author gave none, or it was unreadable (then `failure` says why)."""
    findings: tuple[Finding, ...] = ()
    saw_reference: bool = False
    failure: Failure | None = None

    @property
    def accepts(self) -> bool:
        """True only for an explicit verdict of correct."""
        return self.verdict == "correct"


class Score(Named):
    """A number about a target, or the reason why there is none."""

    target: str
    value: float | None
    author: str
    explanation: Text = ""
    saw_reference: bool = False
    failure: Failure | None = None


class Ranking(Named):
    """An order with ties: the first tier is best. A pairwise choice is a ranking of two."""

    tiers: tuple[tuple[str, ...], ...]
    author: str
    strength: float | None = None
    """How clear the preference is, 0 to 1, where the method says."""
    explanation: Text = ""
    saw_reference: bool = False
    failure: Failure | None = None

    @property
    def best(self) -> str | None:
        """Id of the single best target; None when tied or failed."""
        return self.tiers[0][0] if self.tiers and len(self.tiers[0]) == 1 else None


Product: TypeAlias = Candidate | Critique | Score | Ranking


def lineage(parents: Sequence[Candidate | Critique | Score | Ranking]) -> tuple[str, ...]:
    """Ids of what a new candidate was made from, in order and without repeats."""
    return tuple(dict.fromkeys(parent.id for parent in parents))
