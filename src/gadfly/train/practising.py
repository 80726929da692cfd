"""Practice on this machine: the weights answer, a policy gradient credits the answers, step by step.

What the answers took goes into the log beside the figures of each step, so that a resumed training knows it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from time import monotonic
from typing import cast

from gadfly.errors import InputError, UnsupportedError
from gadfly.protocols import Model
from gadfly.records import Completion, Problem, Request, Usage
from gadfly.run.improvement import PhaseCost
from gadfly.run.manifest import describe
from gadfly.trace import elapsed
from gadfly.train.fit import OnStep
from gadfly.train.folder import MODEL, read_log
from gadfly.train.learner import Learner, Tuning
from gadfly.train.objectives.policy_gradient import PolicyGradient, Sampled
from gadfly.train.online import Estimate, OnPolicy, Sampler
from gadfly.train.practice import Practice
from gadfly.train.sampled_training import SampledTrainer
from gadfly.train.weights import Trained, Weights

CALLS, DRAWN, DRAWING, LEARNED = "drawn_calls", "drawn_tokens", "drawing_seconds", "learned_tokens"
_ESTIMATES = ("grpo", "rloo", "reinforce")


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """Stands for the weights where a solver is described and not asked."""

    id: str = "policy"

    async def complete(self, request: Request, /) -> Completion:
        """It has no answer.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError("this model only stands for the weights under training")


@dataclass(frozen=True, kw_only=True)
class Counted:
    """A model whose usage is written down."""

    inner: Model
    spent: list[Usage]

    @property
    def id(self) -> str:
        """The model's."""
        return self.inner.id

    async def complete(self, request: Request, /) -> Completion:
        """Answer, and write down what it took."""
        completion = await self.inner.complete(request)
        self.spent.append(completion.usage)
        return completion


@dataclass(frozen=True, kw_only=True)
class Booked:
    """Batches with what it took to draw them."""

    batches: OnPolicy
    spent: list[Usage]

    def __call__(self, step: int, /) -> tuple[Sequence[Sampled], Mapping[str, float]]:
        """The examples of a step, and its figures."""
        self.spent.clear()
        began = monotonic()
        examples, figures = self.batches(step)
        took = Usage.total(self.spent)
        booked = {CALLS: took.calls, DRAWN: took.tokens, DRAWING: elapsed(began)}
        return examples, {**figures, **booked, LEARNED: sum(len(one.row.ids) for one in examples)}


def practise(
    start: str,
    practice: Practice,
    problems: Sequence[Problem],
    out: Path,
    *,
    tuning: Tuning,
    device: str,
    on_step: OnStep | None,
) -> Trained:
    """Train and publish, going on where an earlier session stopped; a finished training is read.

    Raises:
        InputError: no such estimate or setting, or as `open_learner` and `fit`.
    """
    spent: list[Usage] = []

    def setting(learner: Learner) -> Sampler:
        return Sampler(
            learner=learner,
            solver=lambda model: practice.solver(Counted(inner=model, spent=spent)),
            scorers=practice.scorers,
            problems=problems,
            samples=practice.samples,
            plan=practice.plan,
        )

    def batches(sampler: Sampler) -> Booked:
        drawn = OnPolicy(
            sampler=sampler,
            reward=next(iter(practice.scorers)),
            estimate=cast(Estimate, practice.estimate),
            gold=practice.gold,
        )
        return Booked(batches=drawn, spent=spent)

    folder = SampledTrainer(tuning=tuning, device=device, on_step=on_step).learn(
        start,
        setting,
        batches,
        _objective(practice),
        practice.plan,
        out,
        told={"estimate": practice.estimate, "solver": describe(practice.solver(StandIn()))},
    )
    return _trained(folder.manifest.model, folder.manifest.steps, out)


def _objective(practice: Practice) -> PolicyGradient:
    known = {field.name for field in fields(PolicyGradient)}
    if practice.estimate not in _ESTIMATES:
        raise InputError(f"there is no estimate {practice.estimate!r}; there are {', '.join(_ESTIMATES)}")
    if unknown := practice.settings.keys() - known:
        raise InputError(
            f"a policy gradient has no setting {', '.join(sorted(unknown))}; "
            f"it has {', '.join(sorted(known))}"
        )
    return PolicyGradient(**practice.settings)  # pyright: ignore[reportArgumentType]  (checked by name)


def _trained(model: str, steps: int, out: Path) -> Trained:
    lines = read_log(out)

    def total(name: str) -> float:
        return sum(line.figures.get(name, 0.0) for line in lines)

    seconds = sum(line.seconds for line in lines)
    calls = round(total(CALLS))
    return Trained(
        weights=Weights(model=model, start=str(out / MODEL)),
        steps=steps,
        tokens=round(total(LEARNED)),
        rows=calls,
        seconds=max(0.0, seconds - total(DRAWING)),
        figures=lines[-1].figures if lines else {},
        drawn=PhaseCost(
            round=0,
            phase="generation",
            tokens=round(total(DRAWN)),
            seconds=total(DRAWING),
            calls=calls,
            rows=calls,
        ),
    )
