"""What a loop's critic is worth, untrained and trained: verdicts and corrections on held-out answers.

The same drafts are criticised and rewritten by the same reviser, so what differs is the critic.
"""

from collections.abc import Iterable, Mapping

from gadfly.metrics.correction import Corrected
from gadfly.metrics.judged import Judged
from gadfly.protocols import Scorer
from gadfly.records import Candidate, Critique, Problem, Rollout, Score, Verdict
from gadfly.run.improvement import CriticCheck


async def critic_check(
    rollouts: Iterable[Rollout], scorer: Scorer, problems: Mapping[str, Problem], *, round: int, critic: str
) -> CriticCheck:
    """The check from rollouts of draft, critique and rewrite.

    Args:
        rollouts: Of a solver that criticises its draft and rewrites what the critic does not accept.
        scorer: Says whether an answer is right.
        problems: With their references, by id.
        round: After which the critic is checked; 0 is untrained.
        critic: Its model's id.
    """
    judged: list[Judged] = []
    corrected: list[Corrected] = []
    for rollout in rollouts:
        problem = problems[rollout.problem.id]
        said = [step.output for step in rollout.steps]
        drafts = {one.id: one for one in said if isinstance(one, Candidate)}
        for critique in (one for one in said if isinstance(one, Critique)):
            draft = drafts.get(critique.target)
            if draft is None:
                continue
            before = right(await scorer(problem, draft))
            made = [one for one in drafts.values() if critique.id in one.parents]
            after = right(await scorer(problem, made[-1])) if made else before
            where = f"{problem.id}/{'.'.join(map(str, rollout.problem.draw))}"
            judged.append(
                Judged(
                    item=where,
                    judge=critic,
                    gold="correct" if before else "incorrect",
                    said=verdict(critique),
                    why="" if critique.failure is None else critique.failure.message,
                    group=problem.id,
                    saw_reference=critique.saw_reference,
                )
            )
            corrected.append(
                Corrected(
                    item=problem.id,
                    before=before,
                    after=after,
                    critic=critic,
                    mode="cross",
                    draw=rollout.problem.draw[-1] if rollout.problem.draw else 0,
                    saw_reference=critique.saw_reference,
                    tokens=rollout.usage.tokens,
                )
            )
    return CriticCheck(round=round, critic=critic, judged=tuple(judged), corrected=tuple(corrected))


def right(score: Score) -> bool:
    """An answer that could not be scored is not right."""
    return score.value is not None and score.value >= 1.0


def verdict(critique: Critique) -> Verdict | None:
    """Correct or incorrect; a critic that is unsure has not said."""
    return critique.verdict if critique.verdict in ("correct", "incorrect") else None
