"""Writing rows to a Parquet or JSON-lines file, whole or not at all.

Rows stream through: memory holds one row group. They go to a hidden partial file beside the target,
which takes the target's name once it is complete and on the disk, so a killed export leaves no half
file; the next one starts again. The manifest is written last. An export that is there already, from
the same request, is left as it is.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import errno
import fcntl
import json
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from hashlib import file_digest
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from gadfly.errors import InputError
from gadfly.prompts import Prompt
from gadfly.run.manifest import package_version
from gadfly.train.columns import Cells, cells, schema
from gadfly.train.decontaminate import Decontaminator
from gadfly.train.dedupe import Deduper
from gadfly.train.manifest import ExportManifest, Request, RowTally, manifest_file, read_export_manifest
from gadfly.train.rows import CRITIQUE, AnyRow, RowKind

GROUP_ROWS = 4096
GROUP_BYTES = 16 * 2**20
"""A row group ends at so many rows, or at about so many bytes of text."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORMATS: dict[str, Literal["parquet", "jsonl"]] = {".parquet": "parquet", ".jsonl": "jsonl"}


class _Writer(Protocol):
    def write(self, group: list[Cells]) -> None: ...

    def finish(self) -> None: ...

    def abandon(self) -> None: ...


class _Parquet:
    def __init__(self, file: BinaryIO, kind: RowKind) -> None:
        self._schema = schema(kind)
        self._writer = pq.ParquetWriter(file, self._schema, compression="zstd")

    def write(self, group: list[Cells]) -> None:
        self._writer.write_table(pa.Table.from_pylist(group, schema=self._schema))

    def finish(self) -> None:
        self._writer.close()

    def abandon(self) -> None:
        # Otherwise it would write its end to a closed file once it is collected.
        self._writer.is_open = False


class _Lines:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, group: list[Cells]) -> None:
        lines = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in group]
        self._file.write(("\n".join(lines) + "\n").encode("utf-8", "replace"))

    def finish(self) -> None:
        pass

    def abandon(self) -> None:
        pass


def export_rows(
    rows: Iterable[AnyRow],
    file: Path,
    *,
    request: Request | None = None,
    deduper: Deduper | None = None,
    screen: Decontaminator | None = None,
    dropped: Counter[str] | None = None,
    critique_prompt: Prompt = CRITIQUE,
    on_row: Callable[[int], None] | None = None,
) -> ExportManifest:
    """Write rows of one kind to `file`, with its manifest beside it.

    Args:
        rows: Read once, one at a time. What was visible at labelling only is not written.
        file: Ends in `.parquet` or `.jsonl`. Where it is there already, it has to hold the same.
        request: What was asked for. A file of the same request is not made again.
        deduper: Drops rows that repeat earlier ones.
        screen: Drops rows that give evaluation problems away; comes before the deduper.
        dropped: What the rows' own filters have counted once they are read.
        critique_prompt: How a critic is asked, in rows that hold critiques.
        on_row: Called with the number of rows taken so far.

    Raises:
        InputError: there are no rows, or rows of several kinds; the file holds something else, or
            another process writes it; the disk is full or refuses.
    """
    format_, request = check_target(file), request or Request()
    earlier = finished(file, request)
    if earlier is not None:
        return earlier
    tally = RowTally()
    cleaned = rows if screen is None else screen.kept(rows)
    cleaned = cleaned if deduper is None else deduper.kept(cleaned)
    with _partial(file) as (partial, target):
        kind = _write(cleaned, target, format_, tally, critique_prompt, on_row)
        if kind is None:
            raise _empty(file, dropped, deduper, screen)
        target.flush()
        os.fsync(target.fileno())
        digest, size = _sha256(partial), partial.stat().st_size
        manifest = ExportManifest.model_validate(
            {
                "file": file.name,
                "format": format_,
                "kind": kind,
                "columns": tuple(schema(kind).names),
                "bytes": size,
                "sha256": digest,
                "request": request,
                "dropped": dict((dropped or Counter()).most_common()),
                "dedupe": None if deduper is None else deduper.report,
                "decontamination": None if screen is None else screen.report,
                "package": package_version(),
                **tally.figures(),
            }
        )
        _place(partial, file, digest)
        write_whole(manifest_file(file), manifest.model_dump_json(indent=1) + "\n")
    return manifest


def check_target(file: Path) -> Literal["parquet", "jsonl"]:
    """The format that a file's name asks for.

    Raises:
        InputError: it asks for none, or it is a folder.
    """
    found = _FORMATS.get(file.suffix.lower())
    if found is None:
        raise InputError(f"{file}: the name has to end in {' or '.join(_FORMATS)}")
    if file.is_dir():
        raise InputError(f"{file} is a folder; give a file")
    return found


