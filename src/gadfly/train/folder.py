"""A training on disk: what it is, a line of figures a step, checkpoints, and the weights at the end.

train.json        what is trained, on what, how (written first, and again at the end)
log.jsonl         one optimiser step a line
state/step-N/     the newest checkpoint
curve.png, .svg   the figures as a picture
model/            the trained weights as transformers reads them; adapter/ beside it, in PEFT's format
"""

import json
import re
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, JsonValue, ValidationError

from gadfly.errors import InputError
from gadfly.records import Record, content_digest
from gadfly.run.manifest import package_version
from gadfly.train.export import write_whole

MANIFEST, LOG, STATE, MODEL, ADAPTER = "train.json", "log.jsonl", "state", "model", "adapter"
_STEP = re.compile(r"step-(\d+)")


class TrainManifest(Record):
    """What a training is, and how far it is."""

    version: Literal[1] = 1
    request: Mapping[str, JsonValue]
    """Weights, rows, objective, tuning and plan: equal requests give equal weights."""
    steps: int
    """Optimiser steps that were asked for."""
    rows: int | None = None
    """Rows that are learned from; None where the policy makes its own."""
    left_out: Mapping[str, int] = Field(default_factory=dict[str, int])
    """Rows that are not, by reason."""
    package: str
    started: str
    ended: str | None = None
    """None: not finished."""
    seconds: float = 0.0
    """Wall time of training, all sessions together, without the writing of weights."""
    model: str = ""
    """What a model specification names the result by; empty until it is finished."""


class StepLine(Record):
    """The figures of one optimiser step."""

    step: int
    """Counted from 1."""
    figures: Mapping[str, float]
    seconds: float


class TrainFolder:
    """One training's folder."""

    def __init__(self, path: Path, manifest: TrainManifest, *, writes: bool = True) -> None:
        """Open the folder, or make it.

        Args:
            path: The folder.
            manifest: What is trained.
            writes: Whether this process writes; of several, one does.

        Raises:
            InputError: it holds another training, or cannot be written.
        """
        self.path = path
        earlier = read_manifest(path) if (path / MANIFEST).exists() else None
        if earlier is not None and content_digest(dict(earlier.request)) != content_digest(
            dict(manifest.request)
        ):
            raise InputError(
                f"{path} holds another training ({_difference(earlier, manifest)}); give another folder"
            )
        self.manifest = earlier or manifest
        self._writes = writes
        if writes:
            _make(path)
        if earlier is None:
            self.write(manifest)
        self.lines = [line for line in _read_lines(path / LOG) if line.step <= self.saved]

    @property
    def finished(self) -> bool:
        """Whether the weights are there."""
        return self.manifest.ended is not None

    @property
    def saved(self) -> int:
        """The step of the newest checkpoint; 0 where there is none."""
        return max((step for step, _ in self._checkpoints()), default=0)

    def checkpoint(self, step: int) -> Path:
        """Where the checkpoint of a step stands."""
        return self.path / STATE / f"step-{step}"

    def begin(self) -> None:
        """Make the log end where the newest checkpoint does: later steps are made again."""
        if self._writes:
            write_whole(self.path / LOG, "".join(f"{line.model_dump_json()}\n" for line in self.lines))

    def add(self, line: StepLine) -> None:
        """Keep the figures of a step."""
        self.lines.append(line)
        if not self._writes:
            return
        try:
            with (self.path / LOG).open("a", encoding="utf-8") as log:
                log.write(f"{line.model_dump_json()}\n")
        except OSError as error:
            raise InputError(f"cannot write to {self.path}: {error.strerror or error}") from error

    def forget_before(self, step: int) -> None:
        """Take away checkpoints older than this one."""
        for number, folder in self._checkpoints() if self._writes else ():
            if number < step:
                shutil.rmtree(folder, ignore_errors=True)

    def write(self, manifest: TrainManifest) -> None:
        """Write the manifest."""
        self.manifest = manifest
        if self._writes:
            write_whole(self.path / MANIFEST, manifest.model_dump_json(indent=1) + "\n")

    def finish(self, *, model: str) -> None:
        """Say that the weights are there, and take the checkpoints away."""
        spent = sum(line.seconds for line in self.lines)
        self.write(
            self.manifest.model_copy(update={"ended": now(), "seconds": round(spent, 3), "model": model})
        )
        if self._writes:
            shutil.rmtree(self.path / STATE, ignore_errors=True)

    def _checkpoints(self) -> list[tuple[int, Path]]:
        folders = list((self.path / STATE).glob("step-*"))
        numbered = [(_STEP.fullmatch(folder.name), folder) for folder in folders]
        return [(int(n[1]), folder) for n, folder in numbered if n and (folder / "state.pt").is_file()]


def describe_training(
    request: Mapping[str, JsonValue], *, steps: int, rows: int | None, left_out: Mapping[str, int]
) -> TrainManifest:
    """What a training that starts now is."""
    return TrainManifest(
        request=request,
        steps=steps,
        rows=rows,
        left_out=left_out,
        package=package_version(),
        started=now(),
    )


def read_manifest(folder: Path) -> TrainManifest:
    """What a training's folder says of itself.

    Raises:
        InputError: it holds no training, or one that this version cannot read.
    """
    try:
        return TrainManifest.model_validate_json((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise InputError(f"{folder} holds no training (no {MANIFEST})") from None
    except (OSError, ValidationError) as error:
        raise InputError(f"{folder / MANIFEST} cannot be read: {error}") from error


def read_log(folder: Path) -> list[StepLine]:
    """The figures of every step so far."""
    return _read_lines(folder / LOG)


def now() -> str:
    """The time, as manifests have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _read_lines(file: Path) -> list[StepLine]:
    if not file.exists():
        return []
    found: list[StepLine] = []
    for line in file.read_text(encoding="utf-8").split("\n"):
        try:
            found.append(StepLine.model_validate(json.loads(line)))
        except ValueError:  # a torn last line of a killed process
            continue
    return found


def _make(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error


def _difference(old: TrainManifest, new: TrainManifest) -> str:
    for name, value in new.request.items():
        if old.request.get(name) != value:
            return f"{name} was {_short(old.request.get(name))} and now is {_short(value)}"
    return "something else was asked for"


def _short(value: JsonValue) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
