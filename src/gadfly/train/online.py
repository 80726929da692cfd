"""Batches that the policy makes itself: any solver runs on the weights as they are, any scorer rewards.

Every model call of a rollout becomes an example with the rollout's advantage, by the tokens that were
drawn. Groups are the samples of one problem. What a scorer failed on says nothing: it is left out of its
group's mean and learns nothing, and is counted. What an unreadable answer is worth is a setting.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import anyio
import torch

from gadfly.concurrency import each
from gadfly.errors import InputError
from gadfly.models.metered import Metered
from gadfly.protocols import Model, Scorer, Solver
from gadfly.records import Problem, Rollout, Score
from gadfly.run.runner import roll_out
from gadfly.train.codec import sampled
from gadfly.train.learner import Learner
from gadfly.train.losses.advantages import Advantages, Scale, grpo, reinforce, rloo
from gadfly.train.objectives.policy_gradient import Sampled
from gadfly.train.plan import Plan
from gadfly.train.sampling import Drawn, PolicyModel

MakeSolver: TypeAlias = Callable[[Model], Solver]
Estimate: TypeAlias = Literal["grpo", "rloo", "reinforce"]


@dataclass(frozen=True, kw_only=True)
class Group:
    """Samples of one problem, with the tokens of their calls."""

    rollouts: tuple[Rollout, ...]
    calls: tuple[tuple[Drawn, ...], ...]
    """Of each rollout, in the order they were made."""

    def rewards(self, scorer: str, *, unreadable: float | None = None) -> list[float | None]:
        """What each was worth; `unreadable` where its answer could not be read; None where unknown."""
        return [worth(rollout.scores.get(scorer), unreadable) for rollout in self.rollouts]


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """Draws groups of rollouts from the weights under training."""

    learner: Learner
    solver: MakeSolver
    """Makes the solver that answers with the given model."""
    scorers: Mapping[str, Scorer]
    """By name; whoever makes advantages says which is the reward, the others are for the log."""
    problems: Sequence[Problem]
    samples: int
    """Rollouts a problem."""
    plan: Plan
    call: Callable[..., Any] = anyio.run
    """Runs an asynchronous function to its end: `call(function, argument, ...)`. Where solver or scorers keep
    connections open, one that runs every step in the same event loop, such as a portal's."""

    def draw(self, step: int) -> list[Group]:
        """The groups of a step: other problems and other draws in each.

        Several processes draw a share each, and every one gets them all.
        """
        places = self.plan.places(step, len(self.problems))
        chosen = [self.problems[place].again(step).again(copy) for copy, place in enumerate(places)]
        return self.learner.together(self.call(self._draw, step, self.learner.share(chosen)))

    async def _draw(self, step: int, chosen: Sequence[Problem]) -> list[Group]:
        model = self.learner.sample(f"{self.learner.source.name}+{step}")
        metered = Metered(inner=model)
        solver = self.solver(metered)
        asked = [problem.again(number) for problem in chosen for number in range(self.samples)]

        async def one(problem: Problem) -> Rollout:
            return await roll_out(solver, problem, self.scorers)

        try:
            rollouts = await each(one, asked)
        finally:
            await model.close()
        return [
            Group(
                rollouts=tuple(group),
                calls=tuple(calls_of(rollout, model) for rollout in group),
            )
            for group in (rollouts[i : i + self.samples] for i in range(0, len(rollouts), self.samples))
        ]


def calls_of(rollout: Rollout, model: PolicyModel) -> tuple[Drawn, ...]:
    """The policy's calls in a rollout, in order, as tokens; other models' calls are left out."""
    digests = [call.request for step in rollout.steps for call in step.calls if call.model == model.id]
    return tuple(model.drawn[digest] for digest in digests if digest in model.drawn)


