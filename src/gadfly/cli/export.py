"""`gadfly export`: what runs came to, as a file to train on."""

from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import file_digest
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from cyclopts import Parameter
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from gadfly.benchmarks.load import load_benchmark
from gadfly.cli.flags import flag
from gadfly.cli.output import application, note, print_json
from gadfly.errors import InputError
from gadfly.run.store import rollouts_file
from gadfly.train import from_critiques, from_rollouts
from gadfly.train.cards import write_card
from gadfly.train.decontaminate import Decontaminator
from gadfly.train.dedupe import Deduper
from gadfly.train.export import check_target, export_rows, finished
from gadfly.train.manifest import ExportManifest, Request
from gadfly.train.rows import AnyRow
from gadfly.train.sources import Oracle, read_runs

Kind: TypeAlias = Literal[
    "prompt-completion",
    "preference",
    "ranked-preference",
    "revision",
    "unpaired",
    "ranking",
    "stepwise",
    "critique",
    "judged",
    "correction",
    "vector-reward",
]

export = application(
    "export",
    "gadfly export runs/best-of-n-families-embedded --kind preference --out pairs.parquet",
    "gadfly export runs/direct-* --kind prompt-completion --out good.jsonl --against gsm8k:test.jsonl",
    "gadfly export runs/self-refine-families-embedded --kind correction --out corrections.parquet",
    "gadfly export runs/judge-pairwise-llmbar --kind ranked-preference --out ranked.parquet",
    "gadfly export runs/judge-step-verdicts --kind stepwise --out steps.parquet --oracle drop",
    summary="Write what runs came to as rows to train on, in TRL's formats: Parquet or JSON lines.\n\n"
    "FILE.manifest.json says what is in the file and what was left out and why, FILE.card.md says it in "
    "words. References and a judge's explanations are never written. The same command on the same runs "
    "leaves a finished file as it is.",
)


@export.default
def export_runs(
    *runs: Annotated[str, Parameter(help="Run folders, of solvers or judges.")],
    kind: Annotated[
        Kind,
        flag(
            "What rows: answers to imitate, right against wrong of one problem (preference), a judge's "
            "order (ranking, ranked-preference), last answer against first draft (revision), ..."
        ),
    ],
    out: Annotated[str, flag("The file to write: .parquet or .jsonl.")],
    against: Annotated[
        tuple[str, ...],
        flag("Benchmarks to evaluate on later: rows that give their problems away are left out."),
    ] = (),
    oracle: Annotated[
        Oracle, flag("Text shaped by something that had seen the reference: refuse, mark or drop it.")
    ] = "refuse",
    near: Annotated[
        float, flag("Least overlap (Jaccard, 0 to 1) of near duplicates, which are dropped; 0 keeps them.")
    ] = 0.8,
    licence: Annotated[
        tuple[str, ...], flag("A note for the card, such as 'answers: Apache-2.0 model'.")
    ] = (),
    as_json: Annotated[bool, flag("Print the manifest as JSON.", "--json", show_default=False)] = False,
) -> None:
    """Write rows; `gadfly export --help` says how."""
    if not runs:
        raise InputError("which runs? Give one run folder or more: gadfly export runs/NAME --kind ...")
    if not 0 <= near <= 1:
        raise InputError(f"--near {near} is no overlap: give 0 to 1")
    file, folders = Path(out).expanduser(), [Path(run).expanduser() for run in runs]
    check_target(file)
    request = Request(
        options={"kind": kind, "oracle": oracle, "near": near, "against": list(against)},
        runs={folder.name: _digest(folder) for folder in folders},
        licences=licence,
    )
    manifest = finished(file, request)
    if manifest is not None:
        note(f"{file} is there already, from the same runs and settings; it is left as it is")
    else:
        screen = _screen(against)
        dropped: Counter[str] = Counter()
        with _Counting() as counting:
            manifest = export_rows(
                _MAKERS[kind](folders, oracle, dropped),
                file,
                request=request,
                deduper=Deduper(near=near or None),
                screen=screen,
                dropped=dropped,
                on_row=counting,
            )
    card = write_card(manifest, file)
    if as_json:
        print_json(manifest.model_dump(mode="json"))
        return
    _say(manifest, file, card)


Maker: TypeAlias = Callable[[list[Path], Oracle, Counter[str]], Iterator[AnyRow]]
_MAKERS: dict[Kind, Maker] = {
    "prompt-completion": lambda f, o, d: from_rollouts.prompt_completions(read_runs(*f), oracle=o, dropped=d),
    "preference": lambda f, o, d: from_rollouts.preferences(read_runs(*f), oracle=o, dropped=d),
    "ranked-preference": lambda f, o, d: from_rollouts.ranked_preferences(
        from_rollouts.rankings(read_runs(*f), judges_only=False, oracle=o, dropped=d), dropped=d
    ),
    "revision": lambda f, o, d: from_critiques.revisions(read_runs(*f), oracle=o, dropped=d),
    "unpaired": lambda f, o, d: from_rollouts.unpaired(read_runs(*f), oracle=o, dropped=d),
    "ranking": lambda f, o, d: from_rollouts.rankings(read_runs(*f), judges_only=False, oracle=o, dropped=d),
    "stepwise": lambda f, o, d: from_critiques.stepwise(read_runs(*f), oracle=o, dropped=d),
    "critique": lambda f, o, d: from_critiques.critiques(read_runs(*f), oracle=o, dropped=d),
    "judged": lambda f, o, d: from_critiques.judged_answers(read_runs(*f), oracle=o, dropped=d),
    "correction": lambda f, o, d: from_critiques.corrections(read_runs(*f), oracle=o, dropped=d),
    "vector-reward": lambda f, o, d: from_rollouts.vector_rewards(read_runs(*f), oracle=o, dropped=d),
}


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
