"""One round of a loop, with a model that answers by rule and a trainer that only writes down its lessons."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from gadfly.models.metered import Metered
from gadfly.models.scripted import Scripted
from gadfly.protocols import Model
from gadfly.records import Problem, Request
from gadfly.run.improvement import PhaseCost
from gadfly.scorers.text import Numeric
from gadfly.train.improve import Loop, Prepares
from gadfly.train.ledger import Ledger
from gadfly.train.practice import Practice
from gadfly.train.round import Round, Tools
from gadfly.train.rows import AnyRow
from gadfly.train.weights import Lesson, Trained, Weights

BASE = Weights(model="scripted", start="base")
HELD_OUT = (Problem(id="capital", prompt="Name the town on the Seine.", reference="Paris"),)
NEWEST = Weights(model="scripted", start="newest")


@dataclass(frozen=True)
class Taught:
    """One training that was asked for."""

    start: str
    lesson: Lesson
    rows: tuple[AnyRow, ...]


@dataclass
class FakeTrainer:
    """Learns nothing; the weights that come out are the newest."""

    taught: list[Taught] = field(default_factory=list[Taught])
    practised: list[Practice] = field(default_factory=list[Practice])

    def __call__(self, start: str, rows: Sequence[AnyRow], lesson: Lesson, out: Path, /) -> Trained:
        self.taught.append(Taught(start, lesson, tuple(rows)))
        return Trained(weights=NEWEST, steps=1, tokens=9, rows=len(rows), seconds=0.1, figures={})

    def practise(self, start: str, practice: Practice, problems: Sequence[Problem], out: Path, /) -> Trained:
        self.practised.append(practice)
        drawn = PhaseCost(round=0, phase="generation", tokens=70, seconds=0.2, calls=7, rows=7)
        return Trained(weights=NEWEST, steps=3, tokens=50, rows=7, seconds=0.1, figures={}, drawn=drawn)

    @property
    def rows(self) -> list[AnyRow]:
        """Of all trainings."""
        return [row for one in self.taught for row in one.rows]


@dataclass
class Actor:
    """A model of one rule, opened by any name; `heard` is every request that reached it."""

    answer: Callable[[Request], str]
    heard: list[Request] = field(default_factory=list[Request])

    def __call__(self, spec: str, /) -> Model:
        def hearing(request: Request) -> str:
            self.heard.append(request)
            return self.answer(request)

        return Metered(inner=Scripted.from_function(hearing, id="actor"))

    async def close(self) -> None:
        """Nothing is open."""


def round_of(
    folder: Path, actor: Actor, trainer: FakeTrainer, problems: Sequence[Problem], *, index: int = 1
) -> Round:
    """A round that begins with newer weights than the base's."""
    tools = Tools(
        engines=actor,
        trainer=trainer,
        scorers={"numeric": Numeric()},
        held_out={"held out": HELD_OUT},
        benchmark="sums",
    )
    return Round(
        index=index,
        path=folder / f"round-{index}",
        problems=problems,
        base=BASE,
        current={"actor": NEWEST},
        tools=tools,
        ledger=Ledger(folder),
    )


def played(
    loop: Loop,
    folder: Path,
    actor: Actor,
    problems: Sequence[Problem],
    *,
    trainer: FakeTrainer | None = None,
    index: int = 1,
) -> tuple[Round, FakeTrainer]:
    """The round after the loop has done it, with its trainer."""
    trainer = trainer or FakeTrainer()
    now = round_of(folder, actor, trainer, problems, index=index)

    async def play() -> None:
        if isinstance(loop, Prepares):
            await loop.prepare(round_of(folder, actor, trainer, problems, index=0))
        await loop(now)

    anyio.run(play)
    return now, trainer


def number(request: Request) -> int:
    """The k of 'What is k + 1?'."""
    found = re.search(r"What is (\d+) \+ 1", request.messages[-1].content)
    assert found, request.messages[-1].content
    return int(found[1])


def shuffled(problems: Sequence[Problem]) -> list[Problem]:
    """The same problems, each with the right answer of another."""
    moved = [*problems[1:], problems[0]]
    return [
        one.model_copy(update={"reference": other.reference})
        for one, other in zip(problems, moved, strict=True)
    ]
