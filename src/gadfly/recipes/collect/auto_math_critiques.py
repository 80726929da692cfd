"""AutoMathCritique data: critiques of flawed answers, kept only if a reviser then gets them right.

Xi et al. 2024, "Enhancing LLM Reasoning via Critique Models with Test-Time and Training-Time Supervision",
arXiv:2411.16579: the construction of the critique data.
Differs from the paper: the flaw is sampled, planted by rule or written by a model, whichever is asked for;
where every sample is right, a critique that calls the first one right is kept; a critique that gives the
answer away can be left out; the critic may be told nothing, so that only the filter sees the reference. Told
critics are oracles: `gadfly collect` wants `--oracle mark` for them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from gadfly.concurrency import each
from gadfly.errors import InputError
from gadfly.primitives import critique, sample
from gadfly.primitives.mending import Mender, is_right, leak, trial
from gadfly.primitives.planting import spoilt
from gadfly.primitives.summing import CRITICISE, PERSONAS
from gadfly.primitives.teaching import LABELLED, LABELLED_RIGHT
from gadfly.primitives.units import worded
from gadfly.prompts import Prompt
from gadfly.protocols import Model, Scorer
from gadfly.records import Candidate, Critique, Problem, Sampling, Score
from gadfly.trace import step
from gadfly.train.collecting import Label, row_makers
from gadfly.train.rows import AnyRow
from gadfly.train.sources import Oracle, Sourced


@dataclass(frozen=True, kw_only=True)
class AutoMathCritiques:
    """Sample or plant a flaw, criticise, try the critique out, keep what helps."""

    model: Model
    """The critic."""
    actor: Model | None = None
    """Who answers; the model itself where none is given."""
    reviser: Model | None = None
    """Who tries the critique out, without the reference; the actor where none is given."""
    checker: Scorer | None = None
    """Decides whether an answer is right; none: it must state the reference."""
    flaw: Literal["sample", "rule", "model"] = "sample"
    """A wrong sample; or a right one with a fault that a rule plants or the model writes."""
    n: int = 4
    """Answers sampled."""
    told: bool = True
    """Whether the critic sees the right answer and the place of the flaw."""
    trials: int = 4
    """Revisions with each critique."""
    least: float = field(default=0.5, repr=False)
    """Share of right revisions that a critique needs; one right one is always needed."""
    may_tell: bool = field(default=True, repr=False)
    """Whether the critique may hold the answer; False leaves out one that does."""
    sampling: Sampling = Sampling()

    systems: ClassVar[tuple[int, ...]] = (3,)
    sees_reference: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.n < 1 or self.trials < 1 or not 0 <= self.least <= 1:
            raise InputError("need at least one answer and one trial, and a least share of 0 to 1")

    async def __call__(self, problem: Problem, /) -> Candidate:
        """Criticise one flawed answer and try the critique out; returns a right sample where there is one."""
        blind, actor = problem.blind(), self.actor or self.model
        answers = await sample(actor, blind, self.n, sampling=self.sampling)
        known = await each(lambda answer: is_right(problem, answer, self.checker), answers)
        right = [answer for answer, mark in zip(answers, known, strict=True) if mark]
        wrong = [answer for answer, mark in zip(answers, known, strict=True) if mark is False]
        flawed, place = (wrong[0] if wrong else None), ""
        if self.flaw != "sample":
            made = (
                await spoilt(actor, blind, right[0], by=self.flaw, sampling=self.sampling) if right else None
            )
            flawed, place = (made[0], worded(made[1])) if made else (None, "")
        if flawed is not None and await is_right(problem, flawed, self.checker) is False:
            said = await self._criticise(problem, flawed, LABELLED, {"place": place})
            if said.verdict == "incorrect":
                mender = Mender(model=self.reviser or actor, sampling=self.sampling)
                await trial(mender, problem, flawed, said, scorer=self.checker, trials=self.trials)
        elif right:
            with step("right"):
                await self._criticise(problem, right[0], LABELLED_RIGHT, {})
        return (right or answers)[0]

    async def _criticise(
        self, problem: Problem, answer: Candidate, prompt: Prompt, slots: Mapping[str, str]
    ) -> Critique:
        if self.told:
            return await critique(
                self.model, problem, answer, prompt=prompt, slots=slots, sampling=self.sampling
            )
        alone = {"persona": PERSONAS[0], "criteria": ()}
        return await critique(
            self.model, problem.blind(), answer, prompt=CRITICISE, slots=alone, sampling=self.sampling
        )

    def rows(
        self, rollouts: Iterable[Sourced], *, oracle: Oracle = "refuse", dropped: Counter[str] | None = None
    ) -> Iterator[AnyRow]:
        """Critiques that led enough revisions to the right answer, and those that accept a right one."""
        for maker in row_makers(rollouts, oracle, dropped):
            source = maker.source
            tried = {mark.target: mark for mark in source.outputs("trial", Score)}
            right = source.within("right", Critique)
            for said in source.outputs("critique", Critique):
                mark = tried.get(said.id)
                worth = float(said.accepts) if said in right else (mark and mark.value) or 0.0
                if said.verdict is None:
                    maker.leave("unreadable verdict")
                elif worth < self.least or not worth:
                    maker.leave("wrong verdict" if mark is None else "no reviser was helped")
                elif not self.may_tell and leak(source.rollout.problem, maker.answer, said.text):
                    maker.leave("gives the answer away")
                else:
                    label = Label(author="reference", saw_reference=True)
                    yield from maker.criticise(said, label if mark is None else Label.by(mark))
