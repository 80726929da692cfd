"""Routed: a model labels every item, and a person those where a person's label is worth most.

Miranda et al. 2024, "Hybrid Preferences: Learning to Route Instances for Human vs. AI Feedback",
arXiv:2410.19133. The weights and the threshold come from `gadfly.metrics.routing`, fitted on items that
carry both labels.
Differs from the paper: items are routed one by one, by a threshold that spends the budget on average, where
the paper picks the best of a closed set (`to_person` takes such a list); features are the model's own doubt
and the lengths, where the paper has topic and text features; so every item costs the model's calls.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from gadfly.concurrency import each
from gadfly.errors import InputError
from gadfly.primitives import compare
from gadfly.primitives.pairs import round_robin
from gadfly.primitives.panel import count_votes
from gadfly.protocols import Critic, Model, Ranker
from gadfly.records import SWAPPED, Candidate, Case, Problem, Ranking, Sampling
from gadfly.run.judging import judge_case
from gadfly.run.runner import sees

FEATURES = ("doubt", "disagreement", "unreadable", "length_gap")
"""What is known of an item before a person is asked, each 0 to 1: 1 less the vote's strength, share of
votes that are not for the winner, share of unreadable votes, and how much shorter than the longest the
shortest is."""


@dataclass(frozen=True, kw_only=True)
class Routed:
    """The model's order of the answers, or the person's where the predicted gain reaches the threshold."""

    model: Model
    person: Ranker | Critic
    """Who is asked for what the model's label is not good enough for."""
    judge: Ranker | None = None
    """Labels in place of the model, once for each draw."""
    n: int = 3
    """How many draws of the model vote on each item; their disagreement is a feature."""
    weights: tuple[float, ...] = (0.0, 1.0, 1.0, 1.0, 0.0)
    """Of the gain: a constant, then doubt, disagreement, unreadable and length gap."""
    threshold: float = 0.5
    """The gain from which on a person is asked."""
    to_person: tuple[str, ...] = ()
    """The ids of the problems that go to a person, whatever their gain; no others do, where given."""
    sampling: Sampling = Sampling()

    systems: ClassVar[tuple[int, ...]] = (95,)

    def __post_init__(self) -> None:
        if self.n < 1 or len(self.weights) != 1 + len(FEATURES):
            raise InputError(f"routing needs a draw or more, and {1 + len(FEATURES)} weights")

    @property
    def sees_reference(self) -> bool:
        """Whether a part of it is an oracle, such as a simulated person."""
        return sees(self.person) or sees(self.judge)

    async def __call__(self, problem: Problem, candidates: Sequence[Candidate], /) -> Ranking:
        """Put the answers to one problem in order."""
        name = problem.id.removesuffix(SWAPPED)
        chosen = name in self.to_person
        if not chosen:
            label, known = await self._label(problem, candidates)
            gain = self.weights[0] + sum(w * x for w, x in zip(self.weights[1:], known, strict=True))
            chosen = gain >= self.threshold and not self.to_person
            if not chosen:
                note = f"\nlabelled by the model, gain of a person's label {gain:.3f}"
                return label.model_copy(update={"explanation": label.explanation + note})
        shown = problem if sees(self.person) else problem.blind()
        said = await judge_case(self.person, shown, Case(candidates=tuple(candidates)))
        if not isinstance(said, Ranking):
            raise InputError("routing is for several answers to a problem, and this case has one")
        return said

    async def _label(
        self, problem: Problem, candidates: Sequence[Candidate]
    ) -> tuple[Ranking, tuple[float, ...]]:
        shown = problem if sees(self.judge) else problem.blind()

        async def one(draw: Problem) -> Ranking:
            if self.judge is not None:
                return await self.judge(draw, candidates)

            async def duel(first: Candidate, second: Candidate) -> Ranking:
                return await compare(self.model, draw, first, second, sampling=self.sampling)

            return await round_robin(candidates, duel, author=self.model.id)

        votes = await each(one, shown.attempts(self.n))
        label = await count_votes(candidates, votes, author=votes[0].author)
        return label, features(candidates, label, votes)


def features(candidates: Sequence[Candidate], label: Ranking, votes: Sequence[Ranking]) -> tuple[float, ...]:
    """What the router knows of an item, in the order of `FEATURES`."""
    unreadable = sum(not vote.tiers for vote in votes) / len(votes)
    against = sum(vote.tiers[:1] != label.tiers[:1] and bool(vote.tiers) for vote in votes) / len(votes)
    strengths = [vote.strength for vote in votes if vote.strength is not None]
    strength = label.strength if label.strength is not None else 1 - against - unreadable
    # A vote that contradicts itself in the other order is no sure one, though it may win.
    surest = min(strength, sum(strengths) / len(votes)) if strengths else strength
    lengths = [len(candidate.text) for candidate in candidates]
    gap = (max(lengths) - min(lengths)) / max(1, *lengths)
    return (1 - max(0.0, surest), against, unreadable, gap)