def finished(file: Path, request: Request) -> ExportManifest | None:
    """The manifest of an export of this request that is there already, whole.

    Notes on licences may differ: the manifest is given the new ones.

    Raises:
        InputError: the file is another request's, or was changed since.
    """
    if not file.exists() or not manifest_file(file).exists():
        return None
    earlier = read_export_manifest(file)
    if not request.options and not request.runs:
        # Nothing is said of what is asked for: only the contents can tell.
        return None
    if (earlier.request.options, earlier.request.runs) != (request.options, request.runs):
        raise InputError(
            f"{file} holds another export ({_difference(earlier.request, request)}). Give another name, "
            "or take it and its manifest away"
        )
    if _sha256(file) != earlier.sha256:
        raise InputError(f"{file} has been changed since it was exported. Take it away to export it again")
    if earlier.request.licences != request.licences:
        earlier = earlier.model_copy(update={"request": request})
        write_whole(manifest_file(file), earlier.model_dump_json(indent=1) + "\n")
    return earlier


def _difference(old: Request, new: Request) -> str:
    for name, value in new.options.items():
        if old.options.get(name) != value:
            return f"{name} was {old.options.get(name)!r} and now is {value!r}"
    return "from other runs, or the runs have changed"


def _write(
    rows: Iterable[AnyRow],
    target: BinaryIO,
    format_: Literal["parquet", "jsonl"],
    tally: RowTally,
    critique_prompt: Prompt,
    on_row: Callable[[int], None] | None,
) -> RowKind | None:
    """Write all rows in groups; their kind, or None where there are none."""
    writer: _Writer | None = None
    kind: RowKind | None = None
    group: list[Cells] = []
    size = 0
    try:
        for row in rows:
            if kind is None or writer is None:
                kind = row.kind
                writer = _Parquet(target, kind) if format_ == "parquet" else _Lines(target)
            if row.kind != kind:
                raise InputError(
                    f"row {tally.rows + 1} ({row.id}) is a {row.kind} row, and those before it are {kind} "
                    "rows: one file holds one kind. Export each kind to a file of its own"
                )
            tally.add(row)
            group.append(cells(row, critique_prompt=critique_prompt))
            size += sum(len(turn.content) for turn in (*row.prompt, *row.said))
            if len(group) >= GROUP_ROWS or size >= GROUP_BYTES:
                writer.write(group)
                group, size = [], 0
            if on_row is not None:
                on_row(tally.rows)
        if writer is not None:
            if group:
                writer.write(group)
            writer.finish()
    finally:
        if writer is not None:
            writer.abandon()
    return kind


@contextmanager
def _partial(file: Path) -> Generator[tuple[Path, BinaryIO]]:
    """The hidden file that is written first; gone when the block ends, whatever happens."""
    partial = file.with_name(f".{file.name}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        target = partial.open("ab+")
    except OSError as error:
        raise _refused(file, error) from error
    with target:
        try:
            fcntl.flock(target, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"another process is writing {file}. Wait until it ends, or give another name"
            ) from None
        try:
            target.truncate(0)
            yield partial, target
        except OSError as error:
            raise _refused(file, error) from error
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)


def _place(partial: Path, file: Path, digest: str) -> None:
    if file.exists() and _sha256(file) != digest:
        raise InputError(
            f"{file} is there already and holds something else. Give another name, or take it away"
        )
    partial.replace(file)


def write_whole(file: Path, text: str) -> None:
    """Write a small file so that a reader sees the old one or the new one, whole.

    Raises:
        InputError: the disk is full or refuses.
    """
    fresh = file.with_name(f".{file.name}.partial")
    try:
        with fresh.open("w", encoding="utf-8") as target:
            target.write(text)
            target.flush()
            os.fsync(target.fileno())
        fresh.replace(file)
    except OSError as error:
        raise _refused(file, error) from error
    finally:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)


def _empty(
    file: Path, dropped: Counter[str] | None, deduper: Deduper | None, screen: Decontaminator | None
) -> InputError:
    reasons = [f"{count} {why}" for why, count in (dropped or Counter[str]()).most_common()]
    if screen is not None and (lost := screen.report.seen - screen.report.kept):
        reasons.append(f"{lost} give an evaluation problem away")
    if deduper is not None and (repeats := deduper.report.exact + deduper.report.near):
        reasons.append(f"{repeats} repeat others")
    why = f": {', '.join(reasons)}" if reasons else ""
    return InputError(f"no rows to write to {file}{why}")


def _sha256(file: Path) -> str:
    with file.open("rb") as source:
        return file_digest(source, "sha256").hexdigest()


def _refused(file: Path, error: OSError) -> InputError:
    if error.errno in _FULL:
        return InputError(
            f"no space left to write {file}. Nothing of it is kept: make room, and export again"
        )
    return InputError(f"cannot write {file}: {error.strerror or error}")
