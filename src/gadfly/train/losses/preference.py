"""Losses on pairs with a reference policy: DPO, cDPO, robust DPO, IPO, SLiC and its kin.

Each takes the log-probabilities of whole completions, the better and the worse of each pair.

DPO: Rafailov et al. 2023 (arXiv:2305.18290), equation 7. cDPO: label smoothing of the same loss, from
Mitchell's note of 2023. Robust DPO: Chowdhury et al. 2024 (arXiv:2403.00409), the unbiased form for labels
flipped at a known rate. IPO: Azar et al. 2023 (arXiv:2310.12036), equation 17. SLiC-HF: Zhao et al. 2023
(arXiv:2305.10425), the rank loss; with a reference it is the hinge of RSO (arXiv:2309.06657).

Differs from the papers: IPO's equation has log-probabilities of whole sequences; its authors' results are
per token (as TRL's authors report), which is the default here (`length="mean"`). SLiC-HF regularises
with the likelihood of a fine-tuning target; here that target is the chosen completion.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from gadfly.errors import InputError
from gadfly.train.losses.logprobs import Sequences, log_sigmoid
from gadfly.train.losses.reduction import Loss, average, finished, logs, mean, real

Length: TypeAlias = Literal["sum", "mean"]


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Pairs of completions; row i of each is pair i.

    `logprobs.sequence_logprobs` makes the four of them, the reference's under `torch.no_grad()`.
    """

    chosen: Sequences
    rejected: Sequences
    reference_chosen: Sequences | None = None
    reference_rejected: Sequences | None = None
    weights: Tensor | None = None
    """[batch], how much each pair counts; the mean divides by the number of pairs all the same."""


@dataclass(frozen=True, kw_only=True)
class Ratios:
    """Log-probabilities of the two sides, less those of the reference where there is one; [batch]."""

    chosen: Tensor
    rejected: Tensor

    @property
    def margin(self) -> Tensor:
        """By how much the chosen side leads."""
        return self.chosen - self.rejected


def ratios(pairs: Pairs, *, length: Length, reference: Literal["needed", "optional"]) -> Ratios:
    """What the losses on pairs are functions of.

    Args:
        pairs: the completions.
        length: 'sum' of the log-probabilities, or their 'mean' per token.
        reference: whether it can do without.

    Raises:
        InputError: shapes differ, a value is no log-probability, or the reference is missing.
    """
    both = (pairs.reference_chosen, pairs.reference_rejected)
    if (both[0] is None) != (both[1] is None) or (both[0] is None and reference == "needed"):
        raise InputError("the pairs need reference_chosen and reference_rejected, both of them")
    shape = pairs.chosen.logprobs.shape
    if len(shape) != 1:
        raise InputError(f"chosen.logprobs has shape {tuple(shape)}; expected [batch]")
    return Ratios(
        chosen=_side("chosen", pairs.chosen, both[0], shape, length),
        rejected=_side("rejected", pairs.rejected, both[1], shape, length),
    )


def dpo(
    pairs: Pairs,
    *,
    beta: float = 0.1,
    label_smoothing: float = 0.0,
    noise: Literal["conservative", "robust"] = "conservative",
    length: Length = "sum",
) -> Loss:
    """Direct preference optimisation.

    Args:
        pairs: completions with their reference.
        beta: strength of the pull to the reference.
        label_smoothing: assumed rate of flipped labels, 0 <= e < 0.5.
        noise: 'conservative' is cDPO, (1 - e) L + e L flipped. 'robust' is
            ((1 - e) L - e L flipped) / (1 - 2 e), which may go below zero.
        length: 'mean' is the length-normalised form.

    Returns:
        The loss, with `accuracy` (ties half), `margin`, `chosen_reward`, `rejected_reward` (beta times
        the log-ratio), `chosen_logprob`, `rejected_logprob`, `pairs`.

    Raises:
        InputError: see `ratios`; or a setting is out of its range.
    """
    _above_zero("beta", beta)
    if not 0 <= label_smoothing < 0.5:
        raise InputError(f"label_smoothing must be at least 0 and below 0.5, not {label_smoothing}")
    sides = ratios(pairs, length=length, reference="needed")
    right, flipped = -log_sigmoid(beta * sides.margin), -log_sigmoid(-beta * sides.margin)
    if noise == "robust":
        values = ((1 - label_smoothing) * right - label_smoothing * flipped) / (1 - 2 * label_smoothing)
    else:
        values = (1 - label_smoothing) * right + label_smoothing * flipped
    return finished(mean(values, pairs.weights), pair_figures(pairs, sides, beta))


