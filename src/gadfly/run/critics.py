"""Several judges or critics on the same things: side by side, with paired intervals."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gadfly.errors import InputError
from gadfly.metrics.agreement import AgreementTable, agreement_between
from gadfly.metrics.judged import Judged
from gadfly.metrics.measurement import Flips, Measurement
from gadfly.metrics.paired import paired, row_flips
from gadfly.records import Record
from gadfly.run.correcting import CriticCorrection
from gadfly.run.judge_report import JudgeReport
from gadfly.run.judge_table import ORACLE, measured

_SHOWN = 6
"""Judges whose agreement fits a terminal."""


class JudgeDifference(Record):
    """One judge against the first one, on the things that both judged."""

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
    """Judges of other things than the first one, so that there is no difference to it."""


def compare_judges(
    reports: Sequence[JudgeReport], rows: Mapping[str, Sequence[Judged]], *, seed: int = 0
) -> CriticsReport:
    """Each judge against the first.

    Args:
        reports: Of the judges, in the order in which they are shown.
        rows: Their judgements, by the report's `judge`.
        seed: Of the bootstrap.

    Raises:
        InputError: there is no judge, or two have judged different things.
    """
    if not reports:
        raise InputError("there is no judge to compare")
    first = reports[0].judge
    labelled = {name: [row for row in of if row.gold is not None] for name, of in rows.items()}
    differences: list[JudgeDifference] = []
    apart: list[str] = []
    for report in reports[1:]:
        mine, theirs = labelled[report.judge], labelled[first]
        if not mine or not theirs:
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


def print_critics(found: CriticsReport, console: Console) -> None:
    """Print the table, the differences and how far the judges agree."""
    console.print(Text(f"{found.benchmark} · {len(found.reports)} judges", "bold"))
    console.print(_skills(found.reports))
    if found.differences:
        console.print(_differences(found))
    if found.corrections:
        console.print(Text(f"rewritten by {found.corrections[0].reviser}", "bold"))
        console.print(_corrections(found.corrections))
    if found.between is not None and len(found.reports) <= _SHOWN:
        console.print(_between(found.between))
    elif found.between is not None:
        console.print(Text("How far the judges agree with one another is in critics.json.", "dim"))
    for warning, judges in _warned(found.reports).items():
        who = "" if len(judges) == len(found.reports) > 1 else f"{', '.join(judges)}: "
        console.print(Text(f"Warning: {who}{warning}", "yellow"))
    if found.apart:
        said = f"Warning: judged nothing that {found.reports[0].judge} did: {', '.join(found.apart)}"
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


def _skills(reports: Sequence[JudgeReport]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("judge", overflow="fold")
    columns = [name for name in _COLUMNS if any(report.figure(name) for report in reports)]
    for heading in ("right % [95 %]", *(_COLUMNS[name][0] for name in columns), "un-\nscored", "tokens"):
        table.add_column(heading, justify="right", no_wrap=True)
    for report in reports:
        mark = f" {ORACLE}" if report.oracle else ""
        right, tokens = report.skill, report.figure("tokens a judgement")
        cells = [_cell(report.figure(name), share=_COLUMNS[name][1]) for name in columns]
        table.add_row(
            Text(report.judge + mark, "yellow" if report.oracle else ""),
            "–" if right is None else measured(right),
            *cells,
            f"{report.unscored:,}",
            "–" if tokens is None else f"{tokens.value:,.0f}",
        )
    return table


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


def _differences(found: CriticsReport) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column(Text(f"against {found.reports[0].judge}"), overflow="fold")
    for heading in ("points right [95 %]", "n", "right→\nwrong", "wrong→\nright", "McNemar p"):
        table.add_column(heading, justify="right", no_wrap=True)
    oracles = {report.judge for report in found.reports if report.oracle}
    for one in found.differences:
        mark = f" {ORACLE}" if one.judge in oracles else ""
        table.add_row(
            Text(one.judge + mark),
            measured(one.right),
            f"{one.right.n:,}",
            f"{one.flips.right_to_wrong:,}",
            f"{one.flips.wrong_to_right:,}",
            f"{one.flips.p_value:.3g}",
        )
    return table


def _corrections(found: Sequence[CriticCorrection]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("critic", overflow="fold")
    headings = (
        "right before",
        "after",
        "gain [95 %]",
        "over a\ndirect answer",
        "right→\nwrong",
        "wrong→\nright",
    )
    for heading in (*headings, "tokens"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in found:
        mark, of = (f" {ORACLE}" if one.found.saw_reference else ""), one.found
        table.add_row(
            Text(one.critic + mark),
            f"{100 * of.before.value:.1f}",
            f"{100 * of.after.value:.1f}",
            measured(of.gain),
            "–" if one.direct is None else measured(one.direct.gain),
            f"{of.flips.right_to_wrong:,}",
            f"{of.flips.wrong_to_right:,}",
            f"{of.tokens / of.before.n:,.0f}",
        )
    return table


def _between(found: AgreementTable) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("kappa between judges", overflow="fold")
    for number, _ in enumerate(found.judges, start=1):
        table.add_column(str(number), justify="right")
    for number, (judge, row) in enumerate(zip(found.judges, found.table("kappa"), strict=True), start=1):
        table.add_row(Text(f"{number} {judge}"), *("–" if value is None else f"{value:.2f}" for value in row))
    return table


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
