"""Cases and scripted judges with a skill that is known."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from gadfly.primitives.critique import Target
from gadfly.records import Candidate, Case, Critique, Finding, Gold, Problem
from gadfly.trace import primitive


@dataclass(frozen=True, kw_only=True)
class Sums:
    """Sums with right and wrong answers; every third is wrong, in its second step."""

    size: int = 60
    name: str = "sums"

    @property
    def notes(self) -> tuple[str, ...]:
        return ("sums of our own",)

    def cases(self) -> Iterator[tuple[Problem, Case]]:
        for number in range(self.size):
            wrong = number % 3 == 0
            said = number + 5 + (1 if wrong else 0)
            steps = (f"First there is {number}. ", f"Five more make {said}.")
            problem = Problem(
                id=f"sum-{number}",
                prompt=f"What is {number} + 5?",
                reference=str(number + 5),
                answer_kind="number",
                metadata={"subset": "even" if number % 2 == 0 else "odd"},
            )
            answer = Candidate(text="".join(steps), author="pupil", steps=steps)
            gold = Gold(
                verdict="incorrect" if wrong else "correct", stepwise=True, wrong_step=1 if wrong else None
            )
            yield problem, Case(candidates=(answer,), gold=gold)


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """A right and a wrong sum; the right one stands first in every other pair."""

    size: int = 40
    name: str = "pairs"

    def cases(self) -> Iterator[tuple[Problem, Case]]:
        for number in range(self.size):
            right = Candidate(text=f"It is {number + 5}.", author="good")
            wrong = Candidate(text=f"It is {number + 6}, as anybody can see.", author="bad")
            first = number % 2 == 0
            prompt = f"What is {number} + 5?"
            problem = Problem(
                id=f"pair-{number}", prompt=prompt, reference=str(number + 5), answer_kind="number"
            )
            tiers = ((0,), (1,)) if first else ((1,), (0,))
            both = (right, wrong) if first else (wrong, right)
            yield problem, Case(candidates=both, gold=Gold(tiers=tiers))


@dataclass(frozen=True, kw_only=True)
class Knowing:
    """A critic that is right about all but every seventh sum, and names the step."""

    systems: ClassVar[tuple[int, ...]] = ()

    @primitive
    async def __call__(self, problem: Problem, target: Target, /) -> Critique:
        number = int(problem.id.removeprefix("sum-"))
        wrong = (number % 3 == 0) != (number % 7 == 0)
        findings = (Finding(text="five more make less", step=1),) if wrong else ()
        return Critique(
            target=target.id,
            text="Looked at.",
            author="knowing",
            verdict="incorrect" if wrong else "correct",
            findings=findings,
        )
