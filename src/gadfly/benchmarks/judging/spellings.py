"""How other people spell labels, numbers and steps, and what stands for nothing."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal, TypeAlias, cast

from gadfly.errors import ParseError
from gadfly.parsing.pair_scores import read_pair_scores
from gadfly.parsing.text import tail

Kind: TypeAlias = Literal["verdict", "pair", "class", "mark"]

_PAIR_WORDS = {
    "first": "1 1.0 a first left a>b a>>b [[a]] "
    "model_1 model_a response_1 response_a output_1 answer_1 assistant_a",
    "second": "2 2.0 b second right b>a b>>a [[b]] "
    "model_2 model_b response_2 response_b output_2 answer_2 assistant_b",
    "tie": "0 0.0 c tie draw equal both same a=b b=a [[c]] tie(bothbad)",
}
_VERDICT_WORDS = {
    "correct": "correct right true good yes valid pass passed 1 1.0",
    "incorrect": "incorrect wrong false bad no invalid fail failed 0 0.0",
    "unsure": "unsure uncertain neutral",
}
_ORDER_WORDS = {
    "given": "given original plain ab forward unswapped false no 0",
    "swapped": "swapped reversed reverse flipped ba backward true yes 1",
}


def _by_word(words: Mapping[str, str]) -> dict[str, str]:
    return {word: label for label, listed in words.items() for word in listed.split()}


LABELS: Mapping[Kind, Mapping[str, str]] = {
    "pair": _by_word(_PAIR_WORDS),
    "verdict": _by_word(_VERDICT_WORDS),
}
"""Ours by the usual spellings in lower case without spaces; other kinds have no fixed labels."""
ORDERS: Mapping[str, str] = _by_word(_ORDER_WORDS)
NOTHING = frozenset({"", "none", "null", "nan", "n/a", "na"})
"""Cells that hold no label and no number."""
REDUCE: Mapping[str, Callable[[Sequence[float]], float]] = {
    "mean": lambda numbers: sum(numbers) / len(numbers),
    "min": min,
    "max": max,
    "last": lambda numbers: numbers[-1],
    "product": prod,
}
"""What makes one number of a list."""
MARKUP = "*_`'\".:"
"""What may stand around a label: emphasis, quotes, a full stop."""
_BLANK = frozenset({"", "null", "nan"})
_NO_STEP = frozenset({"none", "n/a", "na", "no", "noerror", "noerrors"})
_STEP = re.compile(r"(?:step|paragraph|line|sentence)?\s*#?\s*(-?\d+)(?:\.0*)?\s*[.:]?", re.IGNORECASE)
_BRACKETS = re.compile(r"\[\[([^\[\]]+)\]\]")
_BOXED = re.compile(r"\\boxed\{([^{}]*)\}")
_PERCENT = re.compile(r"(.*\d)\s*%")


def squeezed(text: str) -> str:
    """The text as labels are looked up: lower case, without spaces."""
    return "".join(text.lower().split())


def spelled(cell: object) -> str:
    """A cell as text: whole floats without a fraction, lists as lines, nothing as an empty text."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, list):
        return "\n".join(spelled(one) for one in cast("list[object]", cell))
    return cell if isinstance(cell, str) else str(cell)


def extracted(cell: object, how: Sequence[str], *, second: bool = False) -> tuple[object, str]:
    """What a cell says where it is a longer text and `how` tells where to look; else the cell as it is.

    Returns:
        What was found with an empty reason, or an empty text with the reason.
    """
    if "brackets" in how:
        return _in_brackets(spelled(cell))
    if "boxed" in how:
        found = _BOXED.findall(tail(spelled(cell)))
        return (found[-1].strip(), "") if found else ("", "no \\boxed{}")
    if "line" in how:
        lines = tail(spelled(cell)).strip().splitlines()
        said = lines[-1].rpartition(":")[2].strip().strip(MARKUP) if lines else ""
        return (said, "") if said else ("", "empty")
    if "pair" in how:
        try:
            return read_pair_scores(spelled(cell))[second], ""
        except ParseError as error:
            return "", str(error)
    return cell, ""


def largest(numbers: Sequence[object], names: Sequence[str]) -> str:
    """The name, or else the place from 0, of the one largest number; of two equal ones of two, a tie.

    Empty where something is no number, or where several of more than two are largest.
    """
    try:
        values = [as_number(one) for one in numbers]
    except ValueError:
        return ""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return ""
    best = [place for place, value in enumerate(known) if value == max(known)]
    if len(best) > 1:
        return "tie" if names else ""
    return names[best[0]] if names else str(best[0])


def _in_brackets(text: str) -> tuple[str, str]:
    found = {one.strip() for one in _BRACKETS.findall(text)}
    if len(found) == 1:
        return found.pop(), ""
    return "", "contradicting [[...]]" if found else "no [[...]]"


def as_number(cell: object) -> float | None:
    """A number, a text that is one, or a percentage; None for anything else.

    Raises:
        ValueError: the cell holds something, but no number.
    """
    if isinstance(cell, int | float):
        value = float(cell)
    else:
        text = spelled(cell).strip()
        if text.lower() in NOTHING:
            return None
        percent = _PERCENT.fullmatch(text)
        if "_" in text:
            raise ValueError(text)
        value = float(percent[1]) / 100 if percent else float(text)
    return value if value == value and abs(value) != float("inf") else None


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a cell says of the first wrong step."""

    looked: bool
    """Whether it says anything that can be read."""
    found: int | None = None
    """The step, counted from 0; None: no step is wrong, where `looked`."""
    why: str = ""
    """Why it says nothing."""


def as_step(cell: object, *, first: int, blank: bool) -> Step:
    """The first wrong step that a cell names.

    A number below the first step says that no step is wrong, as "none" and "N/A" do. An empty cell
    says so only with `blank`: elsewhere it means that nobody looked.
    """
    text = spelled(cell).strip()
    if text.lower() in _BLANK:
        return Step(looked=blank, why="" if blank else "empty")
    if squeezed(text) in _NO_STEP:
        return Step(looked=True)
    match = _STEP.fullmatch(text)
    if match is None:
        return Step(looked=False, why=f"not a step: {text[:60]!r}")
    number = int(match[1])
    return Step(looked=True, found=None if number < first else number - first)


def flat(cells: Sequence[object]) -> list[object]:
    """The cells with lists opened."""
    found: list[object] = []
    for cell in cells:
        found += flat(cast("list[object]", cell)) if isinstance(cell, list) else [cell]
    return found
