"""Simulated person: says what the gold label says, but for a known rate of mistakes.

People simulated from labels as in studies of routing and of active learning, such as Miranda et al. 2024,
arXiv:2410.19133, who replay labels given before.
Differs from the paper: mistakes are drawn, not people's own; it is an oracle, and says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from gadfly.errors import InputError, ScorerError
from gadfly.records import SWAPPED, Candidate, Problem, Ranking, content_digest


@dataclass(frozen=True, kw_only=True)
class SimulatedPerson:
    """The order that `privileged["preferred"]` gives: the best candidate's id, or `tie`."""

    error_rate: float = 0.0
    """How often another label is given: for a pair the other answer, of more any of the others."""
    seed: int = 0
    """Other seeds make other mistakes; the same item always gets the same label."""

    systems: ClassVar[tuple[int, ...]] = (95,)

    def __post_init__(self) -> None:
        if not 0 <= self.error_rate <= 1:
            raise InputError(f"an error rate is from 0 to 1, not {self.error_rate:g}")

    @property
    def sees_reference(self) -> bool:
        """It reads the gold label."""
        return True

    async def __call__(self, problem: Problem, candidates: Sequence[Candidate], /) -> Ranking:
        """Put the answers to one problem in order."""
        gold = problem.privileged.get("preferred")
        names = sorted({candidate.id for candidate in candidates})
        if gold not in (*names, "tie"):
            failure = ScorerError("no privileged['preferred'] that names one of the answers").failure()
            return Ranking(tiers=(), author="simulated-person", saw_reference=True, failure=failure)
        digest = content_digest([self.seed, problem.id.removesuffix(SWAPPED), names])
        if int(digest[:12], 16) / 16**12 < self.error_rate:
            others = [name for name in names if name != gold]
            gold = others[int(digest[12:24], 16) % len(others)] if others else gold
        rest = tuple(name for name in names if name != gold)
        tiers = (tuple(names),) if gold == "tie" or not rest else ((str(gold),), rest)
        return Ranking(
            tiers=tiers,
            author="simulated-person",
            explanation="what the gold label says, or a drawn mistake",
            saw_reference=True,
        )
