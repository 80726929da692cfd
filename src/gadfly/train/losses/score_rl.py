"""SCoRe: reinforcement learning of self-correction over two attempts (Kumar et al. 2024, arXiv:2409.12917).

Stage I (equation 3) rewards the second attempt alone and holds the first near the base model by a strong
KL penalty, so that the two come apart. Stage II (equation 4) rewards both, with a light penalty on both, and
adds to the second attempt's reward a bonus alpha (r2 - r1) for progress: repairs count for more than they are
worth, and breaking a right answer costs. The policy gradient is REINFORCE on fresh samples, as in the paper.

Differs from the paper: the second attempt's reward is not credited to the tokens of the first unless
`discount` says so, and never in stage I; the expectations of equations 3 and 4 taken literally would
credit it in full, and then the bonus pays the first attempt for being wrong. The penalty is a loss term on
sampled tokens, per sequence summed; its estimator is an argument. The paper reports alpha 10, a light
penalty of 0.01 and a strong one of 0.1 (mathematics) or 0.25 (code); the defaults are the first of these.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from gadfly.errors import InputError
from gadfly.train.losses.policy import Estimator, kl
from gadfly.train.losses.reduction import (
    SUM_PER_SEQUENCE,
    Loss,
    Reduction,
    average,
    figures,
    finished,
    kept,
    logs,
    masked,
    real,
    reduced,
)


@dataclass(frozen=True, kw_only=True)
class Attempts:
    """Two attempts in one sequence; [batch, length]."""

    logprobs: Tensor
    reference: Tensor
    """The base model's log-probabilities of the same tokens."""
    attempt: Tensor
    """1 at the tokens of the first attempt, 2 at those of the second, 0 elsewhere (prompt, the request to
    correct, padding)."""


def stage_one(first: Tensor, second: Tensor) -> Tensor:
    """Rewards of stage I: nothing for the first attempt, its own for the second.

    Args:
        first: [batch], r(y1).
        second: [batch], r(y2).

    Returns:
        [batch, 2].

    Raises:
        InputError: shapes differ, or a reward is not finite (drop what could not be scored).
    """
    given = real("second", second, first.shape).detach()
    return torch.stack([torch.zeros_like(given), given], dim=1)


def stage_two(first: Tensor, second: Tensor, *, alpha: float = 10.0) -> Tensor:
    """Shaped rewards of stage II: r1, and r2 + alpha (r2 - r1).

    Args:
        first: [batch], r(y1).
        second: [batch], r(y2).
        alpha: weight of progress; 0 takes the bonus away (the paper's ablation).

    Returns:
        [batch, 2].

    Raises:
        InputError: shapes differ, a reward is not finite, or `alpha` is below zero.
    """
    if alpha < 0:
        raise InputError(f"alpha must not be below 0, not {alpha}")
    before = real("first", first).detach()
    after = real("second", second, first.shape).detach().to(before.dtype)
    return torch.stack([before, after + alpha * (after - before)], dim=1)


def advantages(
    rewards: Tensor, *, discount: float = 0.0, baseline: Literal["mean", "none"] = "mean"
) -> Tensor:
    """What each attempt is credited with, less the batch's mean for that attempt.

    Args:
        rewards: [batch, 2], shaped.
        discount: share of the second attempt's reward that the first is credited with as well.
        baseline: 'mean' of the batch, or 'none'.

    Returns:
        [batch, 2], without a graph.

    Raises:
        InputError: the shape is not [batch, 2], a reward is not finite, or `discount` is not from 0 to 1.
    """
    if rewards.dim() != 2 or rewards.shape[1] != 2 or not 0 <= discount <= 1:
        raise InputError(f"rewards must be [batch, 2], not {tuple(rewards.shape)}, and discount from 0 to 1")
    given = real("rewards", rewards).detach()
    credit = torch.stack([given[:, 0] + discount * given[:, 1], given[:, 1]], dim=1)
    return credit - credit.mean(dim=0) if baseline == "mean" else credit


def score(
    attempts: Attempts,
    gains: Tensor,
    *,
    stage: Literal["I", "II"],
    light: float = 0.01,
    strong: float = 0.1,
    estimator: Estimator = "k2",
    reduction: Reduction = SUM_PER_SEQUENCE,
) -> Loss:
    """The policy loss of a stage.

    Args:
        attempts: tokens of both attempts.
        gains: [batch, 2], from `advantages`; in stage I the first column is not looked at.
        stage: 'I' penalises the first attempt with `strong` as well.
        light: beta 1, the penalty on both attempts.
        strong: beta 2, the penalty on the first attempt in stage I.
        estimator: of the KL divergence; k2's gradient is that of KL(policy || base).
        reduction: how tokens become one number; a row is a sequence with both attempts.

    Returns:
        The loss, with `kl_first`, `kl_second` (k3 per token, for the log), `gain_second`, and the counts
        of the mask.

    Raises:
        InputError: see `reduction`; shapes differ, or `attempt` holds something other than 0, 1 and 2.
    """
    if light < 0 or strong < 0:
        raise InputError("the penalties must not be below 0")
    if not bool(((attempts.attempt >= 0) & (attempts.attempt <= 2)).all()):
        raise InputError("attempt holds values other than 0, 1 and 2")
    first, second = (kept(attempts.attempt == i, attempts.logprobs.shape, "attempt") for i in (1, 2))
    mask = first | second
    clean = logs("logprobs", attempts.logprobs, mask)
    base = logs("reference", attempts.reference, mask).detach()
    credit = masked("gains", gains.detach(), torch.ones_like(gains, dtype=torch.bool))
    if credit.shape != (mask.shape[0], 2):
        raise InputError(f"gains has shape {tuple(gains.shape)}; expected {(mask.shape[0], 2)}")
    per_token = torch.where(first, 0.0 if stage == "I" else credit[:, :1], credit[:, 1:])
    weight = torch.where(first, light + (strong if stage == "I" else 0.0), light).to(clean.dtype)
    values = -per_token.to(clean.dtype) * clean + weight * kl(clean, base, estimator=estimator)
    apart = kl(clean.detach(), base, estimator="k3")
    metrics = {
        "kl_first": average(apart, first),
        "kl_second": average(apart, second),
        "gain_second": average(credit[:, 1]),
    }
    return finished(reduced(values, mask, reduction), {**metrics, **figures(mask)})
