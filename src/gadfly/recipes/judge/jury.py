"""Jury: several judges each give an order, and their votes are counted.

Arif et al. 2024, "The Fellowship of the LLMs", arXiv:2408.08688: a jury of models beside a single
judge and a debate; juries of small models after Verga et al. 2024, arXiv:2404.18796.
Differs from the paper: every juror sees both orders; jurors give a choice, not marks from 1 to 10; votes
can be weighted by measured skill; more than two answers are ordered by Copeland's rule on the votes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from gadfly.concurrency import each
from gadfly.errors import InputError
from gadfly.primitives import compare
from gadfly.primitives.judging import CHOOSE
from gadfly.primitives.pairs import round_robin
from gadfly.primitives.panel import count_votes
from gadfly.prompts import Prompt
from gadfly.protocols import Model, Ranker
from gadfly.records import Candidate, Problem, Ranking, Sampling


@dataclass(frozen=True, kw_only=True)
class Jury:
    """A vote of judges; ties and abstentions are counted, and the margin is the strength."""

    model: Model
    """The model of every juror, where neither judges nor models are given."""
    judges: tuple[Ranker, ...] = ()
    """Jurors of any kind, in place of models."""
    models: tuple[Model, ...] = ()
    """One juror a model."""
    n: int = 3
    """How many draws of the one model make the jury."""
    weights: tuple[float, ...] = ()
    """What each juror's vote counts, such as its measured skill; 1 each where empty."""
    prompt: Prompt = CHOOSE
    sampling: Sampling = Sampling()

    systems: ClassVar[tuple[int, ...]] = (137,)

    def __post_init__(self) -> None:
        size = len(self.judges or self.models) or self.n
        if size < 1 or (self.weights and len(self.weights) != size):
            raise InputError(f"a jury of {size} needs {size} weights or none, and at least one juror")

    async def __call__(self, problem: Problem, candidates: Sequence[Candidate], /) -> Ranking:
        """Put the answers to one problem in order by a vote."""
        if self.judges:
            votes = await each(lambda judge: judge(problem, candidates), self.judges)
        else:
            seats = range(len(self.models) or self.n)
            votes = await each(lambda seat: self._vote(seat, problem, candidates), seats)
        return await count_votes(candidates, votes, weights=self.weights)

    async def _vote(self, seat: int, problem: Problem, candidates: Sequence[Candidate]) -> Ranking:
        model = self.models[seat] if self.models else self.model
        # Different models may share a draw; several draws of one model must differ.
        asked = problem if self.models else problem.again(seat)

        async def duel(first: Candidate, second: Candidate) -> Ranking:
            return await compare(model, asked, first, second, prompt=self.prompt, sampling=self.sampling)

        return await round_robin(candidates, duel, author=model.id)
