"""Peer rank: reviewers who are contestants too, weighted by their own rank to the fixed point.

Li et al. 2023, "PRD: Peer Rank and Discussion Improve Large Language Model based Evaluations",
arXiv:2307.02762, with the weighted win rate as score.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from gadfly.errors import InputError
from gadfly.metrics.measurement import Measurement
from gadfly.metrics.proportions import wilson
from gadfly.records import Record

Outsiders: TypeAlias = Literal["mean", "none"]


class PeerVote(Record):
    """What one reviewer says of one pair, in the order in which it was shown."""

    reviewer: str
    first: str
    """The contestant shown first."""
    second: str
    favour: float | None
    """1: the first is better, 0: the second, 0.5: neither. None: unreadable, and left out."""


class PeerRanks(Record):
    """Contestants' scores and reviewers' weights at the fixed point."""

    scores: Mapping[str, float]
    """Weighted win rate of each contestant, 0 to 1."""
    weights: Mapping[str, float]
    """Of each reviewer; they sum to 1."""
    rounds: int
    converged: bool
    """Whether a further round would change no weight by more than the tolerance."""
    unscored: int
    """Votes that could not be read."""


def peer_rank(
    votes: Sequence[PeerVote],
    *,
    own: Mapping[str, str] | None = None,
    outsiders: Outsiders = "mean",
    tolerance: float = 1e-9,
    most_rounds: int = 1000,
) -> PeerRanks:
    """Scores and weights that agree: a reviewer's weight is its own score, min-max scaled and normalised.

    The first round weighs all alike. With all scores equal the weights are equal. The weakest reviewer's
    weight is 0, as min-max scaling has it. Weights need not settle; then `converged` is false.

    Args:
        votes: Over any number of problems.
        own: The contestant that each reviewer is; by default the one of the same name.
        outsiders: What a reviewer that is no contestant weighs before the weights are normalised: the mean
            of the others, or none. With no contestant among the reviewers all weigh alike.
        tolerance: Largest change of a weight that counts as none.
        most_rounds: Where to give up.

    Raises:
        InputError: no vote is readable.
    """
    readable = [vote for vote in votes if vote.favour is not None]
    if not readable:
        raise InputError(f"none of {len(votes)} votes of the peers is readable")
    reviewers = sorted({vote.reviewer for vote in votes})
    contestants = {name for vote in votes for name in (vote.first, vote.second)}
    is_contestant = {name: (own or {}).get(name, name) for name in reviewers}
    insiders = {name: self for name, self in is_contestant.items() if self in contestants}
    weights = {name: 1 / len(reviewers) for name in reviewers}
    scores = _win_rates(readable, contestants, weights)
    converged, rounds = False, 0
    while rounds < most_rounds and not converged:
        fresh = _weights(reviewers, insiders, scores, outsiders)
        converged = max(abs(fresh[name] - weights[name]) for name in reviewers) <= tolerance
        weights, rounds = fresh, rounds + 1
        scores = _win_rates(readable, contestants, weights)
    return PeerRanks(
        scores=scores,
        weights=weights,
        rounds=rounds,
        converged=converged,
        unscored=len(votes) - len(readable),
    )


def order_bias(votes: Sequence[PeerVote]) -> dict[str, Measurement]:
    """For each reviewer the share of its decided votes that go to the answer shown first: 0.5 is fair.

    Only where every pair is shown in both orders does a share off 0.5 speak of the order. Ties take no part;
    unreadable votes are counted. A reviewer that decided nothing is left out.
    """
    found: dict[str, Measurement] = {}
    for name in sorted({vote.reviewer for vote in votes}):
        mine = [vote.favour for vote in votes if vote.reviewer == name]
        decided = [value for value in mine if value is not None and value != 0.5]
        if decided:
            firsts = sum(value > 0.5 for value in decided)
            unread = mine.count(None)
            fair = wilson(firsts, len(decided), unscored=unread)
            found[name] = fair.model_copy(update={"n": len(decided) + unread})
    return found


def self_preference(votes: Sequence[PeerVote], *, own: Mapping[str, str] | None = None) -> dict[str, float]:
    """For each reviewer the win rate that it gives itself, less the one that the others give it.

    Reviewers that did not judge themselves, or that no other judged, are left out.
    """
    found: dict[str, float] = {}
    for name in sorted({vote.reviewer for vote in votes}):
        self = (own or {}).get(name, name)
        given: tuple[list[float], list[float]] = ([], [])
        for vote in votes:
            if vote.favour is not None and self in (vote.first, vote.second):
                won = vote.favour if vote.first == self else 1 - vote.favour
                given[vote.reviewer != name].append(won)
        if all(given):
            found[name] = sum(given[0]) / len(given[0]) - sum(given[1]) / len(given[1])
    return found


def _win_rates(
    votes: Sequence[PeerVote], contestants: set[str], weights: Mapping[str, float]
) -> dict[str, float]:
    """Weighted wins by weighted duels; a contestant whose reviewers weigh nothing has 0.5."""
    won, fought = dict.fromkeys(sorted(contestants), 0.0), dict.fromkeys(contestants, 0.0)
    for vote in votes:
        weight = weights[vote.reviewer]
        for name, value in ((vote.first, vote.favour or 0.0), (vote.second, 1 - (vote.favour or 0.0))):
            won[name] += weight * value
            fought[name] += weight
    return {name: won[name] / fought[name] if fought[name] else 0.5 for name in won}


def _weights(
    reviewers: Sequence[str], insiders: Mapping[str, str], scores: Mapping[str, float], outsiders: Outsiders
) -> dict[str, float]:
    equal = {name: 1 / len(reviewers) for name in reviewers}
    if not insiders:
        return equal
    known = {name: scores[self] for name, self in insiders.items()}
    low, high = min(known.values()), max(known.values())
    if high - low < 1e-12:
        scaled = dict.fromkeys(known, 1.0)
    else:
        scaled = {name: (score - low) / (high - low) for name, score in known.items()}
    stranger = sum(scaled.values()) / len(scaled) if outsiders == "mean" else 0.0
    raw = {name: scaled.get(name, stranger) for name in reviewers}
    total = sum(raw.values())
    return {name: weight / total for name, weight in raw.items()}
