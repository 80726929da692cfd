"""The control that only answers: votes of the base model, as many as a loop's wall time buys."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gadfly.primitives.answering import Answering
from gadfly.primitives.vote import vote
from gadfly.records import Rollout, Usage
from gadfly.run.evaluation import answers_of
from gadfly.run.improvement import Arm, Checkpoint, Evaluation
from gadfly.run.store import read_rollouts
from gadfly.train.evaluating import Exam
from gadfly.train.ledger import Ledger, run_cost
from gadfly.train.round import Tools
from gadfly.train.weights import Weights

_CHUNK = 4
"""Votes a problem between two looks at the clock."""


@dataclass(frozen=True, kw_only=True)
class VotingControl:
    """Self-consistency (Wang et al. 2022, arXiv:2203.11171) on the held-out problems."""

    exam: Exam
    tools: Tools
    base: Weights
    most: int = 256
    """Votes a problem, at most."""

    async def __call__(self, name: str, place: Path, ledger: Ledger, seconds: float) -> Arm:
        """Vote until the time is spent. What was drawn before stays drawn."""
        model = self.tools.engines(self.base.model)
        sampler = Answering(model=model, sampling=self.exam.sampled)
        drawn: dict[str, list[Rollout]] = {problem.id: [] for problem in self.exam.problems}
        votes = 0
        while votes < self.most and (votes == 0 or ledger.seconds < seconds):
            asked = [
                problem.again(number)
                for problem in self.exam.problems
                for number in range(votes, votes + _CHUNK)
            ]
            path = place / f"votes-{votes}"
            summary = await self.tools.run(sampler, asked, out=path)
            ledger.keep(f"1/{path.name}", run_cost(1, "generation", summary))
            for rollout in read_rollouts(path):
                drawn[rollout.problem.id].append(rollout)
            votes += _CHUNK
        elected = [await _elected(rollouts) for rollouts in drawn.values()]
        checkpoint = Checkpoint(
            name=f"{name}, {votes} votes",
            round=1,
            model=model.id,
            evaluation=Evaluation(answers=answers_of(elected, self.exam.problems)),
            notes=(f"{votes} samples a problem",),
        )
        return Arm(name=name, kind="inference-only", checkpoints=(checkpoint,), costs=ledger.costs)


async def _elected(rollouts: Sequence[Rollout]) -> Rollout:
    """The rollout that a majority vote chooses, with what all of them took."""
    ordered = sorted(rollouts, key=lambda one: one.problem.draw)
    answered = {one.answer.id: one for one in reversed(ordered) if one.answer is not None}
    usage = Usage.total(one.usage for one in ordered)
    if not answered:
        return ordered[0].model_copy(update={"usage": usage})
    said = [one.answer for one in ordered if one.answer is not None]
    chosen = await vote(ordered[0].problem.blind(), said)
    return answered[chosen.id].model_copy(update={"usage": usage})
