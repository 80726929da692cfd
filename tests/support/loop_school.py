"""Small models taught a little of what a loop needs: random weights, rows, a few hundred steps."""

from collections.abc import Sequence
from pathlib import Path

from gadfly.train.objectives.supervised import Supervised
from gadfly.train.plan import Plan
from gadfly.train.reading import as_row
from gadfly.train.rows import AnyRow
from gadfly.train.tiny import write_tiny
from support.loop_worlds import TRAINER

Asked = tuple[str, str]
"""A prompt, and what is to be said to it."""


def schooled(
    folder: Path,
    rows: Sequence[AnyRow],
    *,
    steps: int,
    rate: float = 1.5e-3,
    batch: int = 64,
    width: int = 128,
    layers: int = 4,
    seed: int = 0,
) -> Path:
    """A model that has imitated the rows; where its weights stand."""
    start = write_tiny(folder / "random", seed=seed, width=width, layers=layers)
    plan = Plan(
        steps=steps, batch=batch, rate=rate, schedule="linear", warmup=0.1, save_every=steps, seed=seed
    )
    return Path(TRAINER.learn(str(start), rows, Supervised(), plan, folder / "school").weights.start)


def said(asked: Sequence[Asked]) -> list[AnyRow]:
    """Prompts and replies as rows to imitate."""
    return [as_row({"prompt": prompt, "completion": text}) for prompt, text in asked]
