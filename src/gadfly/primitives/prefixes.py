"""How far an answer can still be saved: the share of continuations of its first steps that are right.

The first step from which hardly any continuation is right is taken for the first wrong one, as by Wang et al.
2023, "Math-Shepherd", arXiv:2312.08935; binary search for it is Luo et al. 2024, arXiv:2406.06592.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from gadfly.concurrency import each
from gadfly.errors import ParseError
from gadfly.primitives.generate import extend, given
from gadfly.primitives.mending import check_answer
from gadfly.protocols import Model, Scorer
from gadfly.records import Candidate, Critique, Finding, Problem, Sampling, Score
from gadfly.trace import primitive

Search: TypeAlias = Literal["binary", "linear"]


def beginning(candidate: Candidate, steps: int) -> Candidate:
    """The first so many steps as a candidate of its own.

    Raises:
        IndexError: the candidate has fewer steps.
    """
    return Candidate(
        text=candidate.prefix(steps),
        author=candidate.author,
        parents=(candidate.id,),
        draw=candidate.draw,
        steps=candidate.steps[:steps],
    )


@primitive
async def reach(
    model: Model,
    problem: Problem,
    candidate: Candidate,
    steps: int,
    *,
    n: int,
    scorer: Scorer | None = None,
    sampling: Sampling = Sampling(),
) -> Score:
    """The share of `n` continuations of the first `steps` steps that are right; it is about that beginning.

    `problem` holds the reference; the model gets it blind. Where no continuation can be scored, there is no
    value.

    Raises:
        UnsupportedError: the backend cannot continue a given beginning.
    """
    begun = await given(beginning(candidate, steps))

    async def one(turn: Problem) -> float | None:
        went_on = await extend(model, turn.blind(), begun, sampling=sampling)
        return (await check_answer(problem, went_on, scorer)).value

    marks = [mark for mark in await each(one, problem.attempts(n)) if mark is not None]
    failure = None if marks else ParseError(f"none of {n} continuations could be scored").failure()
    return Score(
        target=begun.id,
        value=sum(marks) / n if marks else None,
        author=model.id,
        explanation=f"{sum(marks):g} of {n} continuations of {steps} steps are right",
        saw_reference=True,
        failure=failure,
    )


@primitive
async def first_lost_step(
    model: Model,
    problem: Problem,
    candidate: Candidate,
    *,
    n: int,
    search: Search = "binary",
    scorer: Scorer | None = None,
    sampling: Sampling = Sampling(),
) -> Critique:
    """The first step after which no continuation is right, as a critique of a wrong answer that names it.

    `binary` takes about log2 of the number of steps in batches of `n` continuations, `linear` up to one batch
    a step; both take for granted that what is lost stays lost. The last step of an answer that is wrong is
    lost without a trial. Where a batch cannot be scored it counts as lost.

    Args:
        model: Who continues.
        problem: With its reference.
        candidate: An answer that is wrong.
        n: Continuations a batch.
        search: In which order the steps are tried.
        scorer: Decides whether a continuation is right; none: it must state the reference.
        sampling: How continuations are drawn.
    """
    batches = 0

    async def saved(steps: int) -> bool:
        nonlocal batches
        batches += 1
        found = await reach(model, problem, candidate, steps, n=n, scorer=scorer, sampling=sampling)
        return bool(found.value)

    # Invariant: after `low` steps it can be saved (or nothing is written yet), after `high` it cannot.
    low, high = 0, len(candidate.steps)
    while high - low > 1:
        middle = (low + high) // 2 if search == "binary" else low + 1
        if await saved(middle):
            low = middle
        else:
            high = middle
    step = max(0, high - 1)
    words = f"After step {step + 1} none of {n} continuations is right; {batches} batches were tried."
    return Critique(
        target=candidate.id,
        text=words,
        author=f"{model.id}+continuations",
        verdict="incorrect",
        findings=(Finding(text=words, step=step),),
        saw_reference=True,
    )


async def explore_wrong(
    model: Model,
    problem: Problem,
    answers: Sequence[Candidate],
    *,
    most: int,
    n: int,
    search: Search,
    scorer: Scorer | None = None,
    sampling: Sampling = Sampling(),
) -> list[Candidate]:
    """The right ones among the answers; of the wrong ones up to `most` are searched for the first lost step.

    Every check and every search is on record. Where no answer is right nothing is searched: the problem may
    be too hard from the start. Equal texts are searched once.
    """
    marks = await each(lambda answer: check_answer(problem, answer, scorer), answers)
    value = {mark.target: mark.value for mark in marks}
    right = [answer for answer in answers if value[answer.id] == 1.0]
    wrong = {answer.text: answer for answer in answers if value[answer.id] == 0.0}

    async def search_one(answer: Candidate) -> Critique:
        return await first_lost_step(
            model, problem, answer, n=n, search=search, scorer=scorer, sampling=sampling
        )

    if right:
        await each(search_one, list(wrong.values())[:most])
    return right
