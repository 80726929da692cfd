"""Two answers in one order, both orders made one ranking, and many answers by their pairs."""

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, TypeAlias

from gadfly.concurrency import each
from gadfly.errors import ParseError
from gadfly.parsing import read_label, read_rating
from gadfly.primitives.alternatives import ask_with_alternatives, word_after
from gadfly.primitives.asking import GREEDY, ask, whole
from gadfly.prompts import Prompt
from gadfly.protocols import Model
from gadfly.records import Candidate, Problem, Ranking, Sampling
from gadfly.trace import primitive

Pair: TypeAlias = tuple[Candidate, Candidate]
Duel: TypeAlias = Callable[[Candidate, Candidate], Awaitable[Ranking]]


@primitive
async def choose(
    model: Model,
    problem: Problem,
    pair: Pair,
    *,
    prompt: Prompt,
    slots: Mapping[str, object] | None = None,
    sampling: Sampling = GREEDY,
    by_probability: bool = False,
) -> Ranking:
    """Which of two answers a model prefers in the order given, read from `CHOICE: A`, `B` or `tie`.

    The strength is 1, and 0 for a tie. With `by_probability` it is p(A) - p(B) over their sum at the
    letter's token, where the backend reports alternatives, and decides which is better. Unreadable: no
    tiers.
    """
    first, second = pair
    filled = {"first": first.text, "second": second.text, **(slots or {})}
    asked = ask_with_alternatives if by_probability else ask
    reply = await asked(model, problem, prompt=prompt, slots=filled, sampling=sampling)
    try:
        label = read_label(whole(reply), "CHOICE", ("A", "B", "tie"))
    except ParseError as error:
        return Ranking(tiers=(), author=reply.model, explanation=reply.text, failure=error.failure())
    favour = {"A": 1.0, "B": -1.0, "tie": 0.0}[label]
    words: Mapping[str, float] = word_after(reply.tokens, "CHOICE", label) if by_probability else {}
    sure, unsure = words.get("A", 0.0), words.get("B", 0.0)
    if favour and sure + unsure > 0:
        favour = (sure - unsure) / (sure + unsure)
    return two(pair, favour, author=reply.model, explanation=reply.text)


@primitive
async def rate_pair(
    model: Model,
    problem: Problem,
    pair: Pair,
    *,
    prompt: Prompt,
    scale: tuple[float, float] = (1.0, 10.0),
    sampling: Sampling = GREEDY,
) -> Ranking:
    """Two answers in the order given, by the marks `SCORE A: 7` and `SCORE B: 4` of one reply.

    The strength is the distance of the marks as a share of the scale. Unreadable: no tiers.
    """
    first, second = pair
    slots = {"first": first.text, "second": second.text}
    reply = await ask(model, problem, prompt=prompt, slots=slots, sampling=sampling)
    low, high = scale
    try:
        text = whole(reply)
        marks = [read_rating(text, low=low, high=high, name=f"SCORE {side}") for side in "AB"]
    except ParseError as error:
        return Ranking(tiers=(), author=reply.model, explanation=reply.text, failure=error.failure())
    return two(pair, (marks[0] - marks[1]) / (high - low), author=reply.model, explanation=reply.text)


