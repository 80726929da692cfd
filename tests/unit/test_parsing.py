"""Readers: a value or ParseError, in linear time, and never an earlier statement for a later one."""

import contextlib
import time
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, JsonValue

from gadfly.errors import ParseError
from gadfly.parsing import (
    answer_instruction,
    answer_key,
    final_answer,
    read_choice,
    read_findings,
    read_json,
    read_label,
    read_number,
    read_rating,
    read_verdict,
)
from gadfly.parsing.text import LONGEST, normalise, tail
from gadfly.records import Finding, Record


class Mark(Record):
    """What the JSON reader is asked for."""

    score: int = Field(ge=0, le=10)
    reason: str = ""
    extra: JsonValue = None


READERS: dict[str, Callable[[str], object]] = {
    "final_answer": final_answer,
    "number": read_number,
    "strict number": lambda text: read_number(text, strict=True),
    "choice": read_choice,
    "verdict": read_verdict,
    "label": lambda text: read_label(text, "CHOICE", ("A", "B", "tie")),
    "rating": lambda text: read_rating(text, low=1, high=10),
    "findings": read_findings,
    "json": lambda text: read_json(text, Mark),
    "key number": lambda text: answer_key(text, "number"),
    "key choice": lambda text: answer_key(text, "choice"),
    "key text": lambda text: answer_key(text, "text"),
    "key free": lambda text: answer_key(text, "free"),
}
PIECES = [
    "VERDICT:", "Answer:", "####", "\\boxed{", "}", "{", '{"score":', "SCORE:", "CHOICE:", "CONFIDENCE",
    "correct", "incorrect", "- step 0:", "- step 9:", "[major]", "->", "\n", "\r\n", " ", "1,000", "-.5",
    "3/0", "1/3", "9" * 30, "\u0663", "\u2212", "\u202e", "\u200b", "\x00", "\ud800",
    "A", "B)", "tie", "*", "`", "NaN", "²", '"',
]  # fmt: skip


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@given(text=st.text() | st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=12).map("".join))
def test_a_reader_gives_a_value_or_a_parse_error_and_nothing_else(
    reader: Callable[[str], object], text: str
) -> None:
    try:
        reader(text)
    except ParseError as error:
        assert str(error)  # noqa: PT017


HOSTILE = {
    "spaces": " " * 1_000_000,
    "newlines": "\n" * 1_000_000,
    "braces": "{" * 1_000_000,
    "nested json": '{"a":' * 200_000,
    "nested json with a long end": '{"a":' * 900 + "[" + "1," * 40_000,
    "unclosed strings": '{"a":"' * 200_000,
    "boxed": "\\boxed{" * 150_000,
    "digits": "9" * 1_000_000,
    "digits stuck to a letter": "9" * 1_000_000 + "x",
    "thousands": "1" + ",111" * 250_000 + "x",
    "fractions": "1/" * 500_000,
    "numbers and spaces": ("1" + " " * 99) * 10_000,
    "verdict labels": "VERDICT" * 150_000,
    "verdict lines": "VERDICT:\n" * 100_000,
    "label and spaces": "VERDICT" + " " * 1_000_000 + "x",
    "answer lines": "Answer: " * 120_000,
    "bullets": "- " * 500_000,
    "bullet and spaces": "- " + " " * 1_000_000 + "x",
    "arrows": "- a" + " ->" * 300_000,
    "hashes": "#" * 1_000_000,
    "markup": "*_`>-# " * 150_000,
    "wide characters": "\ufdfa" * 300_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_megabyte_is_read_in_linear_time(text: str) -> None:
    for name, reader in READERS.items():
        start = time.process_time()
        with contextlib.suppress(ParseError):
            reader(text)
        assert time.process_time() - start < 2.0, name


# ---------------------------------------------------------------- final answers


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Answer: 42", "42"),
        ("**Answer:** 42.", "42"),
        ("**Answer: 42**.", "42"),
        ("so the\nfinal answer is: Paris\n", "Paris"),
        ("The final answer: $x^2$", "x^2"),
        ("Answer： 7", "7"),
        ("Answer: 1\nno wait\nAnswer: 2", "2"),
        ("steps\n#### 1,234", "1,234"),
        (r"so \boxed{\frac{1}{2}} is it", r"\frac{1}{2}"),
        (r"\boxed{1} then \boxed{2}", "2"),
        (r"Answer: 3, that is \boxed{4}", "4"),
        ("Answer:\n\n42", "42"),
        ("Answer: 42\r\n", "42"),
        ("Ans\u200bwer: 4\u200b2", "42"),
    ],
)
def test_the_last_stated_answer_is_found(text: str, answer: str) -> None:
    assert final_answer(text) == answer


