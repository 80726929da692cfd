"""GSM8K: the verdicts on the solutions that came with the data set (arXiv:2110.14168).

Four systems solved the test problems: models of 6 and 175 billion parameters, fine-tuned, and with
a verifier that chose among samples. Every recorded verdict is decided again with the same scorer
that runs use.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import anyio
from pydantic import BaseModel, ConfigDict, Field

from gadfly.parsing.typed_rows import read_typed
from gadfly.records import Candidate, Problem
from gadfly.reproductions.check import Check, Note, Reproduction
from gadfly.scorers.text import Numeric

MARKER = "A:"
SYSTEMS: Mapping[str, float] = {
    "6b_finetuning": 21.68,
    "6b_verification": 39.04,
    "175b_finetuning": 34.72,
    "175b_verification": 56.25,
}
"""System and percent right, from the verdicts that the authors recorded. The paper shows curves only."""


class _Solution(BaseModel):
    model_config = ConfigDict(strict=True)

    solution: str
    is_correct: bool


class _Row(BaseModel):
    """One test problem with a solution of each system."""

    i: int
    question: str
    ground_truth: str
    small_tuned: _Solution = Field(alias="6b_finetuning")
    small_verified: _Solution = Field(alias="6b_verification")
    large_tuned: _Solution = Field(alias="175b_finetuning")
    large_verified: _Solution = Field(alias="175b_verification")

    @property
    def solutions(self) -> tuple[_Solution, ...]:
        """In the order of `SYSTEMS`."""
        return self.small_tuned, self.small_verified, self.large_tuned, self.large_verified


def _checks(folder: Path) -> Iterator[Check | Note]:
    rows = list(read_typed(folder / "gsm8k_model_solutions.jsonl.gz", _Row))
    verdicts = anyio.run(_regrade, rows)
    for position, (system, published) in enumerate(SYSTEMS.items()):
        right = sum(verdict[position] is True for verdict in verdicts)
        share = 100 * right / len(rows)
        what = f"{system}, percent right"
        yield Check(what=what, part="accuracies", published=published, ours=share, tolerance=0.005)
    for row, ours in zip(rows, verdicts, strict=True):
        for system, solution, verdict in zip(SYSTEMS, row.solutions, ours, strict=True):
            yield Check(
                what=f"{system}, problem {row.i}, verdict",
                part="verdicts",
                published=_word(solution.is_correct),
                ours=_word(verdict is True),
            )
    unread = sum(verdict is None for ours in verdicts for verdict in ours)
    yield Note(
        text=f"{unread} solutions state no number after {MARKER!r} (they were cut off); under "
        'unreadable="wrong" they count as wrong, as in the records'
    )
    yield Note(text="the paper gives no table; papers that quote it print 34 and 55 % for the larger models")


async def _regrade(rows: list[_Row]) -> list[list[bool | None]]:
    """Our verdict on each solution; None: no number could be read."""
    scorer = Numeric(marker=MARKER)
    verdicts: list[list[bool | None]] = []
    for row in rows:
        gold = row.ground_truth.rpartition(MARKER)[2]
        problem = Problem(id=str(row.i), prompt=row.question, reference=gold)
        ours: list[bool | None] = []
        for solution in row.solutions:
            score = await scorer(problem, Candidate(text=solution.solution, author="recorded"))
            ours.append(None if score.value is None else score.value == 1)
        verdicts.append(ours)
    return verdicts


def _word(right: bool) -> str:
    return "right" if right else "wrong"


REPRODUCTION = Reproduction(
    name="gsm8k_humaneval",
    summary="GSM8K: 5,276 recorded verdicts on solutions of four systems, and the accuracies they make",
    citation="Cobbe et al. 2021, Training Verifiers to Solve Math Word Problems, arXiv:2110.14168",
    licence="MIT",
    conventions=("scorers.Numeric(marker='A:', tolerance=0)", 'unreadable="wrong"'),
    checks=_checks,
)
