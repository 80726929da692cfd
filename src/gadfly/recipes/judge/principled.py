"""Principled: which answer a principle prefers, the principle drawn from a constitution.

Bai et al. 2022, "Constitutional AI: Harmlessness from AI Feedback", arXiv:2212.08073, section 4
(feedback of a model for the preference model).
Differs from the paper: a short constitution of our words where the paper has 16 principles; the
principle follows from the problem and the draw; the choice may be preceded by reasoning, as in the
paper's chain-of-thought form, but probabilities are not clamped to 40 to 60 percent; both orders are
asked, and more than two answers are compared by all their pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from gadfly.errors import InputError
from gadfly.primitives.drawing import pick
from gadfly.primitives.pairs import round_robin
from gadfly.primitives.principles import PRINCIPLES, UNDER, compare_under
from gadfly.prompts import Prompt
from gadfly.protocols import Model
from gadfly.records import Candidate, Problem, Ranking, Sampling


@dataclass(frozen=True, kw_only=True)
class Principled:
    """The answer that follows one principle better; the explanation begins with the principle."""

    model: Model
    principles: tuple[str, ...] = PRINCIPLES
    """The constitution; each problem and draw gets one of them."""
    prompt: Prompt = UNDER
    sampling: Sampling = Sampling(temperature=0.0)

    systems: ClassVar[tuple[int, ...]] = (217,)

    def __post_init__(self) -> None:
        """Refuse an empty constitution."""
        if not self.principles:
            raise InputError("principles is empty: give at least one")

    def principle(self, problem: Problem) -> str:
        """The principle for this problem and draw, whatever the order of the answers."""
        return pick(problem, self.principles)

    async def __call__(self, problem: Problem, candidates: Sequence[Candidate], /) -> Ranking:
        """Put the answers to one problem in order under one principle."""
        principle = self.principle(problem)

        async def duel(first: Candidate, second: Candidate) -> Ranking:
            return await compare_under(
                self.model, problem, (first, second), principle, prompt=self.prompt, sampling=self.sampling
            )

        ranking = await round_robin(candidates, duel, author=self.model.id)
        explanation = f"Principle: {principle}\n---\n{ranking.explanation}"
        return ranking.model_copy(update={"explanation": explanation})
