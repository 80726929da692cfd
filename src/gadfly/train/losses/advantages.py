"""Advantages: by how much a sample did better than was to be expected.

GRPO: Shao et al. 2024 (arXiv:2402.03300), section 4.1: reward less the mean of the group, over the group's
standard deviation. Without the division: Liu et al. 2025 (arXiv:2503.20783). RLOO: Ahmadian et al. 2024
(arXiv:2402.14740), equation 8: the baseline is the mean of the others. REINFORCE: Williams 1992.

Differs from the papers: a sample without a score is left out of its group's mean, spread and baseline, and
its own advantage is 0, since it says nothing. A group with fewer than two scored samples has no spread: its
advantages are 0.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from gadfly.errors import InputError
from gadfly.train.losses.reduction import kept, masked, real

Scale: TypeAlias = Literal["group", "batch", "none"]


@dataclass(frozen=True, kw_only=True)
class Advantages:
    """Advantages without a graph, and what they say of the batch."""

    values: Tensor
    """The shape of the rewards."""
    scored: int
    unscored: int
    flat_groups: int
    """Groups whose scored samples all got one reward, or with fewer than two: they teach nothing."""


def grpo(
    rewards: Tensor,
    *,
    scored: Tensor | None = None,
    scale: Scale = "group",
    epsilon: float = 1e-4,
    ddof: Literal[0, 1] = 1,
) -> Advantages:
    """Advantages within groups of samples of one problem.

    Args:
        rewards: [groups, samples]; anything where it is not scored.
        scored: [groups, samples], 1 where there is a reward. All, if not given.
        scale: what the difference is divided by: the 'group's standard deviation, that of the rewards of the
            'batch', or 'none'.
        epsilon: added to the standard deviation.
        ddof: 1 divides the variance by n - 1 (as TRL does), 0 by n. The paper does not say.

    Raises:
        InputError: the rewards are not [groups, samples], or a scored one is not finite.
    """
    given, there, counts = _groups(rewards, scored)
    difference = torch.where(there, given - (given.sum(1) / counts.clamp(min=1))[:, None], 0.0)
    spread = (difference.square().sum(1) / (counts - ddof).clamp(min=1)).sqrt()
    alone = counts < 2
    values = torch.where(alone[:, None], 0.0, difference)
    if scale == "group":
        values = values / (spread[:, None] + epsilon)
    elif scale == "batch":
        values = values / (_spread(given[there], ddof) + epsilon)
    return _advantages(values, there, given)


def rloo(
    rewards: Tensor, *, scored: Tensor | None = None, scale: Literal["batch", "none"] = "none"
) -> Advantages:
    """Reward less the mean reward of the group's other samples.

    Args:
        rewards: [groups, samples]; anything where it is not scored.
        scored: [groups, samples], 1 where there is a reward. All, if not given.
        scale: 'batch' takes off the mean of the batch's advantages and divides by their standard deviation.

    Raises:
        InputError: the rewards are not [groups, samples], or a scored one is not finite.
    """
    given, there, counts = _groups(rewards, scored)
    others = (given.sum(1, keepdim=True) - given) / (counts[:, None] - 1).clamp(min=1)
    usable = there & (counts >= 2)[:, None]
    values = torch.where(usable, given - others, 0.0)
    if scale == "batch" and bool(usable.any()):
        found = values[usable]
        values = torch.where(usable, (values - found.mean()) / (_spread(found, 1) + 1e-4), 0.0)
    return _advantages(values, there, given)


def reinforce(
    rewards: Tensor,
    *,
    baseline: Tensor | float | Literal["mean"] = 0.0,
    scored: Tensor | None = None,
    scale: Literal["batch", "none"] = "none",
) -> Advantages:
    """Reward less a baseline.

    Args:
        rewards: [batch]; anything where it is not scored.
        baseline: a number (`moving_baseline`), one per sample [batch] (a value head's), or the batch's
            'mean', which has the sample itself in it and so a bias of one part in n.
        scored: [batch], 1 where there is a reward. All, if not given.
        scale: 'batch' divides by the standard deviation of the batch's advantages.

    Raises:
        InputError: shapes differ, or a value is not finite.
    """
    there = kept(torch.ones_like(rewards) if scored is None else scored, rewards.shape, "scored")
    given = masked("rewards", rewards.detach(), there)
    if isinstance(baseline, Tensor):
        level = masked("baseline", baseline.detach().expand(given.shape), there)
    elif baseline == "mean":
        level = given.sum() / there.sum().clamp(min=1)
    else:
        level = real("baseline", torch.tensor(baseline, dtype=given.dtype, device=given.device))
    values = torch.where(there, given - level, 0.0)
    if scale == "batch":
        values = values / (_spread(values[there], 1) + 1e-4)
    return Advantages(values=values, scored=int(there.sum()), unscored=int((~there).sum()), flat_groups=0)


def moving_baseline(before: float | None, rewards: Tensor, *, decay: float = 0.99) -> float:
    """An exponential moving average of the mean reward; the mean itself where there is none before.

    Raises:
        InputError: there is no reward, one is not finite, or `decay` is not from 0 to 1.
    """
    if not rewards.numel() or not 0 <= decay <= 1:
        raise InputError("a moving baseline needs rewards, and a decay from 0 to 1")
    now = float(real("rewards", rewards.detach()).mean())
    return now if before is None else decay * before + (1 - decay) * now


def _groups(rewards: Tensor, scored: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    if rewards.dim() != 2:
        raise InputError(f"rewards has shape {tuple(rewards.shape)}; expected [groups, samples]")
    there = kept(torch.ones_like(rewards) if scored is None else scored, rewards.shape, "scored")
    given = masked("rewards", rewards.detach(), there)
    return given, there, there.sum(dim=1)


def _spread(values: Tensor, ddof: int) -> Tensor:
    if values.numel() < 2:
        return values.new_zeros(())
    return ((values - values.mean()).square().sum() / (values.numel() - ddof)).sqrt()


def _advantages(values: Tensor, there: Tensor, given: Tensor) -> Advantages:
    highest = given.masked_fill(~there, -torch.inf).amax(dim=1)
    lowest = given.masked_fill(~there, torch.inf).amin(dim=1)
    flat = (highest <= lowest) | (there.sum(dim=1) < 2)
    return Advantages(
        values=values,
        scored=int(there.sum()),
        unscored=int((~there).sum()),
        flat_groups=int(flat.sum()),
    )
