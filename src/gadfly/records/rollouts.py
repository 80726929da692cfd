"""What happened: calls, steps, rollouts."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from gadfly.records.asking import FinishReason, Problem, Usage
from gadfly.records.cases import Case
from gadfly.records.products import Candidate, Critique, Failure, Ranking, Score
from gadfly.records.record import Record


class Call(Record):
    """One model call inside a step: what was asked (by digest) and what it used."""

    request: str
    """Digest of the `Request`; its text is in the completion cache."""
    model: str
    usage: Usage
    finish_reason: FinishReason | None = None
    """None where the call was no completion."""


class Step(Record):
    """One primitive inside a rollout. Steps form a flat list; `parent` rebuilds the tree."""

    index: int
    parent: int | None
    name: str
    output: Candidate | Critique | Score | Ranking | None = None
    calls: tuple[Call, ...] = ()
    failure: Failure | None = None


class Rollout(Record):
    """One run of one solver on one problem, or of one judge on one case."""

    version: Literal[1] = 1
    problem: Problem
    solver: str
    answer: Candidate | None = None
    """None: it failed, or this is a judge's rollout."""
    case: Case | None = None
    """What a judge was shown, where this is a judge's rollout."""
    judgement: Critique | Score | Ranking | None = None
    """What the judge said of the case."""
    steps: tuple[Step, ...] = ()
    scores: Mapping[str, Score] = Field(default_factory=dict[str, Score])
    usage: Usage = Usage()
    failure: Failure | None = None
    seconds: float = 0.0
    """Wall time of the rollout, waiting included."""

    @property
    def oracle(self) -> bool:
        """Whether anything that shaped the answer or the judgement had seen the reference."""
        said = [self.judgement, *(step.output for step in self.steps)]
        return any(isinstance(words, Critique | Score | Ranking) and words.saw_reference for words in said)

    @property
    def value(self) -> float | None:
        """The first score's value; None when failed or unscored."""
        for score in self.scores.values():
            return score.value
        return None
