"""Losses on pairs without a reference policy: ORPO and SimPO.

ORPO: Hong et al. 2024 (arXiv:2403.07691), equations 6 and 7: fine-tuning on the chosen side plus a penalty on
the odds ratio of the two, each taken at the geometric mean of its tokens' probabilities. SimPO: Meng et al.
2024 (arXiv:2405.14734), equation 6: mean log-probabilities, and a target margin.

Differs from the papers: ORPO's likelihood is over the completion, as in the paper; TRL's is over the
prompt too, and can be given as `likelihood`.
"""

from typing import Literal

from torch import Tensor

from gadfly.errors import InputError
from gadfly.train.losses.logprobs import log1mexp, log_sigmoid
from gadfly.train.losses.preference import Pairs, pair_figures, ratios
from gadfly.train.losses.reduction import Loss, average, finished, mean, real

CERTAIN = 1e-7
"""1 - p is never taken to be smaller: the odds of a certain completion are infinite."""


def orpo(
    pairs: Pairs,
    *,
    weight: float = 0.1,
    average_over: Literal["tokens", "sequences"] = "tokens",
    likelihood: Tensor | None = None,
) -> Loss:
    """Odds-ratio preference optimisation.

    Args:
        pairs: completions; a reference is not looked at.
        weight: lambda, what the odds-ratio term is multiplied by.
        average_over: the negative log-likelihood is per token of the batch, or per sequence first.
        likelihood: a scalar that stands in for the negative log-likelihood, such as one over prompt
            and completion.

    Returns:
        The loss, with `nll`, `log_odds` (mean log odds ratio) and the figures of `dpo` (of mean
        log-probabilities).

    Raises:
        InputError: see `preference.ratios`; or `weight` is below zero.
    """
    if weight < 0:
        raise InputError(f"weight must not be below 0, not {weight}")
    bare = Pairs(chosen=pairs.chosen, rejected=pairs.rejected, weights=pairs.weights)
    sides = ratios(bare, length="mean", reference="optional")
    odds = sides.margin - (log1mexp(sides.chosen, floor=CERTAIN) - log1mexp(sides.rejected, floor=CERTAIN))
    if likelihood is not None:
        nll = real("likelihood", likelihood, ())
    elif average_over == "sequences":
        nll = -mean(sides.chosen, pairs.weights)
    else:
        share = pairs.chosen.lengths / pairs.chosen.lengths.mean()
        nll = -mean(sides.chosen * share, pairs.weights)
    loss = nll + weight * mean(-log_sigmoid(odds), pairs.weights)
    figures = pair_figures(bare, sides, 1.0)
    return finished(loss, {**figures, "nll": float(nll.detach()), "log_odds": average(odds)})


def simpo(pairs: Pairs, *, beta: float = 2.0, gamma: float = 1.0, label_smoothing: float = 0.0) -> Loss:
    """Simple preference optimisation.

    Args:
        pairs: completions; a reference is not looked at.
        beta: scale of the mean log-probabilities; the paper's grid is 2 to 2.5.
        gamma: target margin, after `beta`; the paper's grid is 0.3 to 1.6.
        label_smoothing: assumed rate of flipped labels (not in the paper).

    Returns:
        The loss, with the figures of `dpo` (of mean log-probabilities).

    Raises:
        InputError: see `preference.ratios`; or a setting is out of its range.
    """
    if not beta > 0 or not 0 <= label_smoothing < 0.5:
        raise InputError("beta must be above 0, and label_smoothing at least 0 and below 0.5")
    bare = Pairs(chosen=pairs.chosen, rejected=pairs.rejected, weights=pairs.weights)
    sides = ratios(bare, length="mean", reference="optional")
    lead = beta * sides.margin - gamma
    values = -(1 - label_smoothing) * log_sigmoid(lead) - label_smoothing * log_sigmoid(-lead)
    return finished(mean(values, pairs.weights), pair_figures(bare, sides, beta))
