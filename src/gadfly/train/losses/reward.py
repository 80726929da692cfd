"""Losses of reward models: pairwise, pointwise, and per step.

Pairwise: Bradley and Terry, as in Ouyang et al. 2022 (arXiv:2203.02155, equation 1); the margin by how
clear the preference is, Touvron et al. 2023 (arXiv:2307.09288, equation 2); centring, Eisenstein et al. 2023
(arXiv:2312.09244), keeps the mean reward of a pair near zero. Per step: Lightman et al. 2023
(arXiv:2305.20050), each step right or wrong by itself; Uesato et al. 2022 (arXiv:2211.14275).

Differs from the papers: Ouyang et al. average over all pairs of one prompt first; here every pair counts
alike unless `weights` says otherwise. Lightman et al. have three labels and predict a token; here a step has
one logit, and a step labelled neutral goes under either label or out of the mask, as the caller decides.
"""

from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from gadfly.errors import InputError
from gadfly.train.losses.logprobs import log_sigmoid
from gadfly.train.losses.reduction import (
    PER_TOKEN,
    Loss,
    Reduction,
    average,
    figures,
    finished,
    kept,
    masked,
    mean,
    real,
    reduced,
)

Pointwise: TypeAlias = Literal["squared", "cross-entropy"]


def bradley_terry(
    chosen: Tensor,
    rejected: Tensor,
    *,
    margin: Tensor | None = None,
    centring: float = 0.0,
    label_smoothing: float = 0.0,
    weights: Tensor | None = None,
) -> Loss:
    """Negative log-likelihood that the chosen side wins.

    Args:
        chosen: [pairs], rewards of the better side.
        rejected: [pairs], rewards of the worse side.
        margin: [pairs], by how much the better side should lead.
        centring: weight of the mean of (chosen + rejected)^2; Eisenstein et al. use 0.01.
        label_smoothing: assumed rate of flipped labels, 0 <= e < 0.5.
        weights: [pairs]; the mean divides by the number of pairs all the same.

    Returns:
        The loss, with `accuracy` (ties half), `margin` (mean lead), `chosen_reward`,
        `rejected_reward`, `pairs`.

    Raises:
        InputError: shapes differ, a value is not finite, or a setting is out of its range.
    """
    if centring < 0 or not 0 <= label_smoothing < 0.5:
        raise InputError("centring must not be below 0, and label_smoothing at least 0 and below 0.5")
    better = real("chosen", chosen)
    worse = real("rejected", rejected, chosen.shape)
    lead = better - worse
    wanted = lead if margin is None else lead - real("margin", margin, chosen.shape)
    values = -(1 - label_smoothing) * log_sigmoid(wanted) - label_smoothing * log_sigmoid(-wanted)
    if centring:
        values = values + centring * (better + worse) ** 2
    still = lead.detach()
    return finished(
        mean(values, weights),
        {
            "accuracy": average((still > 0).float() + 0.5 * (still == 0).float()),
            "margin": average(lead),
            "chosen_reward": average(better),
            "rejected_reward": average(worse),
            "pairs": float(lead.numel()),
        },
    )


def pointwise(
    scores: Tensor, targets: Tensor, *, kind: Pointwise = "squared", weights: Tensor | None = None
) -> Loss:
    """A score per completion against the score it should have.

    Args:
        scores: [batch]; logits for 'cross-entropy'.
        targets: [batch]; for 'cross-entropy' probabilities from 0 to 1 (soft labels are welcome).
        kind: 'squared' error, or binary 'cross-entropy' of the logit.
        weights: [batch].

    Returns:
        The loss, with `mean_score` (a probability for 'cross-entropy'), `mean_target`, `rows`.

    Raises:
        InputError: shapes differ, a value is not finite, or a target is no probability.
    """
    given = real("scores", scores)
    wanted = real("targets", targets, scores.shape).to(given.dtype)
    values = _pointwise(given, wanted, kind)
    seen = torch.sigmoid(given) if kind == "cross-entropy" else given
    found = {"mean_score": average(seen), "mean_target": average(wanted), "rows": float(given.numel())}
    return finished(mean(values, weights), found)


def process(
    scores: Tensor,
    labels: Tensor,
    mask: Tensor,
    *,
    kind: Pointwise = "cross-entropy",
    after_first_error: Literal["kept", "left out"] = "kept",
    reduction: Reduction = PER_TOKEN,
) -> Loss:
    """A score per step against its label.

    Args:
        scores: [batch, steps], one logit (or score) per step.
        labels: [batch, steps], 1 right, 0 wrong, or between.
        mask: [batch, steps], 1 where the step has a label; an unlabelled step is left out, not wrong.
        kind: binary 'cross-entropy' of the logit, or 'squared' error of the score.
        after_first_error: Lightman et al. label up to the first wrong step; 'left out' does the same to
            labels that go on (a label below 0.5 is an error).
        reduction: 'tokens' here means steps.

    Returns:
        The loss, with `accuracy` (logit above 0, or score above 0.5, against label above 0.5) and the
        counts of the mask (`tokens` are steps).

    Raises:
        InputError: see `reduction`; or a label is not from 0 to 1.
    """
    chosen = kept(mask, scores.shape)
    if after_first_error == "left out":
        wrong = (masked("labels", labels, chosen) < 0.5) & chosen
        chosen = chosen & ((wrong.long().cumsum(dim=1) - wrong.long()) == 0)
    given = masked("scores", scores, chosen)
    wanted = masked("labels", labels, chosen).to(given.dtype)
    if not bool(((wanted >= 0) & (wanted <= 1)).all()):
        raise InputError("labels of steps lie from 0 to 1")
    loss = reduced(_pointwise(given, wanted, kind), chosen, reduction)
    said = given.detach() > (0.0 if kind == "cross-entropy" else 0.5)
    hits = (said == (wanted > 0.5)).to(given.dtype)
    return finished(loss, {"accuracy": average(hits, chosen), **figures(chosen)})


def _pointwise(given: Tensor, wanted: Tensor, kind: Pointwise) -> Tensor:
    if kind == "squared":
        return (given - wanted) ** 2
    if not bool(((wanted >= 0) & (wanted <= 1)).all()):
        raise InputError("targets of a cross-entropy are probabilities, from 0 to 1")
    return F.binary_cross_entropy_with_logits(given, wanted, reduction="none")
