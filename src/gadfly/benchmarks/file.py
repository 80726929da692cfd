"""Problems out of a user's own file: JSON lines, a JSON array, CSV or TSV, gzipped or not.

Which field is the prompt and which the reference is found by name, or said with
`data.jsonl?prompt=question&reference=gold`. The whole file is read once before anything runs,
so that a broken row near its end costs no model call.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import cast

from pydantic import JsonValue, ValidationError

from gadfly.benchmarks.about import About
from gadfly.errors import InputError, ParseError
from gadfly.parsing import answer_instruction, final_answer
from gadfly.parsing.rows import Row, read_rows
from gadfly.parsing.spec import refuse_unknown, truth
from gadfly.protocols import Scorer
from gadfly.records import AnswerKind, Candidate, Failure, Message, Problem, Score
from gadfly.scorers.load import load_scorer

PROMPT_FIELDS = ("prompt", "question", "problem", "input", "query", "instruction", "messages")
REFERENCE_FIELDS = ("reference", "answer", "target", "gold", "output", "label", "solution", "expected")
CHOICE_FIELDS = ("choices", "options")
ID_FIELDS = ("id", "uid", "key")

ABOUT = About(
    name="file",
    summary="your own problems: JSONL, JSON, CSV or TSV with a prompt and a reference in each row",
    licence="yours",
    citation="yours",
    example="data.jsonl?prompt=question&reference=answer&scorer=numeric",
    options={
        "prompt": f"field of the prompt (the first there of {', '.join(PROMPT_FIELDS)})",
        "reference": f"field of the right answer (the first there of {', '.join(REFERENCE_FIELDS)})",
        "choices": f"field of the options, or several joined by ',' ({', '.join(CHOICE_FIELDS)}; A, B, ...)",
        "id": f"field of the name ({', '.join(ID_FIELDS)}; else the row's number)",
        "scorer": "exact, numeric, choice, contains, math or judge:MODEL (by each row's reference), or none",
        "instruct": "whether to ask for a last line 'Answer: ...' (true, where the scorer reads one)",
    },
)

_NUMBER = re.compile(r"-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|-?\.\d+")
_KINDS: Mapping[str, AnswerKind] = {
    "exact": "text",
    "math": "text",
    "numeric": "number",
    "choice": "choice",
    "contains": "free",
    "judge": "free",
    "none": "free",
}
_WITHOUT_REFERENCE = ("judge", "none")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, kw_only=True)
class Unscored:
    """Scores nothing: for requests and conversations that no reference decides."""

    async def __call__(self, problem: Problem, candidate: Candidate, /) -> Score:
        """No value, and that nobody asked for one."""
        nobody = Failure(boundary="scorer", type="NotAsked", message="the file is read with scorer=none")
        return Score(target=candidate.id, value=None, author="none", failure=nobody)


@dataclass(frozen=True, kw_only=True)
class FileProblems:
    """The rows of one file as problems, read again each time they are asked for."""

    name: str
    path: Path
    scorer: Scorer
    scorer_name: str
    prompt: str
    reference: str | None
    choices: tuple[str, ...] = ()
    id: str | None = None
    instruct: bool = True

    @property
    def notes(self) -> tuple[str, ...]:
        """Which fields were taken for what."""
        taken = [f"prompt from {self.prompt!r}"]
        taken.append(f"reference from {self.reference!r}" if self.reference else "no reference")
        if self.choices:
            taken.append(f"choices from {', '.join(map(repr, self.choices))}")
        if self.id:
            taken.append(f"id from {self.id!r}")
        return (f"{self.path.name}: {', '.join(taken)}; scored by {self.scorer_name}",)

    def problems(self) -> Iterator[Problem]:
        """One problem a row.

        Raises:
            InputError: the file or a row of it cannot be used; the message names the line.
        """
        seen: set[str] = set()
        for index, (where, row) in enumerate(read_rows(self.path)):
            problem = self._problem(index, where, row)
            if problem.id in seen:
                raise InputError(f"{where}: the id {problem.id!r} stands in an earlier row too")
            seen.add(problem.id)
            yield problem

    def _problem(self, index: int, where: str, row: Row) -> Problem:
        offered = _offered(self.choices, where, row)
        solution = None if self.reference is None else _text(_field(row, self.reference, where), where)
        if self.scorer_name not in _WITHOUT_REFERENCE and not (solution or "").strip():
            raise InputError(f"{where}: the reference field {self.reference!r} is empty")
        reference = solution if solution is None else _stated(solution)
        if offered and reference is not None:
            reference = _letter(reference, _field(row, self.reference or "", where), offered, where)
        kind = _KINDS.get(self.scorer_name) or _kind(reference, offered)
        metadata: dict[str, JsonValue] = {"source": self.path.name}
        if offered:
            metadata["choices"] = cast(JsonValue, offered)
        return Problem(
            id=self._id(row, where) or f"{self.path.stem}-{index:05d}",
            prompt=self._prompt(_field(row, self.prompt, where), offered, kind, where),
            reference=reference,
            answer_kind=kind,
            metadata=metadata,
            privileged={"solution": solution} if solution is not None and solution != reference else {},
        )

    def _id(self, row: Row, where: str) -> str:
        return _text(row.get(self.id), where).strip() if self.id else ""

    def _prompt(
        self, value: object, offered: Mapping[str, str], kind: AnswerKind, where: str
    ) -> str | tuple[Message, ...]:
        lines = [f"{letter}) {text}" for letter, text in offered.items()]
        if self.instruct and answer_instruction(kind):
            lines.append(answer_instruction(kind))
        if not isinstance(value, list):
            text = _text(value, where)
            if not text.strip():
                raise InputError(f"{where}: the prompt field {self.prompt!r} is empty")
            return "\n".join([text, *lines])
        try:
            messages = [Message.model_validate(item) for item in cast(list[object], value)]
        except ValidationError as error:
            raise InputError(
                f"{where}: the prompt field {self.prompt!r} is a list, but not one of "
                f"{{'role': ..., 'content': ...}}: {error.errors()[0]['msg']}"
            ) from None
        if not messages:
            raise InputError(f"{where}: the prompt field {self.prompt!r} is empty")
        last = messages[-1]
        content = "\n".join([last.content, *lines])
        return (*messages[:-1], last.model_copy(update={"content": content}))


def load(target: str, options: Mapping[str, str]) -> FileProblems:
    """The problems of the file `target`, each row checked once.

    Raises:
        InputError: the file, a field or a row cannot be used.
    """
    for option in options:
        refuse_unknown(option, ABOUT.options, what="option", where="file")
    if not target:
        raise InputError(f"which file? Say {ABOUT.example!r}")
    path = Path(target).expanduser()
    where, first = next(read_rows(path))
    asked = options.get("scorer")
    name = asked.partition(":")[0].partition("?")[0] if asked else "kind"
    needs_reference = name not in _WITHOUT_REFERENCE
    reference = (
        _named(options.get("reference"), REFERENCE_FIELDS, first, "reference", where)
        if needs_reference or "reference" in options or any(f in first for f in REFERENCE_FIELDS)
        else None
    )
    query = "&".join(f"{key}={value}" for key, value in options.items())
    problems = FileProblems(
        name=f"{target}?{query}" if query else target,
        path=path,
        scorer=Unscored() if name == "none" else load_scorer(asked or "kind"),
        scorer_name=name,
        prompt=_named(options.get("prompt"), PROMPT_FIELDS, first, "prompt", where),
        reference=reference,
        choices=_choice_fields(options.get("choices"), first, where, reference),
        id=_named(options["id"], (), first, "id", where)
        if "id" in options
        else next((field for field in ID_FIELDS if field in first), None),
        instruct=truth(options.get("instruct", "true"), where="file: instruct"),
    )
    for _ in problems.problems():
        pass
    return problems


def _named(asked: str | None, usual: tuple[str, ...], row: Row, what: str, where: str) -> str:
    if asked is not None:
        _field(row, asked, where)
        return asked
    by_case = {field.casefold(): field for field in row}
    for field in usual:
        if field in by_case:
            return by_case[field]
    raise InputError(
        f"{where}: no field looks like the {what}; the fields are {', '.join(map(repr, row)) or 'none'}; "
        f"say which with '?{what}=FIELD'"
    )


def _choice_fields(asked: str | None, row: Row, where: str, reference: str | None) -> tuple[str, ...]:
    if asked is not None:
        return tuple(_named(field, (), row, "choices", where) for field in asked.split(","))
    listed = tuple(field for field in CHOICE_FIELDS if isinstance(row.get(field), list | dict))[:1]
    # Columns A, B, ... are options where the right answer names one of them.
    columns = tuple(takewhile(row.__contains__, _LETTERS))
    lettered = len(columns) > 1 and reference is not None and row[reference] in columns
    return listed or (columns if lettered else ())


def _field(row: Row, name: str, where: str) -> object:
    if name not in row:
        raise InputError(f"{where}: no field {name!r}; the fields are {', '.join(map(repr, row)) or 'none'}")
    return row[name]


def _text(value: object, where: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{where}: {value} is no number that can be compared; write it as a text")
    if value is None or isinstance(value, str | int | float):
        return "" if value is None else str(value)
    raise InputError(f"{where}: expected a text or a number, not {str(value)[:60]!r}")


def _stated(reference: str) -> str:
    """A worked solution's final answer; a reference of one line is taken as it is."""
    text = reference.strip()
    if "\n" not in text:
        return text
    try:
        return final_answer(text)
    except ParseError:
        return text


