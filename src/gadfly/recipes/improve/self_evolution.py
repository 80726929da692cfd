"""SELF: taught to criticise and mend itself, a model learns from answers that it accepts, without labels.

Lu et al. 2023, "SELF: Self-Evolution with Language Feedback", arXiv:2310.00533. First the meta-skills:
feedback on the model's own answers, and rewrites by it, from a teacher's corpus. Then rounds on unlabelled
problems: the model answers, criticises its answer, rewrites what it does not accept and looks again; what it
accepts is learned, together with the meta-skills, from the base on.
Differs from the paper: the teacher is by default one with the answer key and gives feedback alone, where the
paper has GPT-4 or people who write rewrites too; a rewrite by its feedback is the model's own and is taught
if the teacher accepts it. Answers of earlier rounds are not learned again; the numbers are ours.
"""

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from gadfly.primitives.critics import AnswerKeyCritic
from gadfly.primitives.reviewing import CHECK, REWRITE, ModelCritic, Reviewed
from gadfly.prompts import Prompt
from gadfly.protocols import Critic
from gadfly.records import Sampling
from gadfly.train.from_critiques import critiques
from gadfly.train.from_own_feedback import accepted, accepts
from gadfly.train.from_rewrites import rewrites
from gadfly.train.plan import Plan
from gadfly.train.round import Round
from gadfly.train.sources import Sourced

META_SKILLS = ("feedback", "rewrites", "answers")


@dataclass(frozen=True, kw_only=True)
class SelfEvolution:
    """Teach self-feedback and self-refinement, then let the model label its own answers."""

    teacher: Critic | None = None
    """Whose feedback the meta-skills are learned from; none: a teacher with the answer key."""
    drafts: int = 4
    """Answers a problem that the teacher looks at."""
    samples: int = 4
    """Answers a problem and round."""
    per_problem: int = 4
    """Most accepted answers of a problem that are learned."""
    check: Prompt = CHECK
    """How feedback is asked for, with slots `problem` and `answer`."""
    rewrite: Prompt = REWRITE
    """How a rewrite is asked for, with slots `problem`, `answer` and `critiques`."""
    skills_plan: Plan = Plan(epochs=2)
    plan: Plan = Plan()
    sampling: Sampling = Sampling(max_tokens=128)

    systems: ClassVar[tuple[int, ...]] = (18,)

    async def prepare(self, round: Round, /) -> None:
        """Teach the meta-skills."""
        teacher = self.teacher or AnswerKeyCritic(scorer=round.scorer)
        seen = await self._reviewed(round, "taught", teacher, self.drafts)
        good = [one for one in seen if accepts(one)]
        said = critiques(seen, keep="all", oracle="mark")
        mended = rewrites(good, prompt=self.rewrite, keep=None, oracle="mark")
        right = accepted(good, per_problem=self.per_problem, oracle="mark")
        taught = [
            round.write("feedback", said, critique_prompt=self.check),
            round.write("rewrites", mended),
            round.write("answers", right),
        ]
        await round.train("sft", taught, plan=self.skills_plan)

    async def __call__(self, round: Round, /) -> None:
        """One round; no reference is looked at."""
        critic = ModelCritic(model=round.model(), prompt=self.check, sampling=self.sampling.greedy)
        seen = await self._reviewed(round, "evolved", critic, self.samples)
        dropped = Counter[str]()
        own = accepted(seen, per_problem=self.per_problem, dropped=dropped)
        rows = round.write("answers", own, dropped=dropped)
        round.note(f"the model accepts {sum(map(accepts, seen))} of its {len(seen)} answers")
        kept = [round.earlier(name) for name in META_SKILLS] if rows else []
        await round.train("sft", [rows, *kept], plan=self.plan, start=round.base)

    async def _reviewed(self, round: Round, name: str, critic: Critic, samples: int) -> list[Sourced]:
        solver = Reviewed(
            model=round.model(),
            critic=critic,
            rewrite=self.rewrite,
            looks_again=True,
            sampling=self.sampling,
            rewriting=self.sampling.greedy,
        )
        asks = [attempt for problem in round.problems for attempt in problem.attempts(samples)]
        return await round.rollouts(name, solver, asks, phase="feedback")
