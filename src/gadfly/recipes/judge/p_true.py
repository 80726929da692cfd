"""PTrue: the probability that a model gives to an answer's being true.

Kadavath et al. 2022, "Language Models (Mostly) Know What They Know", arXiv:2207.05221, section 3.
Differs from the paper: asked of a chat model without worked examples, with the words True and False
where the paper offers options (A) and (B), and divided by the sum of both. P(IK), the trained
estimate from the question alone, is not here.
"""

from dataclasses import dataclass
from typing import ClassVar

from gadfly.primitives import p_true, sample
from gadfly.primitives.confidence import TRUE_OR_FALSE
from gadfly.prompts import Prompt
from gadfly.protocols import Model
from gadfly.records import Candidate, Problem, Sampling, Score


@dataclass(frozen=True, kw_only=True)
class PTrue:
    """P(True) of one answer, with or without the model's own samples in sight."""

    model: Model
    siblings: int = 0
    """Own samples shown beside the answer (the paper's second form has 5)."""
    prompt: Prompt = TRUE_OR_FALSE
    sampling: Sampling = Sampling(temperature=1.0)
    """For the samples."""

    systems: ClassVar[tuple[int, ...]] = (29,)

    async def __call__(self, problem: Problem, candidate: Candidate, /) -> Score:
        """Mark one answer. The samples are the same requests for every answer."""
        siblings = await sample(self.model, problem, self.siblings, sampling=self.sampling)
        return await p_true(self.model, problem, candidate, siblings=siblings, prompt=self.prompt)