def ipo(pairs: Pairs, *, tau: float = 0.1, length: Length = "mean") -> Loss:
    """Identity preference optimisation: the margin is drawn to 1 / (2 tau), neither more nor less.

    Args:
        pairs: completions with their reference.
        tau: strength of the regularisation.
        length: 'mean' per token, as in the authors' experiments; 'sum' as in the equation.

    Returns:
        The loss, with the figures of `dpo`.

    Raises:
        InputError: see `ratios`; or `tau` is not above zero.
    """
    _above_zero("tau", tau)
    sides = ratios(pairs, length=length, reference="needed")
    values = (sides.margin - 1 / (2 * tau)) ** 2
    return finished(mean(values, pairs.weights), pair_figures(pairs, sides, tau))


def slic(
    pairs: Pairs,
    *,
    beta: float = 1.0,
    margin: float = 1.0,
    likelihood_weight: float = 0.0,
    length: Length = "sum",
) -> Loss:
    """Hinge on the margin: max(0, margin - beta (chosen - rejected)).

    Args:
        pairs: completions; with a reference it is RSO's hinge, without it is SLiC-HF's rank loss.
        beta: scale of the log-ratio. SLiC-HF has 1.
        margin: SLiC-HF's delta.
        likelihood_weight: SLiC-HF's lambda, times the negative log-likelihood of the chosen completion.
        length: 'sum' or 'mean' of the tokens' log-probabilities.

    Returns:
        The loss, with the figures of `dpo`, and `within_margin`, the share of pairs with a gradient.

    Raises:
        InputError: see `ratios`; or `beta` is not above zero.
    """
    _above_zero("beta", beta)
    sides = ratios(pairs, length=length, reference="optional")
    values = torch.relu(margin - beta * sides.margin)
    within = average((values > 0).to(values.dtype))
    if likelihood_weight:
        target = pairs.chosen.logprobs / (pairs.chosen.lengths if length == "mean" else 1)
        values = values - likelihood_weight * target
    figures = pair_figures(pairs, sides, beta)
    return finished(mean(values, pairs.weights), {**figures, "within_margin": within})


def pair_figures(pairs: Pairs, sides: Ratios, scale: float) -> dict[str, float]:
    """What every loss on pairs logs."""
    lead = sides.margin.detach()
    return {
        "accuracy": average((lead > 0).float() + 0.5 * (lead == 0).float()),
        "margin": scale * average(lead),
        "chosen_reward": scale * average(sides.chosen),
        "rejected_reward": scale * average(sides.rejected),
        "chosen_logprob": average(pairs.chosen.logprobs),
        "rejected_logprob": average(pairs.rejected.logprobs),
        "pairs": float(lead.numel()),
    }


def _side(
    name: str, policy: Sequences, reference: Sequences | None, shape: torch.Size, length: Length
) -> Tensor:
    found = logs(f"{name}.logprobs", real(f"{name}.logprobs", policy.logprobs, shape))
    if reference is not None:
        there = real(f"reference_{name}.logprobs", reference.logprobs, shape)
        found = found - logs(f"reference_{name}.logprobs", there).detach()
    if length == "sum":
        return found
    lengths = real(f"{name}.lengths", policy.lengths, shape)
    if not bool((lengths > 0).all()):
        raise InputError(f"{name}.lengths holds a length of 0; drop the pair")
    return found / lengths


def _above_zero(name: str, value: float) -> None:
    if not value > 0:
        raise InputError(f"{name} must be above 0, not {value}")
