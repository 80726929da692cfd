"""What a judge is shown, with what people said of it."""

from typing import Self

from pydantic import model_validator

from gadfly.records.asking import Problem
from gadfly.records.products import Candidate, Critique, Finding, Verdict
from gadfly.records.record import Record, Text


class Gold(Record):
    """What people, or an exact check, say of a case. What nobody labelled stays None."""

    verdict: Verdict | None = None
    """Of the one candidate, or of the critique."""
    stepwise: bool = False
    """Whether somebody looked for the first wrong step."""
    wrong_step: int | None = None
    """The first wrong step, counted from 0. None although `stepwise`: no step is wrong."""
    tiers: tuple[tuple[int, ...], ...] = ()
    """Positions in `Case.candidates`, best first, ties together."""
    value: float | None = None
    """A mark, on the benchmark's own scale."""
    critique: Text | None = None
    """What a person wrote."""
    findings: tuple[Finding, ...] = ()


class Case(Record):
    """What is to be judged: one candidate, the critique of one, or several candidates to be put in order."""

    candidates: tuple[Candidate, ...]
    critique: Critique | None = None
    """Where it is a critique of the candidate that is to be judged."""
    gold: Gold = Gold()
    """Never shown to a judge."""
    swapped: bool = False
    """Whether the judge is shown the candidates in reversed order; `gold` names them as they stand here."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.candidates:
            raise ValueError("a case has at least one candidate")
        if len({candidate.id for candidate in self.candidates}) < len(self.candidates):
            raise ValueError("two candidates of a case are the same record; give each a draw of its own")
        ranked = sorted(position for tier in self.gold.tiers for position in tier)
        if ranked and ranked != list(range(len(self.candidates))):
            raise ValueError(f"gold tiers {self.gold.tiers} do not name {len(self.candidates)} candidates")
        return self

    @property
    def shown(self) -> tuple[Candidate, ...]:
        """The candidates in the order in which the judge sees them."""
        return self.candidates[::-1] if self.swapped else self.candidates

    @property
    def reversed(self) -> "Case":
        """The same case with the candidates shown in the other order."""
        return self.model_copy(update={"swapped": not self.swapped})


SWAPPED = "~swapped"
"""Ends the problem's id where the candidates are shown in reversed order."""


def both_orders(problem: Problem, case: Case) -> tuple[tuple[Problem, Case], ...]:
    """A case as it stands and, where there is an order to reverse, the other way round."""
    if len(case.candidates) < 2:
        return ((problem, case),)
    other = problem.model_copy(update={"id": f"{problem.id}{SWAPPED}"})
    return ((problem, case), (other, case.reversed))
