"""A judge's report for the terminal, and several judges side by side."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gadfly.metrics.measurement import Measurement
from gadfly.run.judge_report import Example, JudgeFigure, JudgeReport

ORACLE = "ORACLE"
_LONGEST = 300


def print_judge(report: JudgeReport, console: Console, *, examples: int = 1) -> None:
    """Print figures, confusion, subsets and so many examples of each kind of failure."""
    console.print(Text(headline(report), "bold"))
    if report.oracle:
        said = (
            f"{ORACLE}: {report.oracle:,} of {report.rows:,} judgements were made with the reference in sight"
        )
        console.print(Text(said, "bold yellow"))
    for section in report.sections:
        console.print(_figures(f"{section.title}{_mark(report)}", section.figures))
    if report.confusion:
        console.print(_confusion(report))
    if len(report.parts) > 1:
        console.print(_parts(report))
    for reason, count in report.reasons.items():
        console.print(Text(f"unscored {count:,} times: {reason}", "dim"))
    for example in _first(report.examples, examples):
        console.print(_example(example, report.failures.get(example.kind, 1)))
    for warning in report.warnings:
        console.print(Text(f"Warning: {warning}", "yellow"))
    for line in report.notes:
        console.print(Text(line, "dim"))


def headline(report: JudgeReport) -> str:
    """Who judged what, and how much of it could be read."""
    model = f" · {report.model}" if report.model else ""
    counted = f"{report.rows:,} judgements of {report.items:,} items, {report.unscored:,} unscored"
    if 0 < report.labelled < report.rows:
        counted += f", {report.labelled:,} with something that people said"
    return f"{report.judge} on {report.benchmark}{model} · {counted}"


def figure_text(figure: JudgeFigure) -> str:
    """The value with its interval."""
    return "–" if figure.found is None else measured(figure.found, share=figure.unit == "share")


def measured(found: Measurement, *, share: bool = True) -> str:
    """A measurement in percent, or as a number."""
    if share:
        return f"{100 * found.value:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _mark(report: JudgeReport) -> str:
    """What the heading of every table says where a judge saw the reference."""
    return f" ({ORACLE})" if report.oracle else ""


def _figures(title: str, figures: Sequence[JudgeFigure]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold", title_justify="left")
    table.add_column(title, overflow="fold")
    for heading in ("value [95 %]", "n", "unscored"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", overflow="fold", style="dim")
    for figure in figures:
        found = figure.found
        unit = " %" if figure.unit == "share" and found is not None else ""
        table.add_row(
            Text(figure.name),
            figure_text(figure) + unit,
            "" if found is None else f"{found.n:,}",
            "" if found is None else f"{found.unscored:,}",
            Text(figure.why),
        )
    return table


def _confusion(report: JudgeReport) -> Table:
    labels = list(dict.fromkeys(label for row in report.confusion.values() for label in row))
    said = [label for label in labels if label] + ([""] if "" in labels else [])
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column(f"people say, the judge says{_mark(report)}")
    for label in said:
        table.add_column(Text(label or "unscored"), justify="right")
    for gold, row in report.confusion.items():
        table.add_row(Text(gold), *(f"{row.get(label, 0):,}" for label in said))
    return table


def _parts(report: JudgeReport) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column(f"subset{_mark(report)}", overflow="fold")
    for heading in ("right % [95 %]", "n", "unscored"):
        table.add_column(heading, justify="right", no_wrap=True)
    for part in report.parts:
        found = part.accuracy
        table.add_row(Text(part.name or "–"), measured(found), f"{found.n:,}", f"{found.unscored:,}")
    return table


def _first(examples: Sequence[Example], each: int) -> list[Example]:
    shown: list[Example] = []
    for kind in dict.fromkeys(example.kind for example in examples):
        shown += [example for example in examples if example.kind == kind][:each]
    return shown


def _example(example: Example, times: int) -> Text:
    often = "once" if times == 1 else f"{times:,} times"
    text = Text(f"{example.kind} {often}, as in item {example.item}: {example.said_beside_gold}\n", "bold")
    for words in (example.problem, *example.answers, example.words):
        if words:
            short = " ".join(words.split())
            text.append(f"  {short[:_LONGEST]}{'…' if len(short) > _LONGEST else ''}\n", "not bold dim")
    return text
