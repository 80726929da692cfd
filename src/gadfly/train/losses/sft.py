"""Supervised fine-tuning, masked and weighted.

The negative log-likelihood of the tokens under the mask. Which tokens those are, and what stands before
them, is where most of the methods differ that learn from feedback with this loss and no other:
rejection sampling and STaR (arXiv:2203.14465) keep right answers; LeTI (arXiv:2305.10314) and chain of
hindsight (arXiv:2302.02676) put the feedback or a mark of quality in front and mask it; reward-conditioned
training puts the reward in front. They need a prefix and a mask (`gadfly.train.masks`), not another loss.
Reward-weighted regression is `sequence_weights`; feedback on spans is `token_weights`.

Label smoothing: Szegedy et al. 2016 (arXiv:1512.00567), section 7: 1 - e of the target stays on the token
and e is spread over the whole vocabulary, the token itself included.

Differs from the papers: chain of hindsight also drops 15 % of past tokens at random, which is a matter of
the attention mask and is not done here. LeTI trains on the tokens of the feedback too: put them
under the mask.
"""

from torch import Tensor

from gadfly.errors import InputError
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


def sft(
    logprobs: Tensor,
    mask: Tensor,
    *,
    token_weights: Tensor | None = None,
    sequence_weights: Tensor | None = None,
    label_smoothing: float = 0.0,
    vocabulary_mean: Tensor | None = None,
    reduction: Reduction = PER_TOKEN,
) -> Loss:
    """Negative log-likelihood of the tokens under the mask.

    Args:
        logprobs: [batch, length], log-probability of each token (`logprobs.token_logprobs`).
        mask: [batch, length], 1 where a token is to be learned.
        token_weights: [batch, length]; may be negative (then the token is unlearned, without bound).
        sequence_weights: [batch], such as rewards or advantages.
        label_smoothing: share of the target spread over the vocabulary, 0 <= e < 1.
        vocabulary_mean: [batch, length], mean log-probability over the vocabulary
            (`logprobs.mean_logprobs`); needed where there is label smoothing.
        reduction: how tokens become one number.

    Returns:
        The loss, with `nll` (unweighted, per token, nats), `tokens`, `sequences`, `empty_sequences`.

    Raises:
        InputError: see `reduction`; or label smoothing lacks `vocabulary_mean`.
    """
    chosen = kept(mask, logprobs.shape)
    clean = logs("logprobs", logprobs, chosen)
    values = -clean
    if not 0 <= label_smoothing < 1:
        raise InputError(f"label_smoothing must be at least 0 and below 1, not {label_smoothing}")
    if label_smoothing:
        if vocabulary_mean is None:
            raise InputError("label smoothing needs vocabulary_mean: logprobs.mean_logprobs(logits)")
        spread = masked("vocabulary_mean", vocabulary_mean, chosen)
        values = (1 - label_smoothing) * values - label_smoothing * spread
    loss = reduced(values, chosen, reduction, token_weights, sequence_weights)
    return finished(loss, {"nll": average(-clean, chosen), **figures(chosen)})
