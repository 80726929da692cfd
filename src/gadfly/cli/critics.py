"""`gadfly critics`: several critics or judges on the same things."""

from pathlib import Path
from typing import Annotated

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
from gadfly.cli.opening import all_failed, folder, open_models, stopped
from gadfly.cli.output import application, console, note, print_json
from gadfly.metrics.judged import Judged
from gadfly.run.critics import CriticsReport, compare_judges, print_critics, write_critics
from gadfly.run.judge_figures import write_judges_figure
from gadfly.run.judge_measure import measure, measure_run
from gadfly.run.judge_page import write_judge_page
from gadfly.run.judge_report import JudgeReport
from gadfly.run.judging import judged
from gadfly.run.store import read_rollouts

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
    judging: Judging = USUAL_JUDGING,
) -> None:
    """Compare critics; `gadfly critics --help` says how."""
    if judges is None:
        rows = several(recorded(bench, judging))
        columns = judging.columns
        kind = None if columns is None else columns.kind
        name = Path(bench).name
        place = folder(judging.out, "critics", name)
        reports = [
            measure(mine, benchmark=name, judge=who, kind=kind, seed=judging.seed)
            for who, mine in rows.items()
        ]
    else:
        place = folder(judging.out, "critics", bench, judging.model)
        reports, rows = _run_all(bench, split_judges(judges), judging, place)
    found = compare_judges(reports, rows, seed=judging.seed)
    written = _publish(found, place)
    if judging.as_json:
        print_json(found.model_dump(mode="json"))
        return
    screen = console()
    print_critics(found, screen)
    for path in written:
        screen.print(Text(str(path), "dim"))


def _run_all(
    bench: str, specs: list[str], judging: Judging, place: Path
) -> tuple[list[JudgeReport], dict[str, list[Judged]]]:
    exhibits = open_exhibits(bench, judging)
    for line in exhibits.notes:
        note(line)
    try:
        anyio.run(_run, specs, exhibits, judging, place)
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
    return reports, rows


async def _run(specs: list[str], exhibits: Exhibits, judging: Judging, place: Path) -> None:
    async with open_models(judging.running) as models:
        for spec in specs:
            summary = await run_judge(spec, exhibits, judging, models, _place(place, spec))
            if summary.rollouts and summary.failed == summary.rollouts:
                raise all_failed(_place(place, spec))


def _place(place: Path, spec: str) -> Path:
    return place / "judges" / folder(None, spec).name


def _publish(found: CriticsReport, place: Path) -> list[Path]:
    data = write_critics(found, place)
    picture = write_judges_figure(found.reports, place)
    page = write_judge_page(found.reports, place, picture=picture)
    return [data, *([] if picture is None else [picture]), page]
