"""SCoRe: reinforcement learning of self-correction over two attempts (Kumar et al. 2024, arXiv:2409.12917).

Rewards are shaped and turned into gains where attempts are sampled (`train.online_attempts`), which also
says which stage a step is of; the formulas stand in `losses.score_rl`. The reference of both stages is the
model that training began with.

Differs from the paper: see `losses.score_rl`. Attempts are learned by the very tokens that were drawn. Where
the second call read the first answer as other tokens, the two attempts are two rows instead of one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from gadfly.errors import InputError
from gadfly.train.losses.policy import Estimator
from gadfly.train.losses.reduction import Loss, Reduction
from gadfly.train.losses.score_rl import Attempts, score
from gadfly.train.masks import MaskedRow
from gadfly.train.policy import Policy
from gadfly.train.sampling import Drawn

Stage = Literal["I", "II"]


@dataclass(frozen=True, kw_only=True)
class Marked:
    """Tokens, and which attempt each belongs to."""

    row: MaskedRow
    attempt: tuple[int, ...]
    """1 or 2; 0 at what the policy only read."""


@dataclass(frozen=True, kw_only=True)
class Attempted:
    """Two attempts at a problem, with what each is credited with."""

    rows: tuple[Marked, ...]
    gains: tuple[float, float]
    stage: Stage


def attempts_of(first: Drawn, second: Drawn) -> tuple[Marked, ...]:
    """One row with both attempts; two, where the second call did not read what the first one drew."""
    one, two = (1,) * len(first.output), (2,) * len(second.output)
    before = (*first.prompt, *first.output)
    if second.prompt[: len(before)] == before:
        asked = second.prompt[len(before) :]
        marks = (*_read(first.prompt), *one, *_read(asked), *two)
        return (_marked((*second.prompt, *second.output), marks),)
    return (
        _marked(before, (*_read(first.prompt), *one)),
        _marked((*second.prompt, *second.output), (*_read(second.prompt), *two)),
    )


@dataclass(frozen=True, kw_only=True)
class ScoreRL:
    """The second attempt is to be better than the first, and the first as good as it can be."""

    light: float = 0.01
    """Weight of the penalty on leaving the reference, in both attempts."""
    strong: float = 0.1
    """Weight of a further one on the first attempt, in stage I; the paper has 0.25 for code."""
    estimator: Estimator = "k2"
    """Of the KL divergence."""
    temperature: float = 1.0
    """At which the attempts were drawn."""

    @property
    def needs_reference(self) -> bool:
        """Yes."""
        return True

    @property
    def needs_head(self) -> bool:
        """No."""
        return False

    def size(self, example: Attempted, /) -> float:
        """Every pair of attempts counts alike."""
        return 1.0

    def length(self, example: Attempted, /) -> int:
        """Tokens of the longer row."""
        return max(len(one.row.ids) for one in example.rows)

    def loss(self, policy: Policy, examples: Sequence[Attempted], /) -> Loss:
        """The loss, with the figures of `losses.score_rl.score`.

        Raises:
            InputError: the examples are of both stages.
        """
        stage = examples[0].stage
        if any(one.stage != stage for one in examples):
            raise InputError("a batch of attempts is of one stage, I or II")
        marked = [one for example in examples for one in example.rows]
        rows = [one.row for one in marked]
        found = policy.logprobs(rows, temperature=self.temperature)
        width = found.values.shape[1]
        marks = [[*[0] * (width - len(one.attempt)), *one.attempt][-width:] for one in marked]
        attempts = Attempts(
            logprobs=found.values,
            reference=policy.reference_logprobs(rows, temperature=self.temperature).values,
            attempt=torch.tensor(marks, device=found.values.device),
        )
        gains = [example.gains for example in examples for _ in example.rows]
        return score(
            attempts,
            found.values.new_tensor(gains),
            stage=stage,
            light=self.light,
            strong=self.strong,
            estimator=self.estimator,
            reduction=Reduction(over="sequence sums", total=float(len(examples))),
        )


def _read(tokens: Sequence[int]) -> tuple[int, ...]:
    return (0,) * len(tokens)


def _marked(ids: tuple[int, ...], marks: tuple[int, ...]) -> Marked:
    return Marked(row=MaskedRow(ids=ids, mask=tuple(int(mark > 0) for mark in marks)), attempt=marks)
