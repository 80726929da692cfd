"""Training on what the weights answer themselves: weights opened, problems answered, rewards learned."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from anyio.from_thread import start_blocking_portal
from pydantic import JsonValue

from gadfly.protocols import Closing
from gadfly.records import content_digest
from gadfly.run.manifest import describe
from gadfly.train.fit import Batches, OnStep, Training, fit
from gadfly.train.folder import TrainFolder
from gadfly.train.learner import Learner, Tuning, open_learner
from gadfly.train.objective import Objective
from gadfly.train.online import Sampler
from gadfly.train.plan import Plan
from gadfly.train.publish import publish_weights

MakeBatches: TypeAlias = Callable[[Sampler], Batches[Any]]
Setting: TypeAlias = Callable[[Learner], Sampler]
"""Given the weights under training: what they answer, how, and who rewards it."""


@dataclass(frozen=True, kw_only=True)
class SampledTrainer:
    """Trains in this process; under `accelerate launch`, every process draws and learns a share."""

    tuning: Tuning = Tuning()
    device: str = "auto"
    on_step: OnStep | None = None

    def learn(
        self,
        start: str,
        setting: Setting,
        batches: MakeBatches,
        objective: Objective[Any],
        plan: Plan,
        out: Path,
        *,
        told: Mapping[str, JsonValue],
    ) -> TrainFolder:
        """Train and publish, going on where an earlier session stopped.

        All steps run in one event loop, so that scorers may keep connections open.

        Args:
            start: As `open_learner` takes it.
            setting: Makes the sampler.
            batches: Makes batches of what was sampled.
            objective: What is learned from them.
            plan: How long.
            out: The training's folder.
            told: What tells it from another, besides weights, objective, tuning, plan and problems.

        Raises:
            InputError: as `open_learner` and `fit`.
        """
        learner = open_learner(
            start, tuning=self.tuning, device=self.device, reference=objective.needs_reference
        )
        with start_blocking_portal() as portal:
            sampler = replace(setting(learner), call=portal.call)
            training = Training(
                learner=learner,
                objective=objective,
                batches=batches(sampler),
                plan=plan,
                steps=plan.length(len(sampler.problems)),
                request={
                    "weights": learner.source.name,
                    "objective": describe(objective),
                    "tuning": self.tuning.model_dump(mode="json"),
                    "plan": plan.model_dump(mode="json"),
                    "problems": content_digest([[problem.id, *problem.draw] for problem in sampler.problems]),
                    "scorers": {name: describe(scorer) for name, scorer in sampler.scorers.items()},
                    "samples": sampler.samples,
                    **told,
                },
            )
            try:
                folder = fit(training, out, on_step=self.on_step)
            finally:
                for scorer in sampler.scorers.values():
                    if isinstance(scorer, Closing):
                        portal.call(scorer.close)
        if not folder.finished:
            folder.finish(model=publish_weights(learner, out))
        return folder
