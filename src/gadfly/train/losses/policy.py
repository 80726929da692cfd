"""Policy losses: REINFORCE, the clipped surrogate, and penalties on leaving a reference policy.

Clipped surrogate: Schulman et al. 2017 (arXiv:1707.06347), equation 7; with group advantages and the penalty
in the loss it is GRPO (arXiv:2402.03300, equation 3). Separate clips: DAPO (arXiv:2503.14476). The ratio of
whole sequences, by its geometric mean per token: GSPO (arXiv:2507.18071, equation 7); the plain product:
RLOO as in arXiv:2402.14740. The three estimators of the KL divergence: Schulman, "Approximating KL
divergence", 2020.

`old` must be recomputed by the trainer at the weights that sampled. What an inference engine
reports differs: quantised weights were seen off by 0.07 to 0.14 nats a token on average.

Differs from the papers: nothing in the formulas. The average over tokens is `reduction`: GRPO's is
`PER_SEQUENCE`, DAPO's `PER_TOKEN`, Dr. GRPO's `Reduction(over="fixed length", length=...)`.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from gadfly.errors import InputError
from gadfly.train.losses.reduction import (
    PER_SEQUENCE,
    SUM_PER_SEQUENCE,
    Loss,
    Reduction,
    average,
    figures,
    finished,
    kept,
    logs,
    masked,
    reduced,
)

Estimator: TypeAlias = Literal["k1", "k2", "k3"]
RatioOf: TypeAlias = Literal["token", "sequence mean", "sequence"]


@dataclass(frozen=True, kw_only=True)
class Penalty:
    """A penalty in the loss on leaving the reference policy.

    As a loss, k1's gradient has mean zero: it pulls nowhere, and is here to be measured or to go into the
    reward (`penalised`). k2's gradient on freshly sampled tokens is that of KL(policy || reference);
    k3's is that of KL(reference || policy), near the reference the same.
    """

    reference: Tensor
    """[batch, length], the reference policy's log-probabilities."""
    weight: float = 0.04
    """beta; GRPO's is 0.04."""
    estimator: Estimator = "k3"


@dataclass(frozen=True, kw_only=True)
class Clip:
    """Where the ratio of new to old probability stops counting."""

    low: float = 0.2
    """The ratio is cut below 1 - low."""
    high: float = 0.2
    """The ratio is cut above 1 + high. DAPO: 0.28. GSPO: about 0.0004, and 0.0003 below."""
    ceiling: float | None = None
    """With a negative advantage the ratio itself stops here (dual clip); None: nowhere."""

    def __post_init__(self) -> None:
        if self.low < 0 or self.high < 0 or (self.ceiling is not None and self.ceiling <= 1 + self.high):
            raise InputError("Clip: low and high must not be below 0, and ceiling is above 1 + high")


CLIP = Clip()


def kl(logprobs: Tensor, reference: Tensor, *, estimator: Estimator = "k3") -> Tensor:
    """The estimate of KL(policy || reference) from each token sampled by the policy.

    With d = log policy - log reference: k1 is d, k2 is d^2 / 2, k3 is e^-d - 1 + d.
    k1 and k3 are unbiased, k2 and k3 never negative.

    Args:
        logprobs: any shape.
        reference: the same shape.
        estimator: which.
    """
    d = logprobs - reference
    if estimator == "k1":
        return d
    if estimator == "k2":
        return d**2 / 2
    return torch.expm1(-d) + d


def penalised(rewards: Tensor, logprobs: Tensor, reference: Tensor, mask: Tensor, *, weight: float) -> Tensor:
    """Rewards less the summed k1 of their sequence: the KL penalty of RLOO and of PPO on text.

    Args:
        rewards: [batch].
        logprobs: [batch, length], of the policy that sampled.
        reference: [batch, length].
        mask: [batch, length].
        weight: beta.

    Returns:
        [batch], without a graph.

    Raises:
        InputError: shapes differ, or a value under the mask is no log-probability.
    """
    chosen = kept(mask, logprobs.shape)
    ours = logs("logprobs", logprobs.detach(), chosen)
    d = kl(ours, logs("reference", reference.detach(), chosen), estimator="k1")
    rows = torch.ones_like(rewards, dtype=torch.bool)
    if rewards.shape != d.shape[:1]:
        raise InputError(f"rewards has shape {tuple(rewards.shape)}; expected {tuple(d.shape[:1])}")
    return masked("rewards", rewards.detach(), rows) - weight * d.sum(dim=1)


