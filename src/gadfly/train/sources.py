"""What the generators of rows read off a rollout: who said what about whom, and what it was worth."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar, cast

from pydantic import JsonValue

from gadfly.errors import InputError
from gadfly.records import (
    SWAPPED,
    Candidate,
    Critique,
    Problem,
    Ranking,
    Record,
    Rollout,
    Score,
    content_digest,
)
from gadfly.run.manifest import read_manifest
from gadfly.run.store import read_rollouts
from gadfly.train.rows import PROBLEM, LabellingOnly, Lineage, Turn

P = TypeVar("P", Candidate, Critique, Score, Ranking)
M = TypeVar("M", Candidate, Critique)

Marks: TypeAlias = Mapping[str, Mapping[str, Score]]
"""Scores by the id of what they are about, and by the name of the step they were given in."""

Oracle: TypeAlias = Literal["refuse", "mark", "drop"]
"""What becomes of rows whose text was shaped by something that had seen the reference."""


@dataclass(frozen=True, kw_only=True)
class Sourced:
    """A rollout, and the benchmark that its problem is from."""

    rollout: Rollout
    benchmark: str = ""

    @cached_property
    def id(self) -> str:
        """Names the rollout by what was asked and said, not by when: a replay has the same id."""
        said = self.rollout
        return content_digest(
            {
                "problem": said.problem.id,
                "draw": list(said.problem.draw),
                "solver": said.solver,
                "answer": said.answer and said.answer.id,
                "judgement": said.judgement and said.judgement.id,
            }
        )[:16]

    @cached_property
    def candidates(self) -> dict[str, Candidate]:
        """Every answer in the rollout, by its id, in the order in which they came up."""
        shown = () if self.rollout.case is None else self.rollout.case.candidates
        outputs = [step.output for step in self.rollout.steps]
        every = [*shown, *outputs, self.rollout.answer]
        return {item.id: item for item in every if isinstance(item, Candidate)}

    @cached_property
    def critiques(self) -> dict[str, Critique]:
        """Every readable critique in the rollout, by its id."""
        every = [step.output for step in self.rollout.steps] + [self.rollout.judgement]
        return {c.id: c for c in every if isinstance(c, Critique) and c.failure is None and c.text.strip()}

    @cached_property
    def rankings(self) -> tuple[Ranking, ...]:
        """Every readable ranking in the rollout."""
        every = [step.output for step in self.rollout.steps] + [self.rollout.judgement]
        found = {r.id: r for r in every if isinstance(r, Ranking) and r.failure is None and r.tiers}
        return tuple(found.values())

    @cached_property
    def products(self) -> dict[str, Candidate | Critique]:
        """Every answer and every critique, readable or not, by its id."""
        every = [step.output for step in self.rollout.steps] + [self.rollout.judgement]
        return {**self.candidates, **{one.id: one for one in every if isinstance(one, Critique)}}

    def outputs(self, name: str, kind: type[P]) -> list[P]:
        """What the steps of one name came to, as far as it is of one kind, in the order they began."""
        steps = (step for step in self.rollout.steps if step.name == name)
        return [step.output for step in steps if isinstance(step.output, kind)]

    def judged(self, name: str) -> dict[str, float]:
        """The marks of the steps of one name, by what they are about; unread ones not."""
        return {mark.target: mark.value for mark in self.outputs(name, Score) if mark.value is not None}

    def parents(self, candidate: Candidate, kind: type[M]) -> list[M]:
        """What a candidate was made from, as far as it is of one kind."""
        known = (self.products.get(name) for name in candidate.parents)
        return [parent for parent in known if isinstance(parent, kind)]

    def within(self, stage: str, kind: type[P]) -> list[P]:
        """What the steps inside every step of this name came to, as far as it is of one kind."""
        steps, inside, found = self.rollout.steps, set[int](), list[P]()
        for step in steps:
            if step.parent is None or (step.parent not in inside and steps[step.parent].name != stage):
                continue
            inside.add(step.index)
            if isinstance(step.output, kind):
                found.append(step.output)
        return found

    def marks(self, stages: Iterable[str]) -> Marks:
        """Scores from inside the steps of these names, by what they are about and by step; none unread."""
        found: dict[str, dict[str, Score]] = {}
        for stage in stages:
            for score in self.within(stage, Score):
                if score.value is not None:
                    found.setdefault(score.target, {})[stage] = score
        return found

    def shaped(self, *said: Candidate | Critique) -> bool:
        """Whether a text, or anything that it was made from or is about, comes from who saw the reference."""
        left, seen = list(said), set[str]()
        while left:
            one = left.pop()
            if one.id in seen:
                continue
            seen.add(one.id)
            if isinstance(one, Critique) and one.saw_reference:
                return True
            names = (one.target,) if isinstance(one, Critique) else one.parents
            left += [self.products[name] for name in names if name in self.products]
        return False

    def score(self, target: str, scorer: str | None = None) -> Score | None:
        """What a scorer said of a candidate: the named one, or the first that spoke of it and gave a mark."""
        for name, score in self.rollout.scores.items():
            if score.target == target and scorer in (None, name) and score.value is not None:
                return score
        return None

    @property
    def prompt(self) -> tuple[Turn, ...]:
        """The problem as turns."""
        return tuple(
            Turn(role=message.role, content=message.content, author=PROBLEM)
            for message in self.rollout.problem.messages
        )

    def lineage(
        self, *, policy: str, author: str, saw_reference: bool = False, oracle: bool | None = None
    ) -> Lineage:
        """The lineage of a row from this rollout."""
        return Lineage(
            rollouts=(self.id,),
            problem=self.rollout.problem.id.removesuffix(SWAPPED),
            benchmark=self.benchmark,
            policy=policy,
            author=author,
            saw_reference=saw_reference,
            oracle=self.rollout.oracle if oracle is None else oracle,
        )

    def labelling(
        self, explanation: str = "", rubric: str | None = None, principles: Sequence[str] = ()
    ) -> LabellingOnly:
        """What its labeller could see; `principles` are the method's own, beside the problem's."""
        kept = dict(self.rollout.problem.privileged)
        hints = _texts(kept.pop("hints", kept.pop("hint", None)))
        given = _texts(kept.pop("principles", kept.pop("principle", None)))
        said = _texts(kept.pop("rubric", None))
        return LabellingOnly(
            reference=self.rollout.problem.reference,
            hints=hints,
            principles=(*given, *principles),
            rubric=rubric or "\n".join(said) or None,
            explanation=explanation or None,
            privileged=kept,
        )


def _texts(value: JsonValue) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(str(item) for item in value) if isinstance(value, list) else (str(value),)


def sourced(rollouts: Iterable[Rollout], *, benchmark: str = "") -> Iterator[Sourced]:
    """Rollouts that are at hand, with the name of their benchmark."""
    return (Sourced(rollout=rollout, benchmark=benchmark) for rollout in rollouts)


def read_runs(*runs: Path) -> Iterator[Sourced]:
    """The rollouts of run folders, one at a time, with the benchmark that each manifest names.

    Raises:
        InputError: a folder is no run, or cannot be read.
    """
    for path in runs:
        benchmark = read_manifest(path).benchmark or ""
        yield from sourced(read_rollouts(path), benchmark=benchmark)


def answer_turn(candidate: Candidate) -> Turn:
    """A candidate as the assistant's turn."""
    return Turn(role="assistant", content=candidate.text, author=candidate.author)


