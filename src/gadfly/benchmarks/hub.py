"""Rows of a published data set: out of its files as they are downloaded, or from the hub's copy.

A target is a file (JSONL, JSON, CSV or TSV, gzipped or not), a folder with the upstream's files, or
`hub` or `hub:REVISION` for the copy that the package `datasets` fetches. That package is never
imported unless the hub is asked for.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol, cast

from gadfly.benchmarks.about import About
from gadfly.errors import InputError
from gadfly.parsing.rows import Row, read_rows
from gadfly.parsing.spec import refuse_unknown

_HUB = "hub"
_FORMS = (".jsonl", ".json", ".csv", ".tsv")
_LISTED = 3
"""So many files are listed one by one in the notes."""


class _Datasets(Protocol):
    """The one function of the package datasets that is called."""

    def load_dataset(self, path: str, name: str | None, *, split: str, revision: str | None) -> Iterable[Row]:
        """The rows of one split."""
        ...


@dataclass(frozen=True, kw_only=True)
class Hub:
    """A data set on the hub."""

    path: str
    """Such as `openai/gsm8k`."""
    splits: tuple[str, ...] = ("test",)
    """Those that are read, in this order, where the user names none."""
    config: str | None = None


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """How a data set is published."""

    title: str
    """Its name in errors."""
    download: str
    """Where its files are."""
    files: tuple[str, ...] = ("*.jsonl", "*.json")
    """Patterns of its files inside a folder; suffixes may be followed by `.gz`."""
    hub: Hub | None = None


@dataclass(frozen=True, kw_only=True)
class Located:
    """A row and where it stands."""

    where: str
    """For errors: `data.jsonl:12`."""
    source: str
    """The file, inside its folder and without suffixes, or the split of the hub's copy."""
    index: int
    """Which row of that source, from 0."""
    row: Row = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Files or splits, read again each time their rows are asked for."""

    upstream: Upstream
    mend: str
    """What else can be done; ends the errors of the hub."""
    files: tuple[Path, ...] = ()
    folder: Path | None = None
    splits: tuple[str, ...] = ()
    """Of the hub's copy; empty where there are files."""
    revision: str | None = None

    @property
    def size(self) -> int:
        """Bytes of the files on disk; 0 for the hub."""
        return sum(path.stat().st_size for path in self.files if path.is_file())

    def rows(self) -> Iterator[Located]:
        """The rows, file after file or split after split.

        Raises:
            InputError: something cannot be read; the message names the file and the line.
        """
        for path in self.files:
            for index, (where, row) in enumerate(_rows_of(path)):
                yield Located(where=where, source=self._label(path), index=index, row=row)
        for split in self.splits:
            for index, row in enumerate(self._from_hub(split)):
                yield Located(
                    where=f"{self._hub.path} {split} row {index}", source=split, index=index, row=row
                )

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """How many rows were read from where, with the checksum of what was read."""
        counts: dict[str, int] = {}
        for at in self.rows():
            counts[at.source] = counts.get(at.source, 0) + 1
        if self.splits:
            which = self.revision or "the newest revision"
            return tuple(
                f"{self._hub.path}, split {split}, {which}: {counts.get(split, 0):,} rows"
                for split in self.splits
            )
        sums = {path: checksum(path) for path in self.files}
        if len(self.files) <= _LISTED:
            return tuple(
                f"{path.name}: {counts.get(self._label(path), 0):,} rows, SHA-256 {digest}"
                for path, digest in sums.items()
            )
        listing = "".join(f"{self._label(path)} {digest}\n" for path, digest in sums.items())
        whole = hashlib.sha256(listing.encode()).hexdigest()[:16]
        name = self.folder.name if self.folder else ""
        return (f"{name}: {sum(counts.values()):,} rows in {len(sums)} files, SHA-256 of all {whole}",)

    @property
    def _hub(self) -> Hub:
        assert self.upstream.hub is not None
        return self.upstream.hub

    def _label(self, path: Path) -> str:
        inside = path.relative_to(self.folder) if self.folder else Path(path.name)
        name = inside.as_posix().removesuffix(".gz")
        return next((name.removesuffix(form) for form in _FORMS if name.endswith(form)), name)

    def _from_hub(self, split: str) -> Iterator[Row]:
        try:
            import datasets  # pyright: ignore[reportMissingImports]
        except ImportError:
            raise InputError(
                f"the hub's copy of {self.upstream.title} needs the package datasets: pip install datasets; "
                f"or {self.mend}"
            ) from None
        hub = self._hub
        try:
            load = cast(_Datasets, datasets).load_dataset
            yield from load(hub.path, hub.config, split=split, revision=self.revision)
        except (OSError, ValueError) as error:
            raise InputError(
                f"the hub's copy of {self.upstream.title} cannot be had ({type(error).__name__}: {error}); "
                f"{self.mend}"
            ) from None