def policy_gradient(
    logprobs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    penalty: Penalty | None = None,
    reduction: Reduction = SUM_PER_SEQUENCE,
) -> Loss:
    """REINFORCE: minus advantage times log-probability, for tokens that this very policy sampled.

    Args:
        logprobs: [batch, length].
        advantages: [batch] or [batch, length]; no gradient reaches them.
        mask: [batch, length], the tokens that the policy wrote.
        penalty: on leaving a reference policy.
        reduction: the sum per sequence is the gradient of the expected reward; the others are not.

    Returns:
        The loss, with `logprob` (mean per token), `advantage`, `kl` with a penalty, and the
        counts of the mask.

    Raises:
        InputError: see `reduction`; or the shapes do not fit.
    """
    chosen = kept(mask, logprobs.shape)
    clean = logs("logprobs", logprobs, chosen)
    gains = _per_token(advantages, chosen)
    values, found = _with_penalty(-gains * clean, clean, chosen, penalty)
    metrics = {"logprob": average(clean, chosen), "advantage": average(gains, chosen), **found}
    return finished(reduced(values, chosen, reduction), {**metrics, **figures(chosen)})


def surrogate(
    logprobs: Tensor,
    old: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    ratio: RatioOf = "token",
    clip: Clip | None = CLIP,
    penalty: Penalty | None = None,
    reduction: Reduction = PER_SEQUENCE,
) -> Loss:
    """The clipped surrogate, for tokens sampled by a slightly older policy.

    Args:
        logprobs: [batch, length].
        old: [batch, length], log-probabilities at the weights that sampled, recomputed; no gradient.
        advantages: [batch] or [batch, length]; no gradient reaches them.
        mask: [batch, length], the tokens that the policy wrote.
        ratio: of each 'token'; or one for the sequence, the geometric 'sequence mean' or the product.
        clip: None: not clipped.
        penalty: on leaving a reference policy.
        reduction: how tokens become one number.

    Returns:
        The loss, with `ratio` (mean), `clipped_low`, `clipped_high` (shares of tokens whose gradient the
        clip removed), `old_kl` (k3 against the old policy), `advantage`, `kl` with a penalty, and
        the counts of the mask.

    Raises:
        InputError: see `reduction`; or the shapes do not fit, or the ratio overflows.
    """
    chosen = kept(mask, logprobs.shape)
    clean = logs("logprobs", logprobs, chosen)
    before = logs("old", old, chosen).detach()
    gains = _per_token(advantages, chosen)
    ratios = _ratios(clean - before, chosen, ratio)
    bounds = clip or Clip(low=1.0, high=float("inf"))
    cut = ratios.clamp(1 - bounds.low, 1 + bounds.high)
    capped = ratios if bounds.ceiling is None else ratios.clamp(max=bounds.ceiling)
    values = -torch.minimum(capped * gains, cut * gains)
    values, found = _with_penalty(values, clean, chosen, penalty)
    still = ratios.detach()
    metrics = {
        "ratio": average(still, chosen),
        "clipped_low": average(((still < 1 - bounds.low) & (gains < 0)).float(), chosen),
        "clipped_high": average(((still > 1 + bounds.high) & (gains > 0)).float(), chosen),
        "old_kl": average(kl(before, clean.detach(), estimator="k3"), chosen),
        "advantage": average(gains, chosen),
        **found,
    }
    return finished(reduced(values, chosen, reduction), {**metrics, **figures(chosen)})


def _ratios(d: Tensor, chosen: Tensor, of: RatioOf) -> Tensor:
    """[batch, length], constant along a sequence where the ratio is the sequence's."""
    if of == "token":
        return d.exp()
    total = d.sum(dim=1, keepdim=True)
    if of == "sequence mean":
        total = total / chosen.sum(dim=1, keepdim=True).clamp(min=1)
    return total.exp().expand(d.shape)


def _per_token(advantages: Tensor, chosen: Tensor) -> Tensor:
    still = advantages.detach()
    if still.dim() == 1 and still.shape[0] == chosen.shape[0]:
        still = still[:, None].expand(chosen.shape)
    return masked("advantages", still, chosen)


def _with_penalty(
    values: Tensor, clean: Tensor, chosen: Tensor, penalty: Penalty | None
) -> tuple[Tensor, dict[str, float]]:
    if penalty is None:
        return values, {}
    there = logs("reference", penalty.reference, chosen).detach()
    apart = kl(clean, there, estimator=penalty.estimator)
    return values + penalty.weight * apart, {"kl": average(apart, chosen)}
