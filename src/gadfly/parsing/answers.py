r"""The final answer of a candidate's text.

Looked for in this order, the last occurrence of each: `\boxed{...}`, a line `Answer: ...`,
GSM8K's `#### ...`. Numbers may also stand anywhere: then the last one counts, which is how
most published results on arithmetic were scored; `strict` forbids it.
"""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from gadfly.errors import ParseError
from gadfly.parsing.text import EDGE, last_stated, normalise, tail
from gadfly.records import AnswerKind

_LINE = re.compile(
    rf"^{EDGE}(?:the )?(?:final )?answer(?: is)?[*_ ]*[:=\uff1a]",
    re.IGNORECASE | re.MULTILINE,
)
_HASHES = re.compile(r"^[ \t]*####(?!#)", re.MULTILINE)
_NUMBER = re.compile(
    r"(?<![\w.])(?P<number>-?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?:\s*/\s*\d+)?)(?P<more>\w+|\.\d[\w.]*)?"
)
"""`more` is what is stuck to the number, such as a unit: '48.5kg', '1.2.3' and '2nd' are no numbers."""
_CHOICE = re.compile(r"^\W*([A-Za-z])(?:\W|$)")
_BARE_CHOICE = re.compile(r"^\W*([A-Za-z])(?:[).:,*\]]|\s*$)")
"""Where no line states an answer: not the 'I' of 'I think', nor the article 'A'."""
_AROUND = " \t\n*_`$"

_INSTRUCTIONS: Mapping[AnswerKind, str] = {
    "number": "End with a line 'Answer: <number>'.",
    "choice": "End with a line 'Answer: <letter>'.",
    "text": "End with a line 'Answer: <answer>'.",
    "free": "",
}


def answer_instruction(kind: AnswerKind) -> str:
    """One sentence that asks for a final answer as the readers here expect it."""
    return _INSTRUCTIONS[kind]


def kind_of_reference(reference: str | None) -> AnswerKind:
    """What form answers take, from the right one: a number, a letter of a choice, or free text."""
    stated = (reference or "").strip()
    if re.fullmatch(r"[A-J]", stated):
        return "choice"
    found = _NUMBER.fullmatch(stated.lstrip("$").replace("\u2212", "-"))
    return "number" if found and not found["more"] else "free"


def final_answer(text: str) -> str:
    """The stated final answer, without markup around it.

    Raises:
        ParseError: no line states one, or the last that begins to leaves it open.
    """
    end = tail(text)
    boxed = _last_boxed(end)
    if boxed is not None:
        return boxed
    for pattern in (_LINE, _HASHES):
        found = last_stated(pattern, end)
        if found is None:
            continue
        said, below = found
        if _plain(said):
            return _plain(said)
        if below and "\n" not in below and _plain(below):
            return _plain(below)
        break
    raise ParseError("no final answer: expected a last line 'Answer: ...'")


def read_number(text: str, *, strict: bool = False) -> Decimal:
    r"""The final answer as a number; the last number in the text where none is stated.

    Raises:
        ParseError: there is no number (with `strict`: no stated answer holding one).
    """
    try:
        stated = final_answer(text)
    except ParseError:
        if strict:
            raise
        stated = tail(text)
    found = [
        match["number"] for match in _NUMBER.finditer(stated.replace("\u2212", "-")) if not match["more"]
    ]
    if not found:
        raise ParseError("no number in the final answer")
    return _decimal(found[-1])


def read_choice(text: str) -> str:
    r"""The final answer as one capital letter.

    Raises:
        ParseError: the stated answer does not begin with a letter standing alone.
    """
    try:
        stated, pattern = final_answer(text), _CHOICE
    except ParseError:
        stated, pattern = tail(text).strip(), _BARE_CHOICE
    found = pattern.match(stated)
    if not found:
        raise ParseError(f"no choice letter in {stated[:60]!r}")
    return found.group(1).upper()


def answer_key(text: str, kind: AnswerKind) -> str:
    """What makes two answers the same vote.

    Raises:
        ParseError: the text states no answer of this kind: it abstains.
    """
    if kind == "number":
        return _plain_digits(read_number(text))
    if kind == "choice":
        return read_choice(text)
    key = normalise(tail(text) if kind == "free" else final_answer(text))
    if not key:
        raise ParseError("the answer is empty")
    return key


def _decimal(found: str) -> Decimal:
    top, _, bottom = found.replace(",", "").partition("/")
    try:
        number = Decimal(top.strip())
        return number / Decimal(bottom.strip()) if bottom else number
    except (InvalidOperation, ZeroDivisionError) as error:
        raise ParseError(f"not a number: {found[:60]!r}") from error


def _plain_digits(number: Decimal) -> str:
    """Equal numbers as equal text: no exponent, no zeros after the point, no negative zero.

    Not `normalize`, which rounds to 28 digits.
    """
    digits = format(number, "f")
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return "0" if digits in {"-0", ""} else digits


def _plain(text: str) -> str:
    return text.strip(_AROUND).removesuffix(".").strip(_AROUND)


def _last_boxed(text: str) -> str | None:
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth = 0
    for index in range(start + len("\\boxed"), len(text)):
        if text[index] == "{":
            depth += 1
        elif text[index] == "}":
            depth -= 1
            if depth == 0:
                return text[start + len("\\boxed{") : index].strip()
    return None
