"""AutoMathCritique: a critique of a flawed solution, kept only if somebody gets the right answer with it.

Xi et al. 2024, "Enhancing LLM Reasoning via Critique Models with Test-Time and Training-Time Supervision",
arXiv:2411.16579: the construction of critique data, from flawed solutions that
`gadfly.primitives.planting` makes, or from any that are wrong.
Differs from the paper: the flawed solutions are made beforehand (`plant_in` or `plant_by_model`, then
`carry_on`; sampling at a high temperature is `sample`); critic and reviser are any models; a critique of
a right solution is kept where it calls it right; one may be refused for giving the answer away, which the
paper does not check; a flaw that leaves the stated answer right cannot be tested and is refused; the
numbers of drafts and of trials and the least share are ours.
"""

from dataclasses import dataclass
from typing import ClassVar

from gadfly.concurrency import each
from gadfly.errors import InputError
from gadfly.primitives.critique import Target, critique, said
from gadfly.primitives.mending import Mender, is_right, leak, trial, withheld
from gadfly.primitives.teaching import LABELLED, LABELLED_RIGHT
from gadfly.prompts import Prompt
from gadfly.protocols import Model, Scorer
from gadfly.records import Candidate, Critique, Problem, Sampling
from gadfly.trace import primitive


@dataclass(frozen=True, kw_only=True)
class AutoMathCritique:
    """The critique that led most revisions to the right answer; withheld where none led enough."""

    model: Model
    """Who criticises, shown the right answer and the place of the flaw, if the problem's "fault" has it."""
    reviser: Model | None = None
    """Who tries the critique out, without the reference; the model itself where none is given."""
    scorer: Scorer | None = None
    """Decides whether a solution is right; none: it must state the reference."""
    drafts: int = 3
    """Critiques tried."""
    trials: int = 4
    """Revisions with each of them."""
    least: float = 0.5
    """Share of right revisions that a critique needs; one right one is always needed."""
    may_tell: bool = True
    """Whether the critique may hold the answer; False refuses one that does."""
    wrong: Prompt = LABELLED
    right: Prompt = LABELLED_RIGHT
    sampling: Sampling = Sampling()

    systems: ClassVar[tuple[int, ...]] = (3,)
    sees_reference: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.drafts < 1 or self.trials < 1 or not 0 <= self.least <= 1:
            raise InputError("need at least one draft and one trial, and a least share of 0 to 1")

    async def __call__(self, problem: Problem, target: Target, /) -> Critique:
        """Criticise one solution."""
        return await self.kept(problem, target)

    @primitive
    async def kept(self, problem: Problem, target: Target, /) -> Critique:
        """The best draft, as one step; withheld where none is good enough."""
        text = said(target)
        answer = target if isinstance(target, Candidate) else Candidate(text=text, author=target.author)
        right = await is_right(problem, answer, self.scorer)
        place = problem.privileged.get("fault") or ""
        if right and place:
            bare = Critique(target=target.id, text="", author=self.model.id, saw_reference=True)
            reason = (
                "the flaw leaves the stated answer right, so that revisions cannot show a critique's worth"
            )
            return withheld(bare, "AnswerStillRight", reason)

        async def one(turn: Problem) -> tuple[float, Critique]:
            draft = await critique(
                self.model,
                turn,
                target,
                prompt=self.right if right else self.wrong,
                slots={} if right else {"place": place},
                sampling=self.sampling,
            )
            if draft.verdict is None:
                return -1.0, draft
            if right:
                return float(draft.accepts), draft
            if draft.accepts or (not self.may_tell and leak(problem, answer, draft.text)):
                return 0.0, draft
            mender = Mender(model=self.reviser or self.model, sampling=self.sampling)
            tried = await trial(mender, turn, answer, draft, scorer=self.scorer, trials=self.trials)
            return tried.value or 0.0, draft

        worth, best = max(await each(one, problem.attempts(self.drafts)), key=lambda found: found[0])
        if worth > 0 and worth >= self.least:
            return best
        if best.verdict is None:
            return best
        reason = (
            f"no critique led to a right answer often enough ({worth:.2f} at best, of {self.drafts} drafts)"
        )
        return withheld(best, "NoCritiqueHelped", reason)