def admitted(lineage: Lineage, oracle: Oracle, dropped: Counter[str] | None) -> bool:
    """Whether a row may be made.

    Raises:
        InputError: it is shaped by the reference, and nobody said what is to become of such rows.
    """
    if not lineage.oracle or oracle == "mark":
        return True
    if oracle == "refuse":
        raise InputError(
            f"the answer to {lineage.problem!r} was shaped by something that had seen the reference, and "
            "training on it teaches what no blind model can know. Say oracle='drop' to leave such rows out, "
            "or oracle='mark' to keep them marked"
        )
    note(dropped, "oracle")
    return False


def note(dropped: Counter[str] | None, why: str) -> None:
    """Count what is left out, where somebody counts."""
    if dropped is not None:
        dropped[why] += 1


class Marked(Record):
    """An answer with its mark, small enough to be put aside by the million."""

    prompt: tuple[Turn, ...]
    answer: Turn
    value: float
    lineage: Lineage
    labelling_only: LabellingOnly


def problem_key(problem: Problem) -> int:
    """Names a problem by what is asked, whatever the draw: rollouts of several runs meet under it."""
    asked = content_digest([problem.id.removesuffix(SWAPPED), problem.text, problem.reference])
    return int(asked[:15], 16)


def by_problem(items: Iterable[tuple[int, Marked]]) -> Iterator[list[Marked]]:
    """Gather what belongs to one problem, in an order that does not depend on who finished first.

    All items are put into a temporary database of SQLite's own, which keeps in memory what fits its
    cache (64 MB) and the rest in a file that nobody else sees and no crash leaves behind.

    Raises:
        InputError: there is no space for that file.
    """
    try:
        yield from _by_problem(items)
    except sqlite3.OperationalError as error:
        raise InputError(
            f"cannot put the answers aside to bring those of one problem together: {error}. Make room where "
            "temporary files go, or name another folder in SQLITE_TMPDIR"
        ) from error


def _by_problem(items: Iterable[tuple[int, Marked]]) -> Iterator[list[Marked]]:
    with closing(sqlite3.connect("", isolation_level=None)) as spill:
        spill.execute("PRAGMA cache_size = -65536")
        spill.execute("PRAGMA synchronous = OFF")
        spill.execute("CREATE TABLE marked (problem INTEGER, id TEXT, item TEXT)")
        spill.execute("BEGIN")
        spill.executemany(
            "INSERT INTO marked VALUES (?, ?, ?)",
            ((key, item.lineage.rollouts[0], item.model_dump_json()) for key, item in items),
        )
        spill.execute("COMMIT")
        rows = cast(
            Iterable[tuple[int, str]],
            spill.execute("SELECT problem, item FROM marked ORDER BY problem, id, item"),
        )
        for _, group in groupby(rows, key=lambda row: row[0]):
            yield [Marked.model_validate_json(text) for _, text in group]
