"""Whether a critique lets somebody mend the answer, and whether it gives the answer away.

A critique is tried by having a reviser, who sees no reference, rewrite the answer with it a few times; the
share of rewrites that are right is its worth. So validate Phung et al. 2023, arXiv:2302.04662, feedback
before it reaches a student, and so filter Xi et al. 2024, arXiv:2411.16579, critiques before training on
them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gadfly.concurrency import each
from gadfly.errors import ParseError
from gadfly.parsing import answer_key
from gadfly.parsing.text import normalise
from gadfly.primitives.refine import refine
from gadfly.prompts import Prompt
from gadfly.protocols import Model, Scorer
from gadfly.records import Candidate, Critique, Failure, Problem, Sampling, Score
from gadfly.trace import primitive

MEND = Prompt(
    name="mending/mend",
    user="""{{ problem }}

An earlier solution:
{{ answer | fence("solution") }}

What a reviewer says of it:
{% for review in critiques %}
{{ review | fence("review") }}
{% endfor %}

Mend the solution as the review says. End as the problem asks.""",
)
FULL_MARK = 1.0 - 1e-9

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d]+")
_RUN = 8
"""So many words of the reference in a row are a quotation."""
_LONGEST_VALUE = 4
"""Up to so many words a reference is a value, and must not stand in the feedback at all."""


@dataclass(frozen=True, kw_only=True)
class Mender:
    """Who rewrites answers by a critique, and how it is asked."""

    model: Model
    prompt: Prompt = MEND
    slots: Mapping[str, object] = field(default_factory=dict[str, object])
    sampling: Sampling = Sampling()


@primitive
async def trial(
    mender: Mender,
    problem: Problem,
    candidate: Candidate,
    critique: Critique,
    *,
    scorer: Scorer | None = None,
    trials: int = 5,
) -> Score:
    """The share of `trials` rewrites with this critique that are right.

    `problem` holds the reference; the mender gets it blind. Where no scorer is given, right is the same
    answer as the reference, by `answer_key`. Rewrites that cannot be scored count as not right, and the
    explanation counts them; where none can be scored, there is no value.
    """

    async def one(turn: Problem) -> bool | None:
        rewritten = await refine(
            mender.model,
            turn.blind(),
            candidate,
            [critique],
            prompt=mender.prompt,
            slots=mender.slots,
            sampling=mender.sampling,
        )
        return await is_right(problem, rewritten, scorer)

    marks = await each(one, problem.attempts(trials))
    scored = [mark for mark in marks if mark is not None]
    failure = None if scored else ParseError(f"none of {trials} rewrites could be scored").failure()
    return Score(
        target=critique.id,
        value=sum(scored) / len(marks) if scored else None,
        author=mender.model.id,
        explanation=f"{sum(scored)} of {len(marks)} rewrites are right, {len(marks) - len(scored)} unscored",
        saw_reference=True,
        failure=failure,
    )


async def is_right(problem: Problem, candidate: Candidate, scorer: Scorer | None) -> bool | None:
    """Whether the answer is right; None where it cannot be scored."""
    if scorer is not None:
        value = (await scorer(problem, candidate)).value
        return None if value is None else value >= FULL_MARK
    if problem.reference is None:
        return None
    try:
        return answer_key(candidate.text, problem.answer_kind) == _reference_key(problem)
    except ParseError:
        return None


@primitive
async def check_answer(problem: Problem, candidate: Candidate, scorer: Scorer | None = None) -> Score:
    """Whether the answer is right, on record: 1, 0, or no value where it cannot be scored."""
    mark = await is_right(problem, candidate, scorer)
    return Score(
        target=candidate.id,
        value=None if mark is None else float(mark),
        author="reference" if scorer is None else type(scorer).__name__,
        saw_reference=True,
        failure=ParseError("the answer cannot be scored").failure() if mark is None else None,
    )


def leak(problem: Problem, candidate: Candidate, text: str) -> str | None:
    """What of the reference the text gives away; None where nothing.

    A short reference (a number, a word or a few) must not stand in the text, unless the problem or the
    answer already holds it. Of a longer one, no `_RUN` words in a row and, of code, no whole line may stand
    there that is not in the problem or the answer.
    """
    if problem.reference is None:
        return None
    known = f"{problem.text}\n{candidate.text}"
    words = _words(problem.reference)
    size = len(words) if len(words) <= _LONGEST_VALUE else _RUN
    given: set[tuple[str, ...]] = set()
    if words:
        given = (_runs(text, size) - _runs(known, size)) & _runs(problem.reference, size)
    for run in sorted(given):
        return " ".join(run)
    lines: set[str] = set()
    if "\n" in problem.reference:
        lines = {_squeezed(line) for line in problem.reference.splitlines()}
    held = {_squeezed(line) for line in known.splitlines()}
    for line in text.splitlines():
        if len(_squeezed(line)) >= 8 and _squeezed(line) in lines - held:
            return line.strip()
    return None


def withheld(critique: Critique, kind: str, reason: str) -> Critique:
    """An empty critique in place of one found no good, and why. The draft stays in the recorded steps."""
    failure = Failure(boundary="recipe", type=kind, message=reason)
    return critique.model_copy(update={"text": "", "verdict": None, "findings": (), "failure": failure})


def _reference_key(problem: Problem) -> str:
    reference = problem.reference or ""
    try:
        return answer_key(f"Answer: {reference}", problem.answer_kind)
    except ParseError:
        return normalise(reference)


def _words(text: str) -> list[str]:
    found: list[str] = _WORD.findall(normalise(text))
    return [word.replace(",", "") if word[0].isdigit() else word for word in found]


def _runs(text: str, size: int) -> set[tuple[str, ...]]:
    words = _words(text)
    return {tuple(words[i : i + size]) for i in range(len(words) - size + 1)}


def _squeezed(line: str) -> str:
    return re.sub(r"\s+", "", line)