@pytest.mark.parametrize(
    "text",
    [
        "",
        "42",
        "Answer 42",
        r"\boxed{4",
        "#####\n",
        "Answer: 1\nAnswer:",
        "Answer: 1\nAnswer:\nfirst we add\nthen",
    ],
)
def test_an_answer_that_is_not_stated_is_not_made_up(text: str) -> None:
    with pytest.raises(ParseError):
        final_answer(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Answer: 1,234.50", "1234.50"),
        ("Answer: -5", "-5"),
        ("Answer: \u22125", "-5"),
        ("Answer: 3/4", "0.75"),
        ("Answer: .5", "0.5"),
        ("Answer: $18", "18"),
        ("Answer: 12%", "12"),
        ("Answer: 3 + 4 = 7", "7"),
        ("first 3, then 4 makes 7.", "7"),
        ("x = 2 and 2nd", "2"),
        ("it is 12.So that is it", "12"),
        ("1 - 3", "3"),
        ("Answer:\nfirst we take 3\nand get 7", "7"),
    ],
)
def test_a_number_is_read_from_the_answer_or_the_end_of_the_text(text: str, number: str) -> None:
    assert read_number(text) == Decimal(number)


@pytest.mark.parametrize(
    "text", ["", "none", "Answer: none of the 3\nAnswer: none", "Answer: 1/0", "48.50kg", "v1.2.3"]
)
def test_what_is_no_number_is_not_read_as_one(text: str) -> None:
    with pytest.raises(ParseError):
        read_number(text)


def test_strict_reading_wants_a_stated_answer() -> None:
    assert read_number("Answer: 3", strict=True) == 3
    with pytest.raises(ParseError):
        read_number("it is 3", strict=True)


@pytest.mark.parametrize(
    ("text", "letter"),
    [("Answer: B", "B"), ("Answer: (c) because", "C"), ("**D.**", "D"), ("a", "A"), ("B) 4", "B")],
)
def test_a_choice_is_one_letter(text: str, letter: str) -> None:
    assert read_choice(text) == letter


@pytest.mark.parametrize("text", ["", "I think so", "A dog", "Answer: both", "Answer: 3"])
def test_words_are_no_choice(text: str) -> None:
    with pytest.raises(ParseError):
        read_choice(text)


@pytest.mark.parametrize(
    ("left", "right", "kind"),
    [
        ("Answer: 1,000", "so 1000.00", "number"),
        ("Answer: -0", "0.0", "number"),
        ("Answer: 100", "Answer: 1e2 or 100", "number"),
        ("Answer: (b)", "B)", "choice"),
        ("Answer: The  Cat.", "Answer: the cat", "text"),
        ("Ａ B", "a b.", "free"),
    ],
)
def test_equal_answers_are_one_vote(left: str, right: str, kind: str) -> None:
    assert answer_key(left, kind) == answer_key(right, kind)  # pyright: ignore[reportArgumentType]


def test_numbers_that_differ_only_after_thirty_digits_are_two_votes() -> None:
    assert answer_key("9" * 40 + "1", "number") != answer_key("9" * 40 + "2", "number")


def test_an_empty_answer_abstains() -> None:
    for text, kind in [("Answer: ...", "text"), ("  ", "free"), (r"\boxed{}", "text")]:
        with pytest.raises(ParseError):
            answer_key(text, kind)  # pyright: ignore[reportArgumentType]


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_a_number_written_as_asked_for_is_read_back(number: Decimal) -> None:
    assert read_number(f"{answer_instruction('number')}\nAnswer: {number:f}") == number
    assert Decimal(answer_key(f"Answer: {number:f}", "number")) == number


