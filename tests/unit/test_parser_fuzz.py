"""Parsers of verdicts, scores, labels, choices, orders and JSON: they never raise, and never guess.

Texts are put together so that what they decide is known: noise, quoted and earlier statements, and
a last statement that is either clear or not. A clear one must be read as it is, unless one right above
it clearly says otherwise; an unclear one must be refused, whatever stands above it. The slow test does
as many cases as a minute takes.
"""

import json
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal

import pytest

from gadfly.errors import ParseError
from gadfly.parsing import (
    final_answer,
    read_choice,
    read_findings,
    read_json,
    read_label,
    read_number,
    read_rating,
    read_verdict,
)
from gadfly.parsing.arithmetic import read_arithmetic
from gadfly.parsing.pair_scores import read_pair_scores
from gadfly.parsing.rankings import read_order
from gadfly.parsing.steps import read_first_wrong_step
from gadfly.parsing.text import tail
from gadfly.records import Record

FEW, MANY = 6_000, 1_200_000
"""Cases of the quick and of the slow test. The slow one takes about a minute on one core."""

REFUSED = object()
"""What a text with no clear last statement must come to."""
NOISE_LINE = object()
"""What a line is that states nothing."""
FORM = object()
"""What a line is that has a placeholder for its value: no decision stands right below it."""


class Reply(Record):
    """What the JSON reader looks for."""

    score: int
    reason: str = ""


@dataclass(frozen=True)
class Fuzzed:
    """One parser with its clear and unclear statements."""

    read: Callable[[str], object]
    clear: Sequence[tuple[str, object]]
    unclear: Sequence[str]
    above: bool = True
    """Whether a clear statement right above the last one may contradict it. Answers are a solver's: it
    may correct itself in the next line."""


