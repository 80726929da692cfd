"""LMSI: learn what most samples agree on, without a single right answer at hand.

Huang et al. 2022, "Large Language Models Can Self-Improve", arXiv:2210.11610. Each problem is sampled many
times; the most frequent answer is taken for right, and every text that leads to it is learned. How many
samples agree is the row's confidence, kept as its weight. Neither references nor scores are looked at.
Differs from the paper: rows weigh what share of the samples agrees, and answers below `least` are left out
(the paper keeps all and shows that agreement tells how often they are right); one format of prompts instead
of four; rounds, each from the newest weights, instead of one pass.
"""

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from gadfly.records import Sampling
from gadfly.train.from_votes import majority
from gadfly.train.plan import Plan
from gadfly.train.round import Round


@dataclass(frozen=True, kw_only=True)
class LMSI:
    """Sample, vote, train on the majority by its size."""

    samples: int = 16
    """Answers to each problem; the paper has 32."""
    least: float = 0.5
    """Share of the samples that the most frequent answer needs."""
    per_problem: int = 4
    """Most texts of a problem that are learned."""
    plan: Plan = Plan()
    sampling: Sampling = Sampling(max_tokens=128)

    systems: ClassVar[tuple[int, ...]] = (234,)

    async def __call__(self, round: Round, /) -> None:
        """One round."""
        drawn = await round.sample(self.samples, sampling=self.sampling)
        dropped = Counter[str]()
        agreed = majority(drawn, least=self.least, per_problem=self.per_problem, dropped=dropped)
        rows = round.write("agreed", agreed, dropped=dropped)
        await round.train("sft", rows, plan=self.plan)
