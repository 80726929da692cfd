"""One round of a loop with models that answer by rule, and a trainer that only notes what it is given."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from gadfly.protocols import Model, Scorer
from gadfly.records import Problem, Request
from gadfly.scorers.text import Numeric
from gadfly.train.improve import Loop, Prepares
from gadfly.train.ledger import Ledger
from gadfly.train.round import Round, Tools, Trainer
from gadfly.train.rows import AnyRow, PromptCompletion
from gadfly.train.weights import Lesson, Trained, Weights

BASE = Weights(model="base", start="base")


@dataclass(frozen=True)
class OneModel:
    """Engines that open the same model for every specification."""

    model: Model

    def __call__(self, spec: str, /) -> Model:
        return self.model

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class Diary:
    """A trainer that learns nothing and remembers what it was asked."""

    lessons: list[tuple[Lesson, list[AnyRow], str]] = field(
        default_factory=list[tuple[Lesson, list[AnyRow], str]]
    )

    def __call__(self, start: str, rows: Sequence[AnyRow], lesson: Lesson, out: Path, /) -> Trained:
        self.lessons.append((lesson, list(rows), start))
        return Trained(weights=BASE, steps=1, tokens=1, rows=len(rows), seconds=0.0, figures={})

    @property
    def rows(self) -> list[AnyRow]:
        """Everything that was taught."""
        return [row for _, rows, _ in self.lessons for row in rows]

    @property
    def taught(self) -> list[tuple[str, str]]:
        """The prompt's last turn and the completion, of every row to imitate."""
        return [
            (row.prompt[-1].content, row.completion[0].content)
            for row in self.rows
            if isinstance(row, PromptCompletion)
        ]


def tools(model: Model, trainer: Trainer, scorer: Scorer | None = None) -> Tools:
    return Tools(
        engines=OneModel(model),
        trainer=trainer,
        scorers={"exact": scorer or Numeric()},
        held_out={"held out": [Problem(id="held", prompt="Name the capital of Peru.", reference="Lima")]},
        benchmark="sums",
    )


def one_round(
    loop: Loop,
    problems: Sequence[Problem],
    path: Path,
    using: Tools,
    *,
    index: int = 1,
    current: dict[str, Weights] | None = None,
    base: Weights = BASE,
) -> Round:
    """Do one round (or the preparation, with index 0) and return it."""
    now = Round(
        index=index,
        path=path / f"round-{index}",
        problems=problems,
        base=base,
        current=dict(current or {}),
        tools=using,
        ledger=Ledger(path),
    )
    if index:
        anyio.run(loop, now)
    else:
        assert isinstance(loop, Prepares)
        anyio.run(loop.prepare, now)
    return now


def number(request: Request) -> int:
    """k of a request that shows `What is k + 1?`."""
    found = re.search(r"What is (\d+) \+ 1", request.messages[-1].content)
    assert found is not None
    return int(found.group(1))
