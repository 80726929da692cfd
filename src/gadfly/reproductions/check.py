"""A published number beside ours."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from gadfly.records import Record

Status: TypeAlias = Literal["matched", "known upstream error", "differing"]


class Check(Record):
    """One published number and ours."""

    what: str
    """Which number: table, row, column."""
    part: str = ""
    """The column or table it belongs to, where a data set has several: they are counted apart."""
    published: float | str
    ours: float | str | None
    """None: it cannot be computed from these records."""
    tolerance: float = 0.0
    """Largest difference that is still a match: the rounding of what was printed."""
    upstream: str = ""
    """Why the published number is wrong, where the records show it; empty otherwise."""

    @property
    def matched(self) -> bool:
        """Whether both are the same, up to the tolerance."""
        if isinstance(self.published, str) or isinstance(self.ours, str) or self.ours is None:
            return self.published == self.ours
        # The bound itself counts, whatever binary fractions make of it.
        return abs(self.published - self.ours) <= self.tolerance * (1 + 1e-9) + 1e-12

    @property
    def status(self) -> Status:
        """A difference with a shown cause is upstream's; any other is unexplained."""
        if self.matched:
            return "matched"
        return "known upstream error" if self.upstream else "differing"


class Note(Record):
    """Something a reader of the result should know: what was unreadable, left out or repaired."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """Numbers of one data set that are computed again."""

    name: str
    """The folder's name in the data directory, and what the command line calls it."""
    summary: str
    """Which numbers these are, in one sentence."""
    citation: str
    licence: str
    """Of the records."""
    conventions: tuple[str, ...]
    """What decides the numbers, as the names and values of arguments of our metrics."""
    checks: Callable[[Path], Iterator[Check | Note]]
    """From the data set's folder. Raises InputError where a file is missing or a row is broken."""
