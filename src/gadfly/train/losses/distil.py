"""Distillation on logits: the student's next-token distribution is brought to the teacher's.

Forward KL(teacher || student) is Hinton et al. 2015 (arXiv:1503.02531); reverse KL(student || teacher) is
MiniLLM's divergence (arXiv:2306.08543); the generalised Jensen-Shannon divergence is GKD (arXiv:2306.13649,
equation 1), with the teacher's share of the mixture named `mixture`. With `sequence_weights` the teacher's
words count by what they are worth: distillation of data and rewards together.

Differs from the papers: MiniLLM estimates the reverse KL of whole sequences by policy gradient; this is the
exact KL of each next token on given text. Hinton's factor of temperature squared is left out, as in GKD.
"Distill Not Only Data but Also Rewards" (arXiv:2502.19557) learns a reward model from teacher and student
answers: that is `reward.bradley_terry` and a policy loss after this one, not part of it.
"""

from typing import Literal, TypeAlias

import torch
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
    masked,
    reduced,
)

Divergence: TypeAlias = Literal["forward KL", "reverse KL", "Jensen-Shannon"]


def distil(
    student: Tensor,
    teacher: Tensor,
    mask: Tensor,
    *,
    divergence: Divergence = "forward KL",
    mixture: float = 0.5,
    temperature: float = 1.0,
    sequence_weights: Tensor | None = None,
    reduction: Reduction = PER_TOKEN,
) -> Loss:
    """Divergence of the student's next-token distribution from the teacher's.

    Args:
        student: [batch, length, vocabulary], logits that predict the tokens under the mask (already shifted).
        teacher: logits of the same shape; no gradient reaches them.
        mask: [batch, length].
        divergence: which way round.
        mixture: the teacher's share in the mixture, above 0 and below 1, for Jensen-Shannon alone.
        temperature: both sides' logits are divided by it. The divergence is not multiplied by its square;
            do that with the learning rate where Hinton's scaling is wanted.
        sequence_weights: [batch], such as rewards.
        reduction: how tokens become one number.

    Returns:
        The loss, with `divergence` (unweighted, per token, nats) and the counts of the mask.

    Raises:
        InputError: see `reduction`; or the vocabularies differ, or a setting is out of its range.
    """
    if student.shape != teacher.shape or student.dim() != 3:
        raise InputError(
            f"student {tuple(student.shape)} and teacher {tuple(teacher.shape)} must both be "
            "[batch, length, vocabulary] over one vocabulary"
        )
    if not temperature > 0 or not 0 < mixture < 1:
        raise InputError("temperature must be above 0, and mixture above 0 and below 1")
    chosen = kept(mask, student.shape[:2])
    wide = chosen[..., None].expand(student.shape)
    ours = torch.log_softmax(masked("student", student, wide) / temperature, dim=-1)
    theirs = torch.log_softmax(masked("teacher", teacher, wide).detach() / temperature, dim=-1)
    if divergence == "forward KL":
        values = _kl(theirs, ours)
    elif divergence == "reverse KL":
        values = _kl(ours, theirs)
    else:
        share = torch.tensor(mixture, dtype=ours.dtype, device=ours.device)
        mixed = torch.logaddexp(theirs + torch.log(share), ours + torch.log1p(-share))
        values = mixture * _kl(theirs, mixed) + (1 - mixture) * _kl(ours, mixed)
    loss = reduced(values, chosen, reduction, None, sequence_weights)
    return finished(loss, {"divergence": average(values, chosen), **figures(chosen)})


def _kl(of: Tensor, to: Tensor) -> Tensor:
    """KL(of || to) at each position, from log-probabilities [..., vocabulary]."""
    return (of.exp() * (of - to)).sum(dim=-1)
