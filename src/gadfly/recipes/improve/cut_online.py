"""CUT online: the newest weights answer, somebody judges in words, and what the words are about is unlearned.

Xu et al. 2023, "Reasons to Reject? Aligning Language Models with Judgments", arXiv:2312.14591, section on
online alignment. Each round the newest weights answer, a critic judges every answer in words with a verdict,
and contrastive unlikelihood training (CUT) makes unlikely what the judgements find fault with: the tokens
that a judgement makes likelier than the bare prompt does. The rest, and answers judged right, are learned.
Differs from the paper: the critic is any, by default the newest weights themselves, where the paper has a
strong model or one trained on its judgements; judgements without a readable verdict are left out.
"""

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from gadfly.primitives.reviewing import CHECK, ModelCritic, Reviewed
from gadfly.prompts import Prompt
from gadfly.protocols import Critic
from gadfly.records import Sampling
from gadfly.train.from_critiques import judged_answers
from gadfly.train.plan import Plan
from gadfly.train.round import Round


@dataclass(frozen=True, kw_only=True)
class CutOnline:
    """Learn from judgements in words of the newest weights' own answers."""

    critic: Critic | None = None
    """Who judges; the newest weights where none is given."""
    samples: int = 4
    """Answers a problem and round."""
    check: Prompt = CHECK
    """How the newest weights are asked to judge: slots `problem` and `answer`."""
    threshold: float = 1.1
    """By what factor a judgement makes likelier what it is about; the paper has 1.1 and 1.2."""
    alpha: float = 1.0
    """Weight of the unlikelihood."""
    plan: Plan = Plan(rate=1e-4, epochs=1)
    sampling: Sampling = Sampling(max_tokens=128)

    systems: ClassVar[tuple[int, ...]] = (7,)

    async def __call__(self, round: Round, /) -> None:
        """One round. Where the critic sees the reference, the rows say so."""
        own = ModelCritic(model=round.model(), prompt=self.check, sampling=self.sampling.greedy)
        solver = Reviewed(
            model=round.model(),
            critic=self.critic or own,
            rewrites=False,
            sampling=self.sampling,
        )
        asks = [attempt for problem in round.problems for attempt in problem.attempts(self.samples)]
        seen = await round.rollouts("judged", solver, asks, phase="feedback")
        dropped = Counter[str]()
        judged = judged_answers(seen, keep="all", oracle="mark", dropped=dropped)
        rows = round.write("judged-answers", judged, dropped=dropped)
        settings = {"threshold": self.threshold, "alpha": self.alpha}
        await round.train("cut", rows, plan=self.plan, settings=settings)
