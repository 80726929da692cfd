"""P(IK): a head on the hidden state that says, before any answer, whether the model knows it.

Kadavath et al. 2022 (arXiv:2207.05221), section 5: the answers sampled for a question are marked right or
wrong, and a value head at the question's last token is trained to predict the share that is right.

Differs from the paper: the paper trains the whole model and gives each sample a row of its own; here the rows
of a question are one soft label (the same gradient up to weights), and whether the model below the head
learns is up to whoever passes hidden states with or without their graph. To fit the head alone detach them.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from gadfly.errors import InputError
from gadfly.train.losses.reduction import DivideBy, Loss, average, finished, kept, mean, real


def last_hidden(hidden: Tensor, attention: Tensor) -> Tensor:
    """The hidden state at each question's last real token, whichever side is padded.

    Args:
        hidden: [batch, length, width].
        attention: [batch, length], 1 at real tokens.

    Returns:
        [batch, width].

    Raises:
        InputError: the shapes do not fit, or a row has no token.
    """
    real_tokens = kept(attention, hidden.shape[:2], "attention")
    if not bool(real_tokens.any(dim=1).all()):
        raise InputError("a row of attention holds no token: there is no last one")
    places = torch.arange(hidden.shape[1], device=hidden.device).expand(real_tokens.shape)
    last = places.masked_fill(~real_tokens, -1).max(dim=1).values
    return hidden[torch.arange(hidden.shape[0], device=hidden.device), last]


def probe(hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The head: one logit per row, from [batch, width], [width] and a scalar."""
    return hidden @ weight + bias


def p_ik(
    logits: Tensor,
    right: Tensor,
    *,
    samples: Tensor | None = None,
    weigh_by_samples: bool = True,
    divide_by: DivideBy = "weight",
) -> Loss:
    """Binary cross-entropy of the head against the share of right answers.

    Args:
        logits: [questions].
        right: [questions], how many answers were right; the share itself where `samples` is not given.
        samples: [questions], how many answers could be scored; unscored ones are in neither count.
        weigh_by_samples: a question counts by its samples, as when each has a row of its own.
        divide_by: 'weight' is the mean over samples, 'count' divides by questions.

    Returns:
        The loss, with `mean_p_ik`, `mean_right`, `brier` (of the share), `questions`.

    Raises:
        InputError: shapes differ, a question has no scored sample, or a share is not from 0 to 1.
    """
    given = real("logits", logits)
    share = real("right", right, logits.shape).to(given.dtype)
    weights: Tensor | None = None
    if samples is not None:
        counts = real("samples", samples, logits.shape).to(given.dtype)
        if not bool((counts > 0).all()):
            raise InputError("a question without a scored sample has no share of right answers; drop it")
        share = share / counts
        weights = counts if weigh_by_samples else None
    if not bool(((share >= 0) & (share <= 1)).all()):
        raise InputError("the share of right answers lies from 0 to 1; give `samples` with a count")
    values = F.binary_cross_entropy_with_logits(given, share, reduction="none")
    belief = torch.sigmoid(given.detach())
    return finished(
        mean(values, weights, divide_by),
        {
            "mean_p_ik": average(belief),
            "mean_right": average(share),
            "brier": average((belief - share) ** 2),
            "questions": float(given.numel()),
        },
    )
