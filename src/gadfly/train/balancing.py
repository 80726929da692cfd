"""How well samples serve to learn from: many different right ones, few wrong ones among those selected."""

from collections.abc import Iterable, Iterator, Sequence

from gadfly.records import Record
from gadfly.train.sources import Sourced, answer_turn


class Setting(Record):
    """How a round samples and selects."""

    temperature: float
    threshold: float
    """The least reward of a sample that is learned."""


def distinct(rollouts: Iterable[Sourced]) -> Iterator[Sourced]:
    """The samples of each problem that say something new, in their order; those without an answer not."""
    seen: set[tuple[str, str]] = set()
    for source in rollouts:
        answer = source.rollout.answer
        said = "" if answer is None else answer_turn(answer).content.strip()
        key = (source.rollout.problem.id, said)
        if said and key not in seen:
            seen.add(key)
            yield source


def balance(
    rollouts: Sequence[Sourced], *, threshold: float, wanted: int, scorer: str | None = None
) -> float:
    """The mean balance score of the problems: min(r / wanted, 1) * r / n.

    Of n different samples that reach the threshold, r are right. The first factor asks for enough of them
    (exploration), the second for a selection that is not deceived (exploitation). B-STaR, arXiv:2412.17256.

    Args:
        rollouts: Samples of some problems, with their scores.
        threshold: The least reward of a selected sample.
        wanted: Right samples of a problem that are enough.
        scorer: Whose mark is the reward; the first there is by default.
    """
    problems = {source.rollout.problem.id for source in rollouts}
    right, selected = dict.fromkeys(problems, 0), dict.fromkeys(problems, 0)
    for source in distinct(rollouts):
        answer = source.rollout.answer
        score = None if answer is None else source.score(answer.id, scorer)
        if score is not None and score.value is not None and score.value >= threshold:
            selected[source.rollout.problem.id] += 1
            right[source.rollout.problem.id] += source.rollout.value == 1.0
    scores = [min(right[name] / wanted, 1.0) * right[name] / max(1, selected[name]) for name in problems]
    return sum(scores) / max(1, len(scores))
