"""A small random policy, and what it makes of tokens computed without batches, padding or masks."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gadfly.train.learner import Learner, Tuning, open_learner
from gadfly.train.masks import MaskedRow
from gadfly.train.rows import Turn
from gadfly.train.tiny import write_tiny


def tiny_learner(folder: Path, *, head: bool = False, reference: bool = False, part: int = 8) -> Learner:
    """Random weights with a random head; the reference differs from them where there is one."""
    path = write_tiny(folder / "tiny", seed=3, width=32, layers=2, spread=0.3)
    tuning = Tuning(lora=None, precision="float32", part=part)
    learner = open_learner(str(path), tuning=tuning, device="cpu", head=head, reference=reference)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        if learner.policy.head is not None:
            learner.policy.head.weight.normal_(generator=generator)
            learner.policy.head.bias.fill_(0.25)
        if reference:
            for weight in learner.policy.frozen.parameters():
                weight.add_(0.05 * torch.randn(weight.shape, generator=generator))
    return learner


def user(text: str) -> tuple[Turn, ...]:
    """A prompt."""
    return (Turn(role="user", content=text, author="problem"),)


def said(text: str, author: str = "policy") -> Turn:
    """An answer."""
    return Turn(role="assistant", content=text, author=author)


def learned_text(learner: Learner, row: MaskedRow) -> str:
    """The tokens under the mask, as text with its control tokens."""
    ids = [token for token, kept in zip(row.ids, row.mask, strict=True) if kept]
    return str(learner.policy.codec.tokenizer.decode(ids))


def plain_logprobs(model: Any, row: MaskedRow) -> Tensor:  # noqa: ANN401
    """log p of each learned token given those before it, from one unpadded pass."""
    ids = torch.tensor([row.ids])
    table = model(input_ids=ids).logits.float().log_softmax(dim=-1)[0]
    places = [place for place, kept in enumerate(row.mask) if kept]
    return torch.stack([table[place - 1, row.ids[place]] for place in places])


def plain_sums(model: Any, rows: Sequence[MaskedRow]) -> Tensor:  # noqa: ANN401
    """log p of each whole completion."""
    return torch.stack([plain_logprobs(model, row).sum() for row in rows])


def plain_numbers(learner: Learner, row: MaskedRow) -> Tensor:
    """The head's number at every token of one unpadded row."""
    model: Any = learner.policy.loaded.model
    head = learner.policy.head
    assert head is not None
    states = model.model(input_ids=torch.tensor([row.ids])).last_hidden_state
    return head(states)[0, :, 0]
