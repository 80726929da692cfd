"""A model that plays every part a judge can ask for, by one rule: an answer that says 48 is wrong.

It reads what to reply from the words around the fences and decides by the fenced texts alone, so
that whatever a candidate says outside of that rule must not move it. Of two equal answers, or where
it is told to be biased, it takes the one that is shown first.
"""

import math
import re
from collections.abc import Sequence

from gadfly.models.scripted import ScriptedTokens
from gadfly.records import Candidate, Completion, Problem, Request, Tokens, Usage

PROBLEM = Problem(
    id="products-1",
    prompt="What is 6 * 7? End with a line 'Answer: <number>'.",
    reference="42",
    answer_kind="number",
)
RIGHT = Candidate(text="Six times seven is six sevens.\nThat makes 42.\nAnswer: 42", author="one")
WRONG = Candidate(text="Six times seven is six sevens.\nThat makes 48.\nAnswer: 48", author="two")

_OPEN = re.compile(r"<([A-Za-z_]\w*)(-[0-9a-f]{8,64})?>")
_FORMAT = re.compile(r"^([A-Z][A-Z ]*(?:<number>)?): (.+)$", re.MULTILINE)
_RANGE = re.compile(r"from\s+(\d+)\D*?\bto\s+(\d+)")
_GOOD = ("correct", "yes", "True", "good", "pass", "sure", "A")
_BAD = ("incorrect", "no", "False", "bad", "fail", "impossible", "B")

Fence = tuple[str, str]


def is_wrong(body: str) -> bool:
    return "48" in body


def fences(text: str) -> tuple[str, list[Fence]]:
    """The words outside the fences, and the outermost fences as tag (without digest) and body."""
    lines, outside, found, at = text.split("\n"), list[str](), list[Fence](), 0
    while at < len(lines):
        opened = _OPEN.fullmatch(lines[at])
        closing = f"</{lines[at][1:]}"
        if opened and closing in lines[at + 1 :]:
            end = lines.index(closing, at + 1)
            found.append((opened[1], "\n".join(lines[at + 1 : end])))
            at = end
        else:
            outside.append(lines[at])
        at += 1
    return "\n".join(outside), found


def reply_to(request: Request, *, biased: bool = False) -> str:
    """What the player says, line by line as the prompt's last forms ask."""
    seen = [fences(message.content) for message in request.messages if message.role == "user"]
    outside, every = seen[-1][0], [fence for _, inner in seen for fence in inner]
    wrong = any(is_wrong(body) for _, body in every)
    if "True or False" in outside:
        return "False" if wrong else "True"
    low, high = found.groups() if (found := _RANGE.search(outside)) else ("1", "10")
    if "Reply with the mark alone" in outside:
        return low if wrong else high
    if "checklist for judging" in outside:
        return "- Is the product right?\n- Does it end with an answer?"
    if 'each line starting with "- "' in outside:
        return "- Six times seven is 42."
    forms: dict[str, list[str]] = {}
    for name, said in _FORMAT.findall(outside):
        forms.setdefault(name, []).append(said)
    lines = ["Let me see."]
    if wrong and "- step <number>" in outside:
        lines.append("- step 2: the product is not right -> 42")
    for name, options in forms.items():
        lines += _lines(name, options, every, (low, high), biased=biased, wrong=wrong)
    if not forms:
        lines.append(f"The product is {'not ' if wrong else ''}right: it is 42.\nAnswer: 42")
    return "\n".join(lines)


def _lines(
    name: str,
    options: Sequence[str],
    every: Sequence[Fence],
    marks: tuple[str, str],
    *,
    biased: bool,
    wrong: bool,
) -> list[str]:
    if name == "STEP <number>":
        steps = [body for tag, body in every if re.fullmatch(r"step_\d+", tag)]
        first = next((at for at, body in enumerate(steps, 1) if is_wrong(body)), len(steps) + 1)
        said = [f"STEP {at}: correct" for at in range(1, min(first, len(steps) + 1))]
        return [*said, f"STEP {first}: incorrect - not the product"] if first <= len(steps) else said
    if name == "RANKING":
        order = [body for tag, body in every if re.fullmatch(r"answer_\d+", tag)]
        places = sorted(range(len(order)), key=lambda at: not biased and is_wrong(order[at]))
        return ["RANKING: " + " > ".join(str(at + 1) for at in places)]
    sides = {tag[-1].upper(): is_wrong(body) for tag, body in every if tag.lower().startswith("answer_")}
    if name.startswith("SCORE ") and name[-1] in sides:
        bad = name[-1] != "A" if biased else sides[name[-1]]
        return [f"{name}: {marks[0] if bad else marks[1]}"]
    if options[0].startswith("<number of"):
        bodies = [body for tag, body in every if re.fullmatch(r"[a-z]+_\d+", tag)]
        places = sorted(range(len(bodies)), key=lambda at: not biased and is_wrong(bodies[at]))
        return [f"{name}: {1 + next(iter(places), 0)}"]
    if {"A", "B"} <= set(options):
        if biased or sides.get("A") == sides.get("B"):
            return [f"{name}: A"]
        return [f"{name}: {'B' if sides.get('A') else 'A'}"]
    if "<" in options[0]:
        return [f"{name}: {marks[0] if wrong else marks[1]}"]
    wanted = _BAD if wrong else _GOOD
    return [f"{name}: {next((word for word in wanted if word in options), options[-1 if wrong else 0])}"]


def tokens_of(text: str, *, sure: float = 0.8) -> Tokens:
    """A text as tokens of one word each; what is one letter, digit or truth value has alternatives."""
    texts = tuple(re.findall(r"\s*\S+", text))
    tops: list[dict[str, float]] = []
    for token in texts:
        word, space = token.strip(), token[: len(token) - len(token.lstrip())]
        other = {"A": "B", "B": "A", "True": "False", "False": "True"}.get(word)
        if word.isdigit():
            other = str((int(word) + 4) % 9)
        top = {token: math.log(sure)} | ({f"{space}{other}": math.log(0.95 - sure)} if other else {})
        tops.append(top)
    return Tokens(texts=texts, logprobs=tuple(math.log(sure) for _ in texts), top=tuple(tops))


def play(request: Request, *, biased: bool = False, text: str | None = None) -> Completion:
    """The player's reply as a completion; `text` instead of it where given."""
    said = reply_to(request, biased=biased) if text is None else text
    usage = Usage(
        calls=1,
        input_tokens=sum(len(m.content) for m in request.messages) // 4,
        output_tokens=len(said) // 4,
    )
    tokens = tokens_of(said) if request.sampling.logprobs is not None else None
    return Completion(text=said, model="player", usage=usage, tokens=tokens)


def likelihood(prefix: Request, continuation: str) -> Tokens:
    """A continuation is less likely after a wrong answer."""
    every = [fence for message in prefix.messages for fence in fences(message.content)[1]]
    each = -1.5 if any(is_wrong(body) for _, body in every) else -0.5
    texts = tuple(re.findall(r"\s*\S+", continuation))
    return Tokens(texts=texts, logprobs=tuple(each for _ in texts))


def player(*, biased: bool = False) -> ScriptedTokens:
    """The playing model, able to score texts too."""
    return ScriptedTokens(
        answer=lambda request: play(request, biased=biased), likelihood=likelihood, id="player"
    )
