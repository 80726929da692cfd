"""Constitutional AI: answers criticised and revised under drawn principles, or pairs compared under one.

Bai et al. 2022, "Constitutional AI: Harmlessness from AI Feedback", arXiv:2212.08073.
Differs from the paper: one short constitution in our words serves both stages, or the file you give; no
worked examples in the prompts; answers that are already good are revised as well, as in the paper, but a
revision that changes nothing makes no row; pairs are compared in both orders, and probabilities are not
clamped to 40 to 60 percent.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from gadfly.errors import InputError
from gadfly.parsing.lines import read_lines
from gadfly.primitives.principles import PRINCIPLES, Choosing, Revising
from gadfly.protocols import Model
from gadfly.records import Candidate, Problem, Sampling
from gadfly.train.from_own_feedback import principled_pairs, revised
from gadfly.train.rows import AnyRow
from gadfly.train.sources import Oracle, Sourced


@dataclass(frozen=True, kw_only=True)
class ConstitutionalAI:
    """Revisions to imitate (the first stage), or preferences of a model under a principle (the second)."""

    model: Model
    """Who answers."""
    judge: Model | None = None
    """Who criticises, revises and compares; the model itself where none is given."""
    view: Literal["revision", "preference"] = "revision"
    """Which stage, and so which rows."""
    rounds: int = 4
    """Critiques and revisions, each under a principle of its own."""
    constitution: str = field(default="", repr=False)
    """A text file with one principle a line, in place of the constitution here."""
    principles: tuple[str, ...] = PRINCIPLES
    sampling: Sampling = Sampling()

    systems: ClassVar[tuple[int, ...]] = (217,)

    def __post_init__(self) -> None:
        if self.constitution:
            object.__setattr__(self, "principles", read_lines(self.constitution, what="principle"))
        if not self.principles or self.rounds < 1:
            raise InputError("need at least one principle and one round")

    async def __call__(self, problem: Problem, /) -> Candidate:
        """Revise one answer several times, or compare two."""
        judge, principles = self.judge or self.model, self.principles
        if self.view == "preference":
            choosing = Choosing(model=self.model, judge=judge, principles=principles, sampling=self.sampling)
            return await choosing(problem)
        revising = Revising(
            model=self.model, judge=judge, principles=principles, rounds=self.rounds, sampling=self.sampling
        )
        return await revising(problem)

    def rows(
        self, rollouts: Iterable[Sourced], *, oracle: Oracle = "refuse", dropped: Counter[str] | None = None
    ) -> Iterator[AnyRow]:
        """Every revision as an answer to the bare request, or one preference; each names its principle."""
        make = principled_pairs if self.view == "preference" else revised
        return make(rollouts, self.principles, oracle=oracle, dropped=dropped)
