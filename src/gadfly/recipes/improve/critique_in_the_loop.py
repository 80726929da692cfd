"""Critique in the loop: a trained critic helps the actor to right answers that it then learns from.

Xi et al. 2024, "Enhancing LLM Reasoning via Critique Models with Test-Time and Training-Time Supervision",
arXiv:2411.16579, section 5. A critic is fine-tuned on critiques of answers of known truth, and the actor on
rewriting by a critique. Then rounds: the actor samples answers, the critic criticises them, the actor
rewrites what the critic does not accept; problems that stay hard get more attempts; right answers, however
they came about, are what the base is trained on.
Differs from the paper: critiques to learn from come from `annotator`, by default a teacher with the answer
key, where the paper has a strong model and a filter (`AutoMathCritique` can stand here); rewrites to learn
from pair a criticised draft with a right answer that the actor itself sampled; the critic may start from
the actor's weights (`critic_from`); the numbers are ours.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from gadfly.primitives.critics import AnswerKeyCritic
from gadfly.primitives.reviewing import CHECK, REWRITE, ModelCritic, Reviewed
from gadfly.protocols import Critic, Model
from gadfly.records import Sampling
from gadfly.train.from_critiques import balanced, critiques
from gadfly.train.from_rewrites import rewrites, taught_rewrites
from gadfly.train.from_rollouts import prompt_completions
from gadfly.train.improve import CRITIC
from gadfly.train.plan import Plan
from gadfly.train.round import Round
from gadfly.train.rows import PromptCompletion
from gadfly.train.sources import Sourced, problem_key

SHORT = Sampling(max_tokens=128)


@dataclass(frozen=True, kw_only=True)
class CritiqueInTheLoop:
    """Train a critic, then let it steer what the actor learns from."""

    annotator: Critic | None = None
    """Who writes the critiques that the critic learns from; none: a teacher with the answer key."""
    drafts: int = 4
    """Answers a problem that are criticised for the critic to learn from, as many right as wrong."""
    samples: int = 4
    """Reviewed answers a problem and round."""
    hard_samples: int = 4
    """As many again for the problems that the first did not solve."""
    per_problem: int = 4
    """Most right answers of a problem that are learned."""
    critic_from: Literal["base", "actor"] = "base"
    """Which weights the critic is trained from: the base's, or the actor's as it was taught to rewrite."""
    critic_plan: Plan = Plan(epochs=2)
    plan: Plan = Plan()
    sampling: Sampling = SHORT

    systems: ClassVar[tuple[int, ...]] = ()

    async def prepare(self, round: Round, /) -> None:
        """Train the critic, and teach the actor to rewrite."""
        annotator = self.annotator or AnswerKeyCritic(scorer=round.scorer)
        teaching = Reviewed(model=round.model(), critic=annotator, rewrites=False, sampling=self.sampling)
        asks = [attempt for problem in round.problems for attempt in problem.attempts(self.drafts)]
        seen = await round.rollouts("annotated", teaching, asks, phase="feedback")
        dropped = Counter[str]()
        said = balanced(critiques(seen, keep="agrees", oracle="mark", dropped=dropped), dropped=dropped)
        learned = round.write("critiques", said, dropped=dropped, critique_prompt=CHECK)
        borrowed = round.write("rewrites", taught_rewrites(seen, prompt=REWRITE))
        right = round.write("right", _right(seen, self.per_problem))
        await round.train("sft", [borrowed, right], plan=self.plan)
        start = round.weights() if self.critic_from == "actor" else round.base
        await round.train("sft", learned, plan=self.critic_plan, role=CRITIC, start=start)

    async def __call__(self, round: Round, /) -> None:
        """One round."""
        reviewed = self.correcting(round.model(), round.model(CRITIC), self.sampling)
        asks = [attempt for problem in round.problems for attempt in problem.attempts(self.samples)]
        found = await round.rollouts("reviewed", reviewed, asks, phase="feedback")
        solved = {problem_key(one.rollout.problem) for one in found if one.rollout.value == 1.0}
        more = range(self.samples, self.samples + self.hard_samples)
        hard = [
            problem.again(n) for problem in round.problems if problem_key(problem) not in solved for n in more
        ]
        if hard:
            found += await round.rollouts("reviewed-hard", reviewed, hard, phase="feedback")
        round.note(
            f"{len(solved)} of {len(round.problems)} problems solved at first, {_won(found, solved)} more"
        )
        right = round.write("right", prompt_completions(found, per_problem=self.per_problem))
        mended = round.write("mended", rewrites(found, prompt=REWRITE))
        earlier = round.earlier("rewrites")
        await round.train("sft", [right, mended, earlier], plan=self.plan, start=round.base)

    def correcting(self, actor: Model, critic: Model, sampling: Sampling, /) -> Reviewed:
        """Draft by the actor, critique by the critic, rewrite by the actor unless the critic accepts."""
        greedy = self.sampling.greedy
        return Reviewed(
            model=actor,
            critic=ModelCritic(model=critic, prompt=CHECK, sampling=greedy),
            sampling=sampling,
            rewriting=greedy,
        )


def _right(seen: Sequence[Sourced], most: int) -> Iterator[PromptCompletion]:
    """Right drafts. The teacher's words are not in them, so they are nobody's secret."""
    for row in prompt_completions(seen, per_problem=most, oracle="mark"):
        yield row.model_copy(update={"lineage": row.lineage.model_copy(update={"oracle": False})})


def _won(found: Sequence[Sourced], solved: set[int]) -> int:
    """Problems that only the further attempts solved."""
    after = {problem_key(one.rollout.problem) for one in found if one.rollout.value == 1.0}
    return len(after - solved)
