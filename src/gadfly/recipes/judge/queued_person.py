"""Queued person: people judge through files, in their own time, and nothing is asked twice.

Human labels as one more annotator beside models, as in Miranda et al. 2024, "Hybrid Preferences: Learning
to Route Instances for Human vs. AI Feedback", arXiv:2410.19133.
Differs from the paper: there is none for the queue; its format is described in `gadfly.primitives.queue`.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from gadfly.primitives.queue import QueuedPersonCritic
from gadfly.records import Candidate, Critique, Problem, Ranking, Score


@dataclass(frozen=True, kw_only=True)
class QueuedPerson:
    """A critique from a file of answers; questions wait in a queue file beside it."""

    folder: str = field(repr=False)
    """Where `queue.jsonl` is written and `answers.jsonl` is read."""
    wait: bool = False
    """Wait for answers. Otherwise every question is queued, and cases without an answer fail until a later
    session finds one. Waiting, a run asks only as many at once as it has cases under way."""
    every: float = 1.0
    """Seconds between two looks at the answers."""
    name: str = "person"
    """The author of the critiques."""
    _critic: QueuedPersonCritic = field(init=False, repr=False, compare=False)

    systems: ClassVar[tuple[int, ...]] = ()

    def __post_init__(self) -> None:
        folder = Path(self.folder).expanduser()
        critic = QueuedPersonCritic(folder=folder, wait=self.wait, every=self.every, name=self.name)
        object.__setattr__(self, "_critic", critic)

    async def __call__(self, problem: Problem, target: Candidate | Critique | Score | Ranking, /) -> Critique:
        """Have one answer judged by a person."""
        return await self._critic(problem, target)
