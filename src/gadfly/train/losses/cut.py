"""CUT: contrastive unlikelihood training on judgements (Xu et al. 2023, arXiv:2312.14591).

A judgement says in words what is wrong with a response. A token that is much likelier when the negative
judgement is in the prompt than when it is not is held to be what the judgement is about: it is made
unlikely, and the rest of the response is learned as usual. Equations 5 to 7 of version 4:

    U   = { t : p(y_t | x, j-) > lambda p(y_t | x, j+) }                                             (5)
    L1  = -1/N ( sum over not U of log p(y_t | x)
                 + sum over U of alpha p(y_t | x, j-)^gamma log(1 - p(y_t | x)) )                    (6)
    L2  = -1/N sum of log p(y_t | x)     where the response is satisfactory                          (7)
          -1/N sum of log p(y_t | x, j)  where it is not
    CUT = L1 + L2

The three kinds of data: Align-P, a satisfactory response under the plain prompt; Align-N, an unsatisfactory
one under a prompt with its negative judgement; Misalign, the same response under the prompt without (the
paper's template for j+ leaves the judgement out, so that p(y | x, j+) is p(y | x): the default here).

Differs from the paper: L1 is of unsatisfactory responses alone, as the contrast of Align-N and Misalign has
it. 1 - p has a floor. The dynamic weight gets no gradient (the paper does not say). The authors' code takes
(L1 + L2) / 2 and has gamma 0, which are `combine` and `gamma`; it averages L1 over the tokens of the
unsatisfactory responses alone.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from gadfly.errors import InputError
from gadfly.train.losses.logprobs import log1mexp
from gadfly.train.losses.reduction import (
    PER_SEQUENCE,
    Loss,
    Reduction,
    average,
    figures,
    finished,
    kept,
    logs,
    reduced,
)

FLOOR = 1e-5
"""1 - p is never taken to be smaller, as in the authors' code; a token this certain gets no gradient."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Responses with their judgements; log-probabilities [batch, length] of the same response tokens."""

    plain: Tensor
    """log p(y_t | x): under the prompt that is used after training. Trained."""
    with_judgement: Tensor
    """log p(y_t | x, j): with the judgement in the prompt; not looked at where satisfactory. Trained."""
    contrast: Tensor | None = None
    """log p(y_t | x, j+), with a fake praise in the prompt. None: `plain`, as in the paper's templates."""
    mask: Tensor
    """[batch, length], 1 at the tokens of the response."""
    satisfactory: Tensor
    """[batch], 1 where the judgement is positive (Align-P)."""


def inappropriate(judged: Judged, *, threshold: float = 1.1) -> Tensor:
    """The tokens that the judgements are about (equation 5), as booleans [batch, length].

    Args:
        judged: the responses; none of a satisfactory one is inappropriate.
        threshold: lambda; the paper's grid is 1.1 and 1.2. Higher marks fewer tokens.

    Raises:
        InputError: shapes differ, a value is no log-probability, or `threshold` is not above zero.
    """
    return _marked(_sides(judged), threshold)


def cut(
    judged: Judged,
    *,
    threshold: float = 1.1,
    alpha: float = 1.0,
    gamma: float = 1.0,
    align_negative: bool = True,
    combine: Literal["sum", "mean"] = "sum",
    reduction: Reduction = PER_SEQUENCE,
) -> Loss:
    """The whole loss, L1 + L2.

    Args:
        judged: the responses and their log-probabilities under the two (three) prompts.
        threshold: lambda of equation 5.
        alpha: weight of the unlikelihood; the paper's grid is 0.25, 0.5, 1.
        gamma: how the weight grows with p(y_t | x, j-); the paper's grid is 0.25, 0.5, 1, 2; 0: it does not.
        align_negative: whether an unsatisfactory response is learned under its judgement (the second
            half of L2; the paper's ablation is False).
        combine: 'mean' halves the sum, as the authors' code does.
        reduction: how tokens become one number, in L1 and L2 alike. Each is averaged over the whole batch,
            rows without the term counting as zero, so that a mixed batch is the mean of its rows' losses.

    Returns:
        The loss, with `unlikelihood` and `likelihood` (the parts), `marked` (share of the tokens of
        unsatisfactory responses that are inappropriate), `marked_logprob`, `other_logprob` (mean log p(y_t
        | x) of the two kinds of tokens in unsatisfactory responses) and the counts of the mask.

    Raises:
        InputError: see `reduction`; shapes differ, or a setting is out of its range.
    """
    if alpha < 0 or gamma < 0:
        raise InputError("alpha and gamma must not be below 0")
    sides = _sides(judged)
    found = _marked(sides, threshold)
    bad = sides.mask & ~sides.good
    pushed = log1mexp(sides.plain, floor=FLOOR) * alpha * (gamma * sides.judged.detach()).exp()
    first = torch.where(found, -pushed, torch.where(bad, -sides.plain, 0.0))
    under = -sides.judged if align_negative else torch.zeros_like(sides.judged)
    second = torch.where(sides.good, -sides.plain, under)
    parts = [reduced(part, sides.mask, reduction) for part in (first, second)]
    loss = (parts[0] + parts[1]) / (2 if combine == "mean" else 1)
    metrics = {
        "unlikelihood": float(parts[0].detach()),
        "likelihood": float(parts[1].detach()),
        "marked": average(found.float(), bad),
        "marked_logprob": average(sides.plain, found),
        "other_logprob": average(sides.plain, bad & ~found),
    }
    return finished(loss, {**metrics, **figures(sides.mask)})


@dataclass(frozen=True, kw_only=True)
class _Sides:
    plain: Tensor
    judged: Tensor
    contrast: Tensor
    mask: Tensor
    good: Tensor
    """[batch, length]"""


def _sides(judged: Judged) -> _Sides:
    mask = kept(judged.mask, judged.plain.shape)
    good = kept(judged.satisfactory, mask.shape[:1], "satisfactory")[:, None].expand(mask.shape)
    plain = logs("plain", judged.plain, mask)
    other = plain if judged.contrast is None else logs("contrast", judged.contrast, mask & ~good)
    with_judgement = logs("with_judgement", judged.with_judgement, mask & ~good)
    return _Sides(plain=plain, judged=with_judgement, contrast=other, mask=mask, good=good)


def _marked(sides: _Sides, threshold: float) -> Tensor:
    if not threshold > 0:
        raise InputError(f"threshold must be above 0, not {threshold}")
    lead = sides.judged.detach() - sides.contrast.detach()
    return (lead > torch.log(lead.new_tensor(threshold))) & sides.mask & ~sides.good
