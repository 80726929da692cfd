"""A solution cut into steps, and what a judge says of each of them."""

import re
import unicodedata
from typing import cast

from gadfly.errors import ParseError
from gadfly.parsing.judgements import read_verdict
from gadfly.parsing.text import EDGE, tail

_SENTENCE_END = re.compile(r"(?<=[.!?])[ \t]+(?=\S)")
_STEP = re.compile(
    rf"^{EDGE}step[ \t]{{0,3}}(?P<step>\d{{1,6}})[*_` \t]*[:.)-](?P<said>.*)$", re.IGNORECASE | re.MULTILINE
)
_SAID = re.compile(
    r"(?P<word>not correct|incorrect|correct|wrong|right)[*_`]*[ \t]*(?:$|[-\u2013\u2014:.,;(]+(?P<why>.*)$)",
    re.IGNORECASE,
)
_RIGHT = frozenset({"correct", "right"})


def cut_steps(text: str) -> tuple[str, ...]:
    """The lines of a text that hold something; of a text of one line, its sentences."""
    lines = tuple(line for line in text.splitlines() if line.strip())
    if len(lines) != 1:
        return lines
    return tuple(_SENTENCE_END.split(lines[0].strip()))


def read_first_wrong_step(text: str, steps: int) -> tuple[int, str] | None:
    """The first wrong of `steps` steps, from 0, with what is wrong; None where all are correct.

    Read are lines `STEP 2: correct` and `STEP 2: incorrect - why`, numbered from 1, and a last line
    `VERDICT: ...`. After the first wrong step no more need be said.

    Raises:
        ParseError: a step up to the first wrong one has no readable verdict, or the reply
            contradicts itself: two verdicts on a step, a step that is not there, or a last
            verdict that does not go with the steps.
    """
    said = _verdicts(text)
    beyond = [number for number in said if not 1 <= number <= steps]
    if beyond:
        raise ParseError(f"the reply judges step {beyond[0]}, and there are {steps}")
    wrong = min((number for number, (right, _) in said.items() if not right), default=None)
    missing = [n for n in range(1, (steps if wrong is None else wrong) + 1) if n not in said]
    if missing:
        raise ParseError(f"no readable verdict on step {missing[0]}")
    verdict = read_verdict(text)
    if verdict != ("correct" if wrong is None else "incorrect"):
        found = "no step is wrong" if wrong is None else f"step {wrong} is wrong"
        raise ParseError(f"the reply contradicts itself: {found}, and the verdict is {verdict}")
    return None if wrong is None else (wrong - 1, said[wrong][1])


def names_steps(text: str) -> bool:
    """Whether any line begins to judge a step."""
    return _STEP.search(unicodedata.normalize("NFKC", tail(text))) is not None


def _verdicts(text: str) -> dict[int, tuple[bool, str]]:
    """By step: whether it is right, and why not. The last line on a step counts if it can be read.

    Raises:
        ParseError: two lines on a step say different things.
    """
    found: dict[int, tuple[bool, str]] = {}
    for match in _STEP.finditer(unicodedata.normalize("NFKC", tail(text))):
        number = int(match["step"])
        said = _SAID.fullmatch(match["said"].strip("*_` \t"))
        if said is None:
            # An unreadable last word on a step must not let an earlier one through.
            found.pop(number, None)
            continue
        right = said["word"].casefold() in _RIGHT
        if number in found and found[number][0] != right:
            raise ParseError(f"the reply contradicts itself on step {number}")
        found[number] = (right, cast("str | None", said["why"]) or "")
    return {number: (right, why.strip(" \t-)*_`")) for number, (right, why) in found.items()}
