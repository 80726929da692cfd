"""Peer rank: reviewers judge every pair in both orders and weigh as much as their own answers rank.

Li et al. 2023, "PRD: Peer Rank and Discussion Improve Large Language Model based Evaluations",
arXiv:2307.02762, its first half.
Differs from the paper: it ranks the answers to one problem, where the paper ranks models over all (for that,
`gadfly.metrics.peer_rank` takes the votes of a whole run); win rates only, no Elo scores; a reviewer that
wrote none of the answers has the mean weight.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from gadfly.concurrency import each
from gadfly.errors import InputError, ParseError
from gadfly.metrics.peer_rank import PeerRanks, PeerVote, order_bias, peer_rank, self_preference
from gadfly.primitives.judging import CHOOSE
from gadfly.primitives.pairs import choose, preference, tiers_by
from gadfly.prompts import Prompt
from gadfly.protocols import Model
from gadfly.records import Candidate, Problem, Ranking, Sampling


@dataclass(frozen=True, kw_only=True)
class PeerRank:
    """Answers by weighted win rate; a reviewer is known as the author of an answer by its model's id."""

    model: Model
    models: tuple[Model, ...] = ()
    """The reviewers; where empty, several draws of the one model."""
    n: int = 3
    """How many draws of the one model review."""
    prompt: Prompt = CHOOSE
    sampling: Sampling = Sampling()

    systems: ClassVar[tuple[int, ...]] = (344,)

    def __post_init__(self) -> None:
        if not self.models and self.n < 1:
            raise InputError("peer rank needs at least one reviewer")

    async def __call__(self, problem: Problem, candidates: Sequence[Candidate], /) -> Ranking:
        """Put the answers to one problem in order."""
        distinct = list({candidate.id: candidate for candidate in candidates}.values())
        seats = range(len(self.models) or self.n)
        pairs = [(seat, a, b) for seat in seats for a in distinct for b in distinct if a.id != b.id]

        async def vote(asked: tuple[int, Candidate, Candidate]) -> PeerVote:
            seat, first, second = asked
            draw = problem if self.models else problem.again(seat)
            model = self.models[seat] if self.models else self.model
            said = await choose(model, draw, (first, second), prompt=self.prompt, sampling=self.sampling)
            return PeerVote(
                reviewer=self._name(seat),
                first=first.id,
                second=second.id,
                favour=preference(said, first.id, second.id),
            )

        votes = await each(vote, pairs)
        if votes and all(said.favour is None for said in votes):
            failure = ParseError(f"none of {len(votes)} votes is readable").failure()
            return Ranking(tiers=(), author="peer-rank", failure=failure)
        if not votes:
            return Ranking(tiers=(tuple(one.id for one in distinct),), author="peer-rank")
        own = {self._name(seat): one.id for seat in seats for one in distinct if self._wrote(seat, one)}
        ranks = peer_rank(votes, own=own)
        marks = [ranks.scores[one.id] for one in distinct]
        return Ranking(
            tiers=tiers_by(ranks.scores),
            author="peer-rank",
            strength=round(abs(marks[0] - marks[1]), 12) if len(marks) == 2 else None,
            explanation=_explain(ranks, votes, own),
        )

    def _name(self, seat: int) -> str:
        return f"{seat + 1}: {(self.models[seat] if self.models else self.model).id}"

    def _wrote(self, seat: int, candidate: Candidate) -> bool:
        return bool(self.models) and candidate.author == self.models[seat].id


def _explain(ranks: PeerRanks, votes: Sequence[PeerVote], own: dict[str, str]) -> str:
    state = "settled" if ranks.converged else "did not settle"
    lines = [f"weights {state} in {ranks.rounds} rounds; {ranks.unscored} of {len(votes)} votes unreadable"]
    lines += [f"reviewer {name} weighs {weight:.3f}" for name, weight in ranks.weights.items()]
    lines += [
        f"reviewer {name} prefers the first place in {share.value:.0%} of {share.n} decided votes"
        for name, share in order_bias(votes).items()
    ]
    lines += [
        f"reviewer {name} gives itself {more:+.2f} of win rate beside what others give it"
        for name, more in self_preference(votes, own=own).items()
    ]
    return "\n".join(lines)
