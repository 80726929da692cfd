"""Training rows on this machine: weights opened, rows learned, the result written where models load it."""

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import JsonValue

from gadfly.records import Problem, content_digest
from gadfly.run.manifest import describe
from gadfly.train.fit import Examples, OnStep, Training, examples_of, fit
from gadfly.train.folder import MODEL, TrainFolder
from gadfly.train.holdout import held_out
from gadfly.train.learner import Learner, Tuning, open_learner
from gadfly.train.lessons import build_objective
from gadfly.train.objective import RowObjective
from gadfly.train.plan import Plan
from gadfly.train.practice import Practice
from gadfly.train.practising import practise
from gadfly.train.publish import publish_weights
from gadfly.train.rows import AnyRow
from gadfly.train.weights import Lesson, Trained, Weights

E = TypeVar("E")


@dataclass(frozen=True, kw_only=True)
class LocalTrainer:
    """Trains in this process; under `accelerate launch`, on several devices."""

    tuning: Tuning = Tuning()
    device: str = "auto"
    holdout: float = 0.0
    """Share of the problems whose rows are looked at and not learned from."""
    on_step: OnStep | None = None

    def __call__(self, start: str, rows: Sequence[AnyRow], lesson: Lesson, out: Path, /) -> Trained:
        """Train, going on where an earlier session stopped; a finished training is read, not made again.

        Raises:
            InputError: as `build_objective`, `open_learner` and `fit`.
        """
        return self.learn(start, rows, build_objective(lesson.objective, lesson.settings), lesson.plan, out)

    def learn(
        self, start: str, rows: Sequence[AnyRow], objective: RowObjective[Any], plan: Plan, out: Path
    ) -> Trained:
        """The same for an objective that is built already.

        Raises:
            InputError: as `open_learner` and `fit`, or too few problems for some to be held out.
        """
        gc.collect()  # weights of an earlier training may still hang in a cycle
        learned, apart = held_out(rows, self.holdout, seed=plan.seed)
        learner = open_learner(
            start,
            tuning=self.tuning,
            device=self.device,
            head=objective.needs_head,
            reference=objective.needs_reference,
        )
        codec = learner.policy.codec
        examples = examples_of(learned, objective, codec, plan)
        steps = plan.length(len(examples.kept))
        training = Training(
            learner=learner,
            objective=objective,
            batches=examples,
            plan=plan,
            steps=steps,
            request=self._request(learner, objective, plan, rows),
            rows=len(examples.kept),
            left_out=examples.left_out,
            held_out=examples_of(apart, objective, codec, plan).kept if apart else (),
        )
        folder = fit(training, out, on_step=self.on_step)
        if not folder.finished:
            folder.finish(model=publish_weights(learner, out))
        return _trained(folder, tokens=_tokens(examples, objective, plan, steps))

    def _request(
        self, learner: Learner, objective: RowObjective[Any], plan: Plan, rows: Sequence[AnyRow]
    ) -> dict[str, JsonValue]:
        """What tells this training from another."""
        apart: dict[str, JsonValue] = {"holdout": self.holdout} if self.holdout else {}
        return {
            "weights": learner.source.name,
            "objective": describe(objective),
            "tuning": self.tuning.model_dump(mode="json"),
            "plan": plan.model_dump(mode="json"),
            "rows": content_digest([row.id for row in rows]),
            **apart,
        }

    def practise(self, start: str, practice: Practice, problems: Sequence[Problem], out: Path, /) -> Trained:
        """Train on what the weights answer meanwhile, going on where an earlier session stopped.

        Raises:
            InputError: as `practising.practise`.
        """
        return practise(
            start, practice, problems, out, tuning=self.tuning, device=self.device, on_step=self.on_step
        )


def _trained(folder: TrainFolder, *, tokens: int) -> Trained:
    last = folder.lines[-1] if folder.lines else None
    return Trained(
        weights=Weights(model=folder.manifest.model, start=str(folder.path / MODEL)),
        steps=folder.manifest.steps,
        tokens=tokens,
        rows=folder.manifest.rows or 0,
        seconds=folder.manifest.seconds,
        figures={} if last is None else last.figures,
    )


def _tokens(examples: Examples[E], objective: RowObjective[E], plan: Plan, steps: int) -> int:
    """Tokens over all steps, prompts included, padding not."""
    lengths = [objective.length(example) for example in examples.kept]
    return sum(lengths[place] for step in range(steps) for place in plan.places(step, len(lengths)))
