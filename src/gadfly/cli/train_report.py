"""What a training says: a bar while it goes on, and at the end the figures and how to use the weights."""

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from gadfly.cli.output import console, print_json, print_table
from gadfly.train.folder import ADAPTER, StepLine, TrainManifest, read_log, read_manifest

_COUNTS = frozenset({"tokens", "sequences", "empty_sequences", "pairs", "rows", "learning_rate"})
_HELD_OUT = "held_out_"
_SHOWN = ("loss", "reward", "gold", "accuracy", "margin", "second", "first")


def leads() -> bool:
    """Whether this process prints: of several that train together, the first."""
    return os.environ.get("RANK", "0") == "0"


class TrainProgress:
    """A bar with the newest figures. Use it as a context manager, and give it to `fit` as `on_step`."""

    def __init__(self, title: str) -> None:
        """Make a bar; it is drawn on standard error where that is a terminal, by the first process."""
        screen = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=screen,
            disable=not (screen.is_terminal and leads()),
            refresh_per_second=4,
        )
        self._task = self._bar.add_task(title, total=None, figures="")

    def __call__(self, line: StepLine, steps: int) -> None:
        """Show a step's figures."""
        told = [f"{name} {line.figures[name]:.4g}" for name in _SHOWN if name in line.figures][:3]
        self._bar.update(self._task, completed=line.step, total=steps, figures=", ".join(told))

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()


def report(out: Path, *, use: str, as_json: bool) -> None:
    """What a finished training came to.

    Args:
        out: Its folder.
        use: The next command to try.
        as_json: Print one JSON document instead.
    """
    if not leads():
        return
    manifest, lines = read_manifest(out), read_log(out)
    if as_json:
        print_json(
            {
                **manifest.model_dump(mode="json"),
                "out": str(out),
                "first": dict(lines[0].figures) if lines else {},
                "last": dict(lines[-1].figures) if lines else {},
            }
        )
        return
    _figures(lines)
    _facts(out, manifest)
    console().print(Text(use, "dim"))


def _figures(lines: Sequence[StepLine]) -> None:
    """First and last values; with those of held-out rows beside them, where there are any."""
    if not lines:
        return
    names = [
        name
        for name in {name: None for line in lines for name in line.figures}
        if name not in _COUNTS and not name.startswith(_HELD_OUT)
    ]
    apart = any(name.startswith(_HELD_OUT) for line in lines for name in line.figures)
    headings = ["figure", "first step", "last step", *(["held out, first", "last"] if apart else [])]
    rows: list[list[str]] = []
    for name in names:
        cells = [name.replace("_", " "), *_ends(lines, name)]
        rows.append([*cells, *_ends(lines, _HELD_OUT + name)] if apart else cells)
    print_table(headings, rows)


def _ends(lines: Sequence[StepLine], name: str) -> tuple[str, str]:
    values = [line.figures[name] for line in lines if name in line.figures]
    return (f"{values[0]:.4g}", f"{values[-1]:.4g}") if values else ("", "")


def _facts(out: Path, manifest: TrainManifest) -> None:
    screen = console()
    learned = "" if manifest.rows is None else f" on {manifest.rows:,} rows"
    why = ", ".join(f"{count:,} {reason}" for reason, count in manifest.left_out.items())
    screen.print(f"trained     {manifest.steps:,} steps{learned}" + (f"; left out: {why}" if why else ""))
    screen.print(f"seconds     {manifest.seconds:.1f}")
    screen.print(Text(f"curve       {out / 'curve.png'}"))
    if (out / ADAPTER).is_dir():
        screen.print(Text(f"adapter     {out / ADAPTER}"))
    screen.print(Text(f"model       {manifest.model}"))
