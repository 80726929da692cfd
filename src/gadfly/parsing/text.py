"""Text as readers want it: bounded, normalised."""

import re
import unicodedata
from collections.abc import Callable
from typing import TypeVar

from gadfly.errors import ParseError

T = TypeVar("T")

LONGEST = 100_000
"""Characters looked at, from the end: decisions stand at the end, and text may be megabytes."""

EDGE = r"[ \t>*#_`-]*"
"""Regular expression for Markdown before a word on its line. No newlines: it must stay linear."""


_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""Soft hyphens, zero-width characters and direction marks: what a reader of the text cannot see."""

_OFFER = re.compile(r"\bone of(?: these)?[*_ ]*:[*_ \t]*$", re.IGNORECASE)
"""How prompts end the line above the statements they offer."""
PLACEHOLDER = re.compile(r"<[^<>\n]*>")
"""What a form has where a reply's own words are to stand."""
_NOT_BLANK = re.compile(r"\S[^\n]*")
_NEWLINE = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")


def tail(text: str) -> str:
    """The last `LONGEST` characters, without invisible ones, every line ending as a newline."""
    return _NEWLINE.sub("\n", _INVISIBLE.sub("", text[-LONGEST:]))


def last_stated(label: re.Pattern[str], text: str) -> tuple[str, str] | None:
    """What stands after the last match of `label`: the rest of its line, and the text below it.

    Nothing later in the text may be overlooked: a label with an unreadable value must not let
    an earlier, perhaps quoted, statement through.
    """
    last: re.Match[str] | None = None
    for match in label.finditer(text):
        last = match
    if last is None:
        return None
    said, _, below = text[last.end() :].partition("\n")
    return said.strip(), below.strip()


def read_last(label: re.Pattern[str], text: str, read: Callable[[str], T], *, form: str) -> T:
    """What `read` makes of the last statement, unless the line right above it clearly states another.

    A label with nothing after it has the line below it for its value. Neither a quoted statement nor
    the choices of a prompt, handed back one below the other, may be taken for a decision.

    Raises:
        ParseError: nothing is stated, `read` cannot read it, or the reply does not decide.
    """
    stated = _last_run(label, unicodedata.normalize("NFKC", tail(text)))
    if not stated:
        raise ParseError(f"no line {form}")
    decided = read(stated[-1])
    for earlier in stated[:-1]:
        try:
            differs = PLACEHOLDER.fullmatch(earlier) is not None or read(earlier) != decided
        except ParseError:
            continue
        if differs:
            raise ParseError(f"the reply states {earlier[:60]!r} and right below {stated[-1][:60]!r}")
    return decided


def _last_run(label: re.Pattern[str], text: str) -> list[str]:
    """The values in the last run of lines that match; blank lines do not end a run.

    Raises:
        ParseError: the line above the run offers what is in it.
    """
    found: list[str] = []
    matches = list(label.finditer(text))
    stops = [*(match.start() for match in matches[1:]), len(text)][: len(matches)]
    start = end = 0
    for match, stop in zip(matches, stops, strict=True):
        if not found or text[end : match.start()].strip():
            found, start = [], match.start()
        said, end = _after(text, match.end(), stop)
        found.append(said)
    if _OFFER.search(text[max(0, start - 200) : start].rstrip()):
        raise ParseError("the reply hands back the choices that it was given")
    return found


def _after(text: str, start: int, stop: int) -> tuple[str, int]:
    """The rest of the line, or else the first line below that holds something, and where it ends."""
    end = text.find("\n", start)
    end = len(text) if end < 0 else end
    said = text[start:end].strip()
    below = None if said.strip("*_`") else _NOT_BLANK.search(text, end, stop)
    return (below[0].strip(), below.end()) if below else (said, end)


def normalise(text: str) -> str:
    """For comparing short texts: Unicode NFKC, lower case, one space, no edge punctuation."""
    folded = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).casefold()
    return re.sub(r"\s+", " ", folded).strip(" \t\n.,;:!?\"'`*_()[]{}<>")