def _kind(reference: str | None, offered: Mapping[str, str]) -> AnswerKind:
    if offered:
        return "choice"
    return "number" if reference and _NUMBER.fullmatch(reference) else "text"


def _offered(fields: tuple[str, ...], where: str, row: Row) -> dict[str, str]:
    if len(fields) != 1:
        texts = [_text(_field(row, field, where), where) for field in fields]
        return dict(zip(_LETTERS, texts, strict=False))
    (field,) = fields
    value = _field(row, field, where)
    if isinstance(value, dict):
        offered = cast(dict[str, object], value)
        labels, texts = offered.get("label"), offered.get("text")
        if isinstance(labels, list) and isinstance(texts, list):
            pairs = zip(cast(list[object], labels), cast(list[object], texts), strict=False)
            return {str(label): _text(text, where) for label, text in pairs}
        return {letter: _text(text, where) for letter, text in offered.items()}
    if not isinstance(value, list) or not 2 <= len(cast(list[object], value)) <= len(_LETTERS):
        raise InputError(f"{where}: the choices field {field!r} needs 2 to {len(_LETTERS)} options")
    return {
        letter: _text(text, where) for letter, text in zip(_LETTERS, cast(list[object], value), strict=False)
    }


def _letter(reference: str, raw: object, offered: Mapping[str, str], where: str) -> str:
    """The reference as a letter: given as one, as an index from 0, or as an option's text."""
    if reference.upper() in offered:
        return reference.upper()
    if isinstance(raw, int) and not isinstance(raw, bool) and 0 <= raw < len(offered):
        return list(offered)[raw]
    for letter, text in offered.items():
        if text.strip().casefold() == reference.strip().casefold():
            return letter
    raise InputError(f"{where}: the reference {reference[:60]!r} is none of the choices {', '.join(offered)}")
