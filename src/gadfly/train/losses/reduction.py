"""What every loss shares: its result, how values become one number, and what it refuses to take.

All losses take log-probabilities of shape [batch, length] (tokens) or [batch] (whole sequences) and
masks of the same shape, 1 or True where a token counts. What stands under the mask's zeros is never
read: it may be anything, NaN included, and gets a gradient of exactly zero. Half precision is raised
to float32 before anything is summed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from gadfly.errors import InputError

Over: TypeAlias = Literal["tokens", "sequences", "sequence sums", "fixed length"]
DivideBy: TypeAlias = Literal["count", "weight"]

POSITIVE_SLACK = 1e-2
"""A log-probability may be this much above zero: rounding of bfloat16."""


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What a loss function returns."""

    loss: Tensor
    """The number to minimise, a scalar with its graph."""
    metrics: Mapping[str, float]
    """Named figures for the log, without a graph."""


@dataclass(frozen=True, kw_only=True)
class Reduction:
    """How the values of tokens become one number.

    A sequence whose mask is empty is left out of every mean over sequences and counted in the
    metric `empty_sequences`. It is not a zero.
    """

    over: Over = "tokens"
    """'tokens': every kept token counts alike, so long sequences count for more. 'sequences': the mean
    in each sequence, then the mean over sequences. 'sequence sums': the sum in each sequence, then the
    mean over sequences. 'fixed length': the sum of all, divided by rows times `length`."""
    divide_by: DivideBy = "count"
    """'count': a mean over kept tokens (sequences), so doubled weights double the loss. 'weight': a
    weighted mean, so that only the proportions of the weights matter."""
    total: float | None = None
    """The divisor of the whole batch where this is one slice of it (gradient accumulation, several
    devices): tokens for 'tokens', sequences for the two others. A slice that keeps nothing is then
    zero; without it, it is refused."""
    length: int | None = None
    """Tokens per sequence, for 'fixed length' alone."""

    def __post_init__(self) -> None:
        if (self.over == "fixed length") != (self.length is not None):
            raise InputError("Reduction: `length` belongs to over='fixed length', and to that alone")
        if self.over == "fixed length" and (self.total is not None or self.divide_by == "weight"):
            raise InputError("Reduction: over='fixed length' divides by rows times length, and nothing else")
        for name, value in (("total", self.total), ("length", self.length)):
            if value is not None and not value > 0:
                raise InputError(f"Reduction: {name} must be above zero, not {value}")


PER_TOKEN = Reduction()
PER_SEQUENCE = Reduction(over="sequences")
SUM_PER_SEQUENCE = Reduction(over="sequence sums")


def real(name: str, values: Tensor, shape: tuple[int, ...] | torch.Size | None = None) -> Tensor:
    """`values` in float32 or float64, after a look at its shape and at each of its numbers.

    Raises:
        InputError: it has another shape, or holds NaN or an infinity.
    """
    if shape is not None and values.shape != torch.Size(shape):
        raise InputError(f"{name} has shape {tuple(values.shape)}; expected {tuple(shape)}")
    raised = values if values.dtype in (torch.float32, torch.float64) else values.float()
    _check_finite(name, raised)
    return raised


def kept(mask: Tensor, shape: tuple[int, ...] | torch.Size, name: str = "mask") -> Tensor:
    """The mask as booleans.

    Raises:
        InputError: it has another shape, or holds something other than 0 and 1.
    """
    if mask.shape != torch.Size(shape):
        raise InputError(f"{name} has shape {tuple(mask.shape)}; expected {tuple(shape)}")
    chosen = mask.bool()
    if mask.dtype != torch.bool and not bool((mask == chosen.to(mask.dtype)).all()):
        raise InputError(f"{name} holds values other than 0 and 1; weights have an argument of their own")
    return chosen


def masked(name: str, values: Tensor, mask: Tensor) -> Tensor:
    """`values` where the boolean mask is true and 0 elsewhere, in float32 or float64.

    Raises:
        InputError: the shapes differ, or a value under the mask is NaN or infinite.
    """
    if values.shape != mask.shape:
        raise InputError(f"{name} has shape {tuple(values.shape)}; expected {tuple(mask.shape)}")
    raised = values if values.dtype in (torch.float32, torch.float64) else values.float()
    clean = torch.where(mask, raised, torch.zeros_like(raised))
    _check_finite(name, clean)
    return clean


def logs(name: str, values: Tensor, mask: Tensor | None = None) -> Tensor:
    """Log-probabilities, looked at: finite and at most zero, 0 outside the boolean mask.

    Raises:
        InputError: a shape differs, a value is NaN or infinite, or one is above zero (probabilities or
            negated log-probabilities given by mistake).
    """
    clean = real(name, values) if mask is None else masked(name, values, mask)
    if clean.numel() and bool((clean.detach() > POSITIVE_SLACK).any()):
        highest = float(clean.detach().max())
        raise InputError(
            f"{name} holds {highest:.4g}, and a log-probability is never above 0; "
            "give log p, neither p nor -log p"
        )
    return clean


