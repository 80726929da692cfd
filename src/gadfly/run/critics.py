"""Several judges or critics on the same things: side by side, with paired intervals."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from gadfly.errors import InputError
from gadfly.metrics.agreement import AgreementTable, agreement_between
from gadfly.metrics.judged import Judged
from gadfly.metrics.measurement import Flips, Measurement
from gadfly.metrics.paired import paired, row_flips
from gadfly.records import Record
from gadfly.run.correcting import CriticCorrection
from gadfly.run.grid import Grid, rich_table
from gadfly.run.judge_report import JudgeReport
from gadfly.run.judge_table import ORACLE, measured

BETWEEN = "kappa between judges"
_SHOWN = 6
"""Judges whose agreement fits a terminal."""


class JudgeDifference(Record):
    """One judge against the baseline, on the things that both judged."""

    judge: str
    baseline: str
    right: Measurement
    """Share right less the baseline's; an unreadable judgement is not right."""
    flips: Flips
    """On pairs, of the given order alone."""


class CriticsReport(Record):
    """Judges side by side."""

    benchmark: str
    reports: tuple[JudgeReport, ...]
    differences: tuple[JudgeDifference, ...] = ()
    corrections: tuple[CriticCorrection, ...] = ()
    """What a reviser made of the critiques, where one was given."""
    between: AgreementTable | None = None
    """How far the judges agree with one another; None with one judge, or with marks alone."""
    apart: tuple[str, ...] = ()
    """Judges of other things than the baseline, so that there is no difference to it."""


def compare_judges(
    reports: Sequence[JudgeReport], rows: Mapping[str, Sequence[Judged]], *, seed: int = 0
) -> CriticsReport:
    """Each judge against the first one that has judged what others have.

    Args:
        reports: Of the judges, in the order in which they are shown.
        rows: Their judgements, by the report's `judge`.
        seed: Of the bootstrap.

    Raises:
        InputError: there is no judge, or two have judged different things.
    """
    if not reports:
        raise InputError("there is no judge to compare")
    labelled = {name: [row for row in of if row.gold is not None] for name, of in rows.items()}
    first = _baseline([report.judge for report in reports], labelled)
    differences: list[JudgeDifference] = []
    apart: list[str] = []
    for report in reports:
        mine, theirs = labelled[report.judge], labelled[first]
        if report.judge == first or not mine or not theirs:
            continue
        if not _cases(mine) & _cases(theirs):
            apart.append(report.judge)
            continue
        differences.append(
            JudgeDifference(
                judge=report.judge,
                baseline=first,
                right=paired(mine, theirs, _right, unmatched="left out", seed=seed),
                flips=row_flips(_one_order(mine), _one_order(theirs), unmatched="left out"),
            )
        )
    if apart and not differences:
        raise InputError(
            f"no judge has judged what {first} has, so nothing can be compared: --map item=COLUMN has to "
            "name what all of them judged, and nothing that tells them apart"
        )
    # People's labels say nothing of how far judges agree.
    every = [row.model_copy(update={"judge": name, "gold": None}) for name, of in rows.items() for row in of]
    said = any(row.said is not None for row in every)
    between = agreement_between(every, seed=seed) if len(reports) > 1 and said else None
    return CriticsReport(
        benchmark=reports[0].benchmark,
        reports=tuple(reports),
        differences=tuple(differences),
        between=between,
        apart=tuple(apart),
    )


def _baseline(judges: Sequence[str], labelled: Mapping[str, Sequence[Judged]]) -> str:
    """The first judge that has judged what another has, and the first of all where there is none."""
    cases = {judge: _cases(labelled[judge]) for judge in judges}
    return next(
        (one for one in judges if any(cases[one] & cases[other] for other in judges if other != one)),
        judges[0],
    )


def grids(found: CriticsReport) -> list[Grid]:
    """The tables of a comparison, in the order in which they are shown."""
    shown = [_skills(found.reports)]
    if found.differences:
        shown.append(_differences(found))
    if found.corrections:
        shown.append(_corrections(found.corrections))
    if found.between is not None:
        shown.append(_between(found.between, {report.judge for report in found.reports if report.oracle}))
    return shown


def print_critics(found: CriticsReport, console: Console) -> None:
    """Print the table, the differences and how far the judges agree."""
    console.print(Text(f"{found.benchmark} · {len(found.reports)} judges", "bold"))
    for grid in grids(found):
        if grid.title:
            console.print(Text(grid.title, "bold"))
        if grid.headings[0] != BETWEEN or len(grid.rows) <= _SHOWN:
            console.print(rich_table(grid))
        else:
            console.print(Text("How far the judges agree with one another is in critics.json.", "dim"))
    for warning, judges in _warned(found.reports).items():
        who = "" if len(judges) == len(found.reports) > 1 else f"{', '.join(judges)}: "
        console.print(Text(f"Warning: {who}{warning}", "yellow"))
    if found.apart:
        baseline = found.differences[0].baseline
        said = f"Warning: judged nothing that {baseline} did: {', '.join(found.apart)}"
        console.print(Text(said, "yellow"))
    for line in dict.fromkeys(line for report in found.reports for line in report.notes):
        console.print(Text(line, "dim"))


