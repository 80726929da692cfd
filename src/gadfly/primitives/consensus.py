"""One mark out of several that the same judge gave the same answer."""

from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from typing import Literal, TypeAlias

from gadfly.errors import ParseError
from gadfly.records import Candidate, Ranking, Score
from gadfly.trace import primitive

Settling: TypeAlias = Literal["majority", "mean"]


@primitive
async def consensus(candidate: Candidate, scores: Sequence[Score], *, by: Settling = "majority") -> Score:
    """The most frequent mark, or the mean; the words are those of the median mark.

    Of several equally frequent marks the one nearest the mean counts, and of two equally near the
    lower. Unscored ones are left out; with none left it is unscored.
    """
    known = sorted(
        ((score.value, place) for place, score in enumerate(scores) if score.value is not None),
    )
    author = scores[0].author if scores else "nobody"
    saw_reference = any(score.saw_reference for score in scores)
    if not known:
        failure = next((score.failure for score in scores if score.failure), None)
        return Score(
            target=candidate.id,
            value=None,
            author=author,
            explanation="\n---\n".join(score.explanation for score in scores),
            saw_reference=saw_reference,
            failure=failure or ParseError("there are no marks").failure(),
        )
    mean = fmean(value for value, _ in known)
    counts = Counter(value for value, _ in known)
    most = max(counts.values())
    usual = min((v for v, times in counts.items() if times == most), key=lambda v: (abs(v - mean), v))
    median = scores[known[(len(known) - 1) // 2][1]]
    return Score(
        target=candidate.id,
        value=usual if by == "majority" else mean,
        author=author,
        explanation=f"{len(known)} of {len(scores)} marks readable; the median one:\n{median.explanation}",
        saw_reference=saw_reference,
    )


@primitive
async def nearest_first(scores: Sequence[Score], value: float) -> Ranking:
    """The readable scores by their distance to `value`: each tier's words are better than the next's."""
    tiers: dict[float, dict[str, None]] = {}
    for score in scores:
        if score.value is not None:
            tiers.setdefault(abs(score.value - value), {})[score.id] = None
    return Ranking(
        tiers=tuple(tuple(tiers[distance]) for distance in sorted(tiers)),
        author=scores[0].author if scores else "nobody",
        saw_reference=any(score.saw_reference for score in scores),
    )
