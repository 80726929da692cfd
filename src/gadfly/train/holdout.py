"""Rows told apart by problem: those of some problems are looked at and not learned from."""

import math
from collections.abc import Sequence
from hashlib import sha256

from gadfly.errors import InputError
from gadfly.train.rows import AnyRow


def held_out(
    rows: Sequence[AnyRow], share: float, *, seed: int = 0
) -> tuple[Sequence[AnyRow], Sequence[AnyRow]]:
    """Rows to learn from, and rows to look at; no problem has rows among both.

    Which problems are looked at follows from their names and the seed alone, not from the order of rows.

    Args:
        rows: All of them.
        share: Of the problems; 0 holds nothing out.
        seed: Another one holds others out.

    Raises:
        InputError: `share` is not from 0 to below 1, or there is one problem alone.
    """
    if not 0 <= share < 1:
        raise InputError(f"a share of {share:g} cannot be held out: give 0 to below 1, such as 0.1")
    if not share or not rows:
        return rows, ()
    named = [_problem(row) for row in rows]
    problems = sorted(set(named), key=lambda name: sha256(f"{seed}/{name}".encode()).digest())
    if len(problems) < 2:
        raise InputError("all rows are of one problem, so none can be held out")
    apart = set(problems[: min(len(problems) - 1, math.ceil(share * len(problems)))])
    return (
        [row for row, name in zip(rows, named, strict=True) if name not in apart],
        [row for row, name in zip(rows, named, strict=True) if name in apart],
    )


def _problem(row: AnyRow) -> str:
    """Its id where the row says it, else the words that pose it."""
    return row.lineage.problem or "\n\n".join(turn.content for turn in row.prompt)
