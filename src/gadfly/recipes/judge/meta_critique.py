"""MetaCritique: judges a critique unit by unit, for truth and for what it leaves out.

Sun et al. 2024, "The Critique of Critique", arXiv:2401.04518: precision is the share of the critique's
units that are true, recall the share of a reference critique's units that it covers, F1 their harmonic mean.
Differs from the paper: our words, no worked examples, and any model as the judge (the paper uses GPT-4);
a unit whose judgement cannot be read is left out and counted; besides the score there is a critique of the
critique, with what is wrong in it and what it missed. The answer criticised is taken from the problem's
metadata ("answer"), or stands in its text; where the problem has no right answer, the model writes the
reference critique without one, where the paper writes the right answer first.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from gadfly.errors import ParseError
from gadfly.primitives.appraisal import Appraisal, appraise, share
from gadfly.primitives.critique import Target
from gadfly.primitives.units import Form
from gadfly.protocols import Model
from gadfly.records import Critique, Finding, Problem, Sampling, Score
from gadfly.trace import primitive


@dataclass(frozen=True, kw_only=True)
class MetaCritique:
    """A critique of a critique; `score` gives its F1 alone, as a reward or a mark."""

    model: Model
    """Who splits and judges."""
    reference: Literal["either", "given", "written"] = "either"
    """The reference critique: the problem's privileged "critique", one by the model, or what is there."""
    form: Form = "lines"
    """How the model is to reply: `json` sends schemas, which a small model needs."""
    threshold: float = 0.5
    """F1 from which on a critique is called correct."""
    sees_reference: bool = True
    """Judge with the right answer and the reference critique at hand; else from the model's knowledge."""
    sampling: Sampling = Sampling(temperature=0.0)

    systems: ClassVar[tuple[int, ...]] = (4,)

    async def __call__(self, problem: Problem, target: Target, /) -> Critique:
        """Criticise a critique: the verdict by its F1, the findings its wrong and its missed units."""
        found = await self._appraise(problem, target)
        return await self.tell(target, found, await self.grade(target, found))

    async def score(self, problem: Problem, target: Target, /) -> Score:
        """The F1 of a critique; the explanation holds precision, recall and the reason for every unit."""
        return await self.grade(target, await self._appraise(problem, target))

    @primitive
    async def tell(self, target: Target, found: Appraisal, score: Score) -> Critique:
        """The score in words, as one step."""
        wrong = [Finding(text=f"Not true: {unit.text}", severity="major") for unit in found.wrong]
        missed = [Finding(text=f"Not said: {unit.text}", severity="minor") for unit in found.missed]
        verdict = None if score.value is None else "correct" if score.value >= self.threshold else "incorrect"
        return Critique(
            target=target.id,
            text=score.explanation,
            author=self.model.id,
            verdict=verdict,
            findings=(*wrong, *missed),
            saw_reference=score.saw_reference,
            failure=score.failure,
        )

    async def _appraise(self, problem: Problem, target: Target) -> Appraisal:
        given = {"either": None, "given": True, "written": False}[self.reference]
        shown = problem if self.sees_reference else problem.blind()
        return await appraise(self.model, shown, target, given=given, form=self.form, sampling=self.sampling)

    @primitive
    async def grade(self, target: Target, found: Appraisal) -> Score:
        """The score of an appraisal, as one step."""
        precision, recall = share(found.true), share(found.covered)
        value = failure = None
        if precision is None or recall is None:
            failure = found.failure or ParseError("no unit has a readable judgement").failure()
        else:
            value = 2 * precision * recall / (precision + recall) if precision and recall else 0.0
        figures = [
            f"{name}: {'unscored' if figure is None else f'{figure:.3f}'}"
            for name, figure in (("precision", precision), ("recall", recall), ("F1", value))
        ]
        counts = f"{len(found.units)} units, {len(found.wanted)} wanted, {found.unread} unreadable"
        return Score(
            target=target.id,
            value=value,
            author=self.model.id,
            explanation="\n\n".join(
                part for part in (f"{', '.join(figures)} ({counts})", found.report) if part
            ),
            saw_reference=found.saw_reference,
            failure=failure,
        )
