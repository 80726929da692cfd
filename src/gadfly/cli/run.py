"""`gadfly run RECIPE`: one recipe on many problems. A recipe's fields are its flags."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, cast

import anyio
from cyclopts import Parameter
from rich.text import Text

from gadfly.cli.flags import RECIPE, USUAL, Limit, Running
from gadfly.cli.opening import (
    Asked,
    all_failed,
    close_scorer,
    folder,
    open_benchmark,
    open_models,
    rollouts_in_flight,
    stopped,
)
from gadfly.cli.output import application, console, print_json
from gadfly.errors import InputError
from gadfly.metrics.answers import outcome
from gadfly.metrics.proportions import wilson
from gadfly.recipes.fields import FieldEntry
from gadfly.recipes.load import RecipeEntry, build_recipe, list_recipes
from gadfly.run.manifest import solver_name
from gadfly.run.progress import RunProgress
from gadfly.run.runner import run as run_rollouts
from gadfly.run.store import read_rollouts
from gadfly.run.summary import RunSummary

app = application(
    "run",
    "gadfly run self-refine --rounds 2 --limit 20",
    "gadfly run best-of-n --n 4 --on problems.jsonl",
    "gadfly run self-refine --help",
    summary="Run one recipe on a benchmark or a file of your own, and keep every rollout.",
)


def _work(
    entry: RecipeEntry,
    settings: Mapping[str, str],
    *,
    limit: Limit = None,
    running: Running = USUAL,
) -> None:
    place = folder(running.out, entry.name, running.on, running.model)

    async def work() -> tuple[RunSummary, Asked, int]:
        async with open_models(running) as models:
            solver = build_recipe(entry, settings, models=models, model=running.model)
            asked = await open_benchmark(running, limit)
            judge = asked.benchmark.scorer
            try:
                total = sum(1 for _ in asked.benchmark.problems())
                with RunProgress(total, title=entry.name) as progress:
                    summary = await run_rollouts(
                        solver,
                        asked.benchmark.problems(),
                        out=place,
                        scorers={solver_name(judge): judge},
                        benchmark=asked.benchmark.name,
                        in_flight=rollouts_in_flight(models.loaded, running.concurrency),
                        on_rollout=progress,
                    )
            finally:
                await close_scorer(asked.benchmark)
            return summary, asked, total

    try:
        summary, asked, total = anyio.run(work)
    except KeyboardInterrupt:
        raise stopped(place) from None
    warnings = (*asked.warnings, *_not_asked(summary.rollouts - total))
    if running.as_json:
        print_json({**summary.model_dump(mode="json"), "out": str(place), "warnings": warnings})
    else:
        _report(summary, place, f"{entry.name} on {asked.benchmark.name}, model {running.model}", warnings)
    if summary.rollouts and summary.failed == summary.rollouts:
        raise all_failed(place)


def _not_asked(rollouts: int) -> list[str]:
    if rollouts <= 0:
        return []
    return [
        f"the folder also holds {rollouts} rollouts on problems that were not asked for this time; "
        "they are counted above"
    ]


def _report(summary: RunSummary, place: Path, title: str, warnings: tuple[str, ...]) -> None:
    counts = {"right": 0, "wrong": 0, "unscored": 0, "failed": 0}
    oracle = 0
    for rollout in read_rollouts(place):
        counts[outcome(rollout)] += 1
        oracle += rollout.oracle
    screen = console()
    screen.print(Text(title, "bold"))
    if summary.rollouts:
        found = wilson(counts["right"], summary.rollouts)
        interval = f"[{100 * found.low:.0f}, {100 * found.high:.0f}]"
        share = f"{100 * found.value:.1f} % {interval}"
        screen.print(f"right       {counts['right']} of {summary.rollouts}: {share} (95 % interval)")
    screen.print(f"wrong       {counts['wrong']}")
    screen.print(f"unscored    {counts['unscored']}")
    why = ", ".join(f"{count} {name}" for name, count in summary.failures.items())
    screen.print(f"failed      {counts['failed']}" + (f" ({why})" if why else ""))
    usage = summary.usage
    if summary.new < summary.rollouts:
        screen.print(f"kept        {summary.rollouts - summary.new} from an earlier session")
    screen.print(f"calls       {usage.calls:,} ({usage.replayed:,} from the cache)")
    cached = f"({usage.cached_input_tokens:,} cached)"
    screen.print(f"tokens      {usage.input_tokens:,} in {cached}, {usage.output_tokens:,} out")
    screen.print(f"dollars     {'unknown' if usage.cost is None else f'{usage.cost:.4f}'}")
    screen.print(f"seconds     {summary.seconds:.1f} this session, {usage.seconds:.1f} of the model in all")
    for line in warnings:
        screen.print(Text(f"Warning: {line}", "yellow"))
    if oracle:
        screen.print(Text(f"ORACLE: in {oracle} rollouts the method had seen the reference", "bold yellow"))
    if counts["failed"] == summary.rollouts:
        return
    kinds = [kind for kind in ("failed", "wrong", "unscored") if counts[kind]]
    screen.print(Text(f"gadfly show {place}" + (f" --{kinds[0]}" if kinds else ""), "dim"))


def _command(entry: RecipeEntry) -> Callable[..., None]:
    """A function whose keyword parameters are the recipe's fields and the flags of every run."""
    fixed = [
        parameter
        for parameter in inspect.signature(_work).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    taken = {"--limit", "--json", *(f"--{field.name}" for field in dataclasses.fields(Running))}
    fields: dict[str, FieldEntry] = {}
    own: list[inspect.Parameter] = []
    for field in entry.fields:
        if field.kind == "python" or (field.flag == "--model" and field.kind == "model"):
            continue
        if field.flag in taken:
            raise InputError(
                f"the recipe {entry.name} has a field {field.name!r}, which every run has already"
            )
        key = "field_" + field.name.replace(".", "__")
        fields[key] = field
        own.append(_parameter(key, field))

    def command(**given: Any) -> None:  # noqa: ANN401 (cyclopts has checked them against the signature)
        settings = {
            field.name: _text(given.pop(key)) for key, field in fields.items() if given.get(key) is not None
        }
        rest = {name: value for name, value in given.items() if name not in fields}
        _work(entry, settings, **rest)

    signed = cast(Any, command)
    signed.__signature__ = inspect.Signature([*own, *fixed])
    signed.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *fixed)}
    command.__doc__ = _help(entry)
    return command


def _parameter(key: str, field: FieldEntry) -> inspect.Parameter:
    plain = field.kind == "value" and not field.type.endswith("by comma")
    kind = field.annotation if plain else str
    default = field.shown_default
    about = field.doc or ("" if plain else f"{field.type.capitalize()}.")
    annotation = Annotated[
        kind | None,
        Parameter(name=field.flag, group=RECIPE, help=about, show_default=default or False),
    ]
    return inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _help(entry: RecipeEntry) -> str:
    parts = [entry.summary, entry.citation]
    if entry.differs and entry.citation:
        parts.append(f"Differs from the paper: {entry.differs}")
    return "\n\n".join(filter(None, parts))


def _examples(entry: RecipeEntry) -> str:
    shown = next((f for f in entry.fields if f.type == "int" and "." not in f.name), None)
    setting = f" {shown.flag} {shown.shown_default}" if shown and shown.shown_default else ""
    return f"""Examples:

    gadfly run {entry.name}{setting} --limit 20
    gadfly run {entry.name} --on problems.jsonl --model openai:MODEL@http://HOST/v1"""


for _entry in list_recipes():
    if _entry.room != "solve":
        continue
    app.command(_command(_entry), name=_entry.name, help_epilogue=_examples(_entry))
