"""All answers put in order by one reply, and several such orders made one."""

from collections.abc import Sequence

from gadfly.errors import ParseError
from gadfly.parsing.rankings import read_order
from gadfly.primitives.asking import GREEDY, ask, whole
from gadfly.primitives.pairs import tiers_by
from gadfly.prompts import Prompt
from gadfly.protocols import Model
from gadfly.records import Candidate, Problem, Ranking, Sampling, content_digest
from gadfly.trace import primitive


@primitive
async def list_order(
    model: Model,
    problem: Problem,
    candidates: Sequence[Candidate],
    *,
    prompt: Prompt,
    sampling: Sampling = GREEDY,
) -> Ranking:
    """All candidates, shown in the order given and labelled from 1, as one reply ranks them."""
    slots = {"answers": [candidate.text for candidate in candidates]}
    reply = await ask(model, problem, prompt=prompt, slots=slots, sampling=sampling)
    names = {str(number): candidate.id for number, candidate in enumerate(candidates, 1)}
    try:
        order = read_order(whole(reply), tuple(names))
    except ParseError as error:
        return Ranking(tiers=(), author=reply.model, explanation=reply.text, failure=error.failure())
    tiers = tuple(tuple(names[label] for label in tier) for tier in order)
    return Ranking(tiers=tiers, author=reply.model, explanation=reply.text)


def shuffles(problem: Problem, candidates: Sequence[Candidate], n: int) -> list[list[Candidate]]:
    """Up to `n` different orders of the candidates, every second the reverse of the one before it.

    They follow from the problem's text and draw and from the candidates, whatever order those
    come in; so the two orders of a pair are both shown where `n` is 2 or more.
    """
    distinct = sorted({c.id: c for c in candidates}.values(), key=lambda candidate: candidate.id)
    found: dict[tuple[str, ...], list[Candidate]] = {}
    # Few candidates have few orders: looking on after some misses in a row finds no more.
    for turn in range(20 * n):
        keys = {c.id: content_digest([problem.text, list(problem.sample), turn, c.id]) for c in distinct}
        order = sorted(distinct, key=lambda candidate: keys[candidate.id])
        for way in (order, order[::-1]):
            if len(found) < n:
                found.setdefault(tuple(candidate.id for candidate in way), way)
        if len(found) == n:
            break
    return list(found.values())


@primitive
async def borda(rankings: Sequence[Ranking]) -> Ranking:
    """Several orders of the same candidates as one, by the mean number of others beaten.

    A tie counts half. Rankings without tiers are left out; with none left the result has failed.
    The strength is the winner's wins less its losses, as a share of all that were possible, and 0
    where nobody wins alone.
    """
    readable = [ranking for ranking in rankings if ranking.tiers]
    author = rankings[0].author if rankings else "nobody"
    explanation = f"{len(readable)} of {len(rankings)} orders readable"
    if not readable:
        failure = next((ranking.failure for ranking in rankings if ranking.failure), None)
        failure = failure or ParseError("there is no order to count").failure()
        return Ranking(tiers=(), author=author, explanation=explanation, failure=failure)
    points = dict.fromkeys(sorted(name for tier in readable[0].tiers for name in tier), 0.0)
    for ranking in readable:
        below = len(points)
        for tier in ranking.tiers:
            below -= len(tier)
            for name in tier:
                points[name] += below + (len(tier) - 1) / 2
    tiers = tiers_by(points)
    others = max(1, len(points) - 1)
    lead = 2 * max(points.values()) - (len(points) - 1) * len(readable)
    return Ranking(
        tiers=tiers,
        author=author,
        strength=lead / (others * len(rankings)) if len(tiers[0]) == 1 else 0.0,
        explanation=explanation,
    )
