"""Constitutional AI, both stages: imitate revisions under principles, then prefer what follows them better.

Bai et al. 2022, "Constitutional AI: Harmlessness from AI Feedback", arXiv:2212.08073. Before the first round
the model answers, criticises and revises its answers under drawn principles, and is fine-tuned on the
revisions. Then rounds of preferences: of two answers of the newest weights a model says which follows a
principle better, and the weights learn from these pairs.
Differs from the paper: the second stage is DPO on the pairs, where the paper trains a preference model and
maximises its score by reinforcement learning; without a `judge` the newest weights compare, where the paper
asks a fixed model; one short constitution of ours serves both stages, or the file you give; no pairs of
people about helpfulness are mixed in.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import ClassVar

from gadfly.errors import InputError
from gadfly.parsing.lines import read_lines
from gadfly.primitives.principles import PRINCIPLES, Choosing, Revising
from gadfly.protocols import Model
from gadfly.records import Sampling
from gadfly.train.from_own_feedback import principled_pairs, revised
from gadfly.train.plan import Plan
from gadfly.train.round import Round


@dataclass(frozen=True, kw_only=True)
class ConstitutionalRounds:
    """Imitate revisions under principles, then prefer what follows them better."""

    judge: Model | None = None
    """Who criticises, revises and compares; the newest weights where none is given."""
    revisions: int = 4
    """Critiques and revisions of an answer, each under a principle of its own."""
    pairs: int = 2
    """A problem and round."""
    constitution: str = field(default="", repr=False)
    """A text file with one principle a line, in place of the constitution here."""
    principles: tuple[str, ...] = PRINCIPLES
    """What is drawn from where no file is given."""
    beta: float = 0.1
    """Of DPO."""
    revision_plan: Plan = Plan()
    plan: Plan = Plan(rate=5e-5, epochs=1)
    sampling: Sampling = Sampling(max_tokens=128)

    systems: ClassVar[tuple[int, ...]] = ()

    def __post_init__(self) -> None:
        """Read the constitution."""
        if self.constitution:
            object.__setattr__(self, "principles", read_lines(self.constitution, what="principle"))
        if not self.principles or self.revisions < 1:
            raise InputError("need at least one principle and one revision")

    async def prepare(self, round: Round, /) -> None:
        """The supervised stage."""
        solver = Revising(
            model=round.model(),
            judge=self.judge or round.model(),
            principles=self.principles,
            rounds=self.revisions,
            sampling=self.sampling,
        )
        seen = await round.rollouts("revised", solver, phase="feedback")
        dropped = Counter[str]()
        rows = round.write("revisions", revised(seen, self.principles, dropped=dropped), dropped=dropped)
        await round.train("sft", rows, plan=self.revision_plan)

    async def __call__(self, round: Round, /) -> None:
        """One round of preferences."""
        solver = Choosing(
            model=round.model(),
            judge=self.judge or round.model(),
            principles=self.principles,
            sampling=self.sampling,
        )
        asks = [attempt for problem in round.problems for attempt in problem.attempts(self.pairs)]
        seen = await round.rollouts("compared", solver, asks, phase="feedback")
        dropped = Counter[str]()
        rows = round.write("pairs", principled_pairs(seen, self.principles, dropped=dropped), dropped=dropped)
        await round.train("dpo", rows, plan=self.plan, settings={"beta": self.beta})
