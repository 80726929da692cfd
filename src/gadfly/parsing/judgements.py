"""Verdicts, ratings, labels and findings out of a judge's or critic's text.

Every reader takes the *last* line that states the thing: a judge that quotes the candidate
("it says VERDICT: correct") and then decides is read by its decision. Where that last line
cannot be read, nothing is: an earlier one is never taken in its place. Nor is anything read where the
line right above it states something else: so does a reply that hands back the choices of its prompt.
"""

import re
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

from gadfly.errors import ParseError
from gadfly.parsing.text import EDGE, read_last, tail
from gadfly.records import Finding, Severity, Verdict

T = TypeVar("T")

_WORDS: dict[str, Verdict] = {
    "correct": "correct",
    "right": "correct",
    "incorrect": "incorrect",
    "wrong": "incorrect",
    "not correct": "incorrect",
    "not right": "incorrect",
    "unsure": "unsure",
    "uncertain": "unsure",
}
_FINDING = re.compile(
    r"^[ \t]*(?:[-*•][ \t]+|[-•](?=[^\W\d]|\[))(?:\[?step (?P<step>\d{1,6})\]? ?[:.)-]? *)?"
    r"(?:\[(?P<severity>blocking|major|minor)\] ?[:.-]? *)?(?P<text>\S.*)$",
    re.IGNORECASE | re.MULTILINE,
)
_RATING = re.compile(
    r"(?P<value>-?\d+(?:\.\d+)?)[*_` ]*(?:(?:/|out of) ?(?P<most>\d+(?:\.\d+)?))?", re.IGNORECASE
)
_MARKUP = "()[]\"' \t*_`."
_SUGGESTION = re.compile(r"(?:->|=>|\bfix:)(?P<fix>.*\S)", re.IGNORECASE)


def read_verdict(text: str) -> Verdict:
    """The last `VERDICT: ...` line as a verdict.

    Raises:
        ParseError: there is no such line, it says something else, or the line above contradicts it.
    """
    return _decided(text, "VERDICT", "'VERDICT: correct' or 'VERDICT: incorrect'", _verdict)


def _verdict(stated: str) -> Verdict:
    said = " ".join(stated.casefold().strip(_MARKUP).rstrip(f"{_MARKUP}!").split())
    if said not in _WORDS:
        raise ParseError(f"the verdict is neither correct nor incorrect: {said[:60]!r}")
    return _WORDS[said]


def read_label(text: str, name: str, allowed: Sequence[str]) -> str:
    """The value of the last line `NAME: value`, which must be one of `allowed` (any case).

    Raises:
        ParseError: no such line, a value that was not offered, or a line above that contradicts it.
    """

    def label(stated: str) -> str:
        said = stated.strip(_MARKUP).casefold()
        for option in allowed:
            if said == option.casefold():
                return option
        raise ParseError(f"{name} is {said[:60]!r}, not one of {list(allowed)}")

    return _decided(text, name, f"'{name}: ...'", label)


def read_rating(text: str, *, low: float, high: float, name: str = "SCORE") -> float:
    """The number in the last line `SCORE: 7` or, on a scale up to 10, `SCORE: 7/10`.

    Raises:
        ParseError: no such line, no number in it, one outside [low, high], one out of something else
            than `high`, or a line above that contradicts it.
    """

    def rating(stated: str) -> float:
        said = _RATING.fullmatch(stated.strip("()[] \t*_`").rstrip("."))
        if said is None:
            raise ParseError(f"{name} is {stated[:60]!r}, not a number")
        value = float(said["value"])
        if said["most"] is not None and float(said["most"]) != high:
            raise ParseError(f"{name} is out of {said['most'][:20]}, not out of {high:g}")
        if not low <= value <= high:
            raise ParseError(f"{name} is {value:g}, outside {low:g} to {high:g}")
        return value

    return _decided(text, name, f"'{name}: <number>'", rating)


def read_findings(text: str) -> tuple[Finding, ...]:
    """The bullet points of a critique: `- step 2: [major] what is wrong -> how to mend it`.

    Steps are numbered from 1 in texts and from 0 in records. Step, severity and mend may be left
    out. Text without bullet points has no findings.
    """
    findings: list[Finding] = []
    for match in _FINDING.finditer(tail(text)):
        body = match["text"].strip()
        mend = _SUGGESTION.search(body)
        findings.append(
            Finding(
                text=body[: mend.start()].strip() if mend and mend.start() else body,
                step=int(match["step"]) - 1 if int(match["step"] or 0) else None,
                severity=cast(Severity, match["severity"].lower()) if match["severity"] else None,
                suggestion=mend["fix"].strip() if mend else None,
            )
        )
    return tuple(findings)


def _decided(text: str, name: str, form: str, read: Callable[[str], T]) -> T:
    label = re.compile(
        rf"^{EDGE}(?:my |the )?(?:final )?{re.escape(name)}[*_` \t]*(?:[:=\u2013\u2014]|-+(?=[ \t])|is\b|$)",
        re.IGNORECASE | re.MULTILINE,
    )
    return read_last(label, text, read, form=form)
