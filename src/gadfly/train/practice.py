"""Learning from one's own answers while they are given: what is practised, and who can train so."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from pydantic import JsonValue

from gadfly.protocols import Model, Scorer, Solver
from gadfly.records import Problem
from gadfly.train.plan import Plan
from gadfly.train.weights import Trained

MakeSolver: TypeAlias = Callable[[Model], Solver]


@dataclass(frozen=True, kw_only=True)
class Practice:
    """How weights answer problems while they learn, and what their answers are worth."""

    solver: MakeSolver
    """Makes the solver that answers with the weights as they are."""
    samples: int
    """Answers to each problem."""
    plan: Plan
    """A batch is so many problems."""
    estimate: str = "grpo"
    """How answers are credited: grpo, rloo or reinforce."""
    settings: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    """Fields of the policy gradient."""
    scorers: Mapping[str, Scorer] = field(default_factory=dict[str, Scorer])
    """By name; the first is the reward. A round puts its own behind them, or in their place."""
    gold: str = ""
    """Name of the scorer that knows the truth, where the reward is another: it is watched."""


@runtime_checkable
class OnlineTrainer(Protocol):
    """A trainer that also trains on what the weights answer meanwhile; see `train.practising`."""

    def practise(self, start: str, practice: Practice, problems: Sequence[Problem], out: Path, /) -> Trained:
        """Train, going on where an earlier session stopped; blocks."""
        ...