@dataclass(frozen=True, kw_only=True)
class OnPolicy:
    """Batches for `PolicyGradient`: groups of samples with advantages."""

    sampler: Sampler
    reward: str
    """Name of the scorer that is the reward."""
    estimate: Estimate = "grpo"
    scale: Scale = "group"
    """What GRPO divides a group's advantages by; 'none' is Dr. GRPO."""
    unreadable: float | None = 0.0
    """What an answer is worth that the scorer could not read. None leaves it out: then nothing keeps the
    policy from drifting into unreadable answers. A scorer's own faults are always left out."""
    gold: str = ""
    """Name of the scorer that knows the truth, where the reward is another: it goes to the log alone."""

    def __call__(self, step: int, /) -> tuple[Sequence[Sampled], Mapping[str, float]]:
        """The examples of a step, those without an advantage left out, and what was sampled."""
        groups = self.sampler.draw(step)
        rewards = [group.rewards(self.reward, unreadable=self.unreadable) for group in groups]
        found = advantages(rewards, self.estimate, self.scale)
        examples = [
            Sampled(row=sampled(call.prompt, call.output), advantage=float(value))
            for group, row in zip(groups, found.values, strict=True)
            for calls, value in zip(group.calls, row, strict=True)
            for call in calls
            if float(value) and call.output
        ]
        codec = self.sampler.learner.policy.codec
        fitting = [one for one in examples if codec.within(one.row) is not None]
        figures = _figures(groups, rewards, found)
        if len(fitting) < len(examples):
            figures["too_long"] = 1 - len(fitting) / len(examples)
        if self.sampler.plan.passes > 1:
            fitting = with_old(self.sampler.learner, fitting)
        if self.gold:
            figures["gold"] = _mean([value for group in groups for value in group.rewards(self.gold)])
        return fitting, figures


def advantages(rewards: Sequence[Sequence[float | None]], estimate: Estimate, scale: Scale) -> Advantages:
    """Advantages of groups of equal size.

    Raises:
        InputError: the estimate cannot be scaled so.
    """
    scored = torch.tensor([[value is not None for value in row] for row in rewards])
    given = torch.tensor([[value or 0.0 for value in row] for row in rewards])
    if estimate == "grpo":
        return grpo(given, scored=scored, scale=scale)
    if scale == "group":
        scale = "none"
    if estimate == "rloo":
        return rloo(given, scored=scored, scale=scale)
    flat = reinforce(given.flatten(), scored=scored.flatten(), baseline="mean", scale=scale)
    return replace(flat, values=flat.values.reshape(given.shape))


@torch.no_grad()
def with_old(learner: Learner, examples: Sequence[Sampled]) -> list[Sampled]:
    """Examples with the log-probabilities that their tokens have now."""
    found: list[Sampled] = []
    for start in range(0, len(examples), learner.tuning.part):
        part = examples[start : start + learner.tuning.part]
        now = learner.policy.logprobs([one.row for one in part])
        for place, one in enumerate(part):
            values = now.values[place][now.mask[place].bool()]
            found.append(replace(one, old=tuple(float(value) for value in values)))
    return found


def _figures(
    groups: Sequence[Group], rewards: Sequence[Sequence[float | None]], found: Advantages
) -> dict[str, float]:
    every = [value for row in rewards for value in row]
    lengths = [len(call.output) for group in groups for calls in group.calls for call in calls]
    if not lengths:
        failed = next((one.failure for group in groups for one in group.rollouts if one.failure), None)
        raise InputError(f"no sample could be drawn: {failed.message if failed else 'no model was called'}")
    return {
        "reward": _mean(every),
        "unscored": sum(one.value is None for group in groups for one in group.rollouts) / len(every),
        "flat_groups": found.flat_groups / len(groups),
        "output_tokens": sum(lengths) / len(lengths),
    }


def worth(score: Score | None, unreadable: float | None) -> float | None:
    """A score as a reward: `unreadable` where the answer could not be read, None where it is unknown."""
    if score is None:
        return None
    if score.value is None and score.failure is not None and score.failure.boundary == "parse":
        return unreadable
    return score.value


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else 0.0
