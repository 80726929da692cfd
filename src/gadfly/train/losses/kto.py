"""KTO: learn from completions each marked good or bad on its own (arXiv:2402.01306, equations 7 and 8).

The loss weighs the log-ratio to the reference policy against a reference point z0, an estimate of the KL
divergence of the two policies from mismatched completions: each prompt of the batch with another's answer.

Differs from the paper: the loss of a completion is lambda_y (1 - sigma), as the paper's code and TRL have
it. The reference point is of the batch at hand; over several devices, average it before.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gadfly.errors import InputError
from gadfly.train.losses.reduction import Loss, average, finished, kept, logs, mean, real


@dataclass(frozen=True, kw_only=True)
class Marked:
    """Completions with their mark; all of shape [batch], log-probabilities of whole completions."""

    logprobs: Tensor
    reference: Tensor
    """The reference policy's, of the same completions."""
    desirable: Tensor
    """1 where it is marked good."""
    weights: Tensor | None = None
    """[batch]; the mean divides by the number of completions all the same."""


def reference_point(logprobs: Tensor, reference: Tensor) -> Tensor:
    """z0: the mean log-ratio of mismatched completions, at least 0, without a gradient.

    Args:
        logprobs: [mismatched], the policy's log-probability of a completion under another's prompt.
        reference: the reference policy's, of the same.

    Raises:
        InputError: there is none, or a value is no log-probability.
    """
    if not logprobs.numel():
        raise InputError("the reference point needs at least one mismatched completion")
    ratio = logs("logprobs", logprobs) - logs("reference", real("reference", reference, logprobs.shape))
    return ratio.detach().mean().clamp(min=0)


def kto(
    marked: Marked,
    *,
    point: Tensor,
    beta: float = 0.1,
    desirable_weight: float = 1.0,
    undesirable_weight: float = 1.0,
) -> Loss:
    """Kahneman-Tversky optimisation.

    Args:
        marked: completions with the reference and their marks.
        point: z0, a scalar (`reference_point`), or zero where none can be had.
        beta: strength of the pull to the reference.
        desirable_weight: lambda_D. The paper keeps lambda_D n_D / (lambda_U n_U) between 1 and 4/3.
        undesirable_weight: lambda_U.

    Returns:
        The loss (mean over all completions), with `reference_point`, `desirable`, `undesirable` (counts)
        and `desirable_reward`, `undesirable_reward` (beta times the log-ratio; left out where the batch
        has none of the kind).

    Raises:
        InputError: shapes differ, a value is no log-probability, or a setting is out of its range.
    """
    if not beta > 0 or desirable_weight < 0 or undesirable_weight < 0:
        raise InputError("beta must be above 0, and the weights not below")
    shape = marked.logprobs.shape
    good = kept(marked.desirable, shape, "desirable")
    there = logs("reference", real("reference", marked.reference, shape)).detach()
    ratio = logs("logprobs", marked.logprobs) - there
    still = real("point", point, ()).detach().to(ratio.dtype)
    if bool(still < 0):
        raise InputError(f"the reference point is at least 0, not {float(still):.4g}")
    lead = torch.where(good, ratio - still, still - ratio)
    scale = torch.where(good, desirable_weight, undesirable_weight).to(ratio.dtype)
    values = scale * (1 - torch.sigmoid(beta * lead))
    metrics = {
        "reference_point": float(still),
        "desirable": float(good.sum()),
        "undesirable": float((~good).sum()),
    }
    for name, which in (("desirable_reward", good), ("undesirable_reward", ~good)):
        if bool(which.any()):
            metrics[name] = beta * average(ratio, which)
    return finished(mean(values, marked.weights), metrics)
