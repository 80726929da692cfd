"""Batches of two attempts for SCoRe: a solver that answers twice runs on the weights as they are.

The first model call of a rollout is the first attempt, the second one the second. Both are scored: the
answer of the rollout, and the first candidate that its steps made. A rollout in which one of them has no
reward, or that did not make two calls, says nothing and is left out, and is counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch

from gadfly.concurrency import each
from gadfly.errors import InputError
from gadfly.protocols import Scorer
from gadfly.records import Candidate, Rollout, Score
from gadfly.run.runner import scored
from gadfly.train.losses.advantages import rloo
from gadfly.train.losses.score_rl import advantages, stage_one, stage_two
from gadfly.train.objectives.score_rl import Attempted, Stage, attempts_of
from gadfly.train.online import Group, Sampler, worth

Baseline: TypeAlias = Literal["batch", "group", "none"]
Rewards: TypeAlias = tuple[float | None, float | None]
"""Of the first attempt and of the second; None where unknown."""


@dataclass(frozen=True, kw_only=True)
class OnAttempts:
    """Batches for `ScoreRL`: stage I for some steps, then stage II."""

    sampler: Sampler
    """Its solver makes two calls (`recipes.solve.two_attempts`)."""
    reward: str
    """Name of the scorer that is the reward."""
    stage_one: int
    """Steps of stage I; 0 leaves it out (the paper's ablation)."""
    alpha: float = 10.0
    """Weight of the bonus for progress in stage II; 0 takes it away (the paper's ablation)."""
    discount: float = 0.0
    """Share of the second attempt's reward that the first is credited with, in stage II."""
    baseline: Baseline = "batch"
    """What is taken off each attempt's reward: its mean over the batch, or over the other samples of its
    problem."""
    unreadable: float | None = 0.0
    """What an attempt is worth that the scorer could not read; None leaves the pair out."""

    def __post_init__(self) -> None:
        if self.sampler.plan.passes != 1:
            raise InputError("SCoRe takes one gradient step a batch: set passes to 1")

    def __call__(self, step: int, /) -> tuple[Sequence[Attempted], Mapping[str, float]]:
        """The examples of a step, and what was sampled.

        Raises:
            InputError: no rollout made two calls.
        """
        stage: Stage = "I" if step < self.stage_one else "II"
        groups = self.sampler.draw(step)
        rewards = [self._rewards(group) for group in groups]
        if not any(len(calls) == 2 for group in groups for calls in group.calls):
            raise InputError("no sample has two attempts; the solver is to call the model twice")
        gains = gains_of(rewards, stage=stage, alpha=self.alpha, discount=self.discount, of=self.baseline)
        codec = self.sampler.learner.policy.codec
        examples = [
            Attempted(rows=attempts_of(*calls), gains=gain, stage=stage)
            for group, of_group in zip(groups, gains, strict=True)
            for calls, gain in zip(group.calls, of_group, strict=True)
            if gain is not None
        ]
        fits = [all(codec.within(marked.row) for marked in one.rows) for one in examples]
        return [one for one, fit in zip(examples, fits, strict=True) if fit], _figures(rewards)

    def _rewards(self, group: Group) -> list[Rewards]:
        scorer = self.sampler.scorers[self.reward]
        first = self.sampler.call(_score_first, scorer, group.rollouts)
        second = group.rewards(self.reward, unreadable=self.unreadable)
        both = zip((worth(one, self.unreadable) for one in first), second, group.calls, strict=True)
        return [
            (before, after) if len(calls) == 2 and all(call.output for call in calls) else (None, None)
            for before, after, calls in both
        ]


def gains_of(
    rewards: Sequence[Sequence[Rewards]],
    *,
    stage: Stage,
    alpha: float = 10.0,
    discount: float = 0.0,
    of: Baseline = "batch",
) -> list[list[tuple[float, float] | None]]:
    """What the attempts of some groups are credited with; None where a reward is missing."""
    known = [(before, after) for row in rewards for before, after in row if None not in (before, after)]
    if not known:
        return [[None] * len(row) for row in rewards]
    first, second = torch.tensor(known, dtype=torch.float32).unbind(dim=1)
    shaped = stage_one(first, second) if stage == "I" else stage_two(first, second, alpha=alpha)
    share = 0.0 if stage == "I" else discount
    credit = advantages(shaped, discount=share, baseline="mean" if of == "batch" else "none")
    there = torch.tensor([[None not in one for one in row] for row in rewards])
    full = torch.zeros(*there.shape, 2)
    full[there] = credit
    if of == "group":
        full = torch.stack([rloo(full[..., side], scored=there).values for side in (0, 1)], dim=-1)
    return [
        [
            None if None in pair else (float(full[at, place, 0]), float(full[at, place, 1]))
            for place, pair in enumerate(row)
        ]
        for at, row in enumerate(rewards)
    ]


def first_attempt(rollout: Rollout) -> Candidate | None:
    """The first candidate that a rollout's steps made."""
    return next((step.output for step in rollout.steps if isinstance(step.output, Candidate)), None)


async def _score_first(scorer: Scorer, rollouts: Sequence[Rollout]) -> list[Score | None]:
    async def one(rollout: Rollout) -> Score | None:
        first = first_attempt(rollout)
        return None if first is None else await scored("first", scorer, rollout.problem, first)

    return await each(one, rollouts)


def _figures(rewards: Sequence[Sequence[Rewards]]) -> dict[str, float]:
    every = [one for row in rewards for one in row]
    known = [(before, after) for before, after in every if before is not None and after is not None]
    n = max(1, len(known))
    return {
        "first": sum(before for before, _ in known) / n,
        "second": sum(after for _, after in known) / n,
        "progress": sum(after - before for before, after in known) / n,
        "mended": sum(after > before for before, after in known) / n,
        "broken": sum(after < before for before, after in known) / n,
        "left_out": 1 - len(known) / len(every),
    }
