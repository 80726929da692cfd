"""From a model's logits to the log-probabilities that losses take."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from gadfly.errors import InputError
from gadfly.train.losses.reduction import kept, logs


@dataclass(frozen=True, kw_only=True)
class Sequences:
    """Whole sequences: the sum of their log-probabilities and how many tokens it is of."""

    logprobs: Tensor
    """[batch]"""
    lengths: Tensor
    """[batch], as floats."""


def token_logprobs(logits: Tensor, ids: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Log-probability of each token given those before it.

    The first token is predicted by nothing, so the answer is one shorter than the ids: position t of
    the answer is token t + 1. Shift masks and weights alike: `mask[:, 1:]`.

    Args:
        logits: [batch, length, vocabulary]; position t predicts token t + 1.
        ids: [batch, length].
        temperature: what the logits are divided by; the one it was sampled at, in policy gradients.

    Returns:
        [batch, length - 1].

    Raises:
        InputError: the shapes do not fit, or the temperature is not above zero.
    """
    if logits.dim() != 3 or logits.shape[:2] != ids.shape:
        raise InputError(f"logits {tuple(logits.shape)} do not fit ids {tuple(ids.shape)}")
    if not temperature > 0:
        raise InputError(f"temperature must be above 0, not {temperature}")
    scaled = _raised(logits)[:, :-1] / temperature
    taken = scaled.gather(-1, ids[:, 1:, None]).squeeze(-1)
    return taken - scaled.logsumexp(dim=-1)


def mean_logprobs(logits: Tensor) -> Tensor:
    """The mean log-probability over the vocabulary at each position, for label smoothing.

    Args:
        logits: [batch, length, vocabulary].

    Returns:
        [batch, length - 1], in step with `token_logprobs`.
    """
    scaled = _raised(logits)[:, :-1]
    return scaled.mean(dim=-1) - scaled.logsumexp(dim=-1)


def sequence_logprobs(logprobs: Tensor, mask: Tensor) -> Sequences:
    """Sum the tokens of each sequence.

    Args:
        logprobs: [batch, length].
        mask: [batch, length], the tokens of the completion.

    Raises:
        InputError: a sequence keeps no token (its sum would be 0: a certainty), or a value is not finite.
    """
    chosen = kept(mask, logprobs.shape)
    lengths = chosen.sum(dim=1)
    if bool((lengths == 0).any()):
        raise InputError(f"sequence {int((lengths == 0).nonzero()[0])} keeps no token; drop the row")
    clean = logs("logprobs", logprobs, chosen)
    return Sequences(logprobs=clean.sum(dim=1), lengths=lengths.to(clean.dtype))


def log1mexp(logprobs: Tensor, *, floor: float = 0.0) -> Tensor:
    """log(1 - p) from log p, exact near both ends (Maechler 2012).

    Args:
        logprobs: any shape, at most 0.
        floor: 1 - p is never taken to be below this; with 0 a certain token gives minus infinity.
            Under the floor the gradient is zero.
    """
    # Each branch sees only values that it can differentiate: the other's NaN would leak through `where`.
    near = logprobs > -0.6931471805599453
    negative = torch.where(near, logprobs, torch.full_like(logprobs, -0.5))
    far = torch.where(near, torch.full_like(logprobs, -1.0), logprobs)
    if floor > 0:
        negative = negative.clamp(max=float(torch.log1p(torch.tensor(-floor, dtype=torch.float64))))
    return torch.where(near, torch.log(-torch.expm1(negative)), torch.log1p(-torch.exp(far)))


def log_sigmoid(values: Tensor) -> Tensor:
    """log(1 / (1 + e^-x)), typed."""
    return F.logsigmoid(values)


def _raised(values: Tensor) -> Tensor:
    return values if values.dtype in (torch.float32, torch.float64) else values.float()
