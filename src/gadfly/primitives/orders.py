"""An order of candidates out of words or numbers about each of them."""

from collections.abc import Mapping, Sequence

from gadfly.errors import ParseError
from gadfly.records import Candidate, Critique, Ranking, Score, Verdict

WORTH: Mapping[Verdict, float] = {"correct": 1.0, "unsure": 0.5, "incorrect": 0.0}
"""What a verdict is worth as a number."""


def order_by_scores(candidates: Sequence[Candidate], scores: Sequence[Score]) -> Ranking:
    """Best score first, equal scores in one tier. One unscored candidate leaves the order failed.

    Of two, the strength is the distance of the scores, cut at 1.
    """
    known = [score.value for score in scores if score.value is not None]
    author = scores[0].author if scores else "nobody"
    saw_reference = any(score.saw_reference for score in scores)
    explanation = "\n---\n".join(score.explanation for score in scores)
    if len(known) < len(scores):
        failure = next(score.failure for score in scores if score.value is None)
        return Ranking(
            tiers=(),
            author=author,
            explanation=explanation,
            saw_reference=saw_reference,
            failure=failure or ParseError("an answer has no score").failure(),
        )
    levels = sorted(set(known), reverse=True)
    values = list(zip(candidates, known, strict=True))
    return Ranking(
        tiers=tuple(tuple(c.id for c, value in values if value == level) for level in levels),
        author=author,
        strength=min(1.0, abs(known[0] - known[1])) if len(known) == 2 else None,
        explanation=explanation,
        saw_reference=saw_reference,
    )


def order_by_verdicts(candidates: Sequence[Candidate], critiques: Sequence[Critique]) -> Ranking:
    """Answers called correct before unsure ones before incorrect ones; a missing verdict fails the order."""
    scores = [
        Score(
            target=critique.target,
            value=None if critique.verdict is None else WORTH[critique.verdict],
            author=critique.author,
            explanation=critique.text,
            saw_reference=critique.saw_reference,
            failure=critique.failure,
        )
        for critique in critiques
    ]
    return order_by_scores(candidates, scores)
