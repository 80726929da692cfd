"""From run folders to an `Evaluation`: one answer a problem, and a pool of samples of the same problems."""

from collections.abc import Iterable, Mapping, Sequence

from gadfly.errors import InputError, ParseError
from gadfly.metrics.answers import outcome, sample
from gadfly.metrics.diversity import repetition, variety, words_of
from gadfly.metrics.measurement import Sample
from gadfly.parsing.answers import final_answer
from gadfly.records import Problem, Rollout
from gadfly.run.improvement import Answers, Evaluation

LONGEST = 4000
"""Characters of one text that are kept for reading; figures are made of the whole."""


def evaluation(
    answers: Iterable[Rollout],
    problems: Sequence[Problem],
    *,
    pool: Iterable[Rollout] = (),
    k: int = 0,
    scores: str | None = None,
) -> Evaluation:
    """A model's evaluation from its rollouts, in whatever order they come.

    Args:
        answers: One rollout a problem; those of other problems are left out.
        problems: Decide the order of every vector.
        pool: Rollouts of `problem.attempts(k)` for every problem.
        k: Samples a problem; further attempts are left out.
        scores: Name of the score, such as the training reward's, that every sample is to carry as its own.

    Raises:
        InputError: a problem lacks its answer or one of its attempts.
    """
    samples, texts = _sampled(pool, problems, k, scores)
    return Evaluation(
        answers=answers_of(answers, problems),
        pool=samples if k else (),
        variety=tuple(map(variety, texts)) if k else (),
    )


def answers_of(rollouts: Iterable[Rollout], problems: Sequence[Problem]) -> Answers:
    """One answer a problem, from rollouts in whatever order.

    Raises:
        InputError: a problem has no rollout.
    """
    wanted = {problem.id for problem in problems}
    found = {rollout.problem.id: rollout for rollout in rollouts if rollout.problem.id in wanted}
    if missing := wanted - found.keys():
        raise InputError(f"{len(missing)} problems have no rollout, such as {min(missing)!r}")
    rows = [found[problem.id] for problem in problems]
    texts = ["" if row.answer is None else row.answer.text for row in rows]
    return Answers(
        outcomes=tuple(outcome(row) for row in rows),
        tokens=tuple(row.usage.tokens for row in rows),
        output_tokens=tuple(row.usage.output_tokens for row in rows),
        stated=tuple(map(_states, texts)),
        repetition=tuple(repetition(words_of(text)) for text in texts),
        texts=tuple(text if len(text) <= LONGEST else f"{text[:LONGEST]}…" for text in texts),
        oracle=sum(row.oracle for row in rows),
    )


def family_of(problem: Problem) -> str:
    """The problem's family, as its benchmark names it; empty where it names none."""
    named = problem.metadata.get("family", problem.metadata.get("subset", ""))
    return named if isinstance(named, str) else str(named)


def families_of(problems: Iterable[Problem]) -> tuple[str, ...]:
    """The family of each problem."""
    return tuple(map(family_of, problems))


def _states(text: str) -> bool:
    """Whether a text states its final answer, as every prompt asks; a bare number at the end does not."""
    try:
        final_answer(text)
    except ParseError:
        return False
    return True


def _sampled(
    rollouts: Iterable[Rollout], problems: Sequence[Problem], k: int, scores: str | None
) -> tuple[tuple[tuple[Sample, ...], ...], list[list[str]]]:
    """Samples and texts of every problem, in order of attempts; a failed attempt has no text."""
    rows: Mapping[str, dict[int, tuple[Sample, str | None]]] = {problem.id: {} for problem in problems}
    for rollout in rollouts:
        attempt = rollout.problem.draw[-1:]
        if rollout.problem.id in rows and attempt and attempt[0] < k:
            text = None if rollout.answer is None else rollout.answer.text
            rows[rollout.problem.id][attempt[0]] = (_scored(rollout, scores), text)
    short = [name for name, row in rows.items() if len(row) < k]
    if short:
        raise InputError(
            f"the pool lacks attempts: every problem needs {k}, and {len(short)} have fewer, "
            f"such as {short[0]!r}"
        )
    ordered = [[row[attempt] for attempt in range(k)] for row in rows.values()]
    samples = tuple(tuple(one for one, _ in row) for row in ordered)
    return samples, [[text for _, text in row if text is not None] for row in ordered]


def _scored(rollout: Rollout, scores: str | None) -> Sample:
    found = sample(rollout)
    score = rollout.scores.get(scores) if scores is not None else None
    return found if score is None else found.model_copy(update={"score": score.value})
