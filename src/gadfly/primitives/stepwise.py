"""A verdict on every step of an answer."""

from collections.abc import Sequence

from gadfly.errors import ParseError
from gadfly.parsing import read_verdict
from gadfly.parsing.steps import names_steps, read_first_wrong_step
from gadfly.primitives.asking import GREEDY, ask, whole
from gadfly.prompts import Prompt
from gadfly.protocols import Model
from gadfly.records import Critique, Failure, Finding, Problem, Sampling, Verdict
from gadfly.trace import primitive

_WRONG = "This step is wrong."


@primitive
async def judge_steps(
    model: Model,
    problem: Problem,
    target: str,
    steps: Sequence[str],
    *,
    prompt: Prompt,
    sampling: Sampling = GREEDY,
) -> Critique:
    """One reply on all steps as a critique of `target` whose one finding is the first wrong step.

    The reply is read by `read_first_wrong_step`; where it cannot be read or contradicts itself
    there is no verdict and no finding. A reply that decides without a word on any step has its
    verdict, and names no step.
    """
    slots = {"steps": list(steps)}
    reply = await ask(model, problem, prompt=prompt, slots=slots, sampling=sampling)
    verdict: Verdict | None = None
    failure: Failure | None = None
    findings: tuple[Finding, ...] = ()
    try:
        text = whole(reply)
        if names_steps(text):
            wrong = read_first_wrong_step(text, len(steps))
            verdict = "correct" if wrong is None else "incorrect"
            findings = () if wrong is None else (Finding(step=wrong[0], text=wrong[1] or _WRONG),)
        else:
            verdict = read_verdict(text)
    except ParseError as error:
        failure = error.failure()
    return Critique(
        target=target,
        text=reply.text,
        author=reply.model,
        verdict=verdict,
        findings=findings,
        failure=failure,
    )
