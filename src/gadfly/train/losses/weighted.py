"""Likelihood and unlikelihood of tokens that weigh differently: feedback that points at spans.

A token of positive weight is learned, one of negative weight is made unlikely (unlikelihood, Welleck et al.
2019, arXiv:1908.04319, equation 2), one of weight 0 is read past:

    loss = 1/N sum of |w_t| ( -log p(y_t) where w_t > 0,  -log(1 - p(y_t)) where w_t < 0 )

The negative log-likelihood with a negative weight, which `losses.sft` gives, has no bound; this has.

Differs from the paper: the paper's negative tokens are repeats of earlier ones; here whoever wrote the
feedback names them. 1 - p has a floor.
"""

import torch
from torch import Tensor

from gadfly.train.losses.logprobs import log1mexp
from gadfly.train.losses.reduction import (
    PER_TOKEN,
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

FLOOR = 1e-5
"""1 - p is never taken to be smaller; a token this certain gets no gradient."""


def weighted(
    logprobs: Tensor,
    mask: Tensor,
    weights: Tensor,
    *,
    sequence_weights: Tensor | None = None,
    reduction: Reduction = PER_TOKEN,
) -> Loss:
    """Tokens made likelier or less likely by their weights.

    Args:
        logprobs: [batch, length].
        mask: [batch, length], 1 at the tokens of completions.
        weights: [batch, length]; below 0: to be unlearned.
        sequence_weights: [batch].
        reduction: how tokens become one number; tokens of weight 0 are in the mean.

    Returns:
        The loss, with `wanted_logprob` and `unwanted_logprob` (means over tokens of positive and of
        negative weight) and the counts of the mask.

    Raises:
        InputError: see `reduction`; shapes differ, or a value is not finite.
    """
    chosen = kept(mask, logprobs.shape)
    clean = logs("logprobs", logprobs, chosen)
    signed = masked("weights", weights, chosen).to(clean.dtype)
    bad = signed < 0
    values = torch.where(bad, -log1mexp(clean, floor=FLOOR), -clean)
    loss = reduced(values, chosen, reduction, signed.abs(), sequence_weights)
    metrics = {
        "wanted_logprob": average(clean, signed > 0),
        "unwanted_logprob": average(clean, bad),
    }
    return finished(loss, {**metrics, **figures(chosen)})
