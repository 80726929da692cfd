"""Reward models: a head's number at the last token of a completion, from pairs or from marks.

Pairs: Bradley and Terry, as in Ouyang et al. 2022 (arXiv:2203.02155), with Llama 2's margin by how clear a
preference is (arXiv:2307.09288) and centring (arXiv:2312.09244). Marks: the head is to give the mark itself.
The formulas stand in `losses.reward`.

Differs from the papers: Ouyang et al. put all pairs of one prompt into one batch; here pairs are rows of
their own, and those that `train.from_rollouts` makes of a ranking weigh as one together. Llama 2 has four
steps of margin; here it is the row's strength times `margin`. A row's weight multiplies its loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gadfly.errors import InputError
from gadfly.train.codec import Codec
from gadfly.train.losses.reduction import Loss
from gadfly.train.losses.reward import Pointwise, bradley_terry, pointwise
from gadfly.train.masks import MaskedRow
from gadfly.train.objective import LeftOut
from gadfly.train.policy import Policy
from gadfly.train.rows import AnyRow, Preference, Unpaired, VectorReward


@dataclass(frozen=True, kw_only=True)
class RewardPair:
    """Two completions of one prompt."""

    chosen: MaskedRow
    rejected: MaskedRow
    strength: float = 0.0
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class RewardPairs:
    """The chosen side is to get the higher number."""

    margin: float = 0.0
    """By how much the chosen side should lead for each unit of a row's strength; 0: it is not used."""
    centring: float = 0.0
    """Weight of the squared mean of a pair; Eisenstein et al. have 0.01."""
    label_smoothing: float = 0.0
    """Assumed rate of flipped labels."""

    @property
    def needs_reference(self) -> bool:
        """No."""
        return False

    @property
    def needs_head(self) -> bool:
        """Yes."""
        return True

    def example(self, row: AnyRow, codec: Codec, /) -> RewardPair | None:
        """A preference.

        Raises:
            InputError: another kind of row.
        """
        if not isinstance(row, Preference):
            raise InputError(f"a pairwise reward model learns from preference rows, not from {row.kind} rows")
        chosen = codec.completion(row.prompt, row.chosen)
        rejected = codec.completion(row.prompt, row.rejected)
        if chosen is None or rejected is None:
            return None
        return RewardPair(chosen=chosen, rejected=rejected, strength=row.strength or 0.0, weight=row.weight)

    def size(self, example: RewardPair, /) -> float:
        """Every pair counts alike."""
        return 1.0

    def length(self, example: RewardPair, /) -> int:
        """Tokens of the longer side."""
        return max(len(example.chosen.ids), len(example.rejected.ids))

    def loss(self, policy: Policy, examples: Sequence[RewardPair], /) -> Loss:
        """The loss, with the figures of `losses.reward.bradley_terry`."""
        both = [example.chosen for example in examples] + [example.rejected for example in examples]
        chosen, rejected = policy.rewards(both).chunk(2)
        strengths = chosen.new_tensor([example.strength for example in examples])
        return bradley_terry(
            chosen,
            rejected,
            margin=self.margin * strengths if self.margin else None,
            centring=self.centring,
            label_smoothing=self.label_smoothing,
            weights=chosen.new_tensor([example.weight for example in examples]),
        )


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A completion and the mark it should get."""

    row: MaskedRow
    value: float
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class RewardMarks:
    """The head is to give each completion its mark, or the log-odds that it is good."""

    scorer: str = ""
    """Whose mark is learned, of rows with several; empty where there is one."""
    kind: Pointwise = "squared"
    """'cross-entropy' where marks are labels or probabilities: the number is then a logit."""

    @property
    def needs_reference(self) -> bool:
        """No."""
        return False

    @property
    def needs_head(self) -> bool:
        """Yes."""
        return True

    def example(self, row: AnyRow, codec: Codec, /) -> Mark | None:
        """A completion with a label, or with marks.

        Raises:
            InputError: another kind of row, or it has no such scorer.
            LeftOut: the scorer gave no mark.
        """
        match row:
            case Unpaired():
                value, weight = float(row.label), row.weight
            case VectorReward():
                value, weight = self._mark(row), 1.0
            case _:
                raise InputError(
                    f"a pointwise reward model learns from unpaired or vector-reward rows, not from "
                    f"{row.kind} rows"
                )
        found = codec.completion(row.prompt, row.completion)
        return None if found is None else Mark(row=found, value=value, weight=weight)

    def size(self, example: Mark, /) -> float:
        """Every completion counts alike."""
        return 1.0

    def length(self, example: Mark, /) -> int:
        """Tokens, prompt included."""
        return len(example.row.ids)

    def loss(self, policy: Policy, examples: Sequence[Mark], /) -> Loss:
        """The loss, with the figures of `losses.reward.pointwise`."""
        found = policy.rewards([example.row for example in examples])
        return pointwise(
            found,
            found.new_tensor([example.value for example in examples]),
            kind=self.kind,
            weights=found.new_tensor([example.weight for example in examples]),
        )

    def _mark(self, row: VectorReward) -> float:
        names = sorted(row.rewards)
        if not self.scorer and len(names) > 1:
            raise InputError(f"rows have the marks {', '.join(names)}: say which scorer's is learned")
        name = self.scorer or names[0]
        if name not in row.rewards:
            raise InputError(f"a row has no mark of {name!r}; it has {', '.join(names)}")
        value = row.rewards[name]
        if value is None:
            raise LeftOut("unscored")
        return value