# ---------------------------------------------------------------- verdicts and labels


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("VERDICT: correct", "correct"),
        ("**Verdict:** Incorrect.", "incorrect"),
        ("> VERDICT: not correct", "incorrect"),
        ("verdict = wrong!", "incorrect"),
        ("VERDICT: unsure", "unsure"),
        ("The final verdict is incorrect", "incorrect"),
        ("VERDICT - incorrect", "incorrect"),
        ("## Verdict\n\nincorrect\nbecause of step 2", "incorrect"),
        ("VERDICT: correct\r\n", "correct"),
        ("ＶＥＲＤＩＣＴ： ｉｎcorrect", "incorrect"),
        ("VERDICT: in\u200bcorrect", "incorrect"),
        ("line\u2028VERDICT: incorrect", "incorrect"),
    ],
)
def test_a_verdict_is_read(text: str, verdict: str) -> None:
    assert read_verdict(text) == verdict


@pytest.mark.parametrize(
    "last",
    [
        "VERDICT: incorrect",
        "**VERDICT**: wrong",
        "Final verdict: incorrect",
        "My verdict: incorrect",
        "VERDICT:\nincorrect",
        "VERDICT - incorrect",
        "VERDICT — incorrect",
        "Verdict is incorrect",
    ],
)
def test_the_last_verdict_wins_over_a_quoted_one(last: str) -> None:
    assert read_verdict(f"The answer says:\nVERDICT: correct\nbut it is not so.\n{last}") == "incorrect"


@pytest.mark.parametrize(
    "last",
    [
        "VERDICT:",
        "VERDICT: maybe",
        "VERDICT: 0% correct",
        "VERDICT: !correct",
        "VERDICT: 不correct",
        "VERDICT: ≠correct",
        "VERDICT: correct or incorrect",
        "VERDICT: іncorrect",
        "VERDICT: correct? no",
        "VERDICT: tcerroc\u202e",
    ],
)
def test_an_unreadable_last_verdict_lets_no_earlier_one_through(last: str) -> None:
    with pytest.raises(ParseError):
        read_verdict(f"VERDICT: correct\n{last}")


def test_a_verdict_inside_a_line_is_a_quotation() -> None:
    with pytest.raises(ParseError):
        read_verdict('It says "VERDICT: correct", which I doubt.')


def test_only_the_end_of_a_long_text_is_read() -> None:
    assert read_verdict("VERDICT: correct\n" + "x" * 1_000_000 + "\nVERDICT: incorrect") == "incorrect"
    with pytest.raises(ParseError):
        read_verdict("VERDICT: correct\n" + "x" * (LONGEST + 1))


def test_a_label_is_one_of_those_offered() -> None:
    assert read_label("CHOICE: (a)", "CHOICE", ("A", "B")) == "A"
    assert read_label("choice: A\nOr not.\n**CHOICE: Tie.**\r\n", "CHOICE", ("A", "B", "tie")) == "tie"
    assert read_label("Best option [x]: 2", "best option [x]", ("1", "2")) == "2"
    for text in ["CHOICE: C", "A", "CHOICE: A\nCHOICE: neither", "CHOICE: A\nCHOICE:", "CHOICES: A"]:
        with pytest.raises(ParseError):
            read_label(text, "CHOICE", ("A", "B"))


FORM_HANDED_BACK = {
    "the choices": "VERDICT: correct\nVERDICT: incorrect",
    "the choices after some words": "This answer is right.\n\nVERDICT: correct\nVERDICT: incorrect\n",
    "the choices with lines between": "**Verdict: correct**\n\n> Verdict: incorrect",
    "the choices as labels": "VERDICT:\ncorrect\n\nVERDICT:\nincorrect",
    "the line that offers them": "Decide in a last line, one of:\nVERDICT: correct",
    "more than the choices": "one of:\nVERDICT: correct\nVERDICT: incorrect\nVERDICT: incorrect",
    "a quote and a decision": "It says:\n> VERDICT: correct\nVERDICT: incorrect",
}


@pytest.mark.parametrize("text", FORM_HANDED_BACK.values(), ids=FORM_HANDED_BACK)
def test_choices_one_below_the_other_are_no_decision(text: str) -> None:
    with pytest.raises(ParseError):
        read_verdict(text)


