"""A process reward model: the head's number at the last token of each step says whether the step is right.

Lightman et al. 2023 (arXiv:2305.20050); labels by rollouts instead of people: Math-Shepherd
(arXiv:2312.08935). The formula stands in `losses.reward.process`.

Differs from the papers: both predict a word at the end of a step; here it is a head. Lightman et al. stop at
the first wrong step, which is `after_first_error="left out"`; by default every label there is counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from gadfly.errors import InputError
from gadfly.train.codec import LEARNED, Codec
from gadfly.train.losses.reduction import Loss
from gadfly.train.losses.reward import Pointwise, process
from gadfly.train.masks import MaskedRow, by_author
from gadfly.train.objective import LeftOut
from gadfly.train.policy import Policy
from gadfly.train.rows import AnyRow, Stepwise, Turn


@dataclass(frozen=True, kw_only=True)
class Steps:
    """A solution whose steps are labelled."""

    row: MaskedRow
    places: tuple[int, ...]
    """Where in the row each step's last token stands."""
    labels: tuple[bool, ...]


@dataclass(frozen=True, kw_only=True)
class StepRewards:
    """The head is to tell right steps from wrong ones, at their last tokens."""

    separator: str = "\n"
    """Put between steps that have no white space of their own there; ours have, foreign ones may not."""
    kind: Pointwise = "cross-entropy"
    after_first_error: Literal["kept", "left out"] = "kept"
    """What becomes of the labels of steps after the first wrong one."""

    @property
    def needs_reference(self) -> bool:
        """No."""
        return False

    @property
    def needs_head(self) -> bool:
        """Yes."""
        return True

    def example(self, row: AnyRow, codec: Codec, /) -> Steps | None:
        """A solution in steps.

        Raises:
            InputError: another kind of row.
            LeftOut: a step has no token of its own.
        """
        if not isinstance(row, Stepwise):
            raise InputError(f"a process reward model learns from stepwise rows, not from {row.kind} rows")
        labels = row.labels
        if self.after_first_error == "left out" and False in labels:
            labels = labels[: labels.index(False) + 1]
        text, ends = joined(row.completions, self.separator)
        chat = codec.chat([*row.prompt, Turn(role="assistant", content=text, author=LEARNED)])
        found = codec.within(by_author(chat, {LEARNED}))
        if found is None:
            return None
        begin = found.mask.index(1)
        places = [begin + place for place in last_tokens(codec.pieces(text), ends)]
        return Steps(row=found, places=tuple(places[: len(labels)]), labels=labels)

    def size(self, example: Steps, /) -> float:
        """Labelled steps."""
        return float(len(example.labels))

    def length(self, example: Steps, /) -> int:
        """Tokens, prompt included."""
        return len(example.row.ids)

    def loss(self, policy: Policy, examples: Sequence[Steps], /) -> Loss:
        """The loss, with the figures of `losses.reward.process`."""
        found = policy.token_rewards([example.row for example in examples])
        most = max(len(example.labels) for example in examples)
        places = torch.zeros(len(examples), most, dtype=torch.long, device=found.device)
        labels, mask = found.new_zeros(places.shape), torch.zeros_like(places)
        for number, example in enumerate(examples):
            count = len(example.labels)
            left = found.shape[1] - len(example.row.ids)  # padding
            places[number, :count] = torch.tensor(example.places) + left
            labels[number, :count] = found.new_tensor(example.labels)
            mask[number, :count] = 1
        return process(found.gather(1, places), labels, mask, kind=self.kind)


def joined(steps: Sequence[str], separator: str) -> tuple[str, tuple[int, ...]]:
    """Steps as one text, and where in it each ends, its separator left out."""
    text, ends = "", list[int]()
    for step in steps:
        if text and not text[-1].isspace() and not step[:1].isspace():
            text += separator
        text += step
        ends.append(len(text))
    return text, tuple(ends)


def last_tokens(pieces: Sequence[tuple[int, int]], ends: Sequence[int]) -> list[int]:
    """For each stretch of a text the last token that ends within it.

    Args:
        pieces: the characters of each token (`Codec.pieces`).
        ends: where the stretches end; the first begins at 0.

    Raises:
        LeftOut: no token ends within one of them.
    """
    found: list[int] = []
    begin = 0
    for end in ends:
        inside = [place for place, (_, stop) in enumerate(pieces) if begin < stop <= end]
        if not inside:
            raise LeftOut("a step has no token of its own")
        found.append(inside[-1])
        begin = end
    return found
