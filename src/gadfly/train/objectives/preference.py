"""Preference optimisation on pairs: DPO, cDPO, robust DPO, IPO, hinge, SimPO, ORPO.

The formulas and their sources stand in `losses.preference` and `losses.reference_free`.

Differs from the papers: the reference's log-probabilities are computed anew in each step instead of once
before (a forward pass more, no second pass over the data). `likelihood_weight` adds the chosen side's
negative log-likelihood per token (RPO, arXiv:2404.19733), which holds up the probability of the chosen
answers that DPO alone lets fall. A row's weight multiplies its pair's loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from gadfly.errors import InputError
from gadfly.train.codec import Codec
from gadfly.train.losses.logprobs import Sequences
from gadfly.train.losses.preference import Pairs, dpo, ipo, slic
from gadfly.train.losses.reduction import Loss, average, mean
from gadfly.train.losses.reference_free import orpo, simpo
from gadfly.train.masks import MaskedRow
from gadfly.train.policy import Policy
from gadfly.train.rows import AnyRow, Preference


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two completions of one prompt."""

    chosen: MaskedRow
    rejected: MaskedRow
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class PreferencePairs:
    """The chosen side is to become more likely than the rejected one."""

    loss_type: Literal["dpo", "ipo", "hinge", "simpo", "orpo"] = "dpo"
    beta: float = 0.1
    """Strength of the pull to the reference; IPO's tau, SimPO's scale (there 2), ORPO's lambda."""
    label_smoothing: float = 0.0
    """Assumed rate of flipped labels: above 0, dpo is cDPO."""
    robust: bool = False
    """The unbiased form for flipped labels, instead of cDPO's."""
    gamma: float = 1.0
    """SimPO's target margin."""
    likelihood_weight: float = 0.0

    @property
    def needs_reference(self) -> bool:
        """All but SimPO and ORPO do."""
        return self.loss_type not in ("simpo", "orpo")

    @property
    def needs_head(self) -> bool:
        """No."""
        return False

    def example(self, row: AnyRow, codec: Codec, /) -> Pair | None:
        """A preference.

        Raises:
            InputError: another kind of row.
        """
        if not isinstance(row, Preference):
            raise InputError(f"{self.loss_type} learns from preference rows, not from {row.kind} rows")
        chosen = codec.completion(row.prompt, row.chosen)
        rejected = codec.completion(row.prompt, row.rejected)
        if chosen is None or rejected is None:
            return None
        return Pair(chosen=chosen, rejected=rejected, weight=row.weight)

    def size(self, example: Pair, /) -> float:
        """Every pair counts alike."""
        return 1.0

    def length(self, example: Pair, /) -> int:
        """Tokens of the longer side."""
        return max(len(example.chosen.ids), len(example.rejected.ids))

    def loss(self, policy: Policy, examples: Sequence[Pair], /) -> Loss:
        """The loss, with the figures of `losses.preference.dpo`."""
        rows = [example.chosen for example in examples] + [example.rejected for example in examples]
        chosen, rejected = _halves(policy.logprobs(rows).sums)
        pairs = Pairs(
            chosen=chosen,
            rejected=rejected,
            weights=chosen.logprobs.new_tensor([example.weight for example in examples]),
        )
        if self.needs_reference:
            before, after = _halves(policy.reference_logprobs(rows).sums)
            pairs = replace(pairs, reference_chosen=before, reference_rejected=after)
        found = self._loss(pairs)
        if not self.likelihood_weight:
            return found
        nll = -mean(chosen.logprobs / chosen.lengths, pairs.weights)
        return Loss(
            loss=found.loss + self.likelihood_weight * nll,
            metrics={**found.metrics, "chosen_nll": average(-chosen.logprobs / chosen.lengths)},
        )

    def _loss(self, pairs: Pairs) -> Loss:
        match self.loss_type:
            case "dpo":
                noise = "robust" if self.robust else "conservative"
                return dpo(pairs, beta=self.beta, label_smoothing=self.label_smoothing, noise=noise)
            case "ipo":
                return ipo(pairs, tau=self.beta)
            case "hinge":
                return slic(pairs, beta=self.beta)
            case "simpo":
                return simpo(pairs, beta=self.beta, gamma=self.gamma, label_smoothing=self.label_smoothing)
            case "orpo":
                # Per token of a part it would depend on how the batch is split.
                return orpo(pairs, weight=self.beta, average_over="sequences")


def _halves(both: Sequences) -> tuple[Sequences, Sequences]:
    middle = both.logprobs.shape[0] // 2
    return (
        Sequences(logprobs=both.logprobs[:middle], lengths=both.lengths[:middle]),
        Sequences(logprobs=both.logprobs[middle:], lengths=both.lengths[middle:]),
    )
