"""MultiCritique: several critics, their points checked, matched, weighed and summed up as one critique.

Lan et al. 2024, "Training Language Models to Critique With Multi-agent Feedback", arXiv:2410.15287: the
pipeline that makes one critique out of many (the training on it is another matter).
Differs from the paper: what is flawed is decided unit by unit as right or wrong, where the paper has a
model sort all units of a critique into kinds of flaws at once; merging is a rule over steps and words (or
a model's yes or no), with critics weighed by what they were measured to be worth, where the paper leaves
it to GPT-4; the criteria are written as a checklist; without other critics, one model criticises under
several personas.

To weigh critics, measure them first: `gadfly critics BENCH --judges A,B,C --out DIR`, then give the same
critics in the same order, `rule="evidence"` and `measured="DIR/critics.json"` (or `judge.json`).
`evidence` weighs detection and false alarms apart, and beats `skill` in `bench/critic_skill.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from gadfly.concurrency import each
from gadfly.primitives.critique import Target
from gadfly.primitives.fusion import Rule, Skill, fuse, skills_for
from gadfly.primitives.matching import same_by_model
from gadfly.primitives.pooling import same_step, same_words, split_units
from gadfly.primitives.summing import CRITICISE, SUM_UP, as_personas, gather_criteria, sum_up
from gadfly.primitives.units import TRUE, Form, sound_units
from gadfly.prompts import Prompt
from gadfly.protocols import Critic, Model
from gadfly.records import Critique, Finding, Problem, Sampling
from gadfly.run.judge_skills import skills_from
from gadfly.run.runner import sees


@dataclass(frozen=True, kw_only=True)
class MultiCritique:
    """One critique from many; a point stays where critics of enough weight report it."""

    model: Model
    """Who checks, matches and sums up, and criticises where there are no critics."""
    critics: tuple[Critic, ...] = ()
    """Other judges that criticise; none: the model does, under several personas."""
    n: int = 3
    """Critiques by the model, where there are no critics."""
    rule: Rule = "equal"
    """How critics are weighed; all but `equal` need measured skills."""
    measured: str = field(default="", repr=False)
    """A report with the critics' skills, in their order; one skill stands for every critique of the model."""
    skills: tuple[Skill, ...] = ()
    """The skills themselves, in place of a report."""
    base_rate: float = 0.5
    """Of `evidence`: the share of answers that are wrong where this judge is used."""
    keep: float = 0.5
    """Share of the critics' weight that must stand behind a point; its probability under `evidence`."""
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

    def __post_init__(self) -> None:
        skills = self.skills or (skills_from(self.measured) if self.measured else ())
        size = len(self.critics) or self.n
        object.__setattr__(
            self, "skills", skills_for(self.rule, skills, critics=size, alike=not self.critics)
        )

    @property
    def sees_reference(self) -> bool:
        """Whether one of the critics wants it; no other sees it."""
        return any(sees(critic) for critic in self.critics)

    async def __call__(self, problem: Problem, target: Target, /) -> Critique:
        """Criticise one answer."""
        blind, greedy = problem.blind(), self.sampling.greedy
        reviews = await self._reviews(problem, target)
        units: Sequence[Sequence[Finding]] = [split_units(review) for review in reviews]
        if self.classify:
            units = await each(
                lambda own: sound_units(
                    self.model, blind, target, own, prompt=self.check, form=self.form, sampling=greedy
                ),
                units,
            )
        same = same_step if self.match == "step" else same_words
        if self.match == "model":
            same = await same_by_model(self.model, blind, units, sampling=greedy)
        pooled = await fuse(
            target,
            reviews,
            units,
            rule=self.rule,
            skills=self.skills,
            base_rate=self.base_rate,
            keep=self.keep,
            same=same,
        )
        if not self.summarise or pooled.verdict is None:
            return pooled
        return await sum_up(self.model, blind, target, pooled, prompt=self.sum_up, sampling=greedy)

    async def _reviews(self, problem: Problem, target: Target) -> list[Critique]:
        if self.critics:
            return await each(lambda c: c(problem if sees(c) else problem.blind(), target), self.critics)
        blind, prompt = problem.blind(), self.criticise
        points = await gather_criteria(self.model, blind) if self.criteria else []
        return await as_personas(
            self.model, blind, target, n=self.n, criteria=points, prompt=prompt, sampling=self.sampling
        )
