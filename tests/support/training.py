"""Learners on the tiny model, rows for them, and a training that is the same every time."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from gadfly.train.fit import OnStep, Training, examples_of, fit
from gadfly.train.folder import StepLine, TrainFolder, read_log
from gadfly.train.learner import Learner, Lora, Tuning, open_learner
from gadfly.train.objectives.supervised import Supervised, Told
from gadfly.train.plan import Plan
from gadfly.train.rows import AnyRow, Preference, PromptCompletion, Turn

TUNING = Tuning(precision="float32", lora=Lora(rank=4, alpha=8), limit=200)
WHOLE = TUNING.model_copy(update={"lora": None})


def turn(role: str, content: str, author: str = "") -> Turn:
    return Turn.model_validate({"role": role, "content": content, "author": author or role})


def told(problem: str, answer: str, *, weight: float = 1.0) -> PromptCompletion:
    return PromptCompletion(
        prompt=(turn("user", problem, "problem"),), completion=(turn("assistant", answer),), weight=weight
    )


def pair(problem: str, chosen: str, rejected: str) -> Preference:
    return Preference(
        prompt=(turn("user", problem, "problem"),),
        chosen=(turn("assistant", chosen),),
        rejected=(turn("assistant", rejected),),
    )


TOLD = [told(f"{n} and {n}?", f"That is {2 * n}." * (1 + n % 3)) for n in range(7)]
PAIRS = [pair(f"{n} and {n}?", f"{2 * n}." * (1 + n % 3), f"It is {n}.") for n in range(6)]


def learner_of(
    folder: Path, tuning: Tuning = TUNING, *, head: bool = False, reference: bool = False
) -> Learner:
    return open_learner(str(folder), tuning=tuning, device="cpu", head=head, reference=reference)


def stirred(learner: Learner, *, by: float = 0.05, seed: int = 1) -> Learner:
    """The learner with other values in what learns: an adapter that does nothing has zero gradients."""
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in learner.trained.values():
            weight.add_(by * torch.randn(weight.shape, generator=chance))
    return learner


def gradients(learner: Learner) -> dict[str, torch.Tensor]:
    """What has been added up, by name; taken away."""
    found = {
        name: torch.zeros_like(weight) if weight.grad is None else weight.grad.clone()
        for name, weight in learner.trained.items()
    }
    learner.optimizer.zero_grad(set_to_none=True)
    return found


def weights(learner: Learner) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in learner.trained.items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Whether two sets of tensors are equal to the last bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def supervised(
    folder: Path,
    *,
    rows: Sequence[AnyRow] = TOLD,
    held_out: int = 0,
    tuning: Tuning = TUNING,
    **plan: Any,  # noqa: ANN401
) -> Training[Told]:
    """A training of six steps with dropout, so that chance matters."""
    shaky = tuning.model_copy(update={"lora": Lora(rank=4, dropout=0.2)}) if tuning.lora else tuning
    learner = learner_of(folder, shaky)
    course = Plan.model_validate({"steps": 6, "batch": 3, "rate": 1e-2, "save_every": 2, **plan})
    objective = Supervised()
    examples = examples_of(rows, objective, learner.policy.codec, course)
    apart = examples_of(rows[:held_out], objective, learner.policy.codec, course).kept if held_out else ()
    return Training(
        learner=learner,
        objective=objective,
        batches=examples,
        plan=course,
        steps=course.length(len(examples.kept)),
        request={"plan": course.model_dump(mode="json"), "rows": len(rows)},
        rows=len(examples.kept),
        held_out=apart,
    )


class Killed(Exception):
    """Stands for whatever ends a process."""


def killing(step: int, *, at_once: Callable[[], None] | None = None) -> OnStep:
    """Told of each step, dies at one of them."""

    def told_of(line: StepLine, steps: int) -> None:
        if line.step == step:
            if at_once is not None:
                at_once()
            raise Killed

    return told_of


def run(training: Training[Told], out: Path, *, on_step: OnStep | None = None) -> TrainFolder:
    return fit(training, out, on_step=on_step)


def told_figures(out: Path) -> list[tuple[int, dict[str, float]]]:
    """The log without what the clock says."""
    return [(line.step, dict(line.figures)) for line in read_log(out)]
