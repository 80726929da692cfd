"""The run folder on disk: one writer, whole lines, nothing finished ever lost.

    manifest.json     what the run is (written first, and again when a session ends)
    rollouts.jsonl    one finished rollout a line, appended as it finishes
    .lock             held while a process writes

Every line goes out in one `write`, so a killed process leaves at most one torn last line.
Opening the folder again drops that line, and the rows whose failure may pass.
"""

import errno
import fcntl
import json
import os
import re
from array import array
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from gadfly import errors
from gadfly.errors import InputError
from gadfly.records import Case, Failure, Problem, Rollout
from gadfly.run.manifest import MANIFEST, Manifest, read_manifest
from gadfly.run.summary import Tally

ROLLOUTS = "rollouts.jsonl"
LOCK = ".lock"
_SURROGATE = re.compile("[\ud800-\udfff]")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

# A wrong key is not transient, but the user mends it: those rows are tried again as well.
_MAY_PASS = frozenset(
    {kind.__name__ for kind in vars(errors).values() if isinstance(kind, type)
     and issubclass(kind, errors.TransientModelError)} | {"AuthenticationFailed"}
)  # fmt: skip


class KeySet:
    """A set of 8-byte hashes at 16 to 32 bytes a key, where a Python set takes about 80.

    Two of 100,000 keys collide once in 3.7 billion runs.
    """

    def __init__(self) -> None:
        self._slots = array("Q", [0]) * 1024
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: int) -> bool:
        return self._slots[self._find(key)] == key

    def add(self, key: int) -> bool:
        """Add a key; True if it was not there."""
        place = self._find(key)
        if self._slots[place] == key:
            return False
        self._slots[place] = key
        self._count += 1
        if 2 * self._count > len(self._slots):
            self._grow()
        return True

    def _find(self, key: int) -> int:
        """Where the key is, or the free place where it belongs."""
        slots, mask = self._slots, len(self._slots) - 1
        place = key & mask
        while slots[place] not in (0, key):
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        old = self._slots
        self._slots = array("Q", [0]) * (2 * len(old))
        for key in old:
            if key:
                self._slots[self._find(key)] = key


def rollout_key(solver_digest: str, problem: Problem) -> int:
    """Names one rollout: the solver's configuration, the problem's id and its draw. Never 0."""
    name = f"{solver_digest}\0{problem.id}\0{problem.draw}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "big") or 1


def _content_key(key: int, problem: Problem, case: Case | None) -> int:
    """Names one rollout by what was asked, too."""
    shown = "" if case is None else f"\0{case.digest}"
    asked = _SURROGATE.sub("\ufffd", f"{problem.text}\0{problem.reference}{shown}")
    return int.from_bytes(blake2b(f"{key}\0{asked}".encode(), digest_size=8).digest(), "big") or 1


def may_pass(rollout: Rollout) -> bool:
    """Whether a rollout failed in a way that the next session should try again.

    That is: the budget ended, the model's server failed, or it refused the key, for the
    solver or for one of the scorers.
    """
    failures = [rollout.failure, *(score.failure for score in rollout.scores.values())]
    return any(failure is not None and _may_pass(failure) for failure in failures)


def _may_pass(failure: Failure) -> bool:
    return failure.boundary == "budget" or failure.type in _MAY_PASS


def rollouts_file(path: Path) -> Path:
    """The rollouts of a run folder; a path to a file is that file."""
    return path / ROLLOUTS if path.is_dir() else path


def read_rollouts(path: Path) -> Iterator[Rollout]:
    """The rollouts of a run folder (or of one JSON-lines file), one at a time.

    A last line that a crash cut short is left out.

    Raises:
        InputError: there is no such run, or a line before the last cannot be read.
    """
    file = rollouts_file(path)
    try:
        with file.open("rb") as source:
            for _, _, rollout in _scan(source, file):
                if rollout is not None:
                    yield rollout
    except FileNotFoundError:
        raise InputError(f"{path} is no run folder: it has no {ROLLOUTS}") from None
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from error


def _scan(source: BinaryIO, file: Path) -> Iterator[tuple[int, bytes, Rollout | None]]:
    """Offset, line and rollout of every line; no rollout for a torn last line."""
    offset = 0
    broken: tuple[int, bytes, str] | None = None
    for number, line in enumerate(source, start=1):
        if broken is not None:
            raise InputError(
                f"{file}:{number - 1}: {broken[2]}. Take this line out of the file "
                "(its problem will be answered again), or give another folder"
            )
        try:
            yield offset, line, Rollout.model_validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            broken = (offset, line, f"not a rollout ({place + ': ' if place else ''}{first['msg']})")
        offset += len(line)
    if broken is not None:
        yield broken[0], broken[1], None


def _line(rollout: Rollout) -> bytes:
    try:
        return rollout.model_dump_json().encode() + b"\n"
    except PydanticSerializationError:
        # Half a surrogate pair, from a recipe's own text or error: one odd character, not the run.
        text = json.dumps(rollout.model_dump(mode="json"), ensure_ascii=False)
        return _SURROGATE.sub("\ufffd", text).encode() + b"\n"


