"""Cases for a judge out of anybody's file, by a mapping of its columns."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gadfly.benchmarks.judging.columns import Columns
from gadfly.errors import InputError
from gadfly.parsing.rows import Row, read_rows
from gadfly.records import Candidate, Case, Gold, Problem, Verdict

_TIERS = {"first": ((0,), (1,)), "second": ((1,), (0,)), "tie": ((0, 1),)}
_VERDICTS: dict[str, Verdict] = {"correct": "correct", "incorrect": "incorrect", "unsure": "unsure"}


@dataclass(frozen=True, kw_only=True)
class MappedCases:
    """What is to be judged in the rows of a file."""

    name: str
    path: Path
    columns: Columns

    def cases(self) -> Iterator[tuple[Problem, Case]]:
        """Each row's problem and answers, in the file's order.

        Raises:
            InputError: the file cannot be read, a column is missing, or the mapping names no answers.
        """
        columns = self.columns
        if not columns.has("problem") or not (columns.has("answer") or columns.has("first", "second")):
            raise InputError("to run a judge, --map needs problem, and answer or first and second")
        for number, (where, row) in enumerate(read_rows(self.path)):
            problem = Problem(
                id=columns.text("item", row, where) or f"{self.path.name.split('.')[0]}-{number}",
                prompt=columns.text("problem", row, where),
                reference=columns.text("reference", row, where) or None,
                answer_kind="free",
                metadata={
                    name: columns.text(name, row, where) for name in ("subset", "group") if columns.has(name)
                },
            )
            yield problem, Case(candidates=_candidates(columns, row, where), gold=_gold(columns, row, where))


def _candidates(columns: Columns, row: Row, where: str) -> tuple[Candidate, ...]:
    names = ("first", "second") if columns.has("first", "second") else ("answer",)
    authors = ("first_author", "second_author") if len(names) == 2 else ("author",)
    return tuple(
        Candidate(
            text=columns.text(name, row, where),
            author=columns.text(author, row, where) or "unknown",
            # Two equal answers stay two candidates.
            draw=(place,) if place else (),
        )
        for place, (name, author) in enumerate(zip(names, authors, strict=True))
    )


def _gold(columns: Columns, row: Row, where: str) -> Gold:
    label, _ = columns.label("gold", row, where)
    value = columns.number("gold_score", row, where)
    if columns.kind == "pair":
        return Gold(tiers=_TIERS.get(label or "", ()), value=value)
    step = columns.step("gold_step", row, where)
    verdict = _VERDICTS.get(label or "")
    if columns.has("gold_step") and not columns.has("gold"):
        verdict = "correct" if step is None else "incorrect"
    return Gold(verdict=verdict, value=value, stepwise=columns.has("gold_step"), wrong_step=step)
