"""A model as a solver: it answers once, and what comes is the answer."""

from dataclasses import dataclass

from gadfly.primitives.generate import generate
from gadfly.prompts import Prompt
from gadfly.protocols import Model
from gadfly.records import Candidate, Problem, Sampling


@dataclass(frozen=True, kw_only=True)
class Answering:
    """One answer. Samples are its attempts at a problem, so all methods that sample share them."""

    model: Model
    sampling: Sampling = Sampling()
    prompt: Prompt | None = None
    """With a slot `problem`; none: the problem is sent as it is."""

    async def __call__(self, problem: Problem, /) -> Candidate:
        """Answer one problem."""
        return await generate(self.model, problem, prompt=self.prompt, sampling=self.sampling)
