"""Diversity of sampled texts: figures by hand, bounds, and order."""

from math import exp, log
from random import Random

import pytest

from gadfly.metrics.diversity import distinct_n, repetition, self_bleu, variety, words_of


def test_words_and_punctuation_are_taken_apart_in_lower_case() -> None:
    assert words_of("Answer: 12, I'd say.") == ["answer", ":", "12", ",", "i", "'", "d", "say", "."]


def test_distinct_bigrams_by_hand() -> None:
    # a b, b c; a b, b d: three of four are different.
    assert distinct_n([["a", "b", "c"], ["a", "b", "d"]]) == 3 / 4
    assert distinct_n([["a"], []]) is None


def test_repetition_by_hand() -> None:
    # Five 4-grams of "a b" four times over: two are different.
    assert repetition(["a", "b"] * 4) == pytest.approx(1 - 2 / 5)
    assert repetition(["a", "b", "c"]) is None
    assert repetition(list("abcdefgh")) == 0


def test_self_bleu_by_hand() -> None:
    """Unigrams 2 of 3, bigrams (1 + 1) of (2 + 1), trigrams (0 + 1) of (1 + 1), for both texts."""
    expected = exp((log(2 / 3) + log(2 / 3) + log(1 / 2)) / 3)
    assert self_bleu([["a", "b", "c"], ["a", "b", "d"]]) == pytest.approx(expected)


def test_a_shorter_text_pays_for_its_brevity() -> None:
    short, long = ["a", "b"], ["a", "b", "c", "d"]
    of_short = exp(1 - 4 / 2)
    of_long = exp((log(2 / 4) + log(2 / 4) + log(1 / 3) + log(1 / 2)) / 4)
    assert self_bleu([short, long]) == pytest.approx((of_short + of_long) / 2)


def test_equal_texts_are_wholly_alike_and_foreign_ones_not_at_all() -> None:
    assert self_bleu([list("abcdef")] * 3) == 1
    assert self_bleu([list("abc"), list("xyz")]) == 0
    assert self_bleu([list("abc")]) is None
    assert self_bleu([list("abc"), []]) is None


def test_a_word_counts_as_often_as_another_text_has_it() -> None:
    # "a a" against "a": one of two unigrams matches; the reference's own highest count is in the other text.
    first = exp((log(1 / 2) + log(1 / 2)) / 2)
    assert self_bleu([["a", "a"], ["a"]]) == pytest.approx((first + exp(1 - 2)) / 2)


@pytest.mark.parametrize("seed", range(8))
def test_figures_keep_their_bounds_and_forget_the_order(seed: int) -> None:
    random = Random(seed)
    texts = [
        " ".join(random.choice("abcd") for _ in range(random.randrange(0, 30)))
        for _ in range(random.randrange(1, 9))
    ]
    found = variety(texts)
    random.shuffle(texts)
    assert variety(texts) == found
    for value in (found.distinct_2, found.self_bleu, found.repetition):
        assert value is None or 0 <= value <= 1
    assert 1 <= found.distinct <= found.texts
