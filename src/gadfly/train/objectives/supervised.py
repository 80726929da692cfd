"""Supervised fine-tuning on answers, critiques or corrections, with a weight for each row.

What tells STaR, rejection sampling, constitutional revisions and hindsight methods apart is which rows
they keep and what stands before the completion; the objective is this one. Rows of weight 0 are read
past. Reward-weighted regression (Peters and Schaal 2007) is `weight` set from a reward.

Differs from the papers: the mean is over the learned tokens of the whole batch, however it is split
(`per_sequence` makes every row count alike instead).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gadfly.errors import InputError
from gadfly.train.codec import Codec
from gadfly.train.losses.reduction import PER_SEQUENCE, PER_TOKEN, Loss
from gadfly.train.losses.sft import sft
from gadfly.train.masks import MaskedRow, by_role
from gadfly.train.policy import Policy
from gadfly.train.rows import AnyRow, Correction, PromptCompletion


@dataclass(frozen=True, kw_only=True)
class Told:
    """A text to be learned."""

    row: MaskedRow
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Supervised:
    """Negative log-likelihood of the words that are to be learned."""

    learn: Literal["all", "last"] = "last"
    """Of a correction (draft, critique, rewrite): the last rewrite alone, or every turn of the assistant."""
    per_sequence: bool = False
    """Every row counts alike, instead of every token."""

    @property
    def needs_reference(self) -> bool:
        """No."""
        return False

    @property
    def needs_head(self) -> bool:
        """No."""
        return False

    def example(self, row: AnyRow, codec: Codec, /) -> Told | None:
        """Answers to problems (and critiques of answers, which are written so), or corrections.

        Raises:
            InputError: another kind of row.
        """
        match row:
            case PromptCompletion():
                found = codec.completion(row.prompt, row.completion)
            case Correction():
                chat = codec.chat((*row.prompt, *row.turns))
                found = codec.within(by_role(chat, which=self.learn))
            case _:
                raise InputError(f"sft learns from completions and chats, not from {row.kind} rows")
        return None if found is None else Told(row=found, weight=row.weight)

    def size(self, example: Told, /) -> float:
        """Learned tokens, or 1."""
        return 1.0 if self.per_sequence else float(example.row.learned)

    def length(self, example: Told, /) -> int:
        """Tokens, prompt included."""
        return len(example.row.ids)

    def loss(self, policy: Policy, examples: Sequence[Told], /) -> Loss:
        """The loss, with `nll` and the counts of `losses.sft`."""
        found = policy.logprobs([example.row for example in examples])
        weights = found.values.new_tensor([example.weight for example in examples])
        return sft(
            found.values,
            found.mask,
            sequence_weights=weights,
            reduction=PER_SEQUENCE if self.per_sequence else PER_TOKEN,
        )
