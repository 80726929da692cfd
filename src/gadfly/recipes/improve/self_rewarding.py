"""Self-Rewarding: the newest weights answer and mark their answers, and learn to prefer the best.

Yuan et al. 2024, "Self-Rewarding Language Models", arXiv:2401.10020. Each round the newest weights answer
every problem several times and mark each answer several times as a judge; the best and the worst by the mean
mark make a pair, and the weights are trained on the pairs by DPO. No reference is looked at.
Differs from the paper: the problems are the round's, where the paper has the model write new ones
(Self-Instruct makes them); there is no stage before that teaches judging on labelled examples, so the base
has to judge somewhat already; the five points of the mark are worded anew.
"""

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from gadfly.primitives.marking import MARK, MarkedAnswers
from gadfly.prompts import Prompt
from gadfly.records import Sampling
from gadfly.train.from_own_feedback import marked_pairs
from gadfly.train.plan import Plan
from gadfly.train.round import Round


@dataclass(frozen=True, kw_only=True)
class SelfRewarding:
    """Answer, mark, pair, DPO: answering by the model's own judgement."""

    answers: int = 4
    """To each problem."""
    marks: int = 3
    """Of each answer."""
    margin: float = 0.0
    """By more than this the marks of a pair differ, on a scale from 0 to 1."""
    mark: Prompt = MARK
    """How a mark from 0 to 5 is asked for, with slots `problem` and `answer`."""
    beta: float = 0.1
    """Of DPO."""
    plan: Plan = Plan(rate=5e-5, epochs=1)
    sampling: Sampling = Sampling(max_tokens=128)

    systems: ClassVar[tuple[int, ...]] = ()

    async def __call__(self, round: Round, /) -> None:
        """One round."""
        model = round.model()
        solver = MarkedAnswers(
            model=model,
            judge=model,
            answers=self.answers,
            marks=self.marks,
            prompt=self.mark,
            sampling=self.sampling,
        )
        seen = await round.rollouts("marked", solver, phase="feedback")
        dropped = Counter[str]()
        pairs = marked_pairs(seen, margin=self.margin, dropped=dropped)
        rows = round.write("pairs", pairs, dropped=dropped)
        await round.train("dpo", rows, plan=self.plan, settings={"beta": self.beta})