def merge_orders(
    pair: Pair,
    forward: Sequence[Ranking],
    backward: Sequence[Ranking],
    *,
    strength: Literal["margin", "votes"] = "margin",
    note: str = "",
) -> Ranking:
    """One ranking of two from several in each order; the mean of the signed strengths decides.

    Unreadable ones are left out, and all unreadable is a failed ranking. The strength is a share of
    all that were asked: `margin` is the mean's size with unreadable ones as 0, `votes` how many more
    rankings are for the better answer than against it (0 at the least).
    So of one choice in each order, two that agree have strength 1, a tie or an unreadable one leaves
    the other to decide with 0.5, and contradiction is a tie of strength 0. The explanation says whether
    the orders agree.
    """
    first, _ = pair
    sides = [_leans(first, rankings) for rankings in (forward, backward)]
    leans = [lean for side in sides for lean in side]
    asked = len(forward) + len(backward)
    every = [*forward, *backward]
    author = every[0].author
    said = "\n---\n".join([note, *(ranking.explanation for ranking in every)]).removeprefix("\n---\n")
    saw_reference = any(ranking.saw_reference for ranking in every)
    if not leans:
        failure = next((ranking.failure for ranking in every if ranking.failure), None)
        return Ranking(
            tiers=(), author=author, explanation=said, saw_reference=saw_reference, failure=failure
        )
    # Each order weighs the same, though more of its replies were readable.
    means = [math.fsum(side) / len(side) for side in sides if side]
    favour = math.fsum(means) / len(means)
    clear = abs(favour) * len(leans) / asked
    if strength == "votes":
        clear = max(0.0, math.copysign(1.0, favour) * sum((lean > 0) - (lean < 0) for lean in leans)) / asked
    words = f"{_agreement(means)}; {len(leans)} of {asked} replies readable\n---\n{said}"
    merged = two(pair, favour, author=author, explanation=words)
    clear = round(min(1.0, clear), 12) if merged.best else 0.0
    return merged.model_copy(update={"strength": clear, "saw_reference": saw_reference})


async def round_robin(candidates: Sequence[Candidate], duel: Duel, *, author: str) -> Ranking:
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
        vote = preference(result, a.id, b.id)
        points[a.id] += 0.5 if vote is None else vote
        points[b.id] += 0.5 if vote is None else 1 - vote
    failures = [result.failure for result in results if result.failure is not None]
    failed = bool(pairs) and len(failures) == len(pairs)
    return Ranking(
        tiers=() if failed else tiers_by(points),
        author=author,
        explanation=f"{len(pairs)} pairs, {len(failures)} unreadable",
        saw_reference=any(result.saw_reference for result in results),
        failure=failures[0] if failed else None,
    )


def preference(ranking: Ranking, first: str, second: str) -> float | None:
    """What a ranking says of two ids: 1 prefers the first, 0 the second, 0.5 neither; None: nothing."""
    place = {name: number for number, tier in enumerate(ranking.tiers) for name in tier}
    if first not in place or second not in place:
        return None
    return 0.5 if place[first] == place[second] else float(place[first] < place[second])


def tiers_by(points: Mapping[str, float]) -> tuple[tuple[str, ...], ...]:
    """Names by their points, most first, equal ones together; sums that differ by rounding are equal."""
    rounded = {name: round(won, 9) for name, won in points.items()}
    levels = sorted(set(rounded.values()), reverse=True)
    return tuple(tuple(name for name, won in rounded.items() if won == level) for level in levels)


def two(pair: Pair, lead: float, *, author: str, explanation: str) -> Ranking:
    """A ranking of two from the lead of the first, -1 to 1; its size is the strength."""
    first, second = pair
    if abs(lead) < 1e-12:
        tiers: tuple[tuple[str, ...], ...] = ((first.id, second.id),)
    else:
        tiers = ((first.id,), (second.id,)) if lead > 0 else ((second.id,), (first.id,))
    strength = round(min(1.0, abs(lead)), 12)
    return Ranking(tiers=tiers, author=author, strength=strength, explanation=explanation)


def _leans(first: Candidate, rankings: Sequence[Ranking]) -> list[float]:
    """The readable rankings as numbers from -1 to 1, above 0 where the first answer is better."""
    leans: list[float] = []
    for ranking in rankings:
        if ranking.tiers:
            strength = 1.0 if ranking.strength is None else ranking.strength
            sign = 1.0 if ranking.best == first.id else -1.0
            leans.append(0.0 if ranking.best is None else sign * strength)
    return leans


def _agreement(means: Sequence[float]) -> str:
    if len(means) < 2:
        return "only one order could be read"
    return "the orders disagree" if means[0] * means[1] < 0 else "the orders agree"
