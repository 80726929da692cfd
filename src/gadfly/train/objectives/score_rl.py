"""SCoRe: reinforcement learning of self-correction over two attempts (Kumar et al. 2024, arXiv:2409.12917).

Rewards are shaped and turned into gains where attempts are sampled (`train.online_attempts`), which also
says which stage a step is of; the formulas stand in `losses.score_rl`. The reference of both stages is the
model that training began with.

Differs from the paper: see `losses.score_rl`. The two attempts are two rows, each with the very tokens that
were drawn: the first answer can have other tokens where it is read than where it was written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from gadfly.errors import InputError
from gadfly.train.losses.policy import Estimator
from gadfly.train.losses.reduction import Loss
from gadfly.train.losses.score_rl import Attempts, score
from gadfly.train.masks import MaskedRow
from gadfly.train.policy import Policy, TokenLogprobs

Stage = Literal["I", "II"]


@dataclass(frozen=True, kw_only=True)
class Attempted:
    """Two attempts at a problem, with what each is credited with."""

    first: MaskedRow
    second: MaskedRow
    gains: tuple[float, float]
    stage: Stage


@dataclass(frozen=True, kw_only=True)
class ScoreRL:
    """The second attempt is to be better than the first, and the first as good as it can be."""

    light: float = 0.01
    """Weight of the penalty on leaving the reference, in both attempts."""
    strong: float = 0.1
    """Weight of a further one on the first attempt, in stage I; the paper has 0.25 for code."""
    estimator: Estimator = "k2"
    """Of the KL divergence."""
    temperature: float = 1.0
    """At which the attempts were drawn."""

    @property
    def needs_reference(self) -> bool:
        """Yes."""
        return True

    @property
    def needs_head(self) -> bool:
        """No."""
        return False

    def size(self, example: Attempted, /) -> float:
        """Every pair of attempts counts alike."""
        return 1.0

    def length(self, example: Attempted, /) -> int:
        """Tokens of the longer row."""
        return max(len(example.first.ids), len(example.second.ids))

    def loss(self, policy: Policy, examples: Sequence[Attempted], /) -> Loss:
        """The loss, with the figures of `losses.score_rl.score`.

        Raises:
            InputError: the examples are of both stages.
        """
        stage = examples[0].stage
        if any(one.stage != stage for one in examples):
            raise InputError("a batch of attempts is of one stage, I or II")
        rows = [[one.first for one in examples], [one.second for one in examples]]
        found = [policy.logprobs(side, temperature=self.temperature) for side in rows]
        base = [policy.reference_logprobs(side, temperature=self.temperature) for side in rows]
        attempts = Attempts(
            logprobs=_beside(found),
            reference=_beside(base),
            attempt=torch.cat([found[0].mask, 2 * found[1].mask], dim=1),
        )
        gains = attempts.logprobs.new_tensor([one.gains for one in examples])
        return score(
            attempts, gains, stage=stage, light=self.light, strong=self.strong, estimator=self.estimator
        )


def _beside(sides: Sequence[TokenLogprobs]) -> torch.Tensor:
    """First attempts, and right of them the second ones: one sequence a pair."""
    return torch.cat([side.values for side in sides], dim=1)
