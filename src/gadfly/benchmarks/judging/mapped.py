"""Cases for a judge out of anybody's file, by a mapping of its columns."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gadfly.benchmarks.judging.cases import stepped
from gadfly.benchmarks.judging.columns import Columns
from gadfly.benchmarks.judging.judgements import check_gold
from gadfly.benchmarks.judging.spellings import flat, spelled
from gadfly.errors import InputError
from gadfly.parsing import kind_of_reference
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
            InputError: the file cannot be read, a column is missing, the mapping names no answers, a
                label of people's cannot be read, or two rows have the same item.
        """
        columns = self.columns
        if not columns.has("problem") or not (columns.has("answer") or columns.has("first", "second")):
            raise InputError("to run a judge, --map needs problem, and answer or first and second")
        if columns.has("first") != columns.has("second"):
            raise InputError("to run a judge, --map needs first and second together")
        columns.check(self.path)
        seen: dict[str, str] = {}
        for number, (where, row) in enumerate(read_rows(self.path)):
            check_gold(columns, row, where)
            name = columns.text("item", row) or f"{self.path.name.split('.')[0]}-{number}"
            earlier = seen.setdefault(name, where)
            if earlier != where:
                raise InputError(
                    f"{where} and {earlier} are the same item {name!r}; --map item to what tells them apart "
                    "(columns joined by +), or leave it out"
                )
            reference = columns.text("reference", row)
            problem = Problem(
                id=name,
                prompt=columns.text("problem", row),
                reference=reference or None,
                answer_kind=kind_of_reference(reference),
                metadata={one: columns.text(one, row) for one in ("subset", "group") if columns.has(one)},
            )
            yield problem, Case(candidates=_candidates(columns, row), gold=_gold(columns, row, where))


def _candidates(columns: Columns, row: Row) -> tuple[Candidate, ...]:
    if not columns.has("first"):
        return (_answer(columns, row),)
    return tuple(
        Candidate(
            text=columns.text(name, row),
            author=columns.text(author, row) or "unknown",
            # Two equal answers stay two candidates.
            draw=(place,) if place else (),
        )
        for place, (name, author) in enumerate((("first", "first_author"), ("second", "second_author")))
    )


def _answer(columns: Columns, row: Row) -> Candidate:
    """The one answer; in steps where it is a list, or where people named one of its lines."""
    author = columns.text("author", row)
    cells = columns.cells("answer", row)
    if any(isinstance(cell, list) for cell in cells):
        return stepped([spelled(cell) for cell in flat(cells)], author)
    text = columns.text("answer", row)
    if columns.has("gold_step"):
        return stepped(text.splitlines(), author)
    return Candidate(text=text, author=author or "unknown")


def _gold(columns: Columns, row: Row, where: str) -> Gold:
    label, _ = columns.label("gold", row)
    value, why = columns.number("gold_score", row, where)
    if why.startswith("not a number"):
        raise InputError(f"{where}: gold_score is {why}")
    if columns.kind == "pair":
        return Gold(tiers=_TIERS.get(label or "", ()), value=value)
    step = columns.step("gold_step", row)
    verdict = _VERDICTS.get(label or "")
    if step.looked and not columns.has("gold"):
        verdict = "correct" if step.found is None else "incorrect"
    return Gold(verdict=verdict, value=value, stepwise=step.looked, wrong_step=step.found)
