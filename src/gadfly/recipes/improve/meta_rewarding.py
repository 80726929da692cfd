"""Meta-Rewarding: one model answers, judges its answers, and judges its judgements; it learns from both.

Wu et al. 2024, "Meta-Rewarding Language Models: Self-Improving Alignment with LLM-as-a-Meta-Judge",
arXiv:2407.19594. Each round the newest weights answer every problem several times and mark each answer
several times. Best against worst answer are the actor's pairs, shorter ones first among the good. The
judgements of the answer whose marks differ most are compared in pairs by the same weights; the best against
the worst of them are the judge's pairs. DPO learns both sets together. No reference is looked at.
Differs from the paper: battles of judgements are counted by Copeland's rule, where the paper fits Elo scores
and corrects for the place in the prompt (here both orders are asked); no stage before teaches judging; long
judgements are not filtered out.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import pvariance
from typing import ClassVar

from gadfly.primitives.battles import JUDGE_JUDGEMENTS, rank_judgements
from gadfly.primitives.marking import MARK, Marked, MarkedAnswers
from gadfly.prompts import Prompt
from gadfly.protocols import Model
from gadfly.records import Candidate, Problem, Ranking, Sampling
from gadfly.trace import primitive
from gadfly.train.from_own_feedback import judgement_pairs, marked_pairs
from gadfly.train.plan import Plan
from gadfly.train.round import Round
from gadfly.train.rows import Preference
from gadfly.train.sources import Sourced


@dataclass(frozen=True, kw_only=True)
class MetaRewarding:
    """Pairs of answers by the model's marks, pairs of judgements by its judgement of them."""

    answers: int = 4
    """To each problem; the paper has 7."""
    marks: int = 3
    """Of each answer; the paper has 11."""
    tolerance: float = 0.1
    """Share of the range of marks within which a shorter answer is as good; 0 leaves length alone."""
    mark: Prompt = MARK
    """How a mark from 0 to 5 is asked for, with slots `problem` and `answer`."""
    meta: Prompt = JUDGE_JUDGEMENTS
    """How two judgements are compared, with slots `problem`, `target`, `first` and `second`."""
    beta: float = 0.1
    """Of DPO."""
    plan: Plan = Plan(rate=5e-5, epochs=1)
    sampling: Sampling = Sampling(max_tokens=128)

    systems: ClassVar[tuple[int, ...]] = ()

    async def __call__(self, round: Round, /) -> None:
        """One round."""
        seen = await round.rollouts("judged", self._roles(round.model()), phase="feedback")
        left_out, unjudged = Counter[str](), Counter[str]()
        pairs = marked_pairs(seen, tolerance=self.tolerance, dropped=left_out)
        files = [
            round.write("answers", pairs, dropped=left_out),
            round.write("judgements", self._judgements(seen, unjudged), dropped=unjudged),
        ]
        await round.train("dpo", files, plan=self.plan, settings={"beta": self.beta})

    def _roles(self, model: Model) -> "Roles":
        answering = MarkedAnswers(
            model=model,
            judge=model,
            answers=self.answers,
            marks=self.marks,
            prompt=self.mark,
            sampling=self.sampling,
        )
        return Roles(answering=answering, meta=self.meta)

    def _judgements(self, seen: Iterable[Sourced], dropped: Counter[str]) -> Iterator[Preference]:
        return judgement_pairs(seen, prompt=self.mark, dropped=dropped)


@dataclass(frozen=True, kw_only=True)
class Roles:
    """Actor, judge and meta-judge on one problem."""

    answering: MarkedAnswers
    meta: Prompt

    async def __call__(self, problem: Problem, /) -> Candidate:
        """Answer one problem."""
        found = await self.answering.marked(problem)
        disputed = max(found, key=_spread)
        if _spread(disputed) > 0:
            await meta_judge(self.answering.judge, problem, disputed, self.meta)
        return max(found, key=lambda one: -1.0 if one.mean is None else one.mean).answer


@primitive
async def meta_judge(model: Model, problem: Problem, marked: Marked, prompt: Prompt) -> Ranking:
    """The judgements of an answer, best first."""
    readable = [mark for mark in marked.marks if mark.value is not None]
    return await rank_judgements(model, problem, marked.answer, readable, prompt=prompt)


def _spread(marked: Marked) -> float:
    """Variance of the readable marks; the first of equals is disputed most."""
    values = [mark.value for mark in marked.marks if mark.value is not None]
    return pvariance(values) if values else 0.0
