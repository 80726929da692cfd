"""What commands have in common: tables, JSON, notes. Results go to standard output, all else beside it."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

Words = Annotated[str | None, Parameter(help="Only those that mention these words.")]
AsJson = Annotated[bool, Parameter(name="--json", negative="", show_default=False, help="Print JSON.")]

_COLUMNS = 4
"""Columns that a narrow terminal can still hold side by side, on several lines."""
_PIPED = 100
"""Columns where the output is no terminal."""


def console() -> Console:
    """Standard output; 100 columns where it is no terminal."""
    width = None if sys.stdout.isatty() else _PIPED
    return Console(width=width, highlight=False, markup=False, emoji=False)


def error_console() -> Console:
    """Standard error."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def note(text: str, style: str = "dim") -> None:
    """A line for the reader that is no result."""
    error_console().print(Text(text, style))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A plain table; cells are text, never markup. Piped, every row is one line.

    In a terminal too narrow for many columns, every row is a name with a line for each other cell.
    """
    cells = [[" ".join(cell.split()) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        lines = [list(headings), *cells]
        widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
        for line in lines:
            padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            print("  ".join(padded).rstrip())  # noqa: T201
        return
    natural = sum(
        max(len(line[column]) + 2 for line in [headings, *cells]) for column in range(len(headings))
    )
    if len(headings) > _COLUMNS and natural > console().width:
        _print_cards(headings, cells)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    console().print(table)


def _print_cards(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    screen = console()
    for name, *cells in rows:
        screen.print(Text(name, "bold"))
        for heading, cell in zip(headings[1:], cells, strict=True):
            if cell:
                screen.print(Padding(Text.assemble((f"{heading}: ", "dim"), cell), (0, 0, 0, 2)))


def print_json(value: object) -> None:
    """One JSON document."""
    print(json.dumps(value, indent=2, ensure_ascii=False))  # noqa: T201


def matches(words: str | None, *texts: str) -> bool:
    """Whether every word stands somewhere in the texts, whatever its case."""
    haystack = " ".join(texts).lower()
    return all(word in haystack for word in (words or "").lower().split())


def application(name: str, *examples: str, summary: str | None = None) -> App:
    """A command with its examples below its help, which is its default function's docstring otherwise."""
    lines = "\n".join(f"    {example}" for example in examples)
    return App(name=name, help=summary, help_format="plaintext", help_epilogue=f"Examples:\n\n{lines}")
