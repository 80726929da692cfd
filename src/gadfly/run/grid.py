"""A table as plain cells, for the terminal and for a page alike."""

from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Headings and rows of text."""

    title: str = ""
    headings: tuple[str, ...]
    """A line break is where a narrow column's heading may be broken."""
    rows: tuple[tuple[str, ...], ...]
    oracles: frozenset[int] = frozenset()
    """Rows of what saw the reference."""


def rich_table(grid: Grid) -> Table:
    """The grid for a terminal: the first column takes several lines where it has to, the others never."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    first, *others = grid.headings
    table.add_column(Text(first), overflow="fold")
    for heading in others:
        table.add_column(Text(heading), justify="right", no_wrap=True)
    for number, row in enumerate(grid.rows):
        name, *cells = row
        table.add_row(Text(name, "yellow" if number in grid.oracles else ""), *map(Text, cells))
    return table
