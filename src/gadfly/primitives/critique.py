"""A model's words about a target: a candidate, a critique or a judgement."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from gadfly.errors import ParseError
from gadfly.parsing import read_findings, read_verdict
from gadfly.primitives.asking import ask, reference_for, whole
from gadfly.prompts import Prompt
from gadfly.protocols import Model
from gadfly.records import Candidate, Critique, Failure, Message, Problem, Ranking, Sampling, Score, Verdict
from gadfly.trace import primitive

Target: TypeAlias = Candidate | Critique | Score | Ranking


@primitive
async def critique(
    model: Model,
    problem: Problem,
    target: Target,
    *,
    prompt: Prompt,
    slots: Mapping[str, object] | None = None,
    parse: Callable[[str], Verdict] | None = read_verdict,
    sampling: Sampling = Sampling(),
    history: Sequence[Message] = (),
) -> Critique:
    """Ask a model what is right and wrong with the target.

    The template's slots `problem` and `answer` are filled; one that has a slot `reference` is
    shown the reference and marked as having seen it. `parse` reads the verdict: unreadable or cut
    off means no verdict, with the reason in `failure`; None means that none is asked for. `history`
    is the conversation before the prompt, for critics that speak in the same chat.
    """
    filled: dict[str, object] = dict(slots or {})
    if "answer" in prompt.slots:
        filled.setdefault("answer", said(target))
    saw_reference = "reference" in prompt.slots
    if saw_reference:
        filled.setdefault("reference", reference_for(prompt, problem))
    completion = await ask(model, problem, prompt=prompt, slots=filled, sampling=sampling, history=history)
    verdict: Verdict | None = None
    failure: Failure | None = None
    if parse is not None:
        try:
            verdict = parse(whole(completion))
        except ParseError as error:
            failure = error.failure()
    return Critique(
        target=target.id,
        text=completion.text,
        author=completion.model,
        verdict=verdict,
        findings=read_findings(completion.text),
        saw_reference=saw_reference,
        failure=failure,
    )


def said(target: Target) -> str:
    """What a target says, as text for a prompt."""
    if isinstance(target, Candidate | Critique):
        return target.text
    return target.explanation
