"""`gadfly reproduce`: other people's published numbers, computed again from their raw records."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from gadfly.cli.output import AsJson, application, console, note, print_json, print_table
from gadfly.errors import GadflyError, InputError
from gadfly.reproductions.check import Check, Note, Reproduction, Status
from gadfly.reproductions.load import find_reproduction, list_reproductions

_SHOWN = 20
"""Differences printed of each data set, unless all are asked for."""

reproduce = application(
    "reproduce",
    "gadfly reproduce all --data records",
    "gadfly reproduce llmbar --data records --differences",
    "gadfly reproduce judgebench --data records --json",
    "gadfly reproduce --list",
)


@dataclass(frozen=True, kw_only=True)
class _Result:
    of: Reproduction
    checks: tuple[Check, ...]
    notes: tuple[str, ...]
    seconds: float

    def count(self, status: Status) -> int:
        return sum(check.status == status for check in self.checks)

    def parts(self) -> dict[str, tuple[int, int]]:
        """Of each column or table, how many numbers are matched and how many there are."""
        all_of = Counter(check.part for check in self.checks)
        matched = Counter(check.part for check in self.checks if check.matched)
        return {part: (matched[part], count) for part, count in all_of.items() if part}


def _switch(help: str, name: str | None = None) -> Parameter:
    return Parameter(name=name, negative="", show_default=False, help=help)


@reproduce.default
def reproduce_numbers(
    name: Annotated[str, Parameter(help="A data set's name, or all.")] = "all",
    /,
    *,
    data: Annotated[
        Path | None, Parameter(help="The directory with one folder for each data set's records.")
    ] = None,
    differences: Annotated[bool, _switch("Print every number that is not matched.")] = False,
    conventions: Annotated[bool, _switch("Print what decides the numbers.")] = False,
    listed: Annotated[bool, _switch("List the data sets there are.", "--list")] = False,
    as_json: AsJson = False,
) -> None:
    """Compute published numbers again from raw records, with this package's own metrics.

    A number is matched, differs for a reason that the records show (a known upstream error), or
    differs without one; then the exit code is 1.
    """
    if listed:
        _list(as_json)
        return
    if data is None:
        raise InputError("--data DIR is missing: the directory that holds one folder for each data set")
    if not data.is_dir():
        raise InputError(f"--data {data} is no directory")
    results: list[_Result] = []
    broken: dict[str, InputError] = {}
    for one in _chosen(name, data):
        try:
            results.append(_computed(one, data))
        except InputError as error:
            if name != "all":
                raise
            broken[one.name] = error
            note(f"{one.name}: {error}", "bold red")
    if as_json:
        print_json([_as_json(result) for result in results])
    else:
        _print(results, every=differences, conventions=conventions)
    unexplained = {result.of.name: result.count("differing") for result in results}
    wrong = [f"unexplained differences: {count} in {name}" for name, count in unexplained.items() if count]
    wrong += [f"{name} cannot be computed" for name in broken]
    if wrong:
        raise GadflyError("; ".join(wrong))


def _list(as_json: bool) -> None:
    found = list_reproductions()
    if as_json:
        print_json([_about(one) for one in found])
        return
    print_table(
        ("name", "numbers", "source", "licence"),
        [(one.name, one.summary, one.citation, one.licence) for one in found],
    )


def _chosen(name: str, data: Path) -> Sequence[Reproduction]:
    if name != "all":
        return [find_reproduction(name)]
    there = [one for one in list_reproductions() if (data / one.name).is_dir()]
    missing = [one.name for one in list_reproductions() if one not in there]
    if not there:
        raise InputError(f"{data} has none of the folders {', '.join(missing)}")
    if missing:
        note(f"not there, and left out: {', '.join(missing)}")
    return there


def _computed(one: Reproduction, data: Path) -> _Result:
    folder = data / one.name
    if not folder.is_dir():
        raise InputError(f"{data} has no folder {one.name}")
    start = monotonic()
    found = list(one.checks(folder))
    result = _Result(
        of=one,
        checks=tuple(line for line in found if isinstance(line, Check)),
        notes=tuple(line.text for line in found if isinstance(line, Note)),
        seconds=monotonic() - start,
    )
    if not result.checks:
        raise InputError(f"{folder} gives no published number to compare with")
    return result


def _print(results: Sequence[_Result], *, every: bool, conventions: bool) -> None:
    screen = console()
    for result in results:
        _print_details(result, every=every, conventions=conventions)
    print_table(
        ("data set", "numbers", "matched", "known upstream errors", "differing", "seconds"),
        [
            (
                result.of.name,
                f"{len(result.checks):,}",
                f"{result.count('matched'):,}",
                f"{result.count('known upstream error'):,}",
                f"{result.count('differing'):,}",
                f"{result.seconds:.1f}",
            )
            for result in results
        ],
    )
    total = Counter(check.status for result in results for check in result.checks)
    screen.print(
        Text(
            f"{total['matched']:,} of {total.total():,} matched, "
            f"{total['known upstream error']:,} known upstream errors, {total['differing']:,} unexplained",
            "bold",
        )
    )


def _print_details(result: _Result, *, every: bool, conventions: bool) -> None:
    screen = console()
    screen.print(Text(f"{result.of.name}: {result.of.summary}", "bold"))
    screen.print(Text(f"{result.of.citation}; licence of the records: {result.of.licence}", "dim"))
    if conventions:
        for line in result.of.conventions:
            screen.print(Text(f"  convention: {line}"))
    matched = [f"{part} {right:,} of {count:,}" for part, (right, count) in result.parts().items()]
    if matched:
        screen.print(Text(f"  matched: {'; '.join(matched)}"))
    for line in result.notes:
        screen.print(Text(f"  note: {line}"))
    wrong: dict[str, list[Check]] = {}
    for check in result.checks:
        if check.status == "known upstream error":
            wrong.setdefault(check.upstream, []).append(check)
    for reason, checks in wrong.items():
        screen.print(Text(f"  known upstream error, {len(checks):,} numbers: {reason}", "yellow"))
        for check in checks if every else checks[:2]:
            screen.print(Text(f"    {_line(check)}", "dim"))
    differing = [check for check in result.checks if check.status == "differing"]
    for check in differing if every else differing[:_SHOWN]:
        screen.print(Text(f"  DIFFERING {_line(check)}", "bold red"))
    if len(differing) > _SHOWN and not every:
        screen.print(Text(f"  and {len(differing) - _SHOWN:,} more: --differences shows them all", "red"))
    screen.print()


def _line(check: Check) -> str:
    ours = "cannot be computed" if check.ours is None else f"ours {_figure(check.ours)}"
    return f"{check.what}: published {_figure(check.published)}, {ours}"


def _figure(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.10g}"


def _about(one: Reproduction) -> dict[str, object]:
    return {
        "name": one.name,
        "summary": one.summary,
        "citation": one.citation,
        "licence": one.licence,
        "conventions": list(one.conventions),
    }


def _as_json(result: _Result) -> dict[str, object]:
    return {
        **_about(result.of),
        "numbers": len(result.checks),
        "matched": result.count("matched"),
        "known_upstream_errors": result.count("known upstream error"),
        "differing": result.count("differing"),
        "parts": {part: {"matched": right, "numbers": n} for part, (right, n) in result.parts().items()},
        "notes": list(result.notes),
        "unmatched": [
            {**check.model_dump(mode="json"), "status": check.status}
            for check in result.checks
            if check.status != "matched"
        ],
        "seconds": round(result.seconds, 2),
    }
