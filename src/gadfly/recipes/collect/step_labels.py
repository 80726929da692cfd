"""Step labels: the first step from which no continuation gets to the right answer, found by binary search.

Luo et al. 2024, "Improve Mathematical Reasoning in Language Models by Automated Process Supervision",
arXiv:2406.06592 (OmegaPRM); one step after the other, as `search="linear"`, it is Math-Shepherd (Wang et al.
2023, arXiv:2312.08935).
Differs from the paper: the search is done on samples, without the tree that grows from the continuations;
labels are right or wrong, not shares; as many right answers as wrong ones are labelled, where the paper
balances by selection in the tree; a problem that no sample solves gets no labels.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from gadfly.errors import InputError
from gadfly.primitives import sample
from gadfly.primitives.prefixes import Search, explore_wrong
from gadfly.protocols import Model, Scorer
from gadfly.records import Candidate, Critique, Problem, Sampling
from gadfly.run.judging import first_wrong_step
from gadfly.train.collecting import Label, row_makers
from gadfly.train.rows import AnyRow
from gadfly.train.sources import Oracle, Sourced


@dataclass(frozen=True, kw_only=True)
class StepLabels:
    """Samples whose steps are labelled by continuing them."""

    model: Model
    """Who answers."""
    completer: Model | None = None
    """Who continues; the model itself where none is given. It has to be able to go on from a beginning."""
    checker: Scorer | None = None
    """Decides whether an answer is right; none: it must state the reference."""
    n: int = 8
    """Answers sampled."""
    most: int = 2
    """Most wrong answers of a problem that are searched, and most right ones that are labelled."""
    continuations: int = 8
    """Continuations of each beginning that is tried."""
    search: Search = "binary"
    """Halving, or one step after the other."""
    after: Literal["cut", "wrong"] = field(default="cut", repr=False)
    """What becomes of the steps after the first wrong one."""
    sampling: Sampling = Sampling()

    systems: ClassVar[tuple[int, ...]] = (181,)
    sees_reference: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.n < 1 or self.most < 1 or self.continuations < 1:
            raise InputError("need at least one answer, one to search and one continuation")

    async def __call__(self, problem: Problem, /) -> Candidate:
        """Sample and, where some answer is right, search the wrong ones; returns a right one if any."""
        answers = await sample(self.model, problem.blind(), self.n, sampling=self.sampling)
        right = await explore_wrong(
            self.completer or self.model,
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
        """One row an answer that was searched, and as many of right ones."""
        for maker in row_makers(rollouts, oracle, dropped):
            source = maker.source
            lost = source.outputs("first_lost_step", Critique)
            if not lost:
                maker.leave("not solved, or always")
            right = source.judged("check_answer")
            samples = {answer.text: answer for answer in source.outputs("generate", Candidate)}.values()
            for answer in [one for one in samples if right.get(one.id) == 1.0][: len(lost)]:
                label = Label(author="reference", saw_reference=True)
                yield from maker.label_steps(answer, None, label)
            for said in lost:
                answer = source.candidates[said.target]
                yield from maker.label_steps(answer, first_wrong_step(said), Label.by(said), after=self.after)
