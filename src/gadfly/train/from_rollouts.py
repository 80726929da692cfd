"""Rows from rollouts: lazy generators, one for each kind, their filters as named arguments.

Every generator takes rollouts as `read_runs` or `sourced` give them, and says with `oracle` what
becomes of text that something shaped which had seen the reference: `refuse` (an error, the
default), `mark` or `drop`. What a filter leaves out is counted by reason in `dropped`, where a
counter is given. A label by an exact checker is no oracle; `lineage.saw_reference` says so.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import Literal, TypeAlias

from gadfly.errors import InputError
from gadfly.records import Ranking
from gadfly.train.rows import (
    Preference,
    PromptCompletion,
    RankedList,
    Unpaired,
    VectorReward,
)
from gadfly.train.sources import Marked, Oracle, Sourced, admitted, answer_turn, by_problem, note, problem_key

Dropped: TypeAlias = Counter[str] | None
Pairs: TypeAlias = Literal["all", "adjacent", "ends"]
_MOST = 64
"""Answers of one problem that pairs are made of: the pairs grow with the square."""


def prompt_completions(
    rollouts: Iterable[Sourced],
    *,
    keep: float | None = 1.0,
    scorer: str | None = None,
    per_problem: int | None = None,
    oracle: Oracle = "refuse",
    dropped: Dropped = None,
) -> Iterator[PromptCompletion]:
    """Answers worth imitating: those whose mark is at least `keep` (None: every answer).

    Args:
        rollouts: A solver's.
        keep: The least mark; an unscored answer has none and is left out.
        scorer: Whose mark counts; the first there is by default.
        per_problem: Most answers of one problem, the first that come.
        oracle: What becomes of answers that were shaped by the reference.
        dropped: Counts what is left out, by reason.
    """
    taken: Counter[int] = Counter()
    for source in rollouts:
        answer = source.rollout.answer
        if answer is None or not answer.text.strip():
            note(dropped, "no answer")
            continue
        score = source.score(answer.id, scorer)
        if keep is not None and (score is None or score.value is None or score.value < keep):
            note(dropped, "unscored" if score is None else "below the mark")
            continue
        lineage = source.lineage(
            policy=answer.author,
            author="" if score is None else score.author,
            saw_reference=score is not None and score.saw_reference,
        )
        key = problem_key(source.rollout.problem)
        if per_problem is not None and taken[key] >= per_problem:
            note(dropped, "enough of its problem")
        elif admitted(lineage, oracle, dropped):
            taken[key] += per_problem is not None
            yield PromptCompletion(
                prompt=source.prompt,
                completion=(answer_turn(answer),),
                lineage=lineage,
                labelling_only=source.labelling("" if score is None else score.explanation),
            )


def unpaired(
    rollouts: Iterable[Sourced],
    *,
    threshold: float = 1.0,
    scorer: str | None = None,
    oracle: Oracle = "refuse",
    dropped: Dropped = None,
) -> Iterator[Unpaired]:
    """Scored answers with the label good (a mark of `threshold` or more) or bad."""
    for _, item in _marked(rollouts, scorer, oracle, dropped):
        yield Unpaired(
            prompt=item.prompt,
            completion=(item.answer,),
            label=item.value >= threshold,
            lineage=item.lineage,
            labelling_only=item.labelling_only,
        )


def vector_rewards(
    rollouts: Iterable[Sourced], *, oracle: Oracle = "refuse", dropped: Dropped = None
) -> Iterator[VectorReward]:
    """Answers with the marks of all their scorers; what a scorer could not read stays None."""
    for source in rollouts:
        answer = source.rollout.answer
        scores = {
            name: score
            for name, score in source.rollout.scores.items()
            if answer is not None and score.target == answer.id
        }
        if answer is None or not any(score.value is not None for score in scores.values()):
            note(dropped, "no answer" if answer is None else "unscored")
            continue
        lineage = source.lineage(
            policy=answer.author,
            author="+".join(dict.fromkeys(score.author for score in scores.values())),
            saw_reference=any(score.saw_reference for score in scores.values()),
        )
        if admitted(lineage, oracle, dropped):
            yield VectorReward(
                prompt=source.prompt,
                completion=(answer_turn(answer),),
                rewards={name: score.value for name, score in scores.items()},
                lineage=lineage,
                labelling_only=source.labelling(),
            )


def preferences(
    rollouts: Iterable[Sourced],
    *,
    margin: float = 0.5,
    scorer: str | None = None,
    per_problem: int | None = 4,
    oracle: Oracle = "refuse",
    dropped: Dropped = None,
) -> Iterator[Preference]:
    """Two answers to one problem whose marks differ by `margin` or more, over all the runs given.

    The widest differences come first, and among equal ones those of answers that are used least. The
    order of the rows does not depend on which rollout finished first.

    Args:
        rollouts: Solvers', of one run or several.
        margin: The least difference of marks; it becomes the row's strength.
        scorer: Whose mark counts; the first there is by default.
        per_problem: Most pairs of one problem; None for all there are.
        oracle: What becomes of answers that were shaped by the reference.
        dropped: Counts what is left out, by reason.

    Raises:
        InputError: the margin is not above 0, or `oracle` refuses.
    """
    if margin <= 0:
        raise InputError(f"margin is {margin}; two answers of one mark are no preference: give more than 0")
    for group in by_problem(_marked(rollouts, scorer, oracle, dropped)):
        # Of answers that say the same, the first stands for all.
        distinct = {item.answer.content.strip(): item for item in reversed(group)}
        items = sorted(distinct.values(), key=lambda item: (-item.value, item.lineage.rollouts))
        if len(items) > _MOST:
            items = items[: _MOST // 2] + items[-_MOST // 2 :]
        pairs = [(a, b) for a, b in combinations(items, 2) if a.value - b.value >= margin]
        if not pairs:
            note(dropped, "no pair in its problem")
        for better, worse in _spread(pairs, per_problem):
            yield _preferred(better, worse)


def _spread(pairs: list[tuple[Marked, Marked]], most: int | None) -> Iterator[tuple[Marked, Marked]]:
    """The widest pairs, each answer used as rarely as possible."""
    used: Counter[int] = Counter()
    left = sorted(pairs, key=lambda pair: pair[1].value - pair[0].value)
    if most is None or most >= len(pairs):
        yield from left
        return
    for _ in range(most):
        # Equal pairs keep their order: the sort is stable and `min` takes the first.
        pair = min(left, key=lambda p: (p[1].value - p[0].value, used[id(p[0])] + used[id(p[1])]))
        left.remove(pair)
        used.update(map(id, pair))
        yield pair


def _preferred(better: Marked, worse: Marked) -> Preference:
    one, other = better.lineage, worse.lineage
    return Preference(
        prompt=better.prompt,
        chosen=(better.answer,),
        rejected=(worse.answer,),
        strength=better.value - worse.value,
        lineage=one.model_copy(
            update={
                "rollouts": tuple(dict.fromkeys(one.rollouts + other.rollouts)),
                "saw_reference": one.saw_reference or other.saw_reference,
                "oracle": one.oracle or other.oracle,
            }
        ),
        labelling_only=better.labelling_only,
    )


def _marked(
    rollouts: Iterable[Sourced], scorer: str | None, oracle: Oracle, dropped: Dropped
) -> Iterator[tuple[int, Marked]]:
    """Answers that have a mark, with the key of their problem."""
    for source in rollouts:
        answer = source.rollout.answer
        score = None if answer is None else source.score(answer.id, scorer)
        if answer is None or not answer.text.strip() or score is None or score.value is None:
            note(dropped, "no answer" if answer is None else "unscored")
            continue
        lineage = source.lineage(policy=answer.author, author=score.author, saw_reference=score.saw_reference)
        if admitted(lineage, oracle, dropped):
            yield (
                problem_key(source.rollout.problem),
                Marked(
                    prompt=source.prompt,
                    answer=answer_turn(answer),
                    value=score.value,
                    lineage=lineage,
                    labelling_only=source.labelling(score.explanation),
                ),
            )


def rankings(
    rollouts: Iterable[Sourced],
    *,
    judges_only: bool = True,
    oracle: Oracle = "refuse",
    dropped: Dropped = None,
) -> Iterator[RankedList]:
    """Orders of several answers, by a judge: its own judgement of each case, or any ranking in a rollout.

    Args:
        rollouts: A judge's; with `judges_only=False` also a solver's, for the rankings among its steps.
        judges_only: Whether only what a judge's rollout came to counts.
        oracle: What becomes of answers that were shaped by the reference.
        dropped: Counts what is left out, by reason.
    """
    for source in rollouts:
        own = source.rollout.judgement
        found = source.rankings if not judges_only else (own,) if isinstance(own, Ranking) else ()
        for ranking in found:
            if ranking.failure is not None or len(ranking.tiers) < 2:
                note(dropped, "unscored" if ranking.failure is not None else "tied")
                continue
            named = [source.candidates.get(name) for tier in ranking.tiers for name in tier]
            order = [candidate for candidate in named if candidate is not None]
            if len(order) < len(named):
                note(dropped, "ranks what is not in its rollout")
                continue
            shown = source.rollout.case is not None
            lineage = source.lineage(
                policy=order[0].author,
                author=ranking.author,
                saw_reference=ranking.saw_reference,
                oracle=False if shown else None,
            )
            if admitted(lineage, oracle, dropped):
                places = iter(range(len(order)))
                yield RankedList(
                    prompt=source.prompt,
                    completions=tuple(map(answer_turn, order)),
                    tiers=tuple(tuple(next(places) for _ in tier) for tier in ranking.tiers),
                    strength=ranking.strength,
                    lineage=lineage,
                    labelling_only=source.labelling(ranking.explanation),
                )


def ranked_preferences(
    ranked: Iterable[RankedList],
    *,
    pairs: Pairs = "all",
    least_strength: float = 0.0,
    dropped: Dropped = None,
) -> Iterator[Preference]:
    """Pairs out of ranked lists: of all tiers, of neighbouring tiers, or of the first and the last.

    A list of k answers gives up to k (k - 1) / 2 pairs; each weighs 1 over the number of pairs of its
    list, so that long lists do not outweigh short ones. A list whose strength is known and below
    `least_strength` is left out.
    """
    for row in ranked:
        if row.strength is not None and row.strength < least_strength:
            note(dropped, "weak")
            continue
        found = [
            (good, bad)
            for good, bad in _pairs(row.tiers, pairs)
            if row.completions[good].content != row.completions[bad].content
        ]
        for good, bad in found:
            chosen = row.completions[good]
            yield Preference(
                prompt=row.prompt,
                chosen=(chosen,),
                rejected=(row.completions[bad],),
                strength=row.strength,
                weight=1 / len(found),
                lineage=row.lineage.model_copy(update={"policy": chosen.author}),
                labelling_only=row.labelling_only,
            )


def _pairs(tiers: Sequence[Sequence[int]], which: Pairs) -> Iterator[tuple[int, int]]:
    for first, second in combinations(range(len(tiers)), 2):
        if which == "adjacent" and second != first + 1:
            continue
        if which == "ends" and (first, second) != (0, len(tiers) - 1):
            continue
        yield from ((good, bad) for good in tiers[first] for bad in tiers[second])