def _warned(reports: Sequence[JudgeReport]) -> dict[str, list[str]]:
    """Judges by what they are warned of."""
    found: dict[str, list[str]] = {}
    for report in reports:
        for warning in report.warnings:
            found.setdefault(warning, []).append(report.judge)
    return found


def _cases(rows: Sequence[Judged]) -> set[tuple[str, bool]]:
    return {(row.item, row.swapped) for row in rows}


def _skills(reports: Sequence[JudgeReport]) -> Grid:
    columns = [name for name in _COLUMNS if any(report.figure(name) for report in reports)]
    rows: list[tuple[str, ...]] = []
    for report in reports:
        right, tokens = report.skill, report.figure("tokens a judgement")
        rows.append(
            (
                _marked(report.judge, oracle=bool(report.oracle)),
                "–" if right is None else measured(right),
                *(_cell(report.figure(name), share=_COLUMNS[name][1]) for name in columns),
                f"{report.unscored:,}",
                "–" if tokens is None else f"{tokens.value:,.0f}",
            )
        )
    headings = ("judge", "right % [95 %]", *(_COLUMNS[name][0] for name in columns), "un-\nscored", "tokens")
    # A file of judgements says nothing of their cost.
    width = len(headings) - all(row[-1] == "–" for row in rows)
    return Grid(
        headings=headings[:width],
        rows=tuple(row[:width] for row in rows),
        oracles=frozenset(number for number, report in enumerate(reports) if report.oracle),
    )


def _marked(name: str, *, oracle: bool) -> str:
    return f"{name} {ORACLE}" if oracle else name


_COLUMNS = {
    "F1": ("F1 %", True),
    "AUROC": ("AUROC", False),
    "found, or rightly none": ("step %", True),
    "says correct": ("says\ncorrect %", True),
    "right in both orders": ("right in\nboth %", True),
    "both orders agree": ("orders\nagree %", True),
    "prefers what is shown first": ("first\nplace %", True),
    "Cohen's kappa": ("kappa", False),
    "Spearman with people's marks": ("Spear-\nman", False),
}
"""Figures of the reports that stand in the table: heading, and whether it is a share."""


def _cell(found: Measurement | None, *, share: bool) -> str:
    if found is None:
        return "–"
    return f"{100 * found.value:.1f}" if share else f"{found.value:.2f}"


def _differences(found: CriticsReport) -> Grid:
    oracles = {report.judge for report in found.reports if report.oracle}
    baseline = found.differences[0].baseline
    return Grid(
        headings=(
            f"against {_marked(baseline, oracle=baseline in oracles)}",
            *("points right [95 %]", "n", "right→\nwrong", "wrong→\nright", "McNemar p"),
        ),
        rows=tuple(
            (
                _marked(one.judge, oracle=one.judge in oracles),
                measured(one.right),
                f"{one.right.n:,}",
                f"{one.flips.right_to_wrong:,}",
                f"{one.flips.wrong_to_right:,}",
                f"{one.flips.p_value:.3g}",
            )
            for one in found.differences
        ),
        oracles=frozenset(number for number, one in enumerate(found.differences) if one.judge in oracles),
    )


def _corrections(found: Sequence[CriticCorrection]) -> Grid:
    headings = (
        *("critic", "right\nbefore", "after", "gain [95 %]", "over a\ndirect answer"),
        *("right→\nwrong", "wrong→\nright", "tokens"),
    )
    rows = tuple(
        (
            _marked(one.critic, oracle=one.found.saw_reference),
            f"{100 * one.found.before.value:.1f}",
            f"{100 * one.found.after.value:.1f}",
            measured(one.found.gain),
            "–" if one.direct is None else measured(one.direct.gain),
            f"{one.found.flips.right_to_wrong:,}",
            f"{one.found.flips.wrong_to_right:,}",
            f"{one.found.tokens / one.found.before.n:,.0f}",
        )
        for one in found
    )
    oracles = frozenset(number for number, one in enumerate(found) if one.found.saw_reference)
    return Grid(title=f"rewritten by {found[0].reviser}", headings=headings, rows=rows, oracles=oracles)


def _between(found: AgreementTable, oracles: set[str]) -> Grid:
    numbers = [str(number) for number, _ in enumerate(found.judges, start=1)]
    rows = tuple(
        (
            _marked(f"{number} {judge}", oracle=judge in oracles),
            *("–" if value is None else f"{value:.2f}" for value in row),
        )
        for number, judge, row in zip(numbers, found.judges, found.table("kappa"), strict=True)
    )
    return Grid(headings=(BETWEEN, *numbers), rows=rows)


def _one_order(rows: Sequence[Judged]) -> list[Judged]:
    """Rows that McNemar's test may take as independent: both orders of a pair are not."""
    given = [row for row in rows if not row.swapped]
    return given or list(rows)


def _right(row: Judged) -> float | None:
    return float(row.right is True)


def write_critics(found: CriticsReport, out: Path) -> Path:
    """Write `critics.json` into a folder.

    Raises:
        InputError: the disk refuses.
    """
    path = out / "critics.json"
    try:
        out.mkdir(parents=True, exist_ok=True)
        path.write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
    return path
