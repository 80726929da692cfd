"""What an exported file holds, how it was made, and what was left out of it: `FILE.manifest.json`."""

import math
from collections import Counter
from collections.abc import Mapping
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Literal

from pydantic import Field, JsonValue, ValidationError

from gadfly.errors import InputError
from gadfly.records import Record
from gadfly.run.store import KeySet
from gadfly.train.decontaminate import ContaminationReport
from gadfly.train.dedupe import DedupeReport
from gadfly.train.rows import AnyRow, JudgedRow, RowKind, Unpaired

_STEP = 1.02
"""Lengths are kept in classes 2% wide, so a quantile is off by 1% at the most."""


class Lengths(Record):
    """Characters of a row's part. Quantiles are within 1%."""

    mean: float
    least: int
    median: int
    p95: int
    most: int


class Author(Record):
    """What one author wrote of what is to be learned."""

    turns: int
    characters: int


class Request(Record):
    """What was asked for: equal requests on equal runs give equal files."""

    options: Mapping[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    runs: Mapping[str, str] = Field(default_factory=dict[str, str])
    """Name of each run and the SHA-256 of its rollouts."""
    licences: tuple[str, ...] = ()
    """Notes of the user's on what the models' and benchmarks' licences allow."""


class ExportManifest(Record):
    """What an exported file holds."""

    version: Literal[1] = 1
    file: str
    format: Literal["parquet", "jsonl"]
    kind: RowKind
    columns: tuple[str, ...]
    rows: int
    bytes: int
    sha256: str
    """Of the file."""
    content: str
    """SHA-256 over the rows' ids, in order: the same for Parquet and JSONL."""
    request: Request
    problems: int
    """Distinct problems."""
    authors: Mapping[str, Author]
    policies: Mapping[str, int]
    """Rows by the model that wrote what is to be learned."""
    labellers: Mapping[str, int]
    benchmarks: Mapping[str, int]
    labels: Mapping[str, int] = Field(default_factory=dict[str, int])
    """Rows called good and bad, where rows have a label."""
    oracle: int
    """Rows whose text was shaped by something that had seen the reference."""
    saw_reference: int
    """Rows whose labeller had seen the reference."""
    prompt_lengths: Lengths
    said_lengths: Lengths
    dropped: Mapping[str, int] = Field(default_factory=dict[str, int])
    """What the filters left out, by reason."""
    dedupe: DedupeReport | None = None
    decontamination: ContaminationReport | None = None
    package: str


class _Histogram:
    def __init__(self) -> None:
        self._classes: Counter[int] = Counter()
        self._count = self._sum = self._most = 0
        self._least: int | None = None

    def add(self, length: int) -> None:
        self._classes[round(math.log(length + 1, _STEP))] += 1
        self._count += 1
        self._sum += length
        self._most = max(self._most, length)
        self._least = length if self._least is None else min(self._least, length)

    @property
    def lengths(self) -> Lengths:
        return Lengths(
            mean=round(self._sum / max(1, self._count), 1),
            least=self._least or 0,
            median=self._quantile(0.5),
            p95=self._quantile(0.95),
            most=self._most,
        )

    def _quantile(self, share: float) -> int:
        passed = 0
        for place in sorted(self._classes):
            passed += self._classes[place]
            if passed >= share * self._count:
                return min(self._most, max(self._least or 0, round(_STEP**place - 1)))
        return self._most


class RowTally:
    """Counts rows as they go by, in memory that does not grow with them (but for 32 bytes a problem)."""

    def __init__(self) -> None:
        self.rows = self.oracle = self.saw_reference = 0
        self._problems = KeySet()
        self._turns: Counter[str] = Counter()
        self._characters: Counter[str] = Counter()
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in _COUNTED}
        self._prompt, self._said = _Histogram(), _Histogram()
        self._ids = sha256()

    def add(self, row: AnyRow) -> None:
        """Count one row."""
        lineage, said = row.lineage, row.said
        self.rows += 1
        self._ids.update(row.id.encode())
        name = f"{lineage.benchmark}\0{lineage.problem}" if lineage.problem else row.prompt[-1].content
        self._problems.add(int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big") or 1)
        for turn in said:
            self._turns[turn.author] += 1
            self._characters[turn.author] += len(turn.content)
        self._counts["policies"][lineage.policy or "unknown"] += 1
        self._counts["labellers"][lineage.author or "nobody"] += 1
        self._counts["benchmarks"][lineage.benchmark or "unknown"] += 1
        if isinstance(row, Unpaired):
            self._counts["labels"]["good" if row.label else "bad"] += 1
        elif isinstance(row, JudgedRow):
            self._counts["labels"]["good" if row.satisfactory else "bad"] += 1
        self.oracle += lineage.oracle
        self.saw_reference += lineage.saw_reference
        self._prompt.add(sum(len(turn.content) for turn in row.prompt))
        self._said.add(sum(len(turn.content) for turn in said))

    def figures(self) -> dict[str, object]:
        """The fields of a manifest that are counted."""
        authors = {
            name: Author(turns=turns, characters=self._characters[name])
            for name, turns in self._turns.most_common()
        }
        counts = {name: dict(counter.most_common()) for name, counter in self._counts.items()}
        return {
            "rows": self.rows,
            "content": self._ids.hexdigest(),
            "problems": len(self._problems),
            "authors": authors,
            "oracle": self.oracle,
            "saw_reference": self.saw_reference,
            "prompt_lengths": self._prompt.lengths,
            "said_lengths": self._said.lengths,
            **counts,
        }


_COUNTED = ("policies", "labellers", "benchmarks", "labels")


def manifest_file(file: Path) -> Path:
    """Where the manifest of an exported file stands."""
    return file.with_name(f"{file.name}.manifest.json")


def read_export_manifest(file: Path) -> ExportManifest:
    """The manifest of an exported file.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    path = manifest_file(file)
    try:
        return ExportManifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{file} has no manifest: {path.name} is not beside it") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"]
        raise InputError(f"{path} is not a manifest this version can read: {reason}") from None
