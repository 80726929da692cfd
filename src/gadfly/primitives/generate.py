"""Propose an answer, extend a partial one, or keep a prefix and draw the rest again."""

from collections.abc import Mapping, Sequence

from gadfly.concurrency import each
from gadfly.primitives.asking import ask
from gadfly.prompts import Prompt
from gadfly.protocols import Model
from gadfly.records import Candidate, Completion, Critique, Problem, Sampling, lineage
from gadfly.trace import primitive


@primitive
async def generate(
    model: Model,
    problem: Problem,
    *,
    prompt: Prompt | None = None,
    slots: Mapping[str, object] | None = None,
    sampling: Sampling = Sampling(),
    parents: Sequence[Candidate | Critique] = (),
    onto: Candidate | None = None,
) -> Candidate:
    """A new candidate. With no prompt, the problem is sent as it is.

    Two recipes that generate with the same sampling on the same draw share one call.
    `parents` are the records whose text the slots hold. With `onto`, the new text becomes the
    next step of that partial candidate, on a line of its own.
    """
    completion = await ask(model, problem, prompt=prompt, slots=slots, sampling=sampling)
    if onto is None:
        return candidate_from(completion, problem, parents=parents)
    return candidate_from(completion, problem, prefix=f"{onto.text}\n", parents=[onto, *parents])


async def sample(
    model: Model, problem: Problem, n: int, *, prompt: Prompt | None = None, sampling: Sampling = Sampling()
) -> list[Candidate]:
    """`n` independent candidates, the pool that every sampling method shares."""

    async def one(attempt: Problem) -> Candidate:
        return await generate(model, attempt, prompt=prompt, sampling=sampling)

    return await each(one, problem.attempts(n))


@primitive
async def extend(
    model: Model, problem: Problem, onto: Candidate, *, sampling: Sampling = Sampling()
) -> Candidate:
    """The partial candidate `onto` and what the model writes after it.

    Raises:
        UnsupportedError: the backend cannot continue a given beginning.
    """
    completion = await ask(model, problem, sampling=sampling, prefix=onto.text)
    return candidate_from(completion, problem, prefix=onto.text, parents=[onto])


@primitive
async def resample(
    model: Model, problem: Problem, candidate: Candidate, step: int, *, sampling: Sampling = Sampling()
) -> Candidate:
    """Keep the steps before `step` (counted from 0) and draw the rest again.

    Raises:
        IndexError: the candidate has fewer steps.
        UnsupportedError: the backend cannot continue a given beginning.
    """
    prefix = candidate.prefix(step)
    completion = await ask(model, problem, sampling=sampling, prefix=prefix)
    return candidate_from(completion, problem, prefix=prefix, parents=[candidate])


@primitive
async def given(candidate: Candidate) -> Candidate:
    """A candidate that no call made (planted, cut short), as a step, so that lineage stays whole."""
    return candidate


def split_steps(text: str) -> tuple[str, ...]:
    """Cut a text after each non-empty line. Joined, the steps give the text back."""
    steps: list[str] = []
    for line in text.splitlines(keepends=True):
        if steps and not line.strip():
            steps[-1] += line
        else:
            steps.append(line)
    return tuple(steps)


def candidate_from(
    completion: Completion,
    problem: Problem,
    *,
    prefix: str = "",
    parents: Sequence[Candidate | Critique] = (),
) -> Candidate:
    """A completion as a candidate whose text begins with `prefix`: for primitives, inside their step."""
    text = prefix + completion.text
    tokens = completion.tokens
    return Candidate(
        text=text,
        author=completion.model,
        parents=lineage(parents),
        draw=problem.draw,
        steps=split_steps(text),
        logprob=sum(tokens.logprobs) / len(tokens.logprobs) if tokens and tokens.logprobs else None,
    )