def reduced(
    values: Tensor,
    mask: Tensor,
    reduction: Reduction,
    token_weights: Tensor | None = None,
    sequence_weights: Tensor | None = None,
) -> Tensor:
    """One number from the values of tokens [batch, length] under a boolean mask.

    Raises:
        InputError: nothing is kept (and `reduction.total` is not given), a weight is not finite, or the
            weights of a weighted mean do not sum to more than zero.
    """
    if not bool(mask.any()):
        if reduction.total is not None:
            return torch.where(mask, values, torch.zeros_like(values)).sum()
        raise InputError("the mask keeps no token of the batch: there is nothing to learn from")
    weights = mask.to(values.dtype)
    if token_weights is not None:
        weights = weights * masked("token_weights", token_weights, mask).to(values.dtype)
    rows = mask.any(dim=1)
    outer = rows.to(values.dtype)
    if sequence_weights is not None:
        outer = outer * masked("sequence_weights", sequence_weights, rows).to(values.dtype)
    weighted = torch.where(mask, values, torch.zeros_like(values)) * weights
    if reduction.over in ("tokens", "fixed length"):
        top = (weighted * outer[:, None]).sum()
        if reduction.length is not None:
            return top / (mask.shape[0] * reduction.length)
        return top / _divisor(reduction, mask, weights * outer[:, None])
    inner = weighted.sum(dim=1)
    if reduction.over == "sequences":
        inner = inner / _inner_divisor(reduction, mask, weights, rows)
    return (inner * outer).sum() / _divisor(reduction, rows, outer)


def mean(values: Tensor, weights: Tensor | None = None, divide_by: DivideBy = "count") -> Tensor:
    """The mean of one value per sequence [batch], weighted or not.

    Raises:
        InputError: there is no value, or the weights cannot be used.
    """
    if not values.numel():
        raise InputError("the batch is empty: there is nothing to learn from")
    every = torch.ones_like(values, dtype=torch.bool)
    return reduced(
        values[:, None], every[:, None], Reduction(over="sequence sums", divide_by=divide_by), None, weights
    )


def figures(mask: Tensor) -> dict[str, float]:
    """What every token loss logs of its mask: tokens, sequences with any, sequences without."""
    rows = int(mask.any(dim=1).sum())
    return {
        "tokens": float(mask.sum()),
        "sequences": float(rows),
        "empty_sequences": float(mask.shape[0] - rows),
    }


def average(values: Tensor, mask: Tensor | None = None) -> float:
    """The plain mean as a float, for the log; 0 where the mask keeps nothing."""
    still = values.detach()
    if mask is not None:
        still = still[mask]
    return float(still.mean()) if still.numel() else 0.0


def finished(loss: Tensor, metrics: Mapping[str, float]) -> Loss:
    """The result, after a look at the number itself.

    Raises:
        InputError: the loss is not finite although its inputs were (an overflow).
    """
    if not bool(torch.isfinite(loss.detach())):
        raise InputError(
            "the loss overflowed: policy, old policy and reference are too far apart on some token; "
            "check that their log-probabilities are of the same tokens"
        )
    return Loss(loss=loss, metrics={"loss": float(loss.detach()), **metrics})


def _check_finite(name: str, values: Tensor) -> None:
    bad = ~torch.isfinite(values.detach())
    if not bool(bad.any()):
        return
    first = tuple(int(i) for i in bad.nonzero()[0])
    raise InputError(
        f"{name} holds {float(values.detach()[first])} at {first} ({int(bad.sum())} such values); "
        "every number under the mask must be finite"
    )


def _divisor(reduction: Reduction, chosen: Tensor, weights: Tensor) -> Tensor | float:
    if reduction.total is not None:
        return reduction.total
    if reduction.divide_by == "count":
        return float(chosen.sum())
    return _positive(weights.sum())


def _inner_divisor(reduction: Reduction, mask: Tensor, weights: Tensor, rows: Tensor) -> Tensor:
    if reduction.divide_by == "count":
        return mask.sum(dim=1).clamp(min=1).to(weights.dtype)
    sums = weights.sum(dim=1)
    _positive(torch.where(rows, sums, torch.ones_like(sums)).min())
    return torch.where(rows, sums, torch.ones_like(sums))


def _positive(total: Tensor) -> Tensor:
    if not bool(total > 0):
        raise InputError(f"divide_by='weight' needs weights that sum to more than 0, not {float(total):.4g}")
    return total
