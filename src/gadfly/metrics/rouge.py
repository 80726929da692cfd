"""ROUGE-L: how much of two texts stands in both in the same order (Lin 2004, "ROUGE", ACL W04-1013)."""

import re
from collections import Counter
from collections.abc import Sequence

_WORD = re.compile(r"\w+")


def rouge_l(one: str, other: str) -> float:
    """F1 of the longest common subsequence of words, 0 to 1; two texts without words are 0."""
    first, second = _words(one), _words(other)
    return _f1(_longest(first, second), first, second)


class LikenessPool:
    """Texts that were kept, and how like them a new one is at most by ROUGE-L."""

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self._kept: list[tuple[list[str], Counter[str]]] = []
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        """Keep a text."""
        words = _words(text)
        self._kept.append((words, Counter(words)))

    def holds_like(self, text: str, least: float) -> bool:
        """Whether a kept text has a ROUGE-L of at least `least` with this one."""
        words = _words(text)
        bag = Counter(words)
        for kept, counted in self._kept:
            # No common subsequence is longer than what both hold in whatever order.
            bound = _f1(sum((bag & counted).values()), words, kept)
            if bound >= least and _f1(_longest(words, kept), words, kept) >= least:
                return True
        return False


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _f1(common: int, first: Sequence[str], second: Sequence[str]) -> float:
    return 2 * common / (len(first) + len(second)) if common else 0.0


def _longest(first: Sequence[str], second: Sequence[str]) -> int:
    row = [0] * (len(second) + 1)
    for word in first:
        corner = 0
        for place, other in enumerate(second, start=1):
            above = row[place]
            row[place] = corner + 1 if word == other else max(above, row[place - 1])
            corner = above
    return row[-1]
