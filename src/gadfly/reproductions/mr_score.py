"""MR-Score and labels of the first wrong step: MR-GSM8K, MR-Ben and BIG-Bench Mistake.

MR-GSM8K's table (arXiv:2312.17080) is checked row by row: its score from its own MCC, step and reason
columns. MR-Ben (arXiv:2406.13975) and BIG-Bench Mistake (arXiv:2311.08516) publish labels but no model's
answers, so there is no accuracy to compute again: notes say how many labels there are and can be
used, and what a judge gets for free that always says the same.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from gadfly.errors import InputError
from gadfly.metrics.judged import Judged
from gadfly.metrics.steps import MR_WEIGHTS, first_wrong_step, mr_score, mr_score_rows
from gadfly.parsing.rows import Row, read_rows
from gadfly.parsing.typed_rows import read_typed
from gadfly.reproductions.check import Check, Note, Reproduction

PARTS = ("mcc", "step", "reason")
SCORE = "mr_"


class _Trace(BaseModel):
    """A chain of thought of BIG-Bench Mistake."""

    task: str
    i: int | str
    steps: list[str]
    mistake_index: int | None = Field(ge=0)
    """First wrong step from 0; None: no step is wrong."""


class _Solution(BaseModel):
    """A solution of MR-Ben. Those to coding problems are one text, whose lines are the steps."""

    subject: str
    i: int | str
    steps: list[str] | str = Field(alias="Model_Solution_Steps")
    correctness: Literal["correct", "incorrect"] = Field(alias="Model_Solution_Correctness")
    first: str = Field(alias="Model_Solution_First_Error_Step", coerce_numbers_to_str=True)
    """First wrong step from 1, or the line of code; `N/A` where none is wrong."""

    def first_wrong(self) -> int | None:
        """The first wrong step from 0; None: it is no step, or a line that stands more than once."""
        if isinstance(self.steps, str):
            lines = [line.strip() for line in self.steps.splitlines()]
            line = self.first.strip()
            return lines.index(line) if lines.count(line) == 1 else None
        number = self.first.strip()
        return int(number) - 1 if number.isdecimal() and 1 <= int(number) <= len(self.steps) else None


def _checks(folder: Path) -> Iterator[Check | Note]:
    yield from _table(folder / "mr_gsm8k_table.csv")
    yield from _traces(folder / "traces.jsonl.gz")
    yield from _solutions(folder / "mr_ben.jsonl.gz")


# ---------------------------------------------------------------- the table of MR-GSM8K


def _table(path: Path) -> Iterator[Check]:
    for where, row in read_rows(path):
        settings = [name.removeprefix(SCORE) for name in row if name.startswith(SCORE)]
        if not settings:
            raise InputError(f"{where}: no column starts with {SCORE!r}")
        for setting in settings:
            parts = [_cell(row, f"{part}_{setting}", where) for part in PARTS]
            published, rounding = _cell(row, f"{SCORE}{setting}", where)
            (mcc, step, reason), roundings = zip(*parts, strict=True)
            yield Check(
                what=f"MR-GSM8K, {row.get('model', where)}, MR-Score {setting}",
                published=published,
                ours=mr_score(mcc, step, reason, weights=MR_WEIGHTS),
                # Each part may be off by its own rounding, in the same direction.
                tolerance=rounding + sum(w * off for w, off in zip(MR_WEIGHTS, roundings, strict=True)),
            )


def _cell(row: Row, name: str, where: str) -> tuple[float, float]:
    """A printed number and half of its last printed digit."""
    text = str(row.get(name, "")).strip()
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{where}: {name} is no number: {text!r}") from None
    if not math.isfinite(value):
        raise InputError(f"{where}: {name} is no number: {text!r}")
    return value, 0.5 * 10.0 ** -len(text.partition(".")[2])


# ---------------------------------------------------------------- labels without answers


def _traces(path: Path) -> Iterator[Note]:
    tasks: dict[str, list[Judged]] = {}
    for row in read_typed(path, _Trace):
        if row.mistake_index is not None and row.mistake_index >= len(row.steps):
            raise InputError(f"{path}: {row.task} {row.i}: step {row.mistake_index} of {len(row.steps)}")
        tasks.setdefault(row.task, []).append(
            Judged(item=f"{row.task}/{row.i}", said="correct", stepwise=True, gold_step=row.mistake_index)
        )
    yield Note(text=f"BIG-Bench Mistake: {_sizes(tasks)}")
    for task, rows in tasks.items():
        wrong = sum(row.gold_step is not None for row in rows)
        found = first_wrong_step(rows).accuracy
        yield Note(
            text=f"BIG-Bench Mistake, {task}: {wrong} of {len(rows)} have a wrong step; "
            f'always "no mistake" is right in {100 * found.value:.1f} %'
        )


def _solutions(path: Path) -> Iterator[Note]:
    subjects: dict[str, list[Judged]] = {}
    lost: dict[str, int] = {}
    for row in read_typed(path, _Solution):
        wrong, first = row.correctness == "incorrect", row.first_wrong()
        lost[row.subject] = lost.get(row.subject, 0) + (wrong and first is None)
        subjects.setdefault(row.subject, []).append(
            Judged(
                item=f"{row.subject}/{row.i}",
                gold=row.correctness,
                said="incorrect",
                stepwise=not wrong or first is not None,
                gold_step=first if wrong else None,
                step=0,
            )
        )
    yield Note(text=f"MR-Ben: {_sizes(subjects)}")
    for subject, rows in subjects.items():
        wrong = sum(row.gold == "incorrect" for row in rows)
        text = f"MR-Ben, {subject}: {wrong} of {len(rows)} are wrong"
        if lost[subject]:
            text += f"; the first wrong step of {lost[subject]} is none of the steps, or stands twice"
        located = [row for row in rows if row.stepwise]
        if any(row.gold_step is not None for row in located):
            found = mr_score_rows(located, [False] * len(located), unreadable="other class")
            text += f'; always "wrong at the first step" gets MR-Score {100 * found.score:.1f}'
        yield Note(text=text)


def _sizes(groups: Mapping[str, list[Judged]]) -> str:
    total = sum(len(rows) for rows in groups.values())
    return f"{total} solutions ({', '.join(f'{name} {len(rows)}' for name, rows in sorted(groups.items()))})"


REPRODUCTION = Reproduction(
    name="bigbench_mistake",
    summary="MR-Scores of 14 models on MR-GSM8K from their parts, and the labels of two step data sets",
    citation="Zeng et al. 2023, MR-GSM8K, arXiv:2312.17080; Zeng et al. 2024, MR-Ben, arXiv:2406.13975; "
    "Tyen et al. 2023, LLMs cannot find reasoning errors, arXiv:2311.08516",
    licence="BIG-Bench Mistake Apache-2.0; MR-Ben and MR-GSM8K MIT",
    conventions=(
        "steps.mr_score(weights=(0.2, 0.3, 0.5)): MCC below 0 counts as 0",
        "tolerance: the rounding of the score and, weighted, of its three parts",
        'steps.mr_score_rows(unreadable="other class", reasons="where the step is right")',
    ),
    checks=_checks,
)
