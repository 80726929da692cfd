"""The training loop: batches in, figures out, checkpoints on the way. Resumable at every checkpoint."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Generic, Protocol, TypeVar

from pydantic import JsonValue

from gadfly.errors import InputError
from gadfly.trace import elapsed
from gadfly.train.codec import Codec
from gadfly.train.curves import write_curve
from gadfly.train.folder import StepLine, TrainFolder, describe_training
from gadfly.train.learner import Learner
from gadfly.train.objective import LeftOut, Objective, RowObjective
from gadfly.train.plan import Plan
from gadfly.train.reading import as_written
from gadfly.train.rows import AnyRow

E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)
_DRAW_AFTER = 10.0
"""Seconds between two pictures of a training under way: one takes about half a second."""
_LONG = "too long"
OnStep = Callable[[StepLine, int], None]
"""Told each step, and of how many."""


class Batches(Protocol[E_co]):
    """Where a training's batches come from: rows on disk, or the policy itself."""

    def __call__(self, step: int, /) -> tuple[Sequence[E_co], Mapping[str, float]]:
        """The examples of a step, counted from 0, and figures about them. May be empty: no step is made."""
        ...


@dataclass(frozen=True, kw_only=True)
class Examples(Generic[E]):
    """Rows as tokens, for one objective."""

    kept: tuple[E, ...]
    left_out: Mapping[str, int]
    """How many rows are not among them, by reason."""
    plan: Plan

    def __call__(self, step: int, /) -> tuple[Sequence[E], Mapping[str, float]]:
        """The examples of a step."""
        return [self.kept[place] for place in self.plan.places(step, len(self.kept))], {}


def examples_of(rows: Sequence[AnyRow], objective: RowObjective[E], codec: Codec, plan: Plan) -> Examples[E]:
    """Rows as one objective takes them.

    Raises:
        InputError: it cannot learn from such rows, or none is left.
    """
    kept: list[E] = []
    left_out: Counter[str] = Counter()
    for row in rows:
        try:
            found = objective.example(as_written(row), codec)
        except LeftOut as reason:
            left_out[str(reason)] += 1
            continue
        if found is None:
            left_out[_LONG] += 1
        else:
            kept.append(found)
    if not kept:
        why = ", ".join(f"{number} {reason}" for reason, number in left_out.items()) or "there are none"
        raise InputError(f"no rows to learn from: {why} (the limit is {codec.limit} tokens)")
    return Examples(kept=tuple(kept), left_out=dict(left_out), plan=plan)


@dataclass(frozen=True, kw_only=True)
class Training(Generic[E]):
    """Everything that one training is made of."""

    learner: Learner
    objective: Objective[E]
    batches: Batches[E]
    plan: Plan
    steps: int
    request: Mapping[str, JsonValue]
    """What tells this training from another."""
    rows: int | None = None
    left_out: Mapping[str, int] | None = None
    held_out: Sequence[E] = ()
    """Examples that are looked at and not learned from."""


def fit(training: Training[E], out: Path, *, on_step: OnStep | None = None) -> TrainFolder:
    """Train until the last step, going on from the newest checkpoint where there is one.

    The folder is left unfinished until the caller has written the weights (`TrainFolder.finish`).

    Raises:
        InputError: the folder holds another training, a loss or gradient is not finite (the step is
            named, and the checkpoint before it is kept), memory is short, or the disk refuses.
    """
    manifest = describe_training(
        training.request, steps=training.steps, rows=training.rows, left_out=training.left_out or {}
    )
    learner = training.learner
    folder = TrainFolder(out, manifest, writes=learner.leads)
    start = folder.saved
    learner.wait()  # nobody writes before everybody has read
    if folder.finished:
        return folder
    if start:
        learner.load_state(folder.checkpoint(start))
    learner.wait()
    folder.begin()
    drawn = monotonic()
    for step in range(start, training.steps):
        began = monotonic()
        try:
            figures = _step(training, step)
            if step == 0 or _due(training, step):
                figures.update(_looked_at(training))
        except InputError as error:
            raise InputError(f"step {step + 1} of {training.steps}: {error}") from error
        line = StepLine(step=step + 1, figures=figures, seconds=elapsed(began))
        folder.add(line)
        if on_step is not None:
            on_step(line, training.steps)
        if _due(training, step):
            learner.save_state(folder.checkpoint(step + 1))
            folder.forget_before(step + 1)
            if learner.leads and (step + 1 == training.steps or elapsed(drawn) > _DRAW_AFTER):
                write_curve(folder.lines, out)
                drawn = monotonic()
    return folder


def _step(training: Training[E], step: int) -> dict[str, float]:
    learner, plan = training.learner, training.plan
    learner.seed(step)
    batch, found = training.batches(step)
    figures: dict[str, float] = {**found}
    if not batch:
        return figures
    for _ in range(plan.passes):
        figures.update(learner.forward_backward(batch, training.objective))
        figures.update(learner.optim_step(plan.rate_at(step, training.steps)))
    return figures


def _looked_at(training: Training[E]) -> dict[str, float]:
    if not training.held_out:
        return {}
    seen = training.learner.evaluate(training.held_out, training.objective)
    return {f"held_out_{name}": value for name, value in seen.items()}


def _due(training: Training[E], step: int) -> bool:
    return (step + 1) % training.plan.save_every == 0 or step + 1 == training.steps
