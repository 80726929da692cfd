"""Rows whose labels stand in the rollout itself: verdicts, marks and choices of models, and no scorer's.

What a scorer said of these rollouts changes nothing, so loops that have no references learn from them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean
from typing import Literal

from gadfly.primitives.drawing import pick
from gadfly.primitives.uptake import UPTAKE
from gadfly.prompts import Prompt
from gadfly.records import Candidate, Critique, Ranking, Score
from gadfly.train.collecting import Label, RowMaker, row_makers
from gadfly.train.from_rollouts import Dropped
from gadfly.train.rows import Preference, PromptCompletion
from gadfly.train.sources import Oracle, Sourced

WORSE, KNOWN_FIRST, KNOWN_SECOND = "worse", "known-first", "known-second"
"""The steps that make an answer worse by design, and that judge the pair in either order."""


def accepts(source: Sourced) -> bool:
    """Whether a critic in the rollout accepts the answer that the rollout came to."""
    return any(review.accepts for review in _reviews(source))


def accepted(
    rollouts: Iterable[Sourced],
    *,
    per_problem: int | None = None,
    oracle: Oracle = "refuse",
    dropped: Dropped = None,
) -> Iterator[PromptCompletion]:
    """Answers that a critic in their own rollout accepts.

    Args:
        rollouts: A solver's whose answers are criticised.
        per_problem: Most answers of one problem, the first that come.
        oracle: What becomes of answers that were shaped by the reference.
        dropped: Counts what is left out, by reason.
    """
    taken: Counter[str] = Counter()
    for maker in row_makers(rollouts, oracle, dropped):
        name = maker.source.rollout.problem.id
        if not accepts(maker.source):
            maker.leave("not accepted")
        elif per_problem is not None and taken[name] >= per_problem:
            maker.leave("enough of its problem")
        else:
            taken[name] += 1
            yield from maker.imitate(maker.answer, Label.by(*_reviews(maker.source)))


def taken_up(
    rollouts: Iterable[Sourced],
    *,
    by: Literal["refinement", "preference"] = "refinement",
    oracle: Oracle = "refuse",
    dropped: Dropped = None,
) -> Iterator[PromptCompletion | Preference]:
    """The rewrite that takes up most of the feedback (`primitives.uptake`), or that above its draft."""
    for maker in row_makers(rollouts, oracle, dropped):
        best, marks = maker.answer, maker.source.marks([UPTAKE])
        (draft,), said = maker.source.parents(best, Candidate), maker.source.parents(best, Critique)
        if best.id not in marks:
            maker.leave("unscored")
        elif best.text.strip() == draft.text.strip():
            maker.leave("nothing changed")
        elif by == "refinement":
            yield from maker.imitate(best, Label.by(*said, marks[best.id][UPTAKE]))
        else:
            yield from maker.prefer(best, draft, Label.by(*said, marks[best.id][UPTAKE]))


def revised(
    rollouts: Iterable[Sourced],
    principles: Sequence[str],
    *,
    oracle: Oracle = "refuse",
    dropped: Dropped = None,
) -> Iterator[PromptCompletion]:
    """Every revision by `primitives.principles.Revising`, as an answer to the bare request."""
    for maker in row_makers(rollouts, oracle, dropped):
        source, problem = maker.source, maker.source.rollout.problem
        for answer in source.outputs("refine", Candidate):
            principle = pick(problem.model_copy(update={"draw": answer.draw}), principles)
            if source.parents(answer, Candidate)[0].text == answer.text:
                maker.leave("nothing changed")
            else:
                label = Label.by(*source.parents(answer, Critique), principles=(principle,))
                yield from maker.imitate(answer, label)


def principled_pairs(
    rollouts: Iterable[Sourced],
    principles: Sequence[str],
    *,
    oracle: Oracle = "refuse",
    dropped: Dropped = None,
) -> Iterator[Preference]:
    """Pairs compared under a principle (`primitives.principles.Choosing`)."""
    for maker in row_makers(rollouts, oracle, dropped):
        label = Label(principles=(pick(maker.source.rollout.problem, principles),))
        for ranking in maker.source.outputs("compare_under", Ranking):
            yield from maker.prefer_ranked(ranking, label)


def marked_pairs(
    rollouts: Iterable[Sourced],
    *,
    margin: float = 0.0,
    tolerance: float = 0.0,
    oracle: Oracle = "refuse",
    dropped: Dropped = None,
) -> Iterator[Preference]:
    """The best against the worst answer of a rollout, by the mean of the marks that a model gave each.

    Args:
        rollouts: Of `primitives.marking.MarkedAnswers`, or of another that marks several answers.
        margin: The difference of marks has to be above this.
        tolerance: Share of the distance between best and worst within which answers count as equal: then
            the shortest of the best and the longest of the worst are taken, so that length pays less.
        oracle: What becomes of answers that were shaped by the reference.
        dropped: Counts what is left out, by reason.
    """
    for maker in row_makers(rollouts, oracle, dropped):
        marks = mean_marks(maker.source)
        answers = [one for one in maker.source.outputs("generate", Candidate) if one.id in marks]
        values = [marks[one.id] for one in answers]
        if not values or max(values) - min(values) <= margin:
            maker.leave("no pair with the margin" if values else "unscored")
            continue
        near = tolerance * (max(values) - min(values))
        best = [one for one in answers if marks[one.id] >= max(values) - near]
        worst = [one for one in answers if marks[one.id] <= min(values) + near]
        chosen = min(best, key=lambda one: (len(one.text) if tolerance else 0, -marks[one.id]))
        rejected = max(worst, key=lambda one: (len(one.text) if tolerance else 0, -marks[one.id]))
        if marks[chosen.id] <= marks[rejected.id]:
            maker.leave("no pair with the margin")
            continue
        strength = marks[chosen.id] - marks[rejected.id]
        yield from maker.prefer(chosen, rejected, _marks_of(maker, chosen, rejected), strength=strength)


def judgement_pairs(
    rollouts: Iterable[Sourced], *, prompt: Prompt, oracle: Oracle = "refuse", dropped: Dropped = None
) -> Iterator[Preference]:
    """The best against the worst judgement of one answer, by a recorded order of its judgements.

    Args:
        rollouts: With rankings of scores, from steps `meta_judge`.
        prompt: How a judgement was asked for, with slots `problem` and `answer`.
        oracle: What becomes of judgements that were shaped by the reference.
        dropped: Counts what is left out, by reason.
    """
    for maker in row_makers(rollouts, oracle, dropped):
        marks = {mark.id: mark for mark in maker.source.outputs("score", Score)}
        rankings = maker.source.outputs("meta_judge", Ranking)
        if not rankings:
            maker.leave("judgements agree")
        for ranking in rankings:
            if ranking.failure is not None or len(ranking.tiers) < 2:
                maker.leave("unscored" if ranking.failure is not None else "tied")
                continue
            best, worst = marks[ranking.tiers[0][0]], marks[ranking.tiers[-1][0]]
            asked = maker.asked(prompt, answer=maker.source.candidates[best.target].text)
            yield from maker.prefer(_words(best), _words(worst), Label.by(ranking), prompt=asked)


def judge_traces(
    rollouts: Iterable[Sourced],
    *,
    prompt: Prompt,
    per_order: int = 1,
    oracle: Oracle = "refuse",
    dropped: Dropped = None,
) -> Iterator[PromptCompletion]:
    """What a judge said of pairs of known order, where it was right: as many traces of either order.

    Args:
        rollouts: That came to the better answer, with steps `worse`, `known-first` and `known-second`.
        prompt: How the pair was shown, with slots `problem`, `first` and `second`.
        per_order: Most traces of a pair in one order.
        oracle: What becomes of traces that were shaped by the reference.
        dropped: Counts what is left out, by reason.
    """
    for maker in row_makers(rollouts, oracle, dropped):
        good, (worse, *_) = maker.answer, maker.source.within(WORSE, Candidate)
        orders = {KNOWN_FIRST: (good, worse), KNOWN_SECOND: (worse, good)}
        right = {
            name: [said for said in maker.source.within(name, Ranking) if said.best == good.id]
            for name in orders
        }
        most = min(per_order, *(len(found) for found in right.values()))
        if good.text.strip() == worse.text.strip():
            maker.leave("both say the same")
            continue
        if not most:
            maker.leave("not judged right in both orders")
        for name, (first, second) in orders.items():
            asked = maker.asked(prompt, first=first.text, second=second.text)
            for said in right[name][:most]:
                trace = Candidate(text=said.explanation, author=said.author)
                yield from maker.imitate(trace, Label(author="by design"), prompt=asked)


def mean_marks(source: Sourced) -> dict[str, float]:
    """The mean mark of every answer that was marked in the rollout, by its id."""
    found: dict[str, list[float]] = {}
    for mark in source.outputs("score", Score):
        if mark.value is not None:
            found.setdefault(mark.target, []).append(mark.value)
    return {name: fmean(values) for name, values in found.items()}


def _marks_of(maker: RowMaker, *answers: Candidate) -> Label:
    names = {answer.id for answer in answers}
    return Label.by(*(mark for mark in maker.source.outputs("score", Score) if mark.target in names))


def _words(mark: Score) -> Critique:
    """A judgement as a text to be learned."""
    return Critique(
        target=mark.target,
        text=mark.explanation,
        author=mark.author,
        saw_reference=mark.saw_reference,
    )


def _reviews(source: Sourced) -> list[Critique]:
    answer = source.rollout.answer
    return [one for one in source.critiques.values() if answer is not None and one.target == answer.id]
