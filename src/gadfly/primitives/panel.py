"""Several judges: a choice in one order, both orders made one, all pairs, the count of a jury."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from gadfly.concurrency import each
from gadfly.errors import InputError, ParseError
from gadfly.parsing import read_label
from gadfly.primitives.asking import GREEDY, ask
from gadfly.primitives.judging import CHOOSE
from gadfly.prompts import Prompt
from gadfly.protocols import Model
from gadfly.records import Candidate, Failure, Problem, Ranking, Sampling
from gadfly.trace import primitive


@primitive
async def choose(
    model: Model,
    problem: Problem,
    first: Candidate,
    second: Candidate,
    *,
    prompt: Prompt = CHOOSE,
    slots: Mapping[str, object] | None = None,
    sampling: Sampling = GREEDY,
) -> Ranking:
    """Which of two is better, asked once, in this order. Unreadable gives a failed ranking."""
    filled = {"first": first.text, "second": second.text, **(slots or {})}
    reply = await ask(model, problem, prompt=prompt, slots=filled, sampling=sampling)
    try:
        label = read_label(reply.text, "CHOICE", ("A", "B", "tie"))
    except ParseError as error:
        return Ranking(tiers=(), author=reply.model, explanation=reply.text, failure=error.failure())
    tiers = {
        "A": ((first.id,), (second.id,)),
        "B": ((second.id,), (first.id,)),
        "tie": ((first.id, second.id),),
    }[label]
    return Ranking(tiers=tiers, author=reply.model, explanation=reply.text)


def favour(ranking: Ranking, first: str, second: str) -> float | None:
    """What a ranking says of two ids: 1 prefers the first, 0 the second, 0.5 neither; None: nothing."""
    place = {name: number for number, tier in enumerate(ranking.tiers) for name in tier}
    if first not in place or second not in place:
        return None
    return 0.5 if place[first] == place[second] else float(place[first] < place[second])


def both_orders_agree(first: Candidate, second: Candidate, orders: Sequence[Ranking]) -> Ranking:
    """Opinions from both orders as one: agreement has strength 1, contradiction is a tie of strength 0.

    A tie or an unreadable opinion leaves the other to decide with strength 0.5. With nothing readable the
    ranking has failed.
    """
    votes = [favour(ranking, first.id, second.id) for ranking in orders]
    readable = [vote for vote in votes if vote is not None]
    author = orders[0].author
    explanation = "\n---\n".join(ranking.explanation for ranking in orders)
    if not readable:
        return Ranking(tiers=(), author=author, explanation=explanation, failure=orders[0].failure)
    lead = sum(2 * vote - 1 for vote in readable) / len(orders)
    return two(first, second, lead, author=author, explanation=explanation)


def two(first: Candidate, second: Candidate, lead: float, *, author: str, explanation: str) -> Ranking:
    """A ranking of two from the lead of the first, -1 to 1; its size is the strength."""
    if abs(lead) < 1e-12:
        tiers: tuple[tuple[str, ...], ...] = ((first.id, second.id),)
    else:
        tiers = ((first.id,), (second.id,)) if lead > 0 else ((second.id,), (first.id,))
    return Ranking(
        tiers=tiers, author=author, strength=round(min(1.0, abs(lead)), 12), explanation=explanation
    )


def tiers_by(points: Mapping[str, float]) -> tuple[tuple[str, ...], ...]:
    """Most points first, equal points together; sums that differ by rounding are equal."""
    rounded = {name: round(won, 9) for name, won in points.items()}
    return tuple(
        tuple(name for name, won in rounded.items() if won == level)
        for level in sorted(set(rounded.values()), reverse=True)
    )


async def round_robin(
    candidates: Sequence[Candidate],
    duel: Callable[[Candidate, Candidate], Awaitable[Ranking]],
    *,
    author: str,
) -> Ranking:
    """All pairs by a duel, one point a win and half a point a tie or an unreadable pair (Copeland's rule).

    Two candidates get the duel's own ranking. Where every duel failed, so has the ranking.
    """
    distinct = list({candidate.id: candidate for candidate in candidates}.values())
    pairs = [(a, b) for index, a in enumerate(distinct) for b in distinct[index + 1 :]]
    results = await each(lambda pair: duel(*pair), pairs)
    if len(pairs) == 1:
        return results[0]
    points = {candidate.id: 0.0 for candidate in distinct}
    for (a, b), result in zip(pairs, results, strict=True):
        vote = favour(result, a.id, b.id)
        points[a.id] += 0.5 if vote is None else vote
        points[b.id] += 0.5 if vote is None else 1 - vote
    failures = [result.failure for result in results if result.failure is not None]
    explanation = f"{len(pairs)} pairs, {len(failures)} unreadable"
    saw_reference = any(result.saw_reference for result in results)
    failed = bool(pairs) and len(failures) == len(pairs)
    return Ranking(
        tiers=() if failed else tiers_by(points),
        author=author,
        explanation=explanation,
        saw_reference=saw_reference,
        failure=failures[0] if failed else None,
    )


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
                if (said := favour(vote, a.id, b.id)) is not None
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
