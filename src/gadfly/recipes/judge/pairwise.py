"""Pairwise: which of several answers is better, every pair asked in both orders.

Zheng et al. 2023, "Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena", arXiv:2306.05685;
averaging over both orders after Wang et al. 2023, arXiv:2305.17926 (balanced position calibration).
Differs from the paper: MT-bench calls contradiction between the two orders a tie, as here, but
keeps no strength; more than two answers are ordered by Copeland's rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from gadfly.primitives import compare, rank
from gadfly.primitives.judging import CHOOSE
from gadfly.prompts import Prompt
from gadfly.protocols import Model
from gadfly.records import Candidate, Problem, Ranking, Sampling


@dataclass(frozen=True, kw_only=True)
class Pairwise:
    """The better answer; contradiction between the two orders is a tie of strength 0."""

    model: Model
    prompt: Prompt = CHOOSE
    sampling: Sampling = Sampling(temperature=0.0)

    systems: ClassVar[tuple[int, ...]] = ()

    async def __call__(self, problem: Problem, candidates: Sequence[Candidate], /) -> Ranking:
        """Put the answers to one problem in order."""
        if len(candidates) == 2:
            first, second = candidates
            return await compare(
                self.model, problem, first, second, prompt=self.prompt, sampling=self.sampling
            )
        return await rank(self.model, problem, candidates, prompt=self.prompt, sampling=self.sampling)
