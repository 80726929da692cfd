"""Small models taught a little of what a loop needs: random weights, rows, a few hundred steps."""

from collections.abc import Sequence
from pathlib import Path

from training.world import learner_of

from gadfly.train.fit import Training, examples_of, fit
from gadfly.train.folder import MODEL
from gadfly.train.objectives.supervised import Supervised
from gadfly.train.plan import Plan
from gadfly.train.reading import as_row
from gadfly.train.rows import AnyRow
from gadfly.train.tiny import write_tiny

Asked = tuple[str, str]
"""A prompt, and what is to be said to it."""


def schooled(
    folder: Path,
    rows: Sequence[AnyRow],
    *,
    steps: int,
    rate: float = 1.5e-3,
    width: int = 128,
    layers: int = 4,
    seed: int = 0,
) -> Path:
    """A model that has imitated the rows; where its weights stand."""
    start = write_tiny(folder / "random", seed=seed, width=width, layers=layers)
    learner = learner_of(start, seed=seed)
    plan = Plan(batch=64, rate=rate, schedule="linear", warmup=0.1, save_every=steps, seed=seed)
    training = Training(
        learner=learner,
        objective=Supervised(),
        batches=examples_of(rows, Supervised(), learner.policy.codec, plan),
        plan=plan,
        steps=steps,
        request={"seed": seed},
        rows=len(rows),
    )
    fit(training, folder / "school")
    learner.save_merged(folder / MODEL)
    return folder / MODEL


def said(asked: Sequence[Asked]) -> list[AnyRow]:
    """Prompts and replies as rows to imitate."""
    return [as_row({"prompt": prompt, "completion": text}) for prompt, text in asked]
