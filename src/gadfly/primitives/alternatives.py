"""Probabilities of the words a model might have said, from the alternatives of one token."""

import math
from collections.abc import Mapping

from gadfly.errors import UnsupportedError
from gadfly.primitives.asking import ask
from gadfly.prompts import Prompt
from gadfly.protocols import Model
from gadfly.records import Completion, Problem, Sampling, Tokens

MOST = 20
"""Alternatives asked for where the alternatives are what is wanted."""
_AROUND = " \t\r\n\u2581\u0120*_`\"'()[]"
"""What may stand around a word in a token: spaces, a tokenizer's signs for them, Markdown."""


def first_word(tokens: Tokens | None) -> Mapping[str, float]:
    """The words the reply might have begun with and their probabilities; empty where not reported."""
    if tokens is None or not tokens.top:
        return {}
    for text, top in zip(tokens.texts, tokens.top, strict=False):
        if text.strip(_AROUND):
            return _words(top)
    return {}


def word_after(tokens: Tokens | None, name: str, said: str) -> Mapping[str, float]:
    """The words that might have stood after the last `NAME:`, where the word there is `said`.

    Empty where the backend reports no alternatives, or the word cannot be found.
    """
    if tokens is None or not tokens.top:
        return {}
    found: Mapping[str, float] = {}
    before = ""
    label = f"{name}:".casefold()
    for text, top in zip(tokens.texts, tokens.top, strict=False):
        word = text.strip(_AROUND)
        if word and before.rstrip(_AROUND).endswith(label):
            found = _words(top) if word == said else {}
        before = (before + text.casefold())[-2 * len(label) - 20 :]
    return found


async def ask_with_alternatives(
    model: Model,
    problem: Problem,
    *,
    prompt: Prompt,
    slots: Mapping[str, object],
    sampling: Sampling,
) -> Completion:
    """A reply with the alternatives of its tokens where the backend has them, and without otherwise."""
    wanted = sampling.model_copy(update={"logprobs": sampling.logprobs or MOST})
    try:
        return await ask(model, problem, prompt=prompt, slots=slots, sampling=wanted)
    except UnsupportedError:
        plain = sampling.model_copy(update={"logprobs": None})
        return await ask(model, problem, prompt=prompt, slots=slots, sampling=plain)


def _words(top: Mapping[str, float]) -> dict[str, float]:
    words: dict[str, float] = {}
    for text, logprob in top.items():
        word = text.strip(_AROUND)
        words[word] = words.get(word, 0.0) + math.exp(logprob)
    return words
