"""Checkpoints on held-out problems: one greedy answer a problem, and a pool of samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gadfly.primitives.answering import Answering
from gadfly.protocols import Scorer
from gadfly.records import Problem, Sampling
from gadfly.run.evaluation import answers_of, evaluation
from gadfly.run.improvement import Answers, Checkpoint
from gadfly.run.store import read_rollouts
from gadfly.train.ledger import Ledger, run_cost
from gadfly.train.round import Tools


@dataclass(frozen=True, kw_only=True)
class Untouched:
    """Problems of another benchmark, which nothing was trained on."""

    problems: Sequence[Problem]
    scorers: Mapping[str, Scorer]


@dataclass(frozen=True, kw_only=True)
class Exam:
    """What every checkpoint is put through."""

    problems: Sequence[Problem]
    pool: int = 8
    """Samples a problem."""
    max_tokens: int = 128
    temperature: float = 0.7
    """Of the samples."""
    untouched: Mapping[str, Untouched] = field(default_factory=dict[str, Untouched])

    @property
    def greedy(self) -> Sampling:
        """How the one answer is drawn."""
        return Sampling(temperature=0.0, max_tokens=self.max_tokens)

    @property
    def sampled(self) -> Sampling:
        """How the pool is drawn."""
        return Sampling(temperature=self.temperature, max_tokens=self.max_tokens)

    async def sit(
        self, path: Path, spec: str, tools: Tools, *, name: str, round: int, ledger: Ledger
    ) -> Checkpoint:
        """Evaluate a model; its rollouts are kept in `path`."""
        model = tools.engines(spec)
        once = Answering(model=model, sampling=self.greedy)
        parts = [await tools.run(once, self.problems, out=path / "greedy")]
        if self.pool:
            asked = [attempt for problem in self.problems for attempt in problem.attempts(self.pool)]
            sampler = Answering(model=model, sampling=self.sampled)
            parts.append(await tools.run(sampler, asked, out=path / "pool"))
        apart: dict[str, Answers] = {}
        for benchmark, other in self.untouched.items():
            place = path / f"untouched-{len(apart) + 1}"
            parts.append(await tools.run(once, other.problems, out=place, scorers=other.scorers))
            apart[benchmark] = answers_of(read_rollouts(place), other.problems)
        for part, summary in enumerate(parts):
            ledger.keep(f"{round}/{path.name}-evaluation-{part}", run_cost(round, "evaluation", summary))
        return Checkpoint(
            name=name,
            round=round,
            model=model.id,
            evaluation=evaluation(
                read_rollouts(path / "greedy"),
                self.problems,
                pool=read_rollouts(path / "pool") if self.pool else (),
                k=self.pool,
            ),
            untouched=apart,
        )
