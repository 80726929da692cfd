"""Self-consistency preference optimisation: the frequent answer is preferred to the rare one.

Prasad et al. 2024, "Self-Consistency Preference Optimization", arXiv:2411.04109. Each problem is sampled k
times; where enough samples agree, the most frequent answer is chosen and the rarest rejected, with the
margin of votes as the pair's weight; the newest weights learn by DPO with the chosen side's likelihood
added, and are their own reference. Neither references nor scores are looked at.
Differs from the paper: problems are given, where the paper also has the model write new ones; the threshold
stays the same in all rounds; no mixture with pairs of known truth.
"""

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from gadfly.records import Sampling
from gadfly.train.from_votes import consistent_pairs
from gadfly.train.plan import Plan
from gadfly.train.round import Round


@dataclass(frozen=True, kw_only=True)
class SelfConsistencyPreference:
    """Sample, vote, prefer the majority by its margin."""

    samples: int = 8
    """Answers to each problem, the paper's k."""
    least: float = 0.5
    """Share of the samples that the most frequent answer needs."""
    beta: float = 0.5
    """Strength of the pull to the weights that the round began with."""
    likelihood_weight: float = 1.0
    """Of the chosen side's likelihood, the paper's alpha."""
    plan: Plan = Plan(epochs=1)
    sampling: Sampling = Sampling(max_tokens=128)

    systems: ClassVar[tuple[int, ...]] = (268,)

    async def __call__(self, round: Round, /) -> None:
        """One round."""
        drawn = await round.sample(self.samples, sampling=self.sampling)
        dropped = Counter[str]()
        pairs = round.write(
            "pairs", consistent_pairs(drawn, least=self.least, dropped=dropped), dropped=dropped
        )
        settings = {"beta": self.beta, "likelihood_weight": self.likelihood_weight}
        await round.train("dpo", pairs, plan=self.plan, settings=settings)
