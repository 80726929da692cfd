"""Policy gradients on what the policy itself wrote: GRPO, RLOO, REINFORCE and kin.

GRPO: Shao et al. 2024 (arXiv:2402.03300); RLOO: Ahmadian et al. 2024 (arXiv:2402.14740); REINFORCE:
Williams 1992; clipping: PPO (arXiv:1707.06347). Advantages are made where samples are (`train.online`), the
formulas stand in `losses.policy`.

Differs from the papers: with one gradient step a batch, the old policy is the policy, the ratio is 1 and
nothing is clipped; with more (`Plan.passes`), the old log-probabilities are those the trainer computed before
the first of them. The KL penalty is off unless `kl` says otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gadfly.train.losses.policy import Clip, Penalty, RatioOf, policy_gradient, surrogate
from gadfly.train.losses.reduction import PER_SEQUENCE, PER_TOKEN, SUM_PER_SEQUENCE, Loss, Reduction
from gadfly.train.masks import MaskedRow
from gadfly.train.policy import Policy

_OVER: dict[str, Reduction] = {"sequence": PER_SEQUENCE, "token": PER_TOKEN, "sum": SUM_PER_SEQUENCE}


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """One call of the policy, with what it is credited with."""

    row: MaskedRow
    advantage: float
    old: tuple[float, ...] = ()
    """Log-probabilities of the learned tokens before this batch's first step; empty: as they are now."""


@dataclass(frozen=True, kw_only=True)
class PolicyGradient:
    """Tokens of samples that did better than expected become more likely."""

    kl: float = 0.0
    """Weight of the penalty on leaving the weights that training began with; GRPO's paper has 0.04."""
    clip_low: float = 0.2
    clip_high: float = 0.2
    ratio: RatioOf = "token"
    """Of new to old probability: each token's, or the sequence's (GSPO: 'sequence mean')."""
    mean_over: Literal["sequence", "token", "sum"] = "sequence"
    """GRPO averages in each sequence, DAPO over all tokens; 'sum' is the gradient of the expected reward."""
    temperature: float = 1.0
    """At which the samples were drawn."""
    clipped: bool = True
    """False: plain REINFORCE, for a single step a batch."""

    @property
    def needs_reference(self) -> bool:
        """With a penalty."""
        return self.kl > 0

    @property
    def needs_head(self) -> bool:
        """No."""
        return False

    def size(self, example: Sampled, /) -> float:
        """Every sequence counts alike, or every token."""
        return float(example.row.learned) if self.mean_over == "token" else 1.0

    def length(self, example: Sampled, /) -> int:
        """Tokens, prompt included."""
        return len(example.row.ids)

    def loss(self, policy: Policy, examples: Sequence[Sampled], /) -> Loss:
        """The loss, with the figures of `losses.policy`."""
        rows = [example.row for example in examples]
        found = policy.logprobs(rows, temperature=self.temperature)
        gains = found.values.new_tensor([example.advantage for example in examples])
        penalty = None
        if self.kl:
            there = policy.reference_logprobs(rows, temperature=self.temperature)
            penalty = Penalty(reference=there.values, weight=self.kl)
        over = _OVER[self.mean_over]
        if not self.clipped:
            return policy_gradient(found.values, gains, found.mask, penalty=penalty, reduction=over)
        old = found.values.detach().clone()
        for place, example in enumerate(examples):
            if example.old:
                old[place, found.mask[place].bool()] = old.new_tensor(example.old)
        clip = Clip(low=self.clip_low, high=self.clip_high)
        return surrogate(
            found.values,
            old,
            gains,
            found.mask,
            ratio=self.ratio,
            clip=clip,
            penalty=penalty,
            reduction=over,
        )
