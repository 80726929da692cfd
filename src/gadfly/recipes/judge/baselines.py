"""Baselines: judges that know nothing, and one that peeks, to hold the others against.

Differs from the paper: no paper defines them; every report of a judge should beat the first four.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from gadfly.errors import InputError
from gadfly.primitives.critique import Target, said
from gadfly.records import Candidate, Critique, Problem, Ranking, content_digest
from gadfly.scorers.text import ByKind, Contains
from gadfly.trace import primitive


@dataclass(frozen=True, kw_only=True)
class Constant:
    """Says the same of every answer."""

    says: Literal["correct", "incorrect"] = "correct"

    systems: ClassVar[tuple[int, ...]] = ()

    @primitive
    async def __call__(self, problem: Problem, target: Target, /) -> Critique:
        """Judge one answer without looking at it."""
        words = f"VERDICT: {self.says}"
        return Critique(target=target.id, text=words, author=f"always {self.says}", verdict=self.says)


@dataclass(frozen=True, kw_only=True)
class RandomGuess:
    """Says correct or incorrect by a coin that the answer's content tosses."""

    share: float = 0.5
    """How often it says correct."""
    seed: int = 0

    systems: ClassVar[tuple[int, ...]] = ()

    @primitive
    async def __call__(self, problem: Problem, target: Target, /) -> Critique:
        """Judge one answer by chance."""
        verdict = "correct" if _coin(self.seed, problem.text, target.id) < self.share else "incorrect"
        return Critique(target=target.id, text=f"VERDICT: {verdict}", author="chance", verdict=verdict)


@dataclass(frozen=True, kw_only=True)
class FirstShown:
    """Prefers whatever answer it is shown first."""

    systems: ClassVar[tuple[int, ...]] = ()

    @primitive
    async def __call__(self, problem: Problem, candidates: Sequence[Candidate], /) -> Ranking:
        """Put the answers in the order in which they came."""
        tiers = tuple((candidate.id,) for candidate in candidates)
        return Ranking(tiers=tiers, author="first shown", strength=1.0)


@dataclass(frozen=True, kw_only=True)
class RandomOrder:
    """Puts answers in an order by chance, whatever order they are shown in."""

    seed: int = 0

    systems: ClassVar[tuple[int, ...]] = ()

    @primitive
    async def __call__(self, problem: Problem, candidates: Sequence[Candidate], /) -> Ranking:
        """Put the answers in an order by chance."""
        by_chance = sorted(candidates, key=lambda one: _coin(self.seed, problem.text, one.id))
        return Ranking(tiers=tuple((one.id,) for one in by_chance), author="chance", strength=1.0)


@dataclass(frozen=True, kw_only=True)
class CopiesReference:
    """Says correct where the answer is the reference, or holds it: an oracle, and marked as one."""

    systems: ClassVar[tuple[int, ...]] = ()

    @property
    def sees_reference(self) -> bool:
        """Always."""
        return True

    @primitive
    async def __call__(self, problem: Problem, target: Target, /) -> Critique:
        """Compare one answer with the reference.

        Raises:
            InputError: the problem has no reference to copy.
        """
        if problem.reference is None:
            raise InputError(f"problem {problem.id!r} has no reference for copies-reference to copy")
        scorer = ByKind(text=Contains())
        found = await scorer(problem, Candidate(text=said(target), author=""))
        return Critique(
            target=target.id,
            text=f"The right answer is {problem.reference}.",
            author="reference",
            verdict=None if found.value is None else "correct" if found.value == 1 else "incorrect",
            saw_reference=True,
            failure=found.failure,
        )


def _coin(seed: int, *texts: str) -> float:
    """A number in [0, 1) that the texts decide."""
    return int(content_digest([seed, *texts])[:13], 16) / 16**13
