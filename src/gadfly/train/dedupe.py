"""Rows that say what an earlier row says already: the same, or nearly the same.

The same: equal after normalising (Unicode NFKC, case, spaces). Nearly the same: the word 5-grams of
both overlap by a Jaccard index of `near` or more; candidates come from MinHash bands (Broder 1997; the
banding as in Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4), and the index is
then computed exactly. Near duplicates with other numbers are kept by default: 'What is 3 * 4?' is
no copy of 'What is 3 * 5?'.

Everything is deterministic. Memory is bounded: a hash a row for the same, the last `window` kept rows
for the near ones.
"""

import re
import unicodedata
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gadfly.errors import InputError
from gadfly.records import Record
from gadfly.run.store import KeySet
from gadfly.train.rows import AnyRow, JudgedRow, RankedList, Stepwise, Unpaired, row_parts

Numbers: TypeAlias = Literal["same", "any"]
Hashes: TypeAlias = NDArray[np.uint64]

_BANDS, _ROWS = 12, 5
"""Found with probability 1 - (1 - s^5)^12: 0.99 at similarity 0.8, 0.73 at 0.65, 0.05 at 0.35."""
_PRIME = np.uint64((1 << 31) - 1)
_WORD = re.compile(r"\w+|[^\w\s]")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_LOOKED = 64
"""Rows of one band that a row is held against, the latest ones."""
_SHOWN = 200
"""Dropped rows that a report names."""


class Duplicate(Record):
    """A row that was dropped, and the row it repeats."""

    row: str
    of: str
    """Id of the kept row; empty where only its hash is still known."""
    similarity: float


class DedupeReport(Record):
    """What was dropped as a duplicate, and why."""

    seen: int = 0
    kept: int = 0
    exact: int = 0
    near: int = 0
    threshold: float | None = None
    """Jaccard index from which on rows are near duplicates; None: not looked for."""
    window: int = 0
    """How many kept rows near duplicates were looked for among."""
    examples: tuple[Duplicate, ...] = ()
    """The first so many near duplicates."""


class Deduper:
    """Says of each row whether it is new. Feed it rows in an order that does not change."""

    def __init__(
        self, *, near: float | None = 0.8, numbers: Numbers = "same", window: int = 50_000, seed: int = 0
    ) -> None:
        """Make one that has seen nothing.

        Args:
            near: Least Jaccard index of a near duplicate; None looks only for equal rows.
            numbers: Whether near duplicates have to hold the same numbers.
            window: Kept rows that a row is held against, the latest ones.
            seed: Of the hash functions.

        Raises:
            InputError: `near` is not above 0 and at most 1, or the window is below 1.
        """
        if near is not None and not 0 < near <= 1:
            raise InputError(f"near is {near}; give a Jaccard index above 0 and at most 1, or None")
        if window < 1:
            raise InputError(f"window is {window}; give at least 1")
        self._near, self._numbers, self._window = near, numbers, window
        random = np.random.default_rng(seed)
        # With a below 2^31 and hashes below 2^31, a * h + b stays within 64 bits.
        self._a = random.integers(1, int(_PRIME), (_BANDS * _ROWS, 1), dtype=np.uint64)
        self._b = random.integers(0, int(_PRIME), (_BANDS * _ROWS, 1), dtype=np.uint64)
        self._exact = KeySet()
        self._bands: dict[bytes, list[_Kept]] = {}
        self._recent: deque[_Kept] = deque()
        self._counts: Counter[str] = Counter()
        self._examples: list[Duplicate] = []

    @property
    def report(self) -> DedupeReport:
        """What has happened so far."""
        return DedupeReport(
            seen=self._counts["seen"],
            kept=self._counts["seen"] - self._counts["exact"] - self._counts["near"],
            exact=self._counts["exact"],
            near=self._counts["near"],
            threshold=self._near,
            window=self._window if self._near is not None else 0,
            examples=tuple(self._examples),
        )

    def kept(self, rows: Iterable[AnyRow]) -> Iterator[AnyRow]:
        """The rows that repeat none before them."""
        return (row for row in rows if self.is_new(row))

    def is_new(self, row: AnyRow) -> bool:
        """Whether no row so far said the same; from now on this one has been seen."""
        self._counts["seen"] += 1
        parts = [normalised(text) for text in row_parts(row)]
        label, text = _label(row), "\0".join(parts)
        key = blake2b(f"{label}\0{text}".encode(), digest_size=8).digest()
        if not self._exact.add(int.from_bytes(key, "big") or 1):
            self._counts["exact"] += 1
            return False
        if self._near is None:
            return True
        shingles = _shingles(parts)
        numbers = " ".join(sorted(_NUMBER.findall(text))) if self._numbers == "same" else ""
        bands = self._signature(shingles, f"{label}\0{numbers}")
        earlier = self._most_alike(bands, shingles)
        if earlier is not None:
            self._counts["near"] += 1
            if len(self._examples) < _SHOWN:
                found, similarity = earlier
                self._examples.append(Duplicate(row=row.id, of=found.id, similarity=round(similarity, 4)))
            return False
        self._remember(_Kept(row.id, shingles, bands))
        return True

    def _signature(self, shingles: Hashes, alike: str) -> list[bytes]:
        """The keys of the bands of the MinHash signature; only rows equal in `alike` share a band."""
        stem = blake2b(alike.encode(), digest_size=8).digest()
        smallest = ((self._a * shingles + self._b) % _PRIME).min(axis=1).astype(np.uint32)
        return [
            stem + bytes([band]) + smallest[band * _ROWS : (band + 1) * _ROWS].tobytes()
            for band in range(_BANDS)
        ]

    def _most_alike(self, bands: list[bytes], shingles: Hashes) -> "tuple[_Kept, float] | None":
        assert self._near is not None
        best: tuple[_Kept, float] | None = None
        looked: set[int] = set()
        for band in bands:
            for earlier in self._bands.get(band, [])[-_LOOKED:]:
                if id(earlier) in looked:
                    continue
                looked.add(id(earlier))
                similarity = _jaccard(shingles, earlier.shingles)
                if similarity >= self._near and (best is None or similarity > best[1]):
                    best = earlier, similarity
        return best

    def _remember(self, kept: "_Kept") -> None:
        if len(self._recent) >= self._window:
            oldest = self._recent.popleft()
            for band in oldest.bands:
                rest = self._bands[band]
                rest.remove(oldest)
                if not rest:
                    del self._bands[band]
        self._recent.append(kept)
        for band in kept.bands:
            self._bands.setdefault(band, []).append(kept)


