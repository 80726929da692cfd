"""What `judge` and `critics` have in common: their flags, the things to judge, a judge's run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from gadfly.benchmarks.about import notes_of
from gadfly.benchmarks.judging.columns import FIELDS, HOW, Columns, read_columns
from gadfly.benchmarks.judging.judgements import Judgements, read_judgements
from gadfly.benchmarks.judging.load import load_cases
from gadfly.benchmarks.judging.mapped import MappedCases
from gadfly.benchmarks.judging.spellings import Kind
from gadfly.cli.flags import RUNNING, Running, flag
from gadfly.cli.opening import rollouts_in_flight
from gadfly.errors import InputError
from gadfly.metrics.judged import Judged
from gadfly.protocols import JudgingBenchmark
from gadfly.recipes.load import SharedModels, build_judge
from gadfly.recipes.naming import split_recipes
from gadfly.records import Case, Problem, both_orders
from gadfly.run.judging import judge_cases
from gadfly.run.progress import RunProgress
from gadfly.run.summary import RunSummary

Map = Annotated[
    list[str] | None,
    Parameter(
        name="--map",
        group=RUNNING,
        help="Which column of a file is what: gold=label,said=verdict. A dot goes into nested values, "
        "+ joins columns that vote, said:ann=COLUMN is one of several judges in a row. Fields: "
        + "; ".join(f"{name} ({about})" for name, about in FIELDS.items())
        + ". After a column: "
        + "; ".join(f"{word} ({about})" for word, about in HOW.items())
        + ".",
        negative="",
    ),
]
Labels = Annotated[
    list[str] | None,
    Parameter(
        group=RUNNING,
        help="How a file spells labels: 'A>B:first,B>A:second,garbage:none'. Usual spellings are known. "
        "Ours: correct, incorrect, unsure; first, second, tie; given, swapped (of the order); none.",
        negative="",
    ),
]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Judging:
    """What every run of a judge is told."""

    model: Annotated[str, flag("Which model judges: `gadfly models` lists what there is.")] = "embedded"
    limit: Annotated[int | None, flag("The first so many cases.")] = None
    one_order: Annotated[
        bool, flag("Show pairs in one order only, which tells nothing of position bias.", show_default=False)
    ] = False
    max_tokens: Annotated[int | None, flag("Upper limit of generated tokens a call.")] = None
    threshold: Annotated[float, flag("The mark from which on a marked answer counts as correct.")] = 0.5
    seed: Annotated[int, flag("Of the bootstrap intervals.")] = 0
    map: Map = None
    labels: Labels = None
    kind: Annotated[
        Kind | None,
        flag(
            "What a file's labels are: of one answer, of two, any classes, or only marks. By default a pair "
            "where a field of two answers is mapped, mark where only score and gold_score are, else verdict."
        ),
    ] = None
    out: Annotated[
        str | None,
        flag("The folder for the results; the same command continues what it holds. By default under runs/."),
    ] = None
    budget: Annotated[int | None, flag("Tokens, in and out together, that may be paid for in all.")] = None
    cache: Annotated[
        str | None, flag("The file that keeps completions, so that no call is paid twice; off for none.")
    ] = None
    concurrency: Annotated[
        int | None, flag("Requests in flight at once; by default what suits the model.")
    ] = None
    as_json: Annotated[bool, flag("Print the result as JSON.", "--json", show_default=False)] = False

    @property
    def running(self) -> Running:
        """The part that opens models."""
        return Running(model=self.model, budget=self.budget, cache=self.cache, concurrency=self.concurrency)

    @property
    def columns(self) -> Columns | None:
        """The mapping of a file's columns; None where none is given.

        Raises:
            InputError: it cannot be read.
        """
        if self.map is None:
            if self.labels or self.kind:
                raise InputError("--labels and --kind belong to --map, which says what a file's columns are")
            return None
        return read_columns(self.map, kind=self.kind, labels=self.labels or ())


USUAL_JUDGING = Judging()
"""Every flag at its default."""


@dataclass(frozen=True, kw_only=True)
class Exhibits:
    """The things to judge, with what has to stand beside the results."""

    benchmark: JudgingBenchmark
    limit: int | None
    both: bool

    @property
    def notes(self) -> tuple[str, ...]:
        """Licence, citation, checksum and the like."""
        return notes_of(self.benchmark)

    def cases(self) -> Iterator[tuple[Problem, Case]]:
        """The cases, pairs in both orders unless told otherwise."""
        for problem, case in islice(self.benchmark.cases(), self.limit):
            yield from both_orders(problem, case) if self.both else ((problem, case),)


def open_exhibits(bench: str, judging: Judging) -> Exhibits:
    """What a name, or a file with a mapping, holds to be judged.

    Raises:
        InputError: it cannot be loaded.
    """
    _check_limit(judging)
    columns = judging.columns
    benchmark: JudgingBenchmark
    if columns is None:
        benchmark = load_cases(bench)
    else:
        path = _file(bench)
        benchmark = MappedCases(name=path.name, path=path, columns=columns)
    return Exhibits(benchmark=benchmark, limit=judging.limit, both=not judging.one_order)


def recorded(bench: str, judging: Judging) -> Judgements:
    """The judgements that a file holds already.

    Raises:
        InputError: the file cannot be read, or the mapping does not fit.
    """
    columns = judging.columns
    if columns is None:
        raise InputError(
            "without --judge the judgements come from a file, and --map has to say what its columns are: "
            "--map item=id,gold=label,said=verdict"
        )
    _check_limit(judging)
    return read_judgements(_file(bench), columns, threshold=judging.threshold, limit=judging.limit)


async def run_judge(
    spec: str, exhibits: Exhibits, judging: Judging, models: SharedModels, place: Path
) -> RunSummary:
    """Run one judge on everything, with a progress bar.

    Raises:
        InputError: the judge cannot be built, or the folder belongs to another run.
    """
    judge = build_judge(spec, models=models, model=judging.model, max_tokens=judging.max_tokens)
    total = sum(1 for _ in exhibits.cases())
    with RunProgress(total, title=spec) as progress:
        return await judge_cases(
            judge,
            exhibits.cases(),
            out=place,
            benchmark=exhibits.benchmark.name,
            in_flight=rollouts_in_flight(models.loaded, judging.concurrency),
            on_rollout=progress,
        )


def split_judges(text: str) -> list[str]:
    """`a,b:x=1,y=2;c` as its judges.

    Raises:
        InputError: one stands there twice, or none.
    """
    judges = split_recipes(text)
    twice = sorted({one for one in judges if judges.count(one) > 1})
    if twice:
        raise InputError(f"--judges names {', '.join(twice)} twice")
    if not judges:
        raise InputError("--judges names no judge; `gadfly recipes --room judge` lists what there is")
    return judges


def several(rows: Sequence[Judged]) -> dict[str, list[Judged]]:
    """Rows by who judged, in order of appearance."""
    found: dict[str, list[Judged]] = {}
    for row in rows:
        found.setdefault(row.judge or "the judge", []).append(row)
    return found


def _check_limit(judging: Judging) -> None:
    if judging.limit is not None and judging.limit < 1:
        raise InputError(f"the limit must be 1 or more, not {judging.limit}")


def _file(bench: str) -> Path:
    path = Path(bench).expanduser()
    if not path.is_file():
        raise InputError(f"--map describes the columns of a file, and there is no file {bench}")
    return path
