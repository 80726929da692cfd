"""Two attempts: answer, be asked to look again, answer once more, in one conversation.

The protocol of SCoRe (Kumar et al. 2024, "Training Language Models to Self-Correct via Reinforcement
Learning", arXiv:2409.12917). Nobody says whether the first answer is right. An untrained model gains
little by it or loses; `gadfly train score-rl` trains weights for it.

Differs from the paper: the request for a second attempt is in our words; `again` takes another one.
"""

from dataclasses import dataclass
from typing import ClassVar

from gadfly.primitives import generate, refine
from gadfly.prompts import Prompt
from gadfly.protocols import Model
from gadfly.records import Candidate, Message, Problem, Sampling

AGAIN = Prompt(
    name="two-attempts/again",
    user="There may be a mistake in this answer. Go through it again, mend what is wrong, and give the whole "
    "answer once more. End as the problem asked.",
)


@dataclass(frozen=True, kw_only=True)
class TwoAttempts:
    """Answer, then answer again; the second answer stands."""

    model: Model
    again: Prompt = AGAIN
    """Asks for the second attempt."""
    sampling: Sampling = Sampling()

    systems: ClassVar[tuple[int, ...]] = (52,)

    async def __call__(self, problem: Problem, /) -> Candidate:
        """Answer one problem."""
        first = await generate(self.model, problem, sampling=self.sampling)
        talk = (*problem.messages, Message(role="assistant", content=first.text))
        return await refine(
            self.model, problem, first, [], prompt=self.again, sampling=self.sampling, history=talk
        )
