"""Guided self-improvement: help with the problems that were not solved, so that hard ones stay in the rows.

Ding et al. 2024, "Mitigating Tail Narrowing in LLM Self-Improvement via Socratic-Guided Sampling",
arXiv:2411.00750. Self-training samples easy problems too often, and hard ones fade from what is learned.
Problems of which no sample is right are asked again with help that grows from a leading question over the
beginning of the right answer to the answer itself, until they are solved or the budget is spent. Help is
taken out of the rows, and the base is trained on all that is right.
Differs from the paper: its kinds of help are tried one after the other, from weak to strong, where it
compares them; the rationale that some show is the problem's reference here; rows with help are marked as an
oracle's. How often each problem was solved is kept in the round's folder.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from gadfly.primitives.hints import HINTED, Help, Hinted
from gadfly.prompts import Prompt
from gadfly.protocols import Model
from gadfly.records import Problem, Sampling
from gadfly.train.from_rollouts import prompt_completions
from gadfly.train.plan import Plan
from gadfly.train.round import Round
from gadfly.train.sources import Sourced


@dataclass(frozen=True, kw_only=True)
class GuidedSelfImprovement:
    """Sample, help where nothing is right, train the base."""

    helps: tuple[Help, ...] = ("question", "beginning", "answer")
    """Kinds of help, the weakest first; none: plain self-training."""
    guide: Model | None = None
    """Who asks leading questions; the model itself, where none is given."""
    samples: int = 8
    """Answers to each problem without help."""
    helped: int = 2
    """Answers to each problem with each kind of help."""
    hint_budget: float = 1.0
    """Most tokens of answers with help, as a share of what those without took."""
    per_problem: int = 2
    """Most right answers of a problem that are learned."""
    hinted: Prompt = HINTED
    """How a problem is asked with a `hint`."""
    plan: Plan = Plan()
    sampling: Sampling = Sampling(max_tokens=128)

    systems: ClassVar[tuple[int, ...]] = (248,)

    async def __call__(self, round: Round, /) -> None:
        """One round."""
        drawn = await round.sample(self.samples, sampling=self.sampling)
        rates = _rates(drawn)
        round.remember("solve-rates", dict(rates))
        unsolved = [problem for problem in round.problems if not rates[problem.id]]
        first, guided = len(unsolved), list[Sourced]()
        left, each = self.hint_budget * _tokens(drawn), _each(drawn)
        for help in self.helps:
            asked = unsolved[: int(left / (each * self.helped))]
            if not asked:
                break
            found = await self._help(round, help, asked)
            guided += found
            left, each = left - _tokens(found), _each(found)
            solved = {name for name, rate in _rates(found).items() if rate}
            unsolved = [problem for problem in unsolved if problem.id not in solved]
        round.note(f"{first} problems unsolved at first, {len(unsolved)} after help, {left:.0f} tokens left")
        dropped = Counter[str]()
        right = prompt_completions(
            [*drawn, *guided], per_problem=self.per_problem, oracle="mark", dropped=dropped
        )
        rows = round.write("right", right, dropped=dropped)
        await round.train("sft", rows, plan=self.plan, start=round.base)

    async def _help(self, round: Round, help: Help, problems: Sequence[Problem]) -> list[Sourced]:
        teaching = Hinted(
            model=round.model(), help=help, guide=self.guide, prompt=self.hinted, sampling=self.sampling
        )
        asks = [attempt for problem in problems for attempt in problem.attempts(self.helped)]
        return await round.rollouts(f"helped-{help}", teaching, asks, phase="feedback")


def _rates(found: Sequence[Sourced]) -> dict[str, float]:
    """How often each problem was solved."""
    asked = Counter(one.rollout.problem.id for one in found)
    right = Counter(one.rollout.problem.id for one in found if one.rollout.value == 1.0)
    return {name: right[name] / number for name, number in asked.items()}


def _tokens(found: Sequence[Sourced]) -> int:
    return sum(one.rollout.usage.tokens for one in found)


def _each(found: Sequence[Sourced]) -> float:
    """What an answer took, in tokens."""
    return max(1.0, _tokens(found) / len(found))
