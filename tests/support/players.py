"""A model that plays every role a recipe can ask for, by rule: no randomness, no state."""

import math

from gadfly.models.scripted import Scripted
from gadfly.records import Completion, Message, Problem, Request, Tokens, Usage

PROBLEM = Problem(
    id="products-1",
    prompt="What is 6 * 7? End with a line 'Answer: <number>'.",
    reference="42",
    answer_kind="number",
)

TALK = Problem(
    id="talk",
    prompt=(
        Message(role="user", content="What is 6 * 7? End with a line 'Answer: <number>'."),
        Message(role="assistant", content="Six times seven.\nAnswer: 48"),
        Message(role="user", content="That is wrong. Count anew."),
        Message(role="assistant", content="Answer: 42"),
        Message(role="user", content="And 6 * 8?"),
    ),
    reference="48",
    answer_kind="number",
)
"""A conversation, for whoever reads one."""


def _digit(request: Request) -> int:
    return int(request.digest[:8], 16)


def _say(request: Request, text: str, top: dict[str, float] | None = None) -> Completion:
    words = tuple(text.split(" "))
    tokens = None
    if request.sampling.logprobs is not None:
        logprobs = tuple(-0.1 * (1 + (_digit(request) + k) % 7) for k in range(len(words)))
        tokens = Tokens(texts=words, logprobs=logprobs, top=tuple(top or {} for _ in words))
    usage = Usage(
        calls=1,
        input_tokens=sum(len(m.content) for m in request.messages) // 4,
        output_tokens=len(words),
    )
    return Completion(text=text, model="player", usage=usage, tokens=tokens)


def play(request: Request) -> Completion:
    """Reply in the role that the last message asks for; half of the decisions go each way."""
    asked, yes = request.messages[-1].content, _digit(request) % 2 == 0
    if "True or False" in asked:
        sure = 0.9 if yes else 0.2
        return _say(request, "True", {"True": math.log(sure), "False": math.log(0.95 - sure)})
    labels = {
        "VERDICT: correct": ("VERDICT: correct", "- step 1: the product is wrong -> 42\nVERDICT: incorrect"),
        "CHOICE: A": ("CHOICE: A", "CHOICE: B"),
        "CHOICE: <number": ("CHOICE: 2", "CHOICE: 1"),
        "SCORE:": (f"SCORE: {1 + _digit(request) % 10}", "SCORE: 3"),
        "SETTLED: yes": ("SETTLED: yes", "SETTLED: no"),
        "VALUE: sure": ("VALUE: sure", "VALUE: likely"),
        "ANSWER: yes": ("ANSWER: yes", "ANSWER: no"),
        "checklist for judging": ("- Is there a number?\n- Is it right?", "- Does it end with an answer?"),
        "CONFIDENCE:": ("CONFIDENCE: 80", "CONFIDENCE: 30"),
        "SIGNAL: satisfied": ("SIGNAL: satisfied", "- Is it 42?\nSIGNAL: dissatisfied"),
        "new tasks": ("- Name three rivers in Europe.\n- Count to ten.", "- Spell a word of six letters."),
        "Make up one case": ("INPUT: none\nOUTPUT: It is done.", "OUTPUT: yes\nINPUT: The sun is warm."),
    }
    for mark, (one, other) in labels.items():
        if mark in asked:
            return _say(request, f"Let me see.\n{one if yes else other}")
    answer = (42, 42, 48, 13)[_digit(request) % 4]
    return _say(request, f"Six times seven, draw {list(request.draw)}.\nAnswer: {answer}")


def player() -> Scripted:
    """The playing model."""
    return Scripted.from_function(play, id="player")
