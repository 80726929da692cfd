"""One round of a self-improvement loop: what its recipe can do, each thing done once and kept.

    generate and criticise    `rollouts`: an ordinary run folder
    filter                    `write`: rows in TRL's formats, evaluation problems and duplicates taken out
    train                     `train`: a training's folder; the new weights take the role's place
    judge the next step       `model`, `weights`, `note`, `remember`

Everything stands in the round's folder under the name it is given, so the same command goes on where a
killed one stopped. Engines are closed while weights train: together they slow each other down many times.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Protocol

import anyio.to_thread
from pydantic import JsonValue

from gadfly.errors import InputError
from gadfly.primitives.answering import Answering
from gadfly.prompts import Prompt
from gadfly.protocols import Model, Scorer, Solver
from gadfly.records import Problem, Sampling
from gadfly.run.improvement import Phase
from gadfly.run.progress import RunProgress
from gadfly.run.runner import run
from gadfly.run.store import read_rollouts
from gadfly.run.summary import RunSummary
from gadfly.trace import elapsed
from gadfly.train.decontaminate import Decontaminator
from gadfly.train.dedupe import Deduper
from gadfly.train.export import export_rows, finished, write_whole
from gadfly.train.ledger import Ledger, earlier_seconds, run_cost, training_costs
from gadfly.train.manifest import Request
from gadfly.train.plan import Plan
from gadfly.train.practice import OnlineTrainer, Practice
from gadfly.train.reading import read_rows
from gadfly.train.rows import CRITIQUE, AnyRow
from gadfly.train.sources import Sourced
from gadfly.train.weights import Lesson, Trained, Weights, answering_like

ACTOR = "actor"


class Engines(Protocol):
    """Opens models by their specification, and closes them all."""

    def __call__(self, spec: str, /) -> Model:
        """The model that a specification names, opened once."""
        ...

    async def close(self) -> None:
        """Close every model that is open."""
        ...


class Trainer(Protocol):
    """Trains weights on rows and publishes the result; see `train.training`."""

    def __call__(self, start: str, rows: Sequence[AnyRow], lesson: Lesson, out: Path, /) -> Trained:
        """Train, going on where an earlier session stopped; blocks."""
        ...


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What all rounds of all arms share."""

    engines: Engines
    trainer: Trainer
    scorers: Mapping[str, Scorer]
    """By name; the first says what is right."""
    held_out: Mapping[str, Sequence[Problem]]
    """Evaluation problems by benchmark: rows that give one away are not learned from."""
    benchmark: str
    """Where the problems to train on come from."""
    in_flight: int = 128
    show: bool = False
    """Whether to draw a bar for each run, where there is a terminal."""

    async def run(
        self,
        solver: Solver,
        problems: Sequence[Problem],
        *,
        out: Path,
        scorers: Mapping[str, Scorer] | None = None,
    ) -> RunSummary:
        """Run a solver into a run folder, or go on with it; its seconds are those of all sessions."""
        bar = RunProgress(len(problems), title=f"{out.parent.name}/{out.name}") if self.show else None
        with bar or nullcontext():
            summary = await run(
                solver,
                problems,
                out=out,
                scorers=self.scorers if scorers is None else scorers,
                benchmark=self.benchmark,
                in_flight=self.in_flight,
                on_rollout=bar,
            )
        if summary.new == summary.rollouts:
            return summary
        earlier = earlier_seconds(read_rollouts(out), summary, in_flight=self.in_flight)
        return summary.model_copy(update={"seconds": summary.seconds + earlier})


