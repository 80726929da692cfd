"""`gadfly critics`: several critics or judges on the same things."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

import anyio
from cyclopts import Parameter
from rich.text import Text

from gadfly.cli.flags import flag
from gadfly.cli.judging import (
    USUAL_JUDGING,
    Exhibits,
    Judging,
    open_exhibits,
    recorded,
    run_judge,
    several,
    split_judges,
)
from gadfly.cli.opening import all_failed, folder, open_models, rollouts_in_flight, stopped
from gadfly.cli.output import application, console, note, print_json
from gadfly.errors import InputError
from gadfly.metrics.judged import Judged
from gadfly.protocols import Critic
from gadfly.recipes.load import SharedModels, build_judge
from gadfly.records import Sampling
from gadfly.run.correcting import Correcting, CriticCorrection, correct_cases, measure_corrections
from gadfly.run.critics import CriticsReport, compare_judges, grids, print_critics, write_critics
from gadfly.run.judge_figures import write_judge_figures, write_judges_figure
from gadfly.run.judge_measure import measure, measure_run
from gadfly.run.judge_page import write_judge_page
from gadfly.run.judge_report import JudgeReport
from gadfly.run.judging import judged
from gadfly.run.progress import RunProgress
from gadfly.run.store import read_rollouts
from gadfly.scorers.text import ByKind

critics = application(
    "critics",
    "gadfly critics processbench:gsm8k.json --judges constant,random-guess,step-verdicts --limit 50",
    "gadfly critics llmbar:dataset.json --judges pairwise,listwise --model openai:MODEL@http://HOST/v1",
    "gadfly critics verdicts.csv --map item=id,judge=who,gold=label,said=verdict",
    summary="Put critics or judges side by side on the same things, with paired intervals.\n\n"
    "The first one is what the others are held against. With --judges they are run; without, the "
    "judgements come from a file in which --map names the column that says who judged.",
)


@critics.default
def compare_critics(
    bench: Annotated[str, Parameter(help="A benchmark of judges, or a file.")],
    /,
    *,
    judges: Annotated[
        str | None, flag("Who judges: recipes joined by commas, each with settings where wanted.")
    ] = None,
    reviser: Annotated[
        str | None,
        flag(
            "A model that rewrites every answer by each critique: says what the critiques are worth by the "
            "answers they lead to. For critics of single answers with a reference."
        ),
    ] = None,
    rounds: Annotated[int, flag("Critiques and rewrites of each answer, with --reviser.")] = 1,
    judging: Judging = USUAL_JUDGING,
) -> None:
    """Compare critics; `gadfly critics --help` says how."""
    corrections: tuple[CriticCorrection, ...] = ()
    if judges is None:
        if reviser is not None:
            raise InputError("--reviser rewrites by the critiques of --judges, which is missing")
        found = recorded(bench, judging)
        rows = several(found.rows)
        columns = judging.columns
        kind = None if columns is None else columns.kind
        name = Path(bench).name
        place = folder(judging.out, "critics", name)
        reports = [
            measure(mine, benchmark=name, judge=who, kind=kind, seed=judging.seed).warned(found.warnings)
            for who, mine in rows.items()
        ]
    else:
        place = folder(judging.out, "critics", bench, judging.model)
        loop = None if reviser is None else _Loop(reviser=reviser, rounds=rounds)
        reports, rows, corrections = _run_all(bench, split_judges(judges), judging, place, loop)
    found = compare_judges(reports, rows, seed=judging.seed)
    found = found.model_copy(update={"corrections": corrections})
    written = _publish(found, place)
    if judging.as_json:
        print_json(found.model_dump(mode="json"))
        return
    screen = console()
    print_critics(found, screen)
    for path in written:
        screen.print(Text(str(path), "dim"))


@dataclass(frozen=True, kw_only=True)
class _Loop:
    """Who rewrites by the critiques, and how often."""

    reviser: str
    rounds: int


def _run_all(
    bench: str, specs: list[str], judging: Judging, place: Path, loop: _Loop | None
) -> tuple[list[JudgeReport], dict[str, list[Judged]], tuple[CriticCorrection, ...]]:
    if loop is not None and loop.rounds < 1:
        raise InputError(f"--rounds must be 1 or more, not {loop.rounds}")
    exhibits = open_exhibits(bench, judging)
    for line in exhibits.notes:
        note(line)
    try:
        anyio.run(_run, specs, exhibits, judging, place, loop)
    except KeyboardInterrupt:
        raise stopped(place) from None
    reports: list[JudgeReport] = []
    rows: dict[str, list[Judged]] = {}
    for spec in specs:
        run = _place(place, spec)
        report = measure_run(
            run,
            benchmark=exhibits.benchmark.name,
            judge=spec,
            model=judging.model,
            notes=exhibits.notes,
            threshold=judging.threshold,
            seed=judging.seed,
        )
        reports.append(report)
        rows[spec] = [judged(one, judge=spec, threshold=judging.threshold) for one in read_rollouts(run)]
    corrections = () if loop is None else tuple(_measured(specs, place, loop, judging.seed))
    return reports, rows, corrections


def _measured(specs: list[str], place: Path, loop: _Loop, seed: int) -> Iterator[CriticCorrection]:
    for spec in specs:
        rollouts = read_rollouts(_place(place, spec, "corrections"))
        yield measure_corrections(rollouts, critic=spec, reviser=loop.reviser, rounds=loop.rounds, seed=seed)


async def _run(
    specs: list[str], exhibits: Exhibits, judging: Judging, place: Path, loop: _Loop | None
) -> None:
    async with open_models(judging.running) as models:
        for spec in specs:
            summary = await run_judge(spec, exhibits, judging, models, _place(place, spec))
            if summary.rollouts and summary.failed == summary.rollouts:
                raise all_failed(_place(place, spec))
        for spec in specs if loop is not None else ():
            await _correct(spec, exhibits, judging, models, loop, _place(place, spec, "corrections"))


async def _correct(
    spec: str, exhibits: Exhibits, judging: Judging, models: SharedModels, loop: _Loop | None, run: Path
) -> None:
    assert loop is not None
    critic = build_judge(spec, models=models, model=judging.model, max_tokens=judging.max_tokens)
    usual = Sampling(temperature=0.0)
    setting = Correcting(
        critic=cast(Critic, critic),
        reviser=models(loop.reviser),
        scorer=ByKind(),
        rounds=loop.rounds,
        sampling=usual.model_copy(update={"max_tokens": judging.max_tokens or usual.max_tokens}),
    )
    total = sum(1 for _ in exhibits.cases())
    with RunProgress(total, title=f"rewriting by {spec}") as progress:
        await correct_cases(
            setting,
            exhibits.cases(),
            out=run,
            benchmark=exhibits.benchmark.name,
            in_flight=rollouts_in_flight(models.loaded, judging.concurrency),
            on_rollout=progress,
        )


def _place(place: Path, spec: str, room: str = "judges") -> Path:
    return place / room / folder(None, spec).name


def _publish(found: CriticsReport, place: Path) -> list[Path]:
    data = write_critics(found, place)
    overview = write_judges_figure(found.reports, place)
    pictures = write_judge_figures(found.reports, place)
    page = write_judge_page(found.reports, place, pictures=pictures, overview=overview, grids=grids(found))
    return [data, *([] if overview is None else [overview]), page]
