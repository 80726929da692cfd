"""A loop's health for the terminal, and as Markdown for a page of results."""

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from gadfly.run.health import ArmHealth, Health
from gadfly.run.health_figures import ABOUT
from gadfly.run.health_sheets import Sheet, sheets

_ESCAPED = str.maketrans({"|": "\\|", "\n": " ", "<": "&lt;", ">": "&gt;"})


def print_health(health: Health, console: Console | None = None) -> None:
    """Print the answer, the tables, what was warned of, and how the figures were made."""
    (console or Console()).print(render_health(health))


def render_health(health: Health) -> RenderableType:
    """The most important tables as one renderable; the page has all of them."""
    parts: list[RenderableType] = [Text(headline(health), style="bold")]
    parts += [Text(f"Warning: {line}", style="yellow") for line in health.warnings]
    for sheet in sheets(health):
        if sheet.brief:
            parts += [Text(""), Text(sheet.title, style="bold"), _table(sheet)]
    parts.append(Text(health.answer, style="bold"))
    parts += [Text(line) for arm in health.arms for line in more_said(health, arm)]
    parts += [Text(f"{one.where}: {one.sign}: {one.text}", style="bold yellow") for one in health.warned]
    parts += [Text(note, style="dim") for note in health.notes]
    return Group(*parts)


def headline(health: Health) -> str:
    """What was evaluated on what."""
    pool = f" · {health.k} samples each" if health.k else ""
    return f"{health.benchmark} · {health.model} · {health.problems} problems{pool}"


def more_said(health: Health, arm: ArmHealth) -> list[str]:
    """The sentences of an arm's verdict that are not in the answer."""
    more = [line for line in arm.verdict if line not in health.answer]
    if arm.kind == "models":
        return more
    return [line if line.lower().startswith(arm.name.lower()) else f"{arm.name}: {line}" for line in more]


def markdown(health: Health, *, pictures: bool = True) -> str:
    """The whole report as Markdown; pictures are named as they lie beside it."""
    lines = [f"**{_cell(headline(health))}**", "", _cell(health.answer), ""]
    said = [*health.warnings, *(f"{one.where}: {one.sign}: {one.text}" for one in health.warned)]
    lines += [f"- **Warning**: {_cell(line)}" for line in said]
    lines += [""] if said else []
    lines += [f"- {_cell(line)}" for arm in health.arms for line in more_said(health, arm)]
    for sheet in sheets(health):
        lines += ["", f"## {sheet.title}", ""]
        lines += [sheet.about, ""] if sheet.about else []
        picture = PICTURES.get(sheet.title)
        if pictures and picture is not None:
            lines += [f"![{ABOUT[picture]}]({picture}.png)", ""]
        lines.append("| " + " | ".join(map(_cell, sheet.headings)) + " |")
        lines.append("|" + "|".join(["---"] + ["---:"] * (len(sheet.headings) - 1)) + "|")
        lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in sheet.rows]
    lines += ["", "## How the figures were made", ""]
    lines += [f"- {_cell(note)}" for note in health.notes]
    return "\n".join(lines) + "\n"


PICTURES = {
    "Accuracy by round": "accuracy",
    "Models": "accuracy",
    "Coverage and sharpening": "coverage",
    "Difficulty tail": "difficulty",
    "Reward against gold": "reward",
    "Cost": "cost",
}
"""The picture that stands with a table, by the table's title."""


def _cell(words: str) -> str:
    """Text that cannot become markup, a link or another cell."""
    return words.translate(_ESCAPED).replace("](", "]\\(")


def _table(sheet: Sheet) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for place in sheet.brief:
        # Two lines where an arrow stands: the figures below it are short.
        heading = Text(sheet.headings[place].replace("→", "→\n"))
        table.add_column(heading, justify="right" if place else "left", no_wrap=place > 0, overflow="fold")
    for row in sheet.rows:
        table.add_row(*(Text(row[place]) for place in sheet.brief))
    return table
