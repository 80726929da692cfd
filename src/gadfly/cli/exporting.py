"""What commands that write rows have in common: their flags, the file, its manifest and its card."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from pydantic import JsonValue
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from gadfly.benchmarks.load import load_benchmark
from gadfly.cli.flags import flag
from gadfly.cli.output import note, print_json
from gadfly.errors import InputError
from gadfly.run.store import rollouts_file
from gadfly.train.cards import write_card
from gadfly.train.decontaminate import Decontaminator
from gadfly.train.dedupe import Deduper
from gadfly.train.export import export_rows, finished
from gadfly.train.manifest import ExportManifest, Request
from gadfly.train.rows import AnyRow
from gadfly.train.sources import Oracle


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Keeping:
    """Which rows are kept, and what is noted beside them."""

    against: Annotated[
        tuple[str, ...],
        flag("Benchmarks to evaluate on later: rows that give their problems away are left out."),
    ] = ()
    oracle: Annotated[
        Oracle, flag("Text shaped by something that had seen the reference: refuse, mark or drop it.")
    ] = "refuse"
    near: Annotated[
        float, flag("Least overlap (Jaccard, 0 to 1) of near duplicates, which are dropped; 0 keeps them.")
    ] = 0.8
    licence: Annotated[
        tuple[str, ...], flag("A note for the card, such as 'answers: Apache-2.0 model'.")
    ] = ()

    def request(self, options: Mapping[str, JsonValue], runs: Sequence[Path]) -> Request:
        """What is asked for, with the command's own options.

        Raises:
            InputError: `near` is no overlap, or a folder holds no run.
        """
        if not 0 <= self.near <= 1:
            raise InputError(f"--near {self.near} is no overlap: give 0 to 1")
        return Request(
            options={
                **options,
                "oracle": self.oracle,
                "near": self.near,
                "against": list(self.against),
            },
            runs={folder.name: _digest(folder) for folder in runs},
            licences=self.licence,
        )


USUAL_KEEPING = Keeping()
"""Every flag at its default."""


def write_rows(
    rows: Callable[[Counter[str]], Iterator[AnyRow]],
    file: Path,
    request: Request,
    keeping: Keeping,
    *,
    as_json: bool,
) -> None:
    """Write the rows, the manifest and the card, and say what they came to; what is there already stays.

    Args:
        rows: Makes them, given the counter of what is left out.
        file: Where to.
        request: What was asked for.
        keeping: Which are kept.
        as_json: Whether to print the manifest in place of words.

    Raises:
        InputError: as `export_rows`.
    """
    manifest = finished(file, request)
    if manifest is not None:
        note(f"{file} is there already, from the same runs and settings; it is left as it is")
    else:
        dropped: Counter[str] = Counter()
        with _Counting() as counting:
            manifest = export_rows(
                rows(dropped),
                file,
                request=request,
                deduper=Deduper(near=keeping.near or None),
                screen=_screen(keeping.against),
                dropped=dropped,
                on_row=counting,
            )
    card = write_card(manifest, file)
    if as_json:
        print_json(manifest.model_dump(mode="json"))
    else:
        _say(manifest, file, card)


class _Counting:
    """A line on the terminal that counts rows; nothing where standard error is no terminal."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.completed:,.0f} rows"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
            refresh_per_second=4,
        )
        self._task = self._bar.add_task("rows", total=None)

    def __call__(self, rows: int) -> None:
        if rows % 256 == 0:
            self._bar.update(self._task, completed=rows)

    def __enter__(self) -> "_Counting":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _screen(against: tuple[str, ...]) -> Decontaminator | None:
    if not against:
        return None
    return Decontaminator({spec: load_benchmark(spec).problems() for spec in against})


def _digest(folder: Path) -> str:
    """SHA-256 of a run's rollouts.

    Raises:
        InputError: there is no such run, or it cannot be read.
    """
    file = rollouts_file(folder)
    try:
        with file.open("rb") as source:
            return file_digest(source, "sha256").hexdigest()
    except FileNotFoundError:
        raise InputError(f"{folder} is no run folder: it has no {file.name}") from None
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from error


def _say(manifest: ExportManifest, file: Path, card: Path) -> None:
    words = [f"{manifest.rows:,} {manifest.kind} rows of {manifest.problems:,} problems"]
    if manifest.dropped:
        words.append(f"left out: {', '.join(f'{n:,} {why}' for why, n in manifest.dropped.items())}")
    if manifest.dedupe is not None and (repeats := manifest.dedupe.exact + manifest.dedupe.near):
        words.append(f"{repeats:,} duplicates dropped")
    if manifest.oracle:
        words.append(f"{manifest.oracle:,} shaped by the reference, and marked")
    note("; ".join(words))
    found = manifest.decontamination
    if found is not None and found.problems:
        named = [f"{name} ({count})" for name, count in list(found.problems.items())[:5]]
        more = "" if len(found.problems) <= 5 else f" and {len(found.problems) - 5} more"
        note(
            f"{found.seen - found.kept:,} rows gave evaluation problems away: {', '.join(named)}{more}",
            "yellow",
        )
    for path in (file, card):
        print(path)  # noqa: T201
