"""Online GRPO: answers are credited by how they do in their group while the weights learn.

Shao et al. 2024, "DeepSeekMath: Pushing the Limits of Mathematical Reasoning in Open Language Models",
arXiv:2402.03300. For each problem of a step the weights as they are answer several times; an answer's
advantage is its reward less the group's mean, over the group's deviation, and a policy gradient makes the
tokens of good answers likelier.
Differs from the paper: one gradient step a batch, no reward model of its own, and no penalty on leaving the
first weights unless `kl` says otherwise; a round is one such training, on problems of its own.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from gadfly.primitives.answering import Answering
from gadfly.protocols import Scorer
from gadfly.records import Sampling
from gadfly.train.plan import Plan
from gadfly.train.practice import Practice
from gadfly.train.round import Round

REWARD = "reward"


@dataclass(frozen=True, kw_only=True)
class OnlineGRPO:
    """Answer in groups, credit, learn, step by step."""

    estimate: Literal["grpo", "rloo", "reinforce"] = "grpo"
    """How answers are credited: by their group, by the others of it, or by the batch."""
    reward: Scorer | None = None
    """What answers are worth; what says what is right, where none is given."""
    samples: int = 8
    """Answers to each problem; the paper has 64."""
    kl: float = 0.0
    """Weight of the penalty on leaving the weights that the round began with; the paper has 0.04."""
    plan: Plan = Plan(epochs=1, batch=8, rate=5e-5)
    """A batch is so many problems."""
    sampling: Sampling = Sampling(max_tokens=128, temperature=1.0, top_p=1.0)

    systems: ClassVar[tuple[int, ...]] = ()

    async def __call__(self, round: Round, /) -> None:
        """One round."""
        practice = Practice(
            solver=lambda model: Answering(model=model, sampling=self.sampling),
            samples=self.samples,
            plan=self.plan,
            estimate=self.estimate,
            settings={"kl": self.kl, "temperature": self.sampling.temperature},
            scorers={} if self.reward is None else {REWARD: self.reward},
        )
        await round.train_online(practice)
