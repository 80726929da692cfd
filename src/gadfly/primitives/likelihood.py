"""Numbers read from the probabilities of tokens rather than from what was said."""

import math
from collections.abc import Mapping

from gadfly.errors import InputError, ParseError, UnsupportedError
from gadfly.primitives.alternatives import MOST, first_word
from gadfly.primitives.asking import ask
from gadfly.prompts import Prompt
from gadfly.protocols import Model, TokenModel
from gadfly.records import Candidate, Failure, Problem, Request, Sampling, Score
from gadfly.trace import primitive

_ONE_WORD = Sampling(temperature=0.0, max_tokens=3, logprobs=MOST)


@primitive
async def expected_score(
    model: Model,
    problem: Problem,
    candidate: Candidate,
    *,
    prompt: Prompt,
    slots: Mapping[str, object] | None = None,
    scale: tuple[int, int] = (1, 5),
    least_mass: float = 0.5,
) -> Score:
    """The mean mark under the probabilities of the marks, mapped from `scale` to 0..1.

    G-Eval (Liu et al. 2023, arXiv:2303.16634), equation 1. Read from the first word's
    alternatives, of which the marks must hold at least `least_mass`; else it is unscored, as
    where the backend reports no alternatives.

    Raises:
        InputError: `scale` is not of two digits, the lower first: longer marks are several tokens.
    """
    low, high = scale
    if not 0 <= low < high <= 9:
        raise InputError(f"a scale of {low} to {high} cannot be read from one token: take 0 to 9 or less")
    filled: dict[str, object] = {"answer": candidate.text, **(slots or {})}
    try:
        reply = await ask(model, problem, prompt=prompt, slots=filled, sampling=_ONE_WORD)
    except UnsupportedError as error:
        return Score(target=candidate.id, value=None, author=model.id, failure=error.failure())
    words = first_word(reply.tokens)
    chances = {mark: words.get(str(mark), 0.0) for mark in range(low, high + 1)}
    mass = sum(chances.values())
    value: float | None = None
    failure: Failure | None = None
    if not words:
        failure = UnsupportedError(f"{model.id} reports no alternatives for a token").failure()
    elif mass == 0 or mass < least_mass:
        message = f"the marks {low} to {high} hold {mass:.3f} of the probability, less than {least_mass:g}"
        failure = ParseError(message).failure()
    else:
        mean = sum(mark * chance for mark, chance in chances.items()) / mass
        value = (mean - low) / (high - low)
    return Score(
        target=candidate.id,
        value=value,
        author=reply.model,
        explanation=", ".join(f"p({mark}) {chance:.4f}" for mark, chance in chances.items()),
        failure=failure,
    )


@primitive
async def reverse_likelihood(
    model: Model, problem: Problem, candidate: Candidate, *, prompt: Prompt
) -> Score:
    """Probability per token (geometric mean, 0 to 1) of the problem, said after the prompt with the answer.

    The explanation has the logarithm of the whole. Unscored where the model cannot score a given text, or
    the problem has none.
    """
    if not isinstance(model, TokenModel):
        message = f"{model.id} cannot tell how likely a given text is; llamacpp: and transformers: can"
        failure = UnsupportedError(message).failure()
        return Score(target=candidate.id, value=None, author=model.id, failure=failure)
    prefix = Request(messages=prompt.render({"answer": candidate.text}), sampling=Sampling(temperature=0.0))
    tokens = await model.score(prefix, problem.text)
    if not tokens.logprobs:
        failure = ParseError("the problem has no tokens to be scored").failure()
        return Score(target=candidate.id, value=None, author=model.id, failure=failure)
    total = sum(tokens.logprobs)
    return Score(
        target=candidate.id,
        value=min(1.0, math.exp(total / len(tokens.logprobs))),
        author=model.id,
        explanation=f"log P(problem | answer) {total:.4f} over {len(tokens.logprobs)} tokens",
    )
