"""STaR: learn the answers that came out right, and for the others those that a hint brought about.

Zelikman et al. 2022, "STaR: Bootstrapping Reasoning With Reasoning", arXiv:2203.14465. Each round answers
every problem once; a problem that was not solved is asked again with the right answer as a hint
(rationalisation); what is right either way is learned, as if there had been no hint, from the base's
weights.
Differs from the paper: no few-shot examples stand before the problem, and the hint is a sentence after it;
steps are passes over the rows, where the paper lengthens training by a fifth each round; rationalised rows
are marked as an oracle's.
"""

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from gadfly.primitives.hints import HINTED, Hinted
from gadfly.prompts import Prompt
from gadfly.records import Sampling
from gadfly.train.from_rollouts import prompt_completions
from gadfly.train.plan import Plan
from gadfly.train.round import Round
from gadfly.train.sources import problem_key


@dataclass(frozen=True, kw_only=True)
class Star:
    """Answer, rationalise what failed, train the base."""

    rationalise: bool = True
    """False: problems that were not solved are not learned from."""
    samples: int = 1
    """Answers to each problem; the paper has one, decoded greedily."""
    per_problem: int = 1
    """Most right answers of a problem that are learned."""
    hinted: Prompt = HINTED
    """How a problem is asked with its answer as `hint`."""
    plan: Plan = Plan()
    sampling: Sampling = Sampling(max_tokens=128, temperature=0.0)

    systems: ClassVar[tuple[int, ...]] = ()

    async def __call__(self, round: Round, /) -> None:
        """One round."""
        drawn = await round.sample(self.samples, sampling=self.sampling)
        dropped = Counter[str]()
        found = prompt_completions(drawn, per_problem=self.per_problem, dropped=dropped)
        right = round.write("right", found, dropped=dropped)
        solved = {problem_key(one.rollout.problem) for one in drawn if one.rollout.value == 1.0}
        failed = [problem for problem in round.problems if problem_key(problem) not in solved]
        rationalised = None
        if failed and self.rationalise:
            teaching = Hinted(model=round.model(), prompt=self.hinted, sampling=self.sampling)
            helped = await round.rollouts("hinted", teaching, failed, phase="feedback")
            dropped = Counter[str]()
            found = prompt_completions(helped, per_problem=self.per_problem, oracle="mark", dropped=dropped)
            rationalised = round.write("rationalised", found, dropped=dropped)
        await round.train("sft", [right, rationalised], plan=self.plan, start=round.base)
