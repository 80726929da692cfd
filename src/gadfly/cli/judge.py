"""`gadfly judge`: one judge or critic on things that people have judged, or the judgements of a file."""

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
)
from gadfly.cli.opening import all_failed, folder, open_models, stopped
from gadfly.cli.output import application, console, note, print_json
from gadfly.errors import InputError
from gadfly.run.judge_figures import write_judge_figures
from gadfly.run.judge_measure import measure, measure_run
from gadfly.run.judge_page import write_judge_page
from gadfly.run.judge_report import JudgeReport
from gadfly.run.judge_table import print_judge
from gadfly.run.summary import RunSummary

REPORT = "judge.json"

judge = application(
    "judge",
    "gadfly judge processbench:gsm8k.json --judge step-verdicts --limit 50",
    "gadfly judge llmbar:dataset.json --judge pairwise --model openai:MODEL@http://localhost:8000/v1",
    "gadfly judge pairs.csv --map problem=question,first=a,second=b,gold=winner --judge pairwise",
    "gadfly judge verdicts.jsonl --map item=id,gold=label,said=verdict",
    summary="Say what a judge or critic is worth: its skill, biases, calibration and cost.\n\n"
    "With --judge, the judge is run on a benchmark (`gadfly benchmarks`) or on a file. Without it, the "
    "judgements that a file holds already are measured. Writes judge.json, a picture (judge.png) and "
    "judge.html, with examples of each kind of failure.",
)


@judge.default
def judge_benchmark(
    bench: Annotated[str, Parameter(help="A benchmark of judges, or a file.")],
    /,
    *,
    judge: Annotated[
        str | None,
        flag("Who judges: a recipe of `gadfly recipes --room judge`, with settings: pairwise:max_tokens=64."),
    ] = None,
    judging: Judging = USUAL_JUDGING,
) -> None:
    """Measure a judge; `gadfly judge --help` says how."""
    if judge is None:
        reports, place = _of_file(bench, judging)
    else:
        report, place = _of_run(bench, judge, judging)
        reports = [report]
    written = _publish(reports, place)
    if judging.as_json:
        print_json([report.model_dump(mode="json") for report in reports])
        return
    screen = console()
    for report in reports:
        print_judge(report, screen)
    for path in written:
        screen.print(Text(str(path), "dim"))


def _of_file(bench: str, judging: Judging) -> tuple[list[JudgeReport], Path]:
    columns = judging.columns
    found = recorded(bench, judging)
    assert columns is not None
    name = Path(bench).name
    place = folder(judging.out, "judge", name)
    reports = [
        measure(mine, benchmark=name, judge=who, kind=columns.kind, seed=judging.seed).warned(found.warnings)
        for who, mine in several(found.rows).items()
    ]
    return reports, place


def _of_run(bench: str, spec: str, judging: Judging) -> tuple[JudgeReport, Path]:
    place = folder(judging.out, "judge", spec, bench, judging.model)
    exhibits = open_exhibits(bench, judging)
    for line in exhibits.notes:
        note(line)
    try:
        summary = anyio.run(_run, spec, exhibits, judging, place)
    except KeyboardInterrupt:
        raise stopped(place) from None
    if summary.rollouts and summary.failed == summary.rollouts:
        raise all_failed(place)
    report = measure_run(
        place,
        benchmark=exhibits.benchmark.name,
        judge=spec,
        model=judging.model,
        notes=exhibits.notes,
        threshold=judging.threshold,
        seed=judging.seed,
    )
    return report, place


async def _run(spec: str, exhibits: Exhibits, judging: Judging, place: Path) -> RunSummary:
    async with open_models(judging.running) as models:
        return await run_judge(spec, exhibits, judging, models, place)


def _publish(reports: list[JudgeReport], place: Path) -> list[Path]:
    """Write the report beside the run: as JSON, as a picture of each judge, as a page."""
    if not reports:
        raise InputError("the file has no judgements")
    data = place / REPORT
    try:
        place.mkdir(parents=True, exist_ok=True)
        text = ",\n".join(report.model_dump_json(indent=1) for report in reports)
        data.write_text(f"[{text}]\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {data}: {error.strerror or error}") from error
    pictures = write_judge_figures(reports, place)
    page = write_judge_page(reports, place, pictures=pictures)
    return [data, *pictures.values(), page]
