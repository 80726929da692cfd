"""People asked through files: what is to be judged goes into a queue, their answers come from another file.

Both files are JSON lines. A line of the queue, written once for each thing to be judged, whoever asks and
however often:

    {"id": "3f0c...", "kind": "candidate", "problem": "What is 2 + 3?", "answer": "It is 6."}

A line of the answers, which people or their tools append:

    {"id": "3f0c...", "verdict": "incorrect", "findings": ["step 1: 2 + 3 is 5"], "text": "Look at it again."}

`verdict` is correct, incorrect or unsure. `findings` (texts, with step and severity as in any critique),
`text` and `by` (who answered) may be left out. Of several answers to one id the last counts. A line that
cannot be read is reported once, by its number, and passed over. The author of what is judged is not shown.
"""

import fcntl
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import anyio
import anyio.to_thread
from pydantic import ValidationError

from gadfly.errors import InputError, ParseError, ToolError, WaitingForPerson
from gadfly.parsing import read_findings
from gadfly.primitives.critique import Target, said
from gadfly.records import Critique, Problem, Record, Text, Verdict, content_digest
from gadfly.trace import primitive


class Question(Record):
    """A line of the queue."""

    id: str
    """Names the question by its content: the same question is asked once."""
    kind: Literal["candidate", "critique", "score", "ranking"]
    """What is to be judged."""
    problem: Text
    answer: Text


class PersonAnswer(Record):
    """A line of the answers."""

    id: str
    verdict: Verdict | None = None
    findings: tuple[Text, ...] = ()
    text: Text = ""
    by: str = ""
    """Who answered."""


@dataclass(frozen=True, kw_only=True)
class QueuedPersonCritic:
    """A person who answers when there is time. Killed and started again, it asks nothing twice."""

    folder: Path
    """Holds `queue.jsonl` and `answers.jsonl`; it is made where it is missing."""
    wait: bool = True
    """False: what is not answered yet fails as `WaitingForPerson`, and a later session tries it again."""
    every: float = 1.0
    """Seconds between two looks at the answers."""
    name: str = "person"
    report: Callable[[str], None] = field(
        default=lambda line: print(line, file=sys.stderr),  # noqa: T201
        repr=False,
        compare=False,
    )
    """Told of each line of the answers that cannot be read."""
    _seen: "_Seen" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.every <= 0:
            raise InputError("a queue must wait some time between two looks at its answers")
        object.__setattr__(self, "_seen", _Seen())

    @primitive
    async def __call__(self, problem: Problem, target: Target, /) -> Critique:
        """Put the target into the queue, unless it is there, and give the person's answer.

        Raises:
            WaitingForPerson: there is no answer yet, and `wait` is off.
            ToolError: the queue cannot be written.
        """
        question = _question(problem, target)
        found = await self._answer(question.id)
        if found is None:
            await self._run(self._enqueue, question)
        while found is None:
            if not self.wait:
                place = f"{self.folder.name}/answers.jsonl"
                raise WaitingForPerson(f"{place} has no line yet for question {question.id} of queue.jsonl")
            await anyio.sleep(self.every)
            found = await self._answer(question.id)
        return _critique(target, found, self.name)

    async def _answer(self, name: str) -> PersonAnswer | None:
        await self._run(self._look)
        return self._seen.answers.get(name)

    async def _run(self, function: Callable[..., None], *arguments: object) -> None:
        async with self._seen.turn:
            try:
                await anyio.to_thread.run_sync(function, *arguments)
            except OSError as error:
                raise ToolError(f"the queue {self.folder.name}: {error.strerror or error}") from error

    def _enqueue(self, question: Question) -> None:
        """Append the question in one write, unless any process has: the lock covers look and write."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "queue.jsonl").open("a+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            held = file.read()
            whole = held.rfind(b"\n") + 1
            if whole < len(held) and not _readable(held[whole:]):
                os.truncate(file.fileno(), whole)  # torn by a kill
                held = held[:whole]
            if any(_id_of(line) == question.id for line in held.splitlines()):
                return
            line = question.model_dump_json().encode() + b"\n"
            file.write(line if held.endswith(b"\n") or not held else b"\n" + line)
            os.fsync(file.fileno())

    def _look(self) -> None:
        """Read the answers anew where their file has changed: people edit it with what they like."""
        try:
            facts = (self.folder / "answers.jsonl").stat()
        except FileNotFoundError:
            return
        version = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
        if version == self._seen.version:
            return
        held = (self.folder / "answers.jsonl").read_bytes()
        answers: dict[str, PersonAnswer] = {}
        lines = held.split(b"\n")
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                answer = PersonAnswer.model_validate_json(line)
            except ValidationError as error:
                if number < len(lines):  # the last line may be half written
                    self._complain(number, line, error)
            else:
                answers[answer.id] = answer
        self._seen.answers, self._seen.version = answers, version

    def _complain(self, number: int, line: bytes, error: ValidationError) -> None:
        if (number, line) in self._seen.reported:
            return
        self._seen.reported.add((number, line))
        first = error.errors(include_url=False, include_input=False)[0]
        place = "".join(f"{part}: " for part in first["loc"])
        self.report(f"{self.folder.name}/answers.jsonl:{number}: not read ({place}{first['msg']})")


class _Seen:
    """What is known of the answers; one reader at a time."""

    def __init__(self) -> None:
        self.turn = anyio.Lock()
        self.version: tuple[int, int, int] | None = None
        self.answers: dict[str, PersonAnswer] = {}
        self.reported: set[tuple[int, bytes]] = set()


def _question(problem: Problem, target: Target) -> Question:
    kind = type(target).__name__.lower()
    asked = {"kind": kind, "problem": problem.text, "answer": said(target)}
    return Question.model_validate({"id": content_digest(asked)[:16], **asked})


def _critique(target: Target, answer: PersonAnswer, name: str) -> Critique:
    points = "\n".join(f"- {point}" for point in answer.findings)
    missing = ParseError("the person gave no verdict").failure() if answer.verdict is None else None
    return Critique(
        target=target.id,
        text="\n".join(filter(None, (answer.text, points))),
        author=f"{name} {answer.by}".strip(),
        verdict=answer.verdict,
        findings=read_findings(points),
        failure=missing,
    )


def _readable(line: bytes) -> bool:
    return _id_of(line) is not None


def _id_of(line: bytes) -> str | None:
    try:
        value: object = json.loads(line)
    except ValueError:
        return None
    return str(value["id"]) if isinstance(value, dict) and "id" in value else None  # pyright: ignore[reportUnknownArgumentType]
