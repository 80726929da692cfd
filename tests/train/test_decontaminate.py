"""Duplicates and evaluation problems among training rows."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gadfly.errors import InputError
from gadfly.records import Problem
from gadfly.train.decontaminate import Decontaminator, decontaminate
from gadfly.train.dedupe import Deduper, deduplicate
from gadfly.train.rows import AnyRow, LabellingOnly, Preference, PromptCompletion, Turn, Unpaired

WORDS = (
    "A farmer counts his sheep at dawn and again at dusk while three of his neighbours argue loudly about "
    "who left the northern gate open during the storm"
)


def turn(text: str, role: str = "assistant") -> Turn:
    return Turn.model_validate({"role": role, "content": text, "author": "m"})


def row(prompt: str, answer: str = "It is so.", reference: str | None = None) -> PromptCompletion:
    seen = None if reference is None else LabellingOnly(reference=reference)
    return PromptCompletion(prompt=(turn(prompt, "user"),), completion=(turn(answer),), labelling_only=seen)


def problem(text: str, reference: str | None = None, id: str = "planted-7") -> Problem:
    return Problem(id=id, prompt=text, reference=reference)


EVALUATION = [
    problem(f"{WORDS}. How many sheep are there?", "12", "farm"),
    problem("What is 17 * 23? End with a line 'Answer: <number>'.", "391", "product"),
    problem(
        "Ann buys 4 pens at 3 dollars and 7 books at 12 dollars. What does she pay in all?", "96", "shop"
    ),
]


@pytest.mark.parametrize(
    ("prompt", "answer", "named", "rule"),
    [
        (f"{WORDS}. How many sheep are there?", "12", "farm", "exact"),
        (f"Please solve this.\n\n{WORDS}. How many sheep are there?\nThink.", "12", "farm", "exact"),
        ((WORDS + ". how many sheep are there").upper(), "12", "farm", "normalised"),
        (f"Tell a story: {' '.join(WORDS.split()[3:19])}, and so on.", "Once.", "farm", "n-gram"),
        ("Tell me a story.", f"{WORDS}. How many sheep are there? 12.", "farm", "exact"),
        ("What is 17 * 23?", "391", "product", "exact"),
        ("what is 17*23", "391", "product", "normalised"),
        ("Hello. what is 17 x 23, or so? End with a line 'Answer: <number>'.", "hm", None, None),
        ("What is 17 * 24? End with a line 'Answer: <number>'.", "408", None, None),
        ("What is 17 + 23? End with a line 'Answer: <number>'.", "40", None, None),
        ("WHAT is 17 \u00d7 23", "391", "product", "normalised"),
        ("Why does a farmer count sheep?", "To know how many sheep there are.", None, None),
    ],
)
def test_a_planted_problem_is_reported_by_name_and_rule(
    prompt: str, answer: str, named: str | None, rule: str | None
) -> None:
    kept, report = decontaminate([row("Harmless."), row(prompt, answer)], {"exam": EVALUATION})
    if named is None:
        assert len(kept) == 2
        assert report.problems == {}
        return
    assert [one.prompt[0].content for one in kept] == ["Harmless."]
    assert report.problems == {f"exam: {named}": 1}
    assert report.rules == {rule: 1}
    assert [(hit.benchmark, hit.problem, hit.row) for hit in report.hits] == [
        ("exam", named, row(prompt, answer).id)
    ]
    assert (report.seen, report.kept, report.benchmarks) == (2, 1, {"exam": 3})


def test_the_same_numbers_and_reference_in_other_words_are_a_paraphrase() -> None:
    text = "In all, what does Ann pay if she buys 7 books at 12 dollars each and 4 pens at 3 dollars?"
    assert Decontaminator({"exam": EVALUATION}).check(row(text)) is None, "the reference is not known"
    hit = Decontaminator({"exam": EVALUATION}).check(row(text, reference="96.0"))
    assert hit is not None
    assert (hit.problem, hit.rule) == ("shop", "numbers")
    other = "A train of 12 cars with 7 doors goes 3 stops in 4 hours: how many doors are counted?"
    assert Decontaminator({"exam": EVALUATION}).check(row(other, reference="96")) is None


def test_how_problems_are_put_is_no_contamination() -> None:
    frame = (
        "Read the following puzzle carefully, think about it step by step, and then state what {} comes to."
    )
    exam = [problem(frame.format(f"{k} plus {k * k}"), str(k), f"q{k}") for k in range(40, 80)]
    rows = [row(frame.format(f"{k} plus {k * k}")) for k in range(100, 140)]
    kept, report = decontaminate(rows, {"exam": exam})
    assert kept == rows
    assert report.problems == {}
    assert decontaminate([row(exam[3].text)], {"exam": exam})[1].problems == {"exam: q43": 1}


def test_nothing_to_hold_rows_against_is_an_error() -> None:
    with pytest.raises(InputError, match="no evaluation problem"):
        Decontaminator({"exam": []})
    with pytest.raises(InputError, match="fewer than 3 words"):
        Decontaminator({"exam": EVALUATION}, words=2)


vocabulary = st.lists(st.sampled_from([a + b for a in "bcdfgk" for b in "aeiou"]), min_size=16, max_size=40)


@settings(max_examples=60, deadline=None)
@given(
    words=vocabulary,
    before=st.text(max_size=30),
    shout=st.booleans(),
    gap=st.sampled_from([" ", "\n", " , "]),
)
def test_a_problem_is_found_whatever_stands_before_it_and_however_it_is_spaced(
    words: list[str], before: str, shout: bool, gap: str
) -> None:
    planted = gap.join(words)
    planted = planted.upper() if shout else planted
    kept, report = decontaminate([row(f"{before} {planted}")], {"exam": [problem(" ".join(words))]})
    assert kept == []
    assert report.problems == {"exam: planted-7": 1}


@settings(max_examples=60, deadline=None)
@given(one=vocabulary, other=vocabulary)
def test_a_row_that_shares_no_word_with_a_problem_is_kept(one: list[str], other: list[str]) -> None:
    prompt = " ".join(word + "x" for word in other)
    rows: list[AnyRow] = [row(prompt, answer="zz")]
    assert decontaminate(rows, {"exam": [problem(" ".join(one))]})[0] == rows


def test_equal_rows_are_one_whatever_their_case_and_spaces() -> None:
    kept, report = deduplicate([row("What is  this?"), row("what is this?"), row("And that?")])
    assert [one.prompt[0].content for one in kept] == ["What is  this?", "And that?"]
    assert (report.seen, report.kept, report.exact, report.near) == (3, 2, 1, 0)


def test_one_text_called_good_and_called_bad_is_two_rows() -> None:
    rows = [
        Unpaired(prompt=(turn("Q", "user"),), completion=(turn("A"),), label=label) for label in (True, False)
    ]
    assert deduplicate(rows)[0] == rows


def test_a_pair_the_other_way_round_is_another_pair() -> None:
    long, other = turn(WORDS), turn("Nobody has counted any of the sheep today, says the farmer's wife.")
    asked = (turn("Q", "user"),)
    rows = [
        Preference(prompt=asked, chosen=(long,), rejected=(other,)),
        Preference(prompt=asked, chosen=(other,), rejected=(long,)),
    ]
    assert deduplicate(rows)[0] == rows


def test_a_near_duplicate_is_dropped_and_named_unless_its_numbers_differ() -> None:
    first, second = row(WORDS), row(WORDS.replace("loudly", "quietly"))
    third = row(WORDS.replace("three", "3"))
    kept, report = deduplicate([first, second, third], near=0.6)
    assert kept == [first, third]
    assert [(one.row, one.of) for one in report.examples] == [(second.id, first.id)]
    assert 0.6 <= report.examples[0].similarity < 1
    assert deduplicate([first, third], near=0.6, numbers="any")[0] == [first]
    assert deduplicate([first, second], near=None)[0] == [first, second]


def test_near_duplicates_are_looked_for_in_the_window_only() -> None:
    first, again = row(WORDS), row(WORDS.replace("loudly", "quietly"))
    between = [row(f"{word} " * 8) for word in ("alpha", "beta", "gamma")]
    assert deduplicate([first, *between, again], near=0.6, window=10)[1].near == 1
    assert deduplicate([first, *between, again], near=0.6, window=2)[1].near == 0


@pytest.mark.parametrize("near", [0.0, 1.5, -1.0])
def test_an_overlap_that_is_none_is_refused(near: float) -> None:
    with pytest.raises(InputError, match="near is"):
        Deduper(near=near)


texts = st.lists(st.text(string.ascii_letters + " \n", max_size=60), max_size=20)


@settings(max_examples=60, deadline=None)
@given(texts=texts)
def test_going_over_the_kept_rows_again_drops_nothing(texts: list[str]) -> None:
    kept, report = deduplicate([row(text) for text in texts])
    again, second = deduplicate(kept)
    assert again == kept
    assert second.exact == second.near == 0
    assert report.seen == len(texts)
    assert report.kept == len(kept) == report.seen - report.exact - report.near


@settings(max_examples=60, deadline=None)
@given(texts=texts)
def test_every_row_twice_is_every_row_once_and_the_same_each_time(texts: list[str]) -> None:
    rows = [row(text) for text in texts]
    kept, report = deduplicate(rows)
    assert deduplicate(rows + rows)[0] == kept
    assert deduplicate(rows) == (kept, report)