def test_a_decision_that_is_said_twice_or_comes_after_other_words_is_read() -> None:
    assert read_verdict("VERDICT: wrong\n\n**VERDICT: incorrect**") == "incorrect"
    assert read_verdict("VERDICT: it depends\nVERDICT: incorrect") == "incorrect"
    assert read_verdict("It says\n> VERDICT: correct\nand that is false.\nVERDICT: incorrect") == "incorrect"
    assert read_verdict("VERDICT: correct\nVERDICT: incorrect\nSo I say:\nVERDICT: correct") == "correct"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("SCORE: 7", 7.0),
        ("**Score:** 7.5/10.", 7.5),
        ("SCORE: 8 out of 10", 8.0),
        ("SCORE: 1\nNo, it does more than that.\nSCORE: [[2]]", 2.0),
        ("SCORE: 2\n\n**SCORE: 2/10**", 2.0),
    ],
)
def test_a_rating_is_read_from_the_last_score_line(text: str, value: float) -> None:
    assert read_rating(text, low=1, high=10) == value


@pytest.mark.parametrize(
    "text",
    [
        "SCORE: 11",
        "SCORE: 0",
        "SCORE: -3",
        "SCORE: 3/5",
        "SCORE: high",
        "7",
        "SCORE: 5\nSCORE: ?",
        "SCORE: 4 or 5",
        "SCORE:",
    ],
)
def test_a_rating_off_the_scale_or_on_another_one_is_unreadable(text: str) -> None:
    with pytest.raises(ParseError):
        read_rating(text, low=1, high=10)


def test_a_negative_rating_keeps_its_sign() -> None:
    assert read_rating("SCORE: -3", low=-5, high=5) == -3.0


# ---------------------------------------------------------------- findings and JSON


def test_findings_are_read_with_their_place_severity_and_mend() -> None:
    text = (
        "Two things:\n- step 2: [major] 3 * 4 is not 11 -> write 12\n* Step 1. units are missing\n"
        "---\n**bold**\n-5 is odd\n-done\n"
    )
    assert read_findings(text) == (
        Finding(text="3 * 4 is not 11", step=1, severity="major", suggestion="write 12"),
        Finding(text="units are missing", step=0),
        Finding(text="done"),
    )


def test_step_zero_and_no_bullets_give_no_place_and_no_findings() -> None:
    assert read_findings("- step 0: odd") == (Finding(text="odd"),)
    assert read_findings("All is well.") == ()


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ('{"score": 3}', 3),
        ('Sure!\n```json\n{"score": 4, "reason": "a {b} c"}\n```\n', 4),
        ('{"score": 1}\nthen\n{"score": 2}', 2),
        ('{"score": 1} {"score": 99}', 1),
        ('{"other": 1} {"score": 5} {broken', 5),
        ('{"score": 6, "reason": "two\nlines"}', 6),
        ("{1}" * 3000 + '{"score": 7}', 7),
    ],
)
def test_the_last_json_object_that_fits_counts(text: str, score: int) -> None:
    assert read_json(text, Mark).score == score


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("nothing", "no JSON object"),
        ('{"score": 3', "broken JSON"),
        ('{"score": 11}', "JSON does not fit Mark: score"),
        ("[1]", "no JSON object"),
        ('{"score": ' + "9" * 5000 + "}", "broken JSON"),
        ('{"score": 1, "' + "k" * 5000 + '": 2}', "does not fit"),
        ('{"score": 1, "extra": ' + "[" * 5000 + "]" * 5000 + "}", "JSON"),
    ],
)
def test_json_that_cannot_be_used_says_why_in_a_few_words(text: str, complaint: str) -> None:
    with pytest.raises(ParseError, match=complaint) as caught:
        read_json(text, Mark)
    assert len(str(caught.value)) < 400


# ---------------------------------------------------------------- text


def test_the_tail_is_bounded_visible_and_has_plain_newlines() -> None:
    assert tail("a\r\nb\rc\u2028d\u200be\ufeff") == "a\nb\nc\nde"
    assert len(tail("x" * (LONGEST + 5))) == LONGEST


@given(st.text())
def test_normalising_twice_changes_nothing_more_for_ascii(text: str) -> None:
    plain = text.encode("ascii", "ignore").decode()
    assert normalise(normalise(plain)) == normalise(plain)
