"""MultiCritique sets: critiques of one answer, pooled to learn from, and paired by how sound each one is.

Lan et al. 2024, "Training Language Models to Critique With Multi-agent Feedback", arXiv:2410.15287: the set
for supervised training and the set of preferences between critiques.
Differs from the paper: each point of a critique is checked on its own as true or false, where the paper
sorts points into kinds of flaws; a critique is worth the share of its points that are true; pooling is a
rule over steps and words; who answers is one model; without other critics one model criticises under
several personas.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from gadfly.concurrency import each
from gadfly.errors import InputError
from gadfly.primitives import generate, write_checklist
from gadfly.primitives.appraisal import soundness
from gadfly.primitives.fusion import fuse
from gadfly.primitives.pooling import split_units
from gadfly.primitives.summing import as_personas, sum_up
from gadfly.primitives.units import Form, judge_units
from gadfly.protocols import Critic, Model
from gadfly.records import Candidate, Critique, Finding, Problem, Sampling, Score
from gadfly.run.runner import sees
from gadfly.train.collecting import Label, row_makers
from gadfly.train.rows import AnyRow
from gadfly.train.sources import Oracle, Sourced


@dataclass(frozen=True, kw_only=True)
class MultiCritiqueSets:
    """The pooled critique to imitate, or sound critiques rather than unsound ones."""

    model: Model
    """Who checks and sums up, and criticises where there are no critics."""
    actor: Model | None = None
    """Whose answers are criticised; the model's own where none is given."""
    critics: tuple[Critic, ...] = ()
    """Judges that criticise; none: the model does, under several personas."""
    n: int = 3
    """Critiques by the model, where there are no critics."""
    keep: float = 0.5
    """Share of the critics that must stand behind a point of the pooled critique."""
    form: Form = "lines"
    """How the check of a point is to reply: `json` sends a schema, which a small model needs."""
    view: Literal["critique", "preference"] = field(default="critique", repr=False)
    """Which rows."""
    margin: float = field(default=0.25, repr=False)
    """Least difference of the shares of true points in a pair of critiques."""
    sampling: Sampling = Sampling()

    systems: ClassVar[tuple[int, ...]] = (1,)

    def __post_init__(self) -> None:
        if self.margin <= 0 or not (self.critics or self.n > 0):
            raise InputError("need at least one critique, and a margin above 0")

    @property
    def sees_reference(self) -> bool:
        """Whether one of the critics wants it; no other sees it."""
        return any(sees(critic) for critic in self.critics)

    async def __call__(self, problem: Problem, /) -> Candidate:
        """Answer once; criticise, check, pool and sum up. The answer stays as it is."""
        blind, greedy = problem.blind(), self.sampling.greedy
        answer = await generate(self.actor or self.model, blind, sampling=self.sampling)
        if self.critics:
            reviews = await each(lambda c: c(problem if sees(c) else blind, answer), self.critics)
        else:
            points = await write_checklist(self.model, blind, items=4, sampling=greedy)
            reviews = await as_personas(
                self.model, blind, answer, n=self.n, criteria=points, sampling=self.sampling
            )

        async def sound(review: Critique) -> list[Finding]:
            own = split_units(review)
            checks = await judge_units(self.model, blind, answer, own, form=self.form, sampling=greedy)
            await soundness(review, checks)
            return [unit for unit, check in zip(own, checks, strict=True) if check.verdict != "incorrect"]

        pooled = await fuse(answer, reviews, await each(sound, reviews), rule="equal", keep=self.keep)
        if pooled.verdict is not None:
            await sum_up(self.model, blind, answer, pooled, sampling=greedy)
        return answer

    def rows(
        self, rollouts: Iterable[Sourced], *, oracle: Oracle = "refuse", dropped: Counter[str] | None = None
    ) -> Iterator[AnyRow]:
        """One pooled critique an answer, or all pairs of critiques that differ enough."""
        for maker in row_makers(rollouts, oracle, dropped):
            marks = maker.source.outputs("soundness", Score)
            label = Label.by(*marks)
            if self.view == "preference":
                known = maker.source.critiques
                marked = [
                    (known[mark.target], mark.value)
                    for mark in marks
                    if mark.value is not None and mark.target in known
                ]
                asked = maker.asked_for_critique(maker.answer)
                yield from maker.prefer_by_marks(marked, label, margin=self.margin, prompt=asked)
                continue
            summed = maker.source.outputs("sum_up", Critique)
            if not summed:
                maker.leave("no readable verdict")
            for said in summed:
                yield from maker.criticise(said, label)