ODD = (
    "\u202e",
    "\u200b",
    "\u200f",
    "\x00",
    "\x1b[31m",
    "\ufeff",
    "\u2066",
    "\U000e0041",
    "é",
    "中",
    "🙂",
    "\t",
)
NOISE = (
    "The candidate ends with its own line, which I ignore.",
    "> quoted from the answer",
    "```python\nreturn 7\n```",
    "{'not': json}",
    "{" * 40,
    "</answer> <answer>",
    "{{ problem }} {% raw %}",
    "1. First, 2 + 2 = 4.",
    "- a point without a place",
    "I would say 7 of 10 people agree.",
    "**Overall**",
    "| a | b |\n|---|---|",
    "Step 1 is fine and so is step 2.",
    "A good answer states its reasons.",
    "",
    "   ",
)
SCORES = (
    ("7", 7.0),
    ("7/10", 7.0),
    ("2.5", 2.5),
    ("10 out of 10", 10.0),
    ("[1]", 1.0),
    ("3.", 3.0),
)
NO_SCORES = ("7 or 8", "11", "0", "-3", "7/5", "seven", "7-8", "1e9", "", "NaN", "inf", "10/100", "7,5", "½")
CHOICES = (
    ("A", "A"),
    ("b", "B"),
    ("(A)", "A"),
    ("**B**", "B"),
    ("TIE", "tie"),
    ("[[A]]", "A"),
)
NO_CHOICES = ("A or B", "C", "neither", "A/B", "both", "A, since B is wrong", "1", "AB")
LETTERS = ("C", "(C)", "C) 42", "c.")
NUMBERS = (
    ("1,234", "1234"),
    ("-7", "-7"),
    ("$3.50", "3.50"),
    ("1/4", "0.25"),
    ("x = 5", "5"),
)
NO_ORDERS = ("1 > 2", "1 > 2 > 4", "1 > 1 > 2 > 3", "3", "best first", "1 > 2 > 3 > ")
UNITS = (
    "VERDICT: ",
    "{",
    "[(",
    "- step 1: x\n",
    "9",
    "\\boxed{",
    "STEP 1: wrong - ",
    "> ",
    "Assistant 1: 5\n",
)
VERDICT = Fuzzed(
    read=read_verdict,
    clear=[
        (f"{edge}{name}: {word}{end}", verdict)
        for edge in ("", "**", "## ", "> ", "- ", "Final ", "My final ")
        for name in ("VERDICT", "Verdict", "verdict")
        for word, verdict in (
            ("correct", "correct"),
            ("Incorrect", "incorrect"),
            ("**wrong**", "incorrect"),
            ("not correct", "incorrect"),
            ("unsure", "unsure"),
            ("[RIGHT]", "correct"),
        )
        for end in ("", ".", "!")
    ],
    unclear=[
        f"VERDICT: {word}"
        for word in (
            "correct or incorrect",
            "correct/incorrect",
            "mostly correct",
            "correct, but",
            "it depends",
            "cor rect",
            "true",
            "in correct",
            "not incorrect",
            "42",
            "<verdict>",
            "correct VERDICT: incorrect",
        )
    ],
)
SCORE = Fuzzed(
    read=lambda text: read_rating(text, low=1, high=10),
    clear=[
        (f"{edge}SCORE: {words}", value) for edge in ("", "**", "### ", "Final ") for words, value in SCORES
    ],
    unclear=[f"SCORE: {words}" for words in NO_SCORES],
)
CHOICE = Fuzzed(
    read=lambda text: read_label(text, "CHOICE", ("A", "B", "tie")),
    clear=[(f"{edge}CHOICE: {words}", label) for edge in ("", "**", "> ", "My ") for words, label in CHOICES],
    unclear=[f"CHOICE: {words}" for words in NO_CHOICES],
)
LETTER = Fuzzed(
    read=read_choice,
    clear=[(f"{edge}Answer: {words}", "C") for edge in ("", "The final ", "**") for words in LETTERS],
    unclear=[f"Answer: {words}" for words in ("42", "Cat", "???", "CC", "12 C")],
    above=False,
)
NUMBER = Fuzzed(
    read=lambda text: read_number(text, strict=True),
    clear=[
        (f"{edge}Answer: {words}", Decimal(value))
        for edge in ("", "Final ", "**")
        for words, value in NUMBERS
    ],
    unclear=[f"Answer: {words}" for words in ("none", "48.5kg", "1.2.3", "2nd", "1/0", "∞")],
    above=False,
)
ORDER = Fuzzed(
    read=lambda text: read_order(text, ("1", "2", "3")),
    clear=[
        (f"{edge}RANKING: {words}", tiers)
        for edge in ("", "**", "Final ")
        for words, tiers in (
            ("2 > 1 > 3", (("2",), ("1",), ("3",))),
            ("[3] > [1] = [2]", (("3",), ("1", "2"))),
            ("1, 2, 3", (("1",), ("2",), ("3",))),
        )
    ],
    unclear=[f"RANKING: {words}" for words in NO_ORDERS],
)
EVERY = {
    "verdict": VERDICT,
    "score": SCORE,
    "choice": CHOICE,
    "letter": LETTER,
    "number": NUMBER,
    "order": ORDER,
}


def sprinkled(text: str, chance: random.Random) -> str:
    """With characters nobody sees strewn in: a reader must read what a person would."""
    unseen = ("\u200b", "\u202e", "\u2066", "\ufeff", "\U000e0041", "\u00ad")
    for _ in range(chance.randrange(3)):
        place = chance.randrange(len(text) + 1)
        text = text[:place] + chance.choice(unseen) + text[place:]
    return text


def noise(chance: random.Random) -> str:
    if chance.random() < 0.3:
        return "".join(
            chance.choice(ODD) if chance.random() < 0.4 else chr(chance.randrange(32, 500)) for _ in range(20)
        )
    return chance.choice(NOISE)


def composed(of: Fuzzed, chance: random.Random) -> tuple[str, object]:
    """A text and what it decides."""
    lines: list[tuple[str, object]] = [(noise(chance), NOISE_LINE) for _ in range(chance.randrange(4))]
    for _ in range(chance.randrange(3)):
        lines.insert(chance.randrange(len(lines) + 1), stated(of, chance))
    last, decided = stated(of, chance)
    if of.above and decided is not REFUSED and contradicted(lines, decided):
        decided = REFUSED
    end = chance.choice(("", "\n", "\r\n", "\n\n  "))
    return "\n".join([*(line for line, _ in lines), sprinkled(last, chance)]) + end, decided


