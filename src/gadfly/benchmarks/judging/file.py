"""Cases out of a user's own file: JSON lines, a JSON array, CSV or TSV, gzipped or not.

Columns, by name (case does not matter; names after "or" are taken where the first is not there):

- `problem` or `question`, `prompt`, `instruction`: what was asked.
- `answer` or `response`: one answer to be judged. Or several: `answers`, a list (in CSV a JSON array), or
  `answer_a`, `answer_b` and so on.
- `gold` or `label`: of one answer, correct or incorrect (also true, false, right, wrong, 1, 0). Of two,
  first, second or tie (also A, B, 1, 2). Of more, the best one's letter or place (from 1), or several
  joined by ",": the rest are worse and tied. Empty: nobody said.
- `step`: the first wrong step; "none" where none is wrong; empty where nobody looked. Counted from 0, or
  from 1 with `steps_from=1`. Steps are the list `steps`, else the answer's lines. Where `gold` says nothing,
  the verdict follows from it.
- `value`: a mark. `critique`: what a person wrote about the answer. Neither is shown to a judge.
- `author`, or `authors` (a list), or `author_a`, `author_b`: who wrote the answers.
- `reference`: the right answer. `subset`, `group`, `id`: as they say; without `id`, the row's number.
"""

import json
import string
from collections.abc import Iterable, Mapping
from typing import cast

from gadfly.benchmarks.about import About
from gadfly.benchmarks.hub import Upstream
from gadfly.benchmarks.judging.cases import (
    PAIR,
    SHARED_OPTIONS,
    Pairs,
    RowCases,
    candidates_of,
    one_of,
    problem_of,
    read_cases,
    stepped,
)
from gadfly.benchmarks.judging.fields import Fields
from gadfly.errors import InputError
from gadfly.records import Candidate, Case, Gold, Verdict

_PROBLEM = ("problem", "question", "prompt", "instruction")
_GOLD = ("gold", "label")
_RIGHT: Mapping[str, Verdict] = {
    **dict.fromkeys(("correct", "true", "right", "1", "yes"), cast(Verdict, "correct")),
    **dict.fromkeys(("incorrect", "false", "wrong", "0", "no"), cast(Verdict, "incorrect")),
}
_BEST = {"first": "first", "a": "first", "1": "first", "second": "second", "b": "second", "2": "second"}

ABOUT = About(
    name="cases",
    summary="your own cases: JSONL, JSON, CSV or TSV with a problem, its answers and a label in each row",
    licence="yours",
    citation="yours",
    example="cases.jsonl",
    options={
        **SHARED_OPTIONS,
        "steps_from": "what the first step is called in the column step: 0 (default) or 1",
    },
)
_UPSTREAM = Upstream(title="your cases", download="nothing", files=("*.jsonl", "*.json", "*.csv", "*.tsv"))


def load(target: str, options: Mapping[str, str]) -> RowCases:
    """The cases of the file `target`, each row checked once.

    Raises:
        InputError: the file, a column or a row cannot be used.
    """
    if not target:
        raise InputError(f"which file? Say {ABOUT.example!r}")
    return read_cases(target, options, about=ABOUT, upstream=_UPSTREAM, convert=_cases)


def _cases(rows: Iterable[Fields], options: Mapping[str, str]) -> Pairs:
    start = int(one_of(options, "steps_from", ("0", "1")))
    seen: set[str] = set()
    for given in rows:
        row = _lowered(given)
        answers = _answers(row, start)
        name = row.maybe("id").strip() or f"{row.source}-{row.index:05d}"
        if name in seen:
            raise InputError(f"{row.where}: the id {name!r} stands in an earlier row too")
        seen.add(name)
        problem = problem_of(
            name,
            row.text(*_PROBLEM),
            subset=row.maybe("subset"),
            group=row.maybe("group"),
            reference=row.maybe("reference"),
        )
        yield problem, Case(candidates=answers, gold=_gold(row, answers, start))


def _lowered(row: Fields) -> Fields:
    """The row with lower-case names and without empty cells, which say nothing."""
    kept = {name.strip().lower(): value for name, value in row.row.items() if value != ""}
    return Fields(title=row.title, where=row.where, source=row.source, index=row.index, row=kept)


def _listed(row: Fields, one: str, several: str) -> list[str]:
    """The texts of a list, or of the columns `one_a`, `one_b`, ..., or of the one column."""
    if row.has(several):
        value = row.raw(several)
        if isinstance(value, str):
            try:
                value = cast(object, json.loads(value))
            except json.JSONDecodeError:
                raise row.wrong(several, 'a JSON array such as ["x", "y"]', value) from None
        listed = Fields(title=row.title, where=row.where, source="", index=0, row={several: value})
        if not isinstance(value, list) or not value:
            raise row.wrong(several, "a list of texts", row.raw(several))
        return listed.texts(several)
    lettered = [f"{one}_{letter}" for letter in string.ascii_lowercase if f"{one}_{letter}" in row.row]
    return [row.text(name) for name in lettered]


def _answers(row: Fields, start: int) -> tuple[Candidate, ...]:
    texts = _listed(row, "answer", "answers")
    authors = _listed(row, "author", "authors")
    if texts:
        return candidates_of(texts, authors)
    author = row.maybe("author")
    if row.has("steps"):
        return (stepped(_listed(row, "step", "steps"), author),)
    answer = row.text("answer", "response")
    if row.has("step"):
        return (stepped(answer.splitlines(), author),)
    return candidates_of([answer], [author])


def _gold(row: Fields, answers: tuple[Candidate, ...], start: int) -> Gold:
    said = row.maybe(*_GOLD).strip().lower()
    value = row.number("value") if row.has("value") else None
    critique = row.maybe("critique") or None
    answer, *others = answers
    if others:
        return Gold(tiers=_tiers(row, said, len(answers)) if said else (), value=value, critique=critique)
    stepwise, wrong = _step(row, answer, start)
    verdict = _RIGHT.get(said)
    if said and verdict is None:
        raise row.wrong("gold", "correct or incorrect", said)
    if not said and stepwise:
        verdict = "correct" if wrong is None else "incorrect"
    return Gold(verdict=verdict, stepwise=stepwise, wrong_step=wrong, value=value, critique=critique)


def _step(row: Fields, answer: Candidate, start: int) -> tuple[bool, int | None]:
    if not row.has("step"):
        return False, None
    if row.text("step").strip().lower() == "none":
        return True, None
    step = row.whole("step") - start
    if not 0 <= step < len(answer.steps):
        raise row.wrong("step", f"none or from {start} to {len(answer.steps) - 1 + start}", row.raw("step"))
    return True, step


def _tiers(row: Fields, said: str, size: int) -> tuple[tuple[int, ...], ...]:
    if said == "tie":
        return (tuple(range(size)),)
    if size == 2 and said in _BEST:
        return PAIR[_BEST[said]]
    best: set[int] = set()
    for part in said.replace(" ", "").split(","):
        place = string.ascii_lowercase.find(part) if part.isalpha() and len(part) == 1 else -1
        place = int(part) - 1 if part.isdigit() else place
        if not 0 <= place < size:
            raise row.wrong("gold", "first, second or tie" if size == 2 else f"one of {size} answers", said)
        best.add(place)
    rest = tuple(place for place in range(size) if place not in best)
    return tuple(tier for tier in (tuple(sorted(best)), rest) if tier)
