"""P(IK): a head that says before any answer how likely the model is to know it.

Kadavath et al. 2022 (arXiv:2207.05221), section 5: the head stands at the question's last token and learns
from the model's own sampled answers, marked right or wrong.

Differs from the paper: the last token is that after which the answer begins, the template's header included.
`gathered` makes one example of a question's answers, which has the gradient of one row each.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from gadfly.errors import InputError
from gadfly.train.codec import Codec
from gadfly.train.losses.head import p_ik
from gadfly.train.losses.reduction import Loss
from gadfly.train.masks import MaskedRow
from gadfly.train.objective import LeftOut
from gadfly.train.policy import Policy
from gadfly.train.rows import AnyRow, Unpaired


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question and how its answers did."""

    row: MaskedRow
    """The prompt up to where the answer begins."""
    right: float
    samples: float
    """How many answers there were, by weight."""


@dataclass(frozen=True, kw_only=True)
class KnowsAnswer:
    """The head's logit is to be that of the share of right answers."""

    head_only: bool = False
    """Whether the layers below stay as they are. The paper trains them all."""

    @property
    def needs_reference(self) -> bool:
        """No."""
        return False

    @property
    def needs_head(self) -> bool:
        """Yes."""
        return True

    def example(self, row: AnyRow, codec: Codec, /) -> Question | None:
        """An answer with its label; what it says is not looked at.

        Raises:
            InputError: another kind of row.
            LeftOut: its weight is 0.
        """
        if not isinstance(row, Unpaired):
            raise InputError(f"P(IK) learns from unpaired rows, not from {row.kind} rows")
        if not row.weight:
            raise LeftOut("of weight 0")
        found = codec.asked(row.prompt)
        if found is None:
            return None
        return Question(row=found, right=row.weight * row.label, samples=row.weight)

    def size(self, example: Question, /) -> float:
        """Answers."""
        return example.samples

    def length(self, example: Question, /) -> int:
        """Tokens of the question."""
        return len(example.row.ids)

    def loss(self, policy: Policy, examples: Sequence[Question], /) -> Loss:
        """The loss, with the figures of `losses.head.p_ik`."""
        logits = policy.rewards([example.row for example in examples], head_only=self.head_only)
        return p_ik(
            logits,
            logits.new_tensor([example.right for example in examples]),
            samples=logits.new_tensor([example.samples for example in examples]),
        )


def gathered(examples: Iterable[Question]) -> tuple[Question, ...]:
    """One example a question, in the order in which they first come."""
    found: dict[tuple[int, ...], Question] = {}
    for one in examples:
        seen = found.get(one.row.ids)
        found[one.row.ids] = (
            one
            if seen is None
            else replace(seen, right=seen.right + one.right, samples=seen.samples + one.samples)
        )
    return tuple(found.values())