@dataclass(frozen=True, eq=False, kw_only=True)
class Round:
    """A round under way."""

    index: int
    """Counted from 1; 0 is the preparation before the first."""
    path: Path
    problems: Sequence[Problem]
    """To learn from in this round."""
    base: Weights
    current: dict[str, Weights]
    """By role; a role that was never trained has the base's."""
    tools: Tools
    ledger: Ledger
    notes: list[str] = field(default_factory=list[str])

    def weights(self, role: str = ACTOR) -> Weights:
        """The newest weights of a role."""
        return self.current.get(role, self.base)

    def model(self, role: str = ACTOR) -> Model:
        """A role's newest weights as a model, cached and metered."""
        return self.tools.engines(self.weights(role).model)

    @property
    def scorer(self) -> Scorer:
        """What says whether an answer is right."""
        return next(iter(self.tools.scorers.values()))

    def earlier(self, name: str) -> Path | None:
        """Rows that the preparation wrote under this name; None where it wrote none."""
        file = self.path.with_name("round-0") / f"{name}.jsonl"
        return file if file.exists() else None

    async def rollouts(
        self,
        name: str,
        solver: Solver,
        problems: Iterable[Problem] | None = None,
        *,
        phase: Phase = "generation",
        scorers: Mapping[str, Scorer] | None = None,
    ) -> list[Sourced]:
        """Run a solver on problems (this round's, where none are given), in a fixed order of rollouts.

        `scorers` score the answers beside those that every run has.

        Raises:
            InputError: as `run.run`.
        """
        asked = list(self.problems if problems is None else problems)
        scoring = {**self.tools.scorers, **(scorers or {})}
        summary = await self.tools.run(solver, asked, out=self.path / name, scorers=scoring)
        found = sorted(
            (Sourced(rollout=one, benchmark=self.tools.benchmark) for one in read_rollouts(self.path / name)),
            key=lambda one: (one.rollout.problem.id, one.rollout.problem.draw),
        )
        oracles = sum(one.rollout.oracle for one in found)
        self.ledger.keep(f"{self.index}/{name}", run_cost(self.index, phase, summary, oracles))
        return found

    async def sample(
        self,
        samples: int,
        *,
        name: str = "samples",
        role: str = ACTOR,
        sampling: Sampling = Sampling(),
        problems: Sequence[Problem] | None = None,
        scorers: Mapping[str, Scorer] | None = None,
    ) -> list[Sourced]:
        """So many answers to each problem by a role's newest weights."""
        asked = [
            attempt
            for problem in (self.problems if problems is None else problems)
            for attempt in problem.attempts(samples)
        ]
        solver = Answering(model=self.model(role), sampling=sampling)
        return await self.rollouts(name, solver, asked, scorers=scorers)

    def write(
        self,
        name: str,
        rows: Iterable[AnyRow],
        *,
        dropped: Counter[str] | None = None,
        critique_prompt: Prompt = CRITIQUE,
    ) -> Path | None:
        """Write rows of one kind, without those that give an evaluation problem away or repeat others.

        Args:
            name: Of the file.
            rows: Read once.
            dropped: What the rows' own filters count, for the manifest.
            critique_prompt: How a critic is asked, in rows that hold critiques.

        Returns:
            The file, or None where no row is left (that is noted).
        """
        file = self.path / f"{name}.jsonl"
        request = Request(options={"round": self.index, "rows": name, "problems": len(self.problems)})
        if finished(file, request) is not None:
            return file
        counted = Counter[str]() if dropped is None else dropped
        kept = list(rows)
        if not kept:
            self.note(
                f"no {name} rows: {', '.join(f'{n} {why}' for why, n in counted.items()) or 'none made'}"
            )
            return None
        screen = Decontaminator({key: list(value) for key, value in self.tools.held_out.items()})
        new = Deduper(near=None)
        try:
            export_rows(
                kept, file, request=request, deduper=new, screen=screen, dropped=counted,
                critique_prompt=critique_prompt,
            )  # fmt: skip
        except InputError as error:
            if "no rows" not in str(error):
                raise
            self.note(str(error))
            return None
        return file

    async def train(
        self,
        objective: str,
        rows: Path | Sequence[Path | None] | None,
        *,
        plan: Plan,
        settings: Mapping[str, JsonValue] | None = None,
        role: str = ACTOR,
        start: Weights | None = None,
    ) -> bool:
        """Train a role's weights on files of rows; they take the place of those it had.

        Args:
            objective: What is learned, as `gadfly train` names it, such as sft or dpo.
            rows: Files that `write` gave; where there are none, nothing is trained, and that is noted.
            plan: Steps, batch and rate.
            settings: Fields of the objective.
            role: Whose weights.
            start: From which weights; the role's newest by default, `base` to start anew.

        Returns:
            Whether something was trained.
        """
        files = [file for file in ([rows] if rows is None or isinstance(rows, Path) else rows) if file]
        if not files:
            self.note(f"the {role} was not trained: there were no rows")
            return False
        taught = [row for file in files for row in read_rows(file)]
        lesson = Lesson(objective=objective, settings=settings or {}, plan=plan)
        begin = (start or self.weights(role)).start
        work = partial(self.tools.trainer, begin, taught, lesson, self.path / f"train-{role}")
        await self._learn(role, work, oracle=sum(row.lineage.oracle for row in taught))
        return True

    async def train_online(self, practice: Practice, *, role: str = ACTOR) -> None:
        """Train a role's newest weights on what they answer to this round's problems meanwhile.

        Raises:
            InputError: the trainer learns from written rows alone, or as it raises it.
        """
        trainer, own = self.tools.trainer, self.tools.scorers
        if not isinstance(trainer, OnlineTrainer):
            raise InputError("this trainer learns from written rows alone; take a loop that writes rows")
        gold = next(iter(own)) if practice.scorers else ""
        practice = replace(practice, scorers={**practice.scorers, **own}, gold=practice.gold or gold)
        begin, place = self.weights(role).start, self.path / f"train-{role}"
        await self._learn(role, partial(trainer.practise, begin, practice, self.problems, place))

    async def _learn(self, role: str, work: Callable[[], Trained], *, oracle: int = 0) -> None:
        """Do the training with no engine beside it, book it, and put the weights in the role's place."""
        await self.tools.engines.close()
        began = monotonic()
        trained = await anyio.to_thread.run_sync(work)
        for name, cost in training_costs(self.index, trained, elapsed(began), oracle):
            self.ledger.keep(f"{self.index}/{name}-{role}", cost)
        self.current[role] = answering_like(self.base, trained.weights)

    def note(self, text: str) -> None:
        """Say something that is to stand in the report."""
        if text not in self.notes:
            self.notes.append(text)

    def remember(self, name: str, value: JsonValue) -> JsonValue:
        """Keep a decision, such as a setting that the loop changed: a resumed round gets the first one."""
        file = self.path / f"{name}.json"
        if file.exists():
            return json.loads(file.read_text(encoding="utf-8"))
        self.path.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps(value) + "\n")
        return value
