"""Distillation: the student's next-token distribution is brought to a teacher's, on given completions.

Hinton et al. 2015 (arXiv:1503.02531), MiniLLM (arXiv:2306.08543), GKD (arXiv:2306.13649): the divergences
stand in `losses.distil`. A row's weight multiplies its divergence, so a teacher's rewards as weights distil
data and rewards together (arXiv:2502.19557). Rows that the student wrote make it on-policy.

Differs from the papers: see `losses.distil`. Teacher and student have one tokenizer, which is checked; texts
of a teacher with another are learned with `Supervised`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from gadfly.errors import InputError
from gadfly.models.transformers_weights import locate, read
from gadfly.train.codec import Codec
from gadfly.train.losses.distil import Divergence, distil
from gadfly.train.losses.reduction import PER_SEQUENCE, PER_TOKEN, Loss
from gadfly.train.objectives.supervised import Supervised, Told
from gadfly.train.policy import Logits, Policy
from gadfly.train.rows import AnyRow


@dataclass(frozen=True, kw_only=True)
class Distilled:
    """A teacher's distributions, token by token."""

    teacher: str
    """Weights, as after `transformers:`; read at the first step, onto the student's device."""
    divergence: Divergence = "forward KL"
    mixture: float = 0.5
    """The teacher's share, for Jensen-Shannon alone."""
    temperature: float = 1.0
    """Both sides' logits are divided by it."""
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
        """Completions, or corrections, as `Supervised` takes them.

        Raises:
            InputError: another kind of row.
        """
        return self._rows.example(row, codec)

    def size(self, example: Told, /) -> float:
        """Learned tokens, or 1."""
        return self._rows.size(example)

    def length(self, example: Told, /) -> int:
        """Tokens, prompt included."""
        return self._rows.length(example)

    def loss(self, policy: Policy, examples: Sequence[Told], /) -> Loss:
        """The loss, with the figures of `losses.distil`."""
        rows = [example.row for example in examples]
        ours = policy.logits(rows)
        with torch.no_grad():
            theirs = self._teacher(policy).logits(rows)
        return distil(
            _predicted(ours),
            _predicted(theirs),
            ours.mask[:, 1:],
            divergence=self.divergence,
            mixture=self.mixture,
            temperature=self.temperature,
            sequence_weights=ours.values.new_tensor([example.weight for example in examples]),
            reduction=PER_SEQUENCE if self.per_sequence else PER_TOKEN,
        )

    @cached_property
    def _rows(self) -> Supervised:
        return Supervised(per_sequence=self.per_sequence)

    @cached_property
    def _kept(self) -> dict[str, Policy]:
        """The teacher, by device."""
        return {}

    def _teacher(self, policy: Policy) -> Policy:
        device = str(policy.loaded.device)
        if device not in self._kept:
            loaded = read(locate(self.teacher), dtype="float32", device=device)
            loaded.model.requires_grad_(requires_grad=False)
            _check_same(loaded.tokenizer, policy.codec.tokenizer, self.teacher)
            self._kept[device] = Policy(loaded=loaded, codec=policy.codec, adapted=False, bf16=policy.bf16)
        return self._kept[device]


def _predicted(logits: Logits) -> torch.Tensor:
    """Logits that predict a token: all but those of the last."""
    return logits.values[:, :-1]


def _check_same(teacher: Any, student: Any, name: str) -> None:  # noqa: ANN401 (tokenizers are untyped)
    if teacher.get_vocab() != student.get_vocab():
        raise InputError(
            f"the teacher {name} has another vocabulary than the student: its logits say nothing to it; "
            "train on its answers instead"
        )
