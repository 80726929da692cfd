"""Training rows that give away a problem of an evaluation: found, named and left out.

A row is held against every evaluation problem by four rules, the plainest first:

    exact       one of the row's texts is the problem's, or holds it word for word
    normalised  the same after case, punctuation and spaces are taken off
    n-gram      a run of 13 words in common (GPT-3's rule, Brown et al. 2020, arXiv:2005.14165,
                appendix C), shorter for shorter problems: all the words of a problem below 13 words
    numbers     the same reference, the same numbers, and wordings that are alike: a paraphrase

Runs of words that stand in many of the evaluation's problems are how its problems are put, not what
they are, and do not count. Words are runs of letters and digits; a number is a word, and so is a sign
between numbers. Memory is that of the evaluation problems' n-grams, whatever the number of rows.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal, TypeAlias

from gadfly.errors import InputError
from gadfly.parsing import answer_instruction
from gadfly.records import AnswerKind, Problem, Record
from gadfly.train.rows import AnyRow, row_parts

Rule: TypeAlias = Literal["exact", "normalised", "n-gram", "numbers"]

_WORD = re.compile(r"[^\W_]+|(?<=[\d)])\s*[-+*/^=<>%]\s*(?=[\d(])")
_SIGNS = str.maketrans("\u00d7\u00b7\u00f7\u2212", "**/-")
_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
_SHOWN = 1000
"""Hits that a report lists; the counts by problem are complete."""
_KINDS: tuple[AnswerKind, ...] = ("text", "number", "choice")
_INSTRUCTIONS = tuple(answer_instruction(kind) for kind in _KINDS)


class Hit(Record):
    """A row that gives away an evaluation problem."""

    row: str
    benchmark: str
    problem: str
    """Id of the evaluation problem."""
    rule: Rule
    shared: str = ""
    """The words in common, where the rule is about words."""


class ContaminationReport(Record):
    """What was found, by rule and by problem."""

    benchmarks: Mapping[str, int] = {}
    """Evaluation problems that rows were held against, by benchmark."""
    words: int = 13
    seen: int = 0
    kept: int = 0
    rules: Mapping[str, int] = {}
    problems: Mapping[str, int] = {}
    """Rows that give a problem away, by 'benchmark: problem'."""
    unreadable: int = 0
    """Evaluation problems with too few words or numbers of their own for the last two rules."""
    hits: tuple[Hit, ...] = ()
    """The first so many."""


@dataclass(frozen=True, kw_only=True)
class _Known:
    """An evaluation problem as it is looked for."""

    benchmark: str
    id: str
    text: str
    reference: str | None
    numbers: tuple[str, ...]
    words: frozenset[str]


class Decontaminator:
    """Holds rows against evaluation problems."""

    def __init__(
        self,
        against: Mapping[str, Iterable[Problem]],
        *,
        words: int = 13,
        common: int = 10,
        least_numbers: int = 2,
        alike: float = 0.3,
    ) -> None:
        """Read the evaluation problems.

        Args:
            against: By the benchmark's name.
            words: Length of the runs of words; a shorter problem is looked for as a whole.
            common: A run of words in more problems than this (or than two, or than a fifth
                of them where that is fewer) is how problems are put, and does not count.
            least_numbers: Problems with fewer numbers are not looked for by their numbers.
            alike: Least share of words in common (Jaccard) beside the same reference and numbers.

        Raises:
            InputError: `words` is below 3, or there is no evaluation problem.
        """
        if words < 3:
            raise InputError(f"words is {words}; runs of fewer than 3 words are in every text")
        self._words, self._common, self._least, self._alike = words, common, least_numbers, alike
        self._known: list[_Known] = []
        self._exact: dict[str, int] = {}
        self._normal: dict[str, int] = {}
        self._runs: dict[int, dict[int, int]] = {}
        self._numbers: dict[tuple[str, tuple[str, ...]], list[int]] = {}
        self._sizes: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._rules: Counter[str] = Counter()
        self._problems: Counter[str] = Counter()
        self._hits: list[Hit] = []
        self._read(against)
        if not self._known:
            raise InputError("there is no evaluation problem to hold the rows against")

    def _read(self, against: Mapping[str, Iterable[Problem]]) -> None:
        runs: dict[int, dict[int, int]] = {}
        spread: Counter[tuple[int, int]] = Counter()
        for benchmark, problems in against.items():
            for problem in problems:
                place, text = len(self._known), _bare(problem.text)
                words = _words(text)
                known = _Known(
                    benchmark=benchmark,
                    id=problem.id,
                    text=text,
                    reference=_reference(problem.reference),
                    numbers=_numbers_of(text),
                    words=frozenset(words),
                )
                self._known.append(known)
                self._sizes[benchmark] += 1
                self._exact.setdefault(text, place)
                self._normal.setdefault(" ".join(words), place)
                size = min(self._words, len(words))
                found = set(_hashed(words, size)) if size >= 3 else set[int]()
                for run in found:
                    runs.setdefault(size, {}).setdefault(run, place)
                spread.update((size, run) for run in found)
                numbered = known.reference is not None and len(known.numbers) >= self._least
                if numbered:
                    self._numbers.setdefault((known.reference or "", known.numbers), []).append(place)
                self._counts["unreadable"] += not found and not numbered
        # Of few problems, fewer have to share a run of words for it to be how problems are put.
        most = min(self._common, max(2, len(self._known) // 5))
        self._runs = {
            size: {run: place for run, place in found.items() if spread[size, run] <= most}
            for size, found in runs.items()
        }

    @property
    def report(self) -> ContaminationReport:
        """What has been found so far."""
        return ContaminationReport(
            benchmarks=dict(self._sizes),
            words=self._words,
            seen=self._counts["seen"],
            kept=self._counts["seen"] - self._rules.total(),
            rules=dict(self._rules),
            problems=dict(self._problems.most_common()),
            unreadable=self._counts["unreadable"],
            hits=tuple(self._hits),
        )

    def kept(self, rows: Iterable[AnyRow]) -> Iterator[AnyRow]:
        """The rows that give no evaluation problem away."""
        return (row for row in rows if self.check(row) is None)

    def check(self, row: AnyRow) -> Hit | None:
        """The evaluation problem that a row gives away, by the plainest rule; None if there is none."""
        self._counts["seen"] += 1
        found = self._find(row)
        if found is None:
            return None
        place, rule, shared = found
        known = self._known[place]
        self._rules[rule] += 1
        self._problems[f"{known.benchmark}: {known.id}"] += 1
        hit = Hit(row=row.id, benchmark=known.benchmark, problem=known.id, rule=rule, shared=shared)
        if len(self._hits) < _SHOWN:
            self._hits.append(hit)
        return hit

    def _find(self, row: AnyRow) -> tuple[int, Rule, str] | None:
        asked = _bare("\n\n".join(turn.content for turn in row.prompt))
        texts = [asked, *map(_bare, row_parts(row))]
        for text in texts:
            if text in self._exact:
                return self._exact[text], "exact", ""
        for text in texts:
            normal = " ".join(_words(text))
            if normal in self._normal:
                return self._normal[normal], "normalised", ""
        return self._overlapping(_bare("\n\n".join(row_parts(row)))) or self._reworded(row, asked)

    def _overlapping(self, text: str) -> tuple[int, Rule, str] | None:
        words = _words(text)
        for size, runs in sorted(self._runs.items(), reverse=True):
            for start, run in enumerate(_hashed(words, size)):
                if run in runs:
                    place = runs[run]
                    # A problem held as a whole is more than a run of words in common with it.
                    known = self._known[place]
                    if known.text in text:
                        return place, "exact", ""
                    if " ".join(_words(known.text)) in " ".join(words):
                        return place, "normalised", ""
                    return place, "n-gram", " ".join(words[start : start + size])
        return None

    def _reworded(self, row: AnyRow, asked: str) -> tuple[int, Rule, str] | None:
        reference = _reference(None if row.labelling_only is None else row.labelling_only.reference)
        if reference is None:
            return None
        numbers = _numbers_of(asked)
        words = set(_words(asked))
        for place in self._numbers.get((reference, numbers), ()):
            theirs = self._known[place].words
            if len(words & theirs) >= self._alike * len(words | theirs):
                return place, "numbers", f"{' '.join(numbers)}; reference {reference}"
        return None


def decontaminate(
    rows: Iterable[AnyRow],
    against: Mapping[str, Iterable[Problem]],
    *,
    words: int = 13,
    common: int = 10,
    least_numbers: int = 2,
    alike: float = 0.3,
) -> tuple[list[AnyRow], ContaminationReport]:
    """The rows that give no evaluation problem away, and the report: for rows that fit the memory.

    Raises:
        InputError: as `Decontaminator`.
    """
    screen = Decontaminator(against, words=words, common=common, least_numbers=least_numbers, alike=alike)
    kept = list(screen.kept(rows))
    return kept, screen.report


def _bare(text: str) -> str:
    """A text without the sentences that ask for a final answer: every benchmark here has them."""
    for sentence in _INSTRUCTIONS:
        text = text.replace(sentence, "")
    return text.strip()


def _words(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_SIGNS)
    # 1,000 and 1000 are one word; 9 + 3 and 9 - 3 are two texts.
    found: list[str] = _WORD.findall(re.sub(r"(?<=\d),(?=\d{3}\b)", "", folded))
    return [word.strip() for word in found]


def _hashed(words: list[str], size: int) -> Iterator[int]:
    """Runs of `size` words, as hashes that hold within this process."""
    return (hash(tuple(words[start : start + size])) for start in range(len(words) - size + 1))


def _numbers_of(text: str) -> tuple[str, ...]:
    return tuple(sorted(_plain(found) for found in _NUMBER.findall(unicodedata.normalize("NFKC", text))))


def _reference(reference: str | None) -> str | None:
    if reference is None or not reference.strip():
        return None
    return _plain(" ".join(reference.casefold().split()))


def _plain(number: str) -> str:
    """A number written in one way: 1,000 and 1000.0 are equal. What is no number stays."""
    try:
        found = Decimal(number.replace(",", ""))
    except InvalidOperation:
        return number
    return f"{found.normalize():f}" if found.is_finite() else number
