"""One model call from a prompt: what the other primitives are built on."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel

from gadfly.errors import InputError, ParseError
from gadfly.parsing import read_json
from gadfly.prompts import Prompt
from gadfly.protocols import Model
from gadfly.records import Completion, Message, Problem, Request, Sampling

M = TypeVar("M", bound=BaseModel)

GREEDY = Sampling(temperature=0.0)
"""How judges are asked unless told otherwise."""

REPAIR = Prompt(
    name="repair-json",
    user="Your reply could not be used: {{ complaint }}. "
    "Reply again with one JSON object that fits, and nothing else.",
)


async def ask(
    model: Model,
    problem: Problem,
    *,
    prompt: Prompt | None = None,
    slots: Mapping[str, object] | None = None,
    sampling: Sampling = Sampling(),
    history: Sequence[Message] = (),
    prefix: str | None = None,
) -> Completion:
    """One completion. With no prompt, the problem's own messages are sent as they are.

    A template's `problem` slot is filled with the problem's text; the rest comes from `slots`.
    `history` is the conversation before the rendered prompt.
    """
    messages = problem.messages if prompt is None else (*history, *_render(prompt, problem, slots or {}))
    return await model.complete(
        Request(messages=messages, sampling=sampling, draw=problem.sample, prefix=prefix or None)
    )


def whole(reply: Completion) -> str:
    """A reply that came to its own end: only then is its last line its last word.

    Raises:
        ParseError: it was cut off. A mark of 10 may have been cut to 1, and a quoted verdict may stand
            where the model's own did not come any more.
    """
    if reply.finish_reason != "stop":
        cause = {"length": "at the token limit", "content_filter": "by a content filter"}
        raise ParseError(f"the reply was cut off {cause[reply.finish_reason]}, before its last line")
    return reply.text


async def ask_json(
    model: Model,
    problem: Problem,
    into: type[M],
    *,
    prompt: Prompt,
    slots: Mapping[str, object] | None = None,
    sampling: Sampling = Sampling(),
    constrain: bool = True,
) -> tuple[M, str]:
    """A reply as a record of type `into`, with its text; broken JSON gets one repair turn.

    `constrain` sends the record's JSON schema to the backend; leave it off for servers that
    take none.

    Raises:
        ParseError: the repaired reply does not fit either.
    """
    schema = into.model_json_schema() if constrain else None
    messages: Sequence[Message] = _render(prompt, problem, slots or {})
    request = Request(messages=tuple(messages), sampling=sampling, json_schema=schema, draw=problem.sample)
    first = await model.complete(request)
    try:
        return read_json(first.text, into), first.text
    except ParseError as error:
        turns = (
            *request.messages,
            Message(role="assistant", content=first.text),
            *REPAIR.render({"complaint": str(error)}),
        )
    second = await model.complete(request.model_copy(update={"messages": turns}))
    return read_json(second.text, into), second.text


def reference_for(prompt: Prompt, problem: Problem) -> str:
    """The reference, for a prompt that shows it.

    Raises:
        InputError: the problem has none, or was blinded for a solver that may not see it.
    """
    if problem.reference is None:
        raise InputError(
            f"prompt {prompt.name!r} shows the reference, and problem {problem.id!r} has none to show: "
            "give it one, or declare sees_reference on the solver, or use a prompt without that slot"
        )
    return problem.reference


def _render(prompt: Prompt, problem: Problem, slots: Mapping[str, object]) -> tuple[Message, ...]:
    wanted = {"problem": problem.text, **slots} if "problem" in prompt.slots else slots
    return prompt.render(wanted)
