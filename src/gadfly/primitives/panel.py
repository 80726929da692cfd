"""Several judges' rankings made one: the count of a jury."""

from collections.abc import Sequence

from gadfly.errors import InputError, ParseError
from gadfly.primitives.pairs import preference, tiers_by
from gadfly.records import Candidate, Failure, Ranking
from gadfly.trace import primitive


@primitive
async def count_votes(
    candidates: Sequence[Candidate],
    votes: Sequence[Ranking],
    *,
    weights: Sequence[float] = (),
    author: str = "jury",
) -> Ranking:
    """Judges' rankings as one, pair by pair: the weight for an answer against the weight for the other.

    A pair's winner by weight gets a point, a drawn pair half a point to both. A failed ranking abstains; a
    tie is a vote for neither. With two answers the strength is the margin: the difference of the weights for
    them, as a share of the weight of all judges, so that ties and abstentions make it smaller. Where every
    judge with a weight abstains, the ranking has failed.

    Raises:
        InputError: weights that are below 0, all 0, or not one for each judge.
    """
    shares = list(weights) or [1.0] * len(votes)
    if len(shares) != len(votes) or min(shares, default=0) < 0 or sum(shares) <= 0:
        raise InputError(
            f"{len(shares)} weights for {len(votes)} judges: give one for each, none below 0, not all 0"
        )
    distinct = list({candidate.id: candidate for candidate in candidates}.values())
    cast = sum(share for share, vote in zip(shares, votes, strict=True) if vote.tiers)
    explanation = _counted(distinct, votes, shares)
    saw_reference = any(vote.saw_reference for vote in votes)
    if cast <= 0:
        failure: Failure | None = next((vote.failure for vote in votes if vote.failure), None)
        return Ranking(
            tiers=(),
            author=author,
            explanation=explanation,
            saw_reference=saw_reference,
            failure=failure or ParseError("every judge abstained").failure(),
        )
    points = {candidate.id: 0.0 for candidate in distinct}
    lead = 0.0
    for index, a in enumerate(distinct):
        for b in distinct[index + 1 :]:
            lead = sum(
                share * (2 * said - 1)
                for share, vote in zip(shares, votes, strict=True)
                if (said := preference(vote, a.id, b.id)) is not None
            )
            won = 0.5 if abs(lead) < 1e-12 else float(lead > 0)
            points[a.id] += won
            points[b.id] += 1 - won
    strength = round(min(1.0, abs(lead) / sum(shares)), 12) if len(distinct) == 2 else None
    return Ranking(
        tiers=tiers_by(points),
        author=author,
        strength=strength,
        explanation=explanation,
        saw_reference=saw_reference,
    )


def _counted(candidates: Sequence[Candidate], votes: Sequence[Ranking], shares: Sequence[float]) -> str:
    """One line a judge, and the sums."""
    lines: list[str] = []
    named = {candidate.id: f"answer {number}" for number, candidate in enumerate(candidates, start=1)}
    for vote, share in zip(votes, shares, strict=True):
        said = " > ".join(" = ".join(named.get(name, name) for name in tier) for tier in vote.tiers)
        lines.append(f"{vote.author} (weight {share:g}): {said or 'abstains'}")
    tied = sum(len(vote.tiers) == 1 for vote in votes)
    abstained = sum(not vote.tiers for vote in votes)
    lines.append(f"{len(votes)} judges, {tied} for a tie, {abstained} abstained")
    return "\n".join(lines)
