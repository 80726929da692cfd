"""Self-Explore: the first lost step of a wrong answer, against a continuation that gets there.

Hwang et al. 2024, "Self-Explore: Enhancing Mathematical Reasoning in Language Models with Fine-grained
Rewards", arXiv:2404.10346.
Differs from the paper: pairs are written as whole texts that share their beginning, which for a preference
loss comes to the same as putting it into the prompt; where the first step is the pit, a right sample stands
against it; a problem that no sample solves gives no pair; wrong answers are explored up to `most` a problem.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from gadfly.errors import InputError
from gadfly.primitives import sample
from gadfly.primitives.prefixes import Search, beginning, explore_wrong
from gadfly.protocols import Model, Scorer
from gadfly.records import Candidate, Critique, Problem, Sampling
from gadfly.run.judging import first_wrong_step
from gadfly.train.collecting import Label, row_makers
from gadfly.train.rows import AnyRow
from gadfly.train.sources import Oracle, Sourced


@dataclass(frozen=True, kw_only=True)
class SelfExplore:
    """Pairs that part at the first pit, or whole answers as a control."""

    model: Model
    checker: Scorer | None = None
    """Decides whether an answer is right; none: it must state the reference."""
    n: int = 8
    """Answers sampled."""
    most: int = 4
    """Most wrong answers of a problem that are explored."""
    continuations: int = 4
    """Continuations after each step; the pit is the first step after which none is right."""
    search: Search = "linear"
    """One step after the other, as in the paper, or halving."""
    view: Literal["step", "rest", "answer"] = field(default="step", repr=False)
    """What is rejected: the beginning up to the pit, all of the wrong answer, or (without exploration) the
    wrong answer against a right sample."""
    sampling: Sampling = Sampling()

    systems: ClassVar[tuple[int, ...]] = (354,)
    sees_reference: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.n < 1 or self.most < 1 or self.continuations < 1:
            raise InputError("need at least one answer, one to explore and one continuation")

    async def __call__(self, problem: Problem, /) -> Candidate:
        """Sample and, where some answer is right, explore the wrong ones; returns a right one if any."""
        answers = await sample(self.model, problem.blind(), self.n, sampling=self.sampling)
        right = await explore_wrong(
            self.model,
            problem,
            answers,
            most=self.most,
            n=self.continuations,
            search=self.search,
            scorer=self.checker,
            sampling=self.sampling,
        )
        return (right or answers)[0]

    def rows(
        self, rollouts: Iterable[Sourced], *, oracle: Oracle = "refuse", dropped: Counter[str] | None = None
    ) -> Iterator[AnyRow]:
        """One pair a wrong answer that was explored."""
        for maker in row_makers(rollouts, oracle, dropped):
            source = maker.source
            lost = source.outputs("first_lost_step", Critique)
            if not lost:
                maker.leave("not solved, or always")
            for said in lost:
                wrong, pit = source.candidates[said.target], first_wrong_step(said) or 0
                better = self._saved(source, wrong, pit)
                if better is None or pit >= len(wrong.steps):
                    maker.leave("nothing stands against it")
                    continue
                cut = {"text": wrong.prefix(pit + 1), "steps": wrong.steps[: pit + 1]}
                worse = wrong.model_copy(update=cut) if self.view == "step" else wrong
                yield from maker.prefer(better, worse, Label.by(said))

    def _saved(self, source: Sourced, wrong: Candidate, pit: int) -> Candidate | None:
        """A right continuation of what stands before the pit; a right sample where nothing does."""
        right = source.judged("check_answer")
        found = source.outputs("generate", Candidate)
        if pit and self.view != "answer":
            begun = beginning(wrong, pit).id
            found = [one for one in source.outputs("extend", Candidate) if begun in one.parents]
        return next((one for one in found if right.get(one.id) == 1.0), None)
