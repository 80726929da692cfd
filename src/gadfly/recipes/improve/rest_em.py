"""ReST-EM: sample answers, keep the right ones, fine-tune the base on them, again.

Singh et al. 2023, "Beyond Human Data: Scaling Self-Training for Problem-Solving with Language Models",
arXiv:2312.06585. Each round samples from the newest weights and trains the base's anew. It learns from right
answers alone and from no critique, which makes it the control of loops that use one.
Differs from the paper: at most `per_problem` answers of a problem are learned, as in the paper's cut-off, and
they differ as texts; steps are counted in passes over the rows, not chosen on a validation set.
"""

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from gadfly.records import Sampling
from gadfly.train.from_rollouts import prompt_completions
from gadfly.train.plan import Plan
from gadfly.train.round import Round


@dataclass(frozen=True, kw_only=True)
class RestEm:
    """Generate by the newest weights, filter by the checker, train the base."""

    samples: int = 8
    """Answers sampled for each problem; the paper has 32 for mathematics."""
    per_problem: int = 4
    """Most right answers of a problem that are learned; the paper has 10."""
    plan: Plan = Plan()
    sampling: Sampling = Sampling(max_tokens=128)

    systems: ClassVar[tuple[int, ...]] = ()

    async def __call__(self, round: Round, /) -> None:
        """One round."""
        drawn = await round.sample(self.samples, sampling=self.sampling)
        dropped = Counter[str]()
        right = prompt_completions(drawn, per_problem=self.per_problem, dropped=dropped)
        rows = round.write("right", right, dropped=dropped)
        await round.train("sft", rows, plan=self.plan, start=round.base)
