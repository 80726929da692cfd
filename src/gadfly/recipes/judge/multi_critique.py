"""MultiCritique: several critics, their points checked, matched, weighed and summed up as one critique.

Lan et al. 2024, "Training Language Models to Critique With Multi-agent Feedback", arXiv:2410.15287: the
pipeline that makes one critique out of many (the training on it is another matter).
Differs from the paper: what is flawed is decided unit by unit as right or wrong, where the paper has a
model sort all units of a critique into kinds of flaws at once; merging is a rule over steps and words (or
a model's yes or no) with critics weighed by measured skill, where the paper leaves it to GPT-4; the
criteria are written as a checklist; without other critics, one model criticises under several personas.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from gadfly.concurrency import each
from gadfly.primitives.critique import Target, critique
from gadfly.primitives.matching import same_by_model
from gadfly.primitives.pooling import pool, same_step, same_words, split_units
from gadfly.primitives.summing import CRITICISE, PERSONAS, SUM_UP, gather_criteria, sum_up
from gadfly.primitives.units import TRUE, Form, judge_units
from gadfly.prompts import Prompt
from gadfly.protocols import Critic, Model, SeesReference
from gadfly.records import Critique, Finding, Problem, Sampling


@dataclass(frozen=True, kw_only=True)
class MultiCritique:
    """One critique from many; a point stays where critics of enough weight report it."""

    model: Model
    """Who checks, matches and sums up, and criticises where there are no critics."""
    critics: tuple[Critic, ...] = ()
    """Other judges that criticise; none: the model does, under several personas."""
    n: int = 3
    """Critiques by the model, where there are no critics."""
    weights: tuple[float, ...] = ()
    """One a critic, in their order, such as `skill_weights` measures; none: all weigh the same."""
    keep: float = 0.5
    """Share of the critics' weight that must stand behind a point."""
    match: Literal["words", "step", "model"] = "words"
    """What makes two points one: place and shared words, the place alone, or a model's yes."""
    criteria: bool = True
    """Write criteria for the problem first and show them to the model's personas."""
    classify: bool = True
    """Have every point checked on its own, and leave out those found wrong."""
    summarise: bool = True
    """Have the model write the final text; the points and the verdict stay as weighed."""
    form: Form = "lines"
    """How the check of a point is to reply: `json` sends a schema, which a small model needs."""
    criticise: Prompt = CRITICISE
    check: Prompt = TRUE
    sum_up: Prompt = SUM_UP
    sampling: Sampling = Sampling()

    systems: ClassVar[tuple[int, ...]] = (1,)

    @property
    def sees_reference(self) -> bool:
        """Whether one of the critics wants it; no other sees it."""
        return any(_sees(critic) for critic in self.critics)

    async def __call__(self, problem: Problem, target: Target, /) -> Critique:
        """Criticise one answer."""
        blind, greedy = problem.blind(), self.sampling.greedy
        reviews = await self._reviews(problem, target)
        units: Sequence[Sequence[Finding]] = [split_units(review) for review in reviews]
        if self.classify:
            units = await each(lambda own: self._sound(blind, target, own), units)
        same = same_step if self.match == "step" else same_words
        if self.match == "model":
            same = await same_by_model(self.model, blind, units, sampling=greedy)
        pooled = await pool(
            target,
            reviews,
            weights=self.weights,
            keep=self.keep,
            same=same,
            units=units,
            author=self.model.id,
        )
        if not self.summarise or pooled.verdict is None:
            return pooled
        return await sum_up(self.model, blind, target, pooled, prompt=self.sum_up, sampling=greedy)

    async def _reviews(self, problem: Problem, target: Target) -> list[Critique]:
        if self.critics:
            return await each(lambda c: c(problem if _sees(c) else problem.blind(), target), self.critics)
        blind = problem.blind()
        points = await gather_criteria(self.model, blind) if self.criteria else []

        async def one(turn: Problem) -> Critique:
            persona = PERSONAS[turn.draw[-1] % len(PERSONAS)]
            slots = {"persona": persona, "criteria": points}
            return await critique(
                self.model, turn, target, prompt=self.criticise, slots=slots, sampling=self.sampling
            )

        return await each(one, blind.attempts(self.n))

    async def _sound(self, problem: Problem, target: Target, units: Sequence[Finding]) -> list[Finding]:
        """The units that the check does not find wrong. An unreadable check keeps its unit."""
        checks = await judge_units(
            self.model,
            problem,
            target,
            units,
            prompt=self.check,
            form=self.form,
            sampling=self.sampling.greedy,
        )
        return [unit for unit, said in zip(units, checks, strict=True) if said.verdict != "incorrect"]


def _sees(critic: Critic) -> bool:
    return isinstance(critic, SeesReference) and critic.sees_reference
