"""ILF in rounds: feedback on drafts, several rewrites, and the one that takes it up best is learned.

Scheurer et al. 2023, "Training Language Models with Language Feedback at Scale", arXiv:2303.16755. Each
round the newest weights draft; somebody says what has to change; the model rewrites several times, and the
rewrite that takes up most of the feedback is learned as the answer to the bare task.
Differs from the paper: feedback comes from any critic, by default from the model itself, where the paper's
comes from people; a rewrite is chosen by one mark for how much of the feedback it takes up, where the paper
averages the probability of yes over five prompts; a rewrite equal to its draft is not learned.
"""

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from gadfly.primitives.uptake import Incorporating
from gadfly.protocols import Critic, Model
from gadfly.records import Sampling
from gadfly.train.from_own_feedback import taken_up
from gadfly.train.plan import Plan
from gadfly.train.round import Round


@dataclass(frozen=True, kw_only=True)
class IlfRounds:
    """Draft, feedback, rewrites; imitate the rewrite that takes the feedback up best."""

    critic: Critic | None = None
    """Who gives the feedback; the model itself where none is given."""
    selector: Model | None = None
    """Who says how much of the feedback a rewrite takes up; the model itself where none is given."""
    drafts: int = 1
    """A problem and round."""
    n: int = 5
    """Rewrites of a draft."""
    plan: Plan = Plan()
    sampling: Sampling = Sampling(max_tokens=128)

    systems: ClassVar[tuple[int, ...]] = (20,)

    async def __call__(self, round: Round, /) -> None:
        """One round. Where the critic sees the reference, the rows say so."""
        solver = Incorporating(
            model=round.model(),
            critic=self.critic,
            selector=self.selector,
            n=self.n,
            sampling=self.sampling,
        )
        asks = [attempt for problem in round.problems for attempt in problem.attempts(self.drafts)]
        seen = await round.rollouts("rewritten", solver, asks, phase="feedback")
        dropped = Counter[str]()
        rows = round.write("rewrites", taken_up(seen, oracle="mark", dropped=dropped), dropped=dropped)
        await round.train("sft", rows, plan=self.plan)