class _Kept:
    """What is remembered of a row."""

    __slots__ = ("bands", "id", "shingles")

    def __init__(self, id: str, shingles: Hashes, bands: list[bytes]) -> None:
        self.id, self.shingles, self.bands = id, shingles, bands


def deduplicate(
    rows: Iterable[AnyRow],
    *,
    near: float | None = 0.8,
    numbers: Numbers = "same",
    window: int = 50_000,
    seed: int = 0,
) -> tuple[list[AnyRow], DedupeReport]:
    """The rows without repeats, and what was dropped: for rows that fit the memory (else `Deduper`).

    Raises:
        InputError: as `Deduper`.
    """
    deduper = Deduper(near=near, numbers=numbers, window=window, seed=seed)
    kept = list(deduper.kept(rows))
    return kept, deduper.report


def normalised(text: str) -> str:
    """For telling whether two texts are the same: Unicode NFKC, case folded, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _label(row: AnyRow) -> str:
    """What tells apart rows of one text: a text called good and called bad are two rows."""
    if isinstance(row, Unpaired):
        return f"{row.kind} {row.label}"
    if isinstance(row, JudgedRow):
        return f"{row.kind} {row.satisfactory}"
    if isinstance(row, Stepwise):
        return f"{row.kind} {row.labels}"
    if isinstance(row, RankedList):
        return f"{row.kind} {[len(tier) for tier in row.tiers]}"
    return row.kind


def _shingles(parts: list[str], size: int = 5) -> Hashes:
    """Sorted distinct hashes, below 2^31, of the runs of `size` words; one of a shorter part.

    A run counts with its part, so that a pair the other way round is another pair.
    """
    runs: set[str] = set()
    for place, part in enumerate(parts):
        words = _WORD.findall(part)
        starts = range(max(1, len(words) - size + 1))
        runs.update(f"{place} {' '.join(words[start : start + size])}" for start in starts)
    # Not Python's hash, which differs from process to process.
    hashed = {int.from_bytes(blake2b(run.encode(), digest_size=4).digest(), "big") >> 1 for run in runs}
    return np.array(sorted(hashed), dtype=np.uint64)


def _jaccard(one: Hashes, other: Hashes) -> float:
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / (len(one) + len(other) - shared)