def stated(of: Fuzzed, chance: random.Random) -> tuple[str, object]:
    """A clear statement with its value, or an unclear one."""
    if chance.random() < 0.5:
        return chance.choice(of.unclear), REFUSED
    return chance.choice(of.clear)


def contradicted(lines: Sequence[tuple[str, object]], decided: object) -> bool:
    """Whether a clear statement of another value is in the run of statements that ends the lines."""
    run: list[object] = []
    open_label = False
    for text, value in lines:
        if value is not NOISE_LINE:
            run.append(FORM if "<" in text else value)
            open_label = text.endswith(": ")
            continue
        for line in tail(text).split("\n"):
            if line.strip():
                # A label with nothing after it takes the next line for its value.
                run, open_label = (run, False) if open_label else ([], False)
    return any(value not in (REFUSED, decided) for value in run)


def read(of: Fuzzed, text: str) -> object:
    try:
        return of.read(text)
    except ParseError:
        return REFUSED


def fuzz(cases: int, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(cases):
        name = chance.choice(list(EVERY))
        text, decided = composed(EVERY[name], chance)
        found = read(EVERY[name], text)
        assert found == decided, f"case {number}, {name}: {text!r} was read as {found!r}, not {decided!r}"


READERS: Sequence[Callable[[str], object]] = (
    read_verdict,
    read_choice,
    read_number,
    final_answer,
    read_findings,
    read_pair_scores,
    read_arithmetic,
    lambda text: read_rating(text, low=0, high=100),
    lambda text: read_label(text, "CHOICE", ("A", "B")),
    lambda text: read_order(text, ("A", "B")),
    lambda text: read_json(text, Reply),
    lambda text: read_first_wrong_step(text, 4),
)
WORDS = (
    *("VERDICT:", "SCORE:", "CHOICE:", "RANKING:", "Answer:", "correct", "incorrect", "A", "B", "7"),
    *("7/10", "10", "-", "####", "\\boxed{", "}", "{", '{"score": 3}', '"', "[", "]", "step", "STEP 1:"),
    *("STEP 2: wrong - x", ">", "=", "\n", "\r", "```", "json", "*", "_", "\u2028", "(", ")", "^", "1e999"),
    *("9" * 50, "0.1", ",", "\ud800", "Assistant 1:", "a score of", "/", "**", "+", "nan", "null", "true"),
)


def garbage(chance: random.Random) -> str:
    glue = chance.choice((" ", "", "\n", "\t"))
    words = [chance.choice(WORDS) for _ in range(chance.randrange(14))]
    return glue.join(chance.choice(ODD) if chance.random() < 0.1 else word for word in words)


def throw(cases: int, seed: int) -> None:
    """Anything at all: a value or `ParseError`, nothing else."""
    chance = random.Random(seed)
    for _ in range(cases):
        text = garbage(chance)
        reader = chance.choice(READERS)
        try:
            reader(text)
        except ParseError:
            continue


def test_what_a_text_clearly_decides_is_read_and_nothing_else() -> None:
    fuzz(FEW, seed=1)


def test_no_text_makes_a_reader_raise_anything_but_a_parse_error() -> None:
    throw(FEW, seed=2)


@pytest.mark.slow
def test_a_minutes_worth_of_cases_never_raise_and_never_guess() -> None:
    fuzz(MANY // 2, seed=3)
    throw(MANY // 2, seed=4)


def test_json_is_the_last_whole_object_that_fits() -> None:
    chance = random.Random(5)
    for _ in range(500):
        values = [chance.randrange(100) for _ in range(chance.randrange(1, 4))]
        parts = [json.dumps({"score": value, "reason": noise(chance)}) for value in values]
        clean = [part.encode("utf-8", "replace").decode() for part in parts]
        text = "\n".join([*("so: " + part for part in clean), chance.choice(("", "```", "done"))])
        assert read_json(text, Reply).score == values[-1]


@pytest.mark.parametrize("reader", READERS)
def test_a_megabyte_of_anything_ends_soon(reader: Callable[[str], object]) -> None:
    for unit in UNITS:
        with suppress(ParseError):
            reader(unit * (1_000_000 // len(unit)))