class RunFolder:
    """An open run folder: what it holds already, and the one place where rows are added."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest
        self.finished = KeySet()
        self._contents = KeySet()
        self.tally = Tally()
        self._file: BinaryIO | None = None
        self._size = 0

    def _open(self) -> None:
        """Check whose folder it is, mend the rows, and stand ready to append."""
        rows = self.path / ROLLOUTS
        if (self.path / MANIFEST).exists():
            earlier = read_manifest(self.path)
            difference = earlier.difference(self.manifest)
            if difference is not None:
                raise InputError(
                    f"{self.path} holds another run: {difference}. "
                    "Give this run a folder of its own with --out"
                )
            self.manifest = self.manifest.model_copy(update={"started": earlier.started})
        elif rows.exists() and rows.stat().st_size:
            raise InputError(
                f"{self.path} holds rollouts but no {MANIFEST}, so nobody can tell whose they are. "
                "Give this run another folder with --out"
            )
        rows.touch()
        self._mend(rows)
        self._file = rows.open("ab", buffering=0)
        self._size = rows.stat().st_size
        self.write_manifest(self.manifest)

    def _mend(self, rows: Path) -> None:
        """Take in what is finished; drop a torn line and the rows that are to be tried again."""
        dropped: set[int] = set()
        torn: int | None = None
        unended = False
        with rows.open("rb") as source:
            for offset, line, rollout in _scan(source, rows):
                if rollout is None:
                    torn = offset
                elif may_pass(rollout) or not self.finished.add(self.key(rollout.problem)):
                    dropped.add(offset)
                else:
                    key = self.key(rollout.problem)
                    self._contents.add(_content_key(key, rollout.problem, rollout.case))
                    self.tally.add(rollout)
                    unended = not line.endswith(b"\n")
        if dropped:
            self._rewrite(rows, dropped, torn)
        elif torn is not None:
            os.truncate(rows, torn)
        elif unended:
            with rows.open("ab") as end:
                end.write(b"\n")

    def _rewrite(self, rows: Path, dropped: set[int], torn: int | None) -> None:
        fresh = rows.with_suffix(".tmp")
        try:
            with rows.open("rb") as source, fresh.open("wb") as target:
                offset = 0
                for line in source:
                    if offset not in dropped and offset != torn:
                        target.write(line if line.endswith(b"\n") else line + b"\n")
                    offset += len(line)
                target.flush()
                os.fsync(target.fileno())
            fresh.replace(rows)
        finally:
            fresh.unlink(missing_ok=True)

    def key(self, problem: Problem) -> int:
        """What a rollout of this run on a problem is called."""
        return rollout_key(self.manifest.solver_digest, problem)

    def holds(self, problem: Problem, case: Case | None = None) -> bool:
        """Whether the problem has its row from an earlier session.

        Raises:
            InputError: it has one, but with another text or reference: the benchmark has changed.
        """
        key = self.key(problem)
        if key not in self.finished:
            return False
        if _content_key(key, problem, case) not in self._contents:
            raise InputError(
                f"{self.path} holds an answer to another problem of the id {problem.id!r}: its text or "
                "reference has changed since. Give this run a folder of its own with --out"
            )
        return True

    def add(self, rollout: Rollout) -> None:
        """Append one finished rollout.

        Raises:
            InputError: the disk is full or refuses; what was written before is whole.
        """
        line = _line(rollout)
        assert self._file is not None, "the folder is open"
        try:
            written = self._file.write(line)
            while written < len(line):
                written += self._file.write(line[written:])
        except OSError as error:
            # Without the half line, the file ends with a whole one.
            with suppress(OSError):
                self._file.truncate(self._size)
            raise _refused(self.path, error) from error
        self._size += len(line)
        self.tally.add(rollout)

    def write_manifest(self, manifest: Manifest) -> None:
        """Write the manifest so that a reader sees the old one or the new one, whole."""
        fresh = self.path / f"{MANIFEST}.tmp"
        try:
            with fresh.open("w", encoding="utf-8") as target:
                target.write(manifest.model_dump_json(indent=2) + "\n")
                target.flush()
                os.fsync(target.fileno())
            fresh.replace(self.path / MANIFEST)
        except OSError as error:
            raise _refused(self.path, error) from error
        finally:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)

    def close(self) -> None:
        """Bring what is written to the disk. Calling it twice is harmless."""
        if self._file is not None:
            with suppress(OSError):
                os.fsync(self._file.fileno())
            self._file.close()
            self._file = None


@contextmanager
def open_folder(path: Path, manifest: Manifest) -> Generator[RunFolder]:
    """Hold a run folder for writing; it is made where it is missing.

    Raises:
        InputError: it belongs to another run, another process writes to it, one of its lines
            is broken, or the disk refuses.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = (path / LOCK).open("w")
    except OSError as error:
        raise _refused(path, error) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"another process is writing to {path}. Wait until it ends, or give another folder with --out"
            ) from None
        folder = RunFolder(path, manifest)
        try:
            try:
                folder._open()  # pyright: ignore[reportPrivateUsage]
            except OSError as error:
                raise _refused(path, error) from error
            yield folder
        finally:
            folder.close()


def _refused(folder: Path, error: OSError) -> InputError:
    if error.errno in _FULL:
        return InputError(
            f"no space left to write to {folder}. Every rollout written so far is kept: make room, "
            "then run the same command again to continue"
        )
    return InputError(f"cannot write to {folder}: {error.strerror or error}")