def find_source(target: str, about: About, upstream: Upstream, *, split: str | None = None) -> Source:
    """Where the rows of `target` come from. Nothing is read yet, except what stands in a folder.

    `split` names the splits of the hub's copy, joined by commas.

    Raises:
        InputError: no target, a folder without the upstream's files, or a hub's copy that is not known.
    """
    mend = f"download {upstream.download} and say {about.example!r}"
    online = f"; or, online and with 'pip install datasets', say '{about.name}:hub'" if upstream.hub else ""
    if not target:
        raise InputError(f"{about.name} needs its file: {mend}{online}")
    kind, _, revision = target.partition(":")
    if kind == _HUB:
        if upstream.hub is None:
            raise InputError(f"no copy of {upstream.title} on the hub is known; {mend}")
        splits = tuple(split.split(",")) if split else upstream.hub.splits
        return Source(upstream=upstream, mend=mend, splits=splits, revision=revision or None)
    path = Path(target).expanduser()
    if not path.is_dir():
        return Source(upstream=upstream, mend=mend, files=(path,))
    patterns = [pattern + end for pattern in upstream.files for end in ("", ".gz")]
    files = sorted({file for pattern in patterns for file in path.glob(pattern)})
    if not files:
        raise InputError(f"{path} holds no {' or '.join(upstream.files)} of {upstream.title}; {mend}")
    return Source(upstream=upstream, mend=mend, files=tuple(files), folder=path)


def refuse_options(options: Iterable[str], about: About) -> None:
    """Stop at an option that the benchmark does not know.

    Raises:
        InputError: there is one; the message lists what is known, and the closest.
    """
    for option in options:
        refuse_unknown(option, about.options, what="option", where=about.name)


def checksum(path: Path) -> str:
    """The first 16 hex digits of the SHA-256 of a file's bytes.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}") from None


def _rows_of(path: Path) -> Iterator[tuple[str, Row]]:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    if not suffixes or suffixes[-1] != ".json" or not path.is_file():
        yield from read_rows(path)
        return
    text = _text(path)
    try:
        value: object = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        lines = list(_lines(path, text))
        if not lines:
            raise InputError(f"{path}: not JSON: {error}") from None
        yield from lines
        return
    rows = list(_flat(value))
    if not rows:
        raise InputError(f"{path} has no rows")
    for number, row in enumerate(rows, start=1):
        where = f"{path}: item {number}"
        if not isinstance(row, dict):
            raise InputError(f"{where}: expected an object with fields, not {type(row).__name__}")
        yield where, cast(Row, row)


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        return (gzip.decompress(raw) if path.suffix.lower() == ".gz" else raw).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text ({error.reason}); convert it first") from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}") from None


def _lines(path: Path, text: str) -> Iterator[tuple[str, Row]]:
    """JSON lines in a file that calls itself .json; nothing where the first is none."""
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            value: object = json.loads(line)
        except json.JSONDecodeError as error:
            if number == 1:
                return
            raise InputError(f"{path}:{number}: not a line of JSON: {error.msg}") from None
        if not isinstance(value, dict):
            return
        yield f"{path}:{number}", cast(Row, value)


def _flat(value: object) -> Iterator[object]:
    """The items of an array; of an object, its values, those that are arrays taken apart."""
    if isinstance(value, list):
        yield from cast(list[object], value)
    elif isinstance(value, dict):
        values = list(cast(dict[str, object], value).values())
        if values and not all(isinstance(item, list | dict) for item in values):
            yield cast(object, value)
            return
        for item in values:
            if isinstance(item, list):
                yield from cast(list[object], item)
            else:
                yield item
