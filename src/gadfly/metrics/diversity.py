"""How much the sampled answers of one problem differ, and how much one answer repeats itself.

All three are textbook figures: distinct-n (Li et al. 2016, arXiv:1510.03055), Self-BLEU (Zhu et al. 2018,
arXiv:1802.01886) and seq-rep-n (Welleck et al. 2019, arXiv:1908.04319). Texts are taken apart into words
and punctuation, in lower case.
"""

import re
from collections import Counter
from collections.abc import Sequence
from math import exp, log
from typing import TypeAlias

from pydantic import Field

from gadfly.records import Record

Gram: TypeAlias = tuple[str, ...]

DISTINCT_N, BLEU_N, REPEATED_N = 2, 4, 4
_WORD = re.compile(r"\w+|[^\w\s]")


class Variety(Record):
    """The texts of one problem's pool. What fewer than two texts cannot say is None."""

    texts: int = Field(ge=0)
    """Samples that have a text; a failed one has none."""
    distinct: int = Field(ge=0)
    """How many of them are different."""
    distinct_2: float | None = Field(default=None, ge=0, le=1)
    """Different bigrams over all bigrams, of all texts together: 1 where none comes twice."""
    self_bleu: float | None = Field(default=None, ge=0, le=1)
    """Mean BLEU of each text against the others: 1 where all are the same."""
    repetition: float | None = Field(default=None, ge=0, le=1)
    """Mean seq-rep-4: the share of a text's 4-grams that came before in it."""


def variety(texts: Sequence[str]) -> Variety:
    """The figures of one problem's sampled texts; their order does not matter."""
    words = [words_of(text) for text in texts]
    repeated = [found for one in words if (found := repetition(one)) is not None]
    return Variety(
        texts=len(texts),
        distinct=len(set(texts)),
        distinct_2=distinct_n(words),
        self_bleu=self_bleu(words),
        repetition=round(sum(repeated) / len(repeated), 12) if repeated else None,
    )


def words_of(text: str) -> list[str]:
    """Words and punctuation, in lower case."""
    return _WORD.findall(text.lower())


def distinct_n(texts: Sequence[Sequence[str]], n: int = DISTINCT_N) -> float | None:
    """Different n-grams over all n-grams, of all texts together; None where there is none."""
    grams = [gram for words in texts for gram in _grams(words, n)]
    return len(set(grams)) / len(grams) if grams else None


def repetition(words: Sequence[str], n: int = REPEATED_N) -> float | None:
    """seq-rep-n of one text: 1 less different n-grams over all; None where it has no n-gram."""
    found = distinct_n([words], n)
    return None if found is None else 1.0 - found


def self_bleu(texts: Sequence[Sequence[str]], n: int = BLEU_N) -> float | None:
    """Mean BLEU of each text with all others as references; None with fewer than two texts.

    Precisions of orders above one are smoothed by adding one (Lin and Och 2004); orders that a text is too
    short for are left out; the brevity penalty takes the reference of the closest length.
    """
    spoken = [words for words in texts if words]
    if len(spoken) < 2:
        return None
    # Several orders at once: the n-grams of different orders are different tuples.
    counts = [Counter(gram for order in range(1, n + 1) for gram in _grams(words, order)) for words in spoken]
    highest = _two_highest(counts)
    lengths = Counter(len(words) for words in spoken)
    scores = [
        _bleu(own, highest, _penalty(len(words), lengths), n)
        for own, words in zip(counts, spoken, strict=True)
    ]
    return round(min(1.0, sum(sorted(scores)) / len(scores)), 12)


def _two_highest(counts: Sequence[Counter[Gram]]) -> dict[Gram, tuple[int, int]]:
    """For every n-gram its highest count in a text, and the highest in any other text."""
    highest: dict[Gram, tuple[int, int]] = {}
    for own in counts:
        for gram, count in own.items():
            first, second = highest.get(gram, (0, 0))
            highest[gram] = (count, first) if count > first else (first, max(second, count))
    return highest


def _bleu(own: Counter[Gram], highest: dict[Gram, tuple[int, int]], penalty: float, n: int) -> float:
    matched, total = [0] * (n + 1), [0] * (n + 1)
    for gram, count in own.items():
        first, second = highest[gram]
        # The highest count among the others: where this text has the highest itself, the second.
        matched[len(gram)] += min(count, second if count == first else first)
        total[len(gram)] += count
    orders = [order for order in range(1, n + 1) if total[order]]
    if not matched[1]:
        return 0.0
    logs = [log((matched[order] + (order > 1)) / (total[order] + (order > 1))) for order in orders]
    return penalty * exp(sum(logs) / len(logs))


def _penalty(length: int, lengths: Counter[int]) -> float:
    """BLEU's brevity penalty: of a text against the reference nearest in length, the shorter of two."""
    others = [other for other in lengths if other != length or lengths[other] > 1]
    nearest = min(others, key=lambda other: (abs(other - length), other))
    return 1.0 if length >= nearest else exp(1 - nearest / length)


def _grams(words: Sequence[str], n: int) -> list[Gram]:
    return [tuple(words[start : start + n]) for start in range(len(words) - n + 1)]
