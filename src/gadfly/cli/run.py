"""`gadfly run RECIPE`: one recipe on many problems. A recipe's fields are its flags."""

from collections.abc import Callable, Mapping
from pathlib import Path

from rich.text import Text

from gadfly.cli.flags import USUAL, Limit, Running
from gadfly.cli.opening import all_failed, folder
from gadfly.cli.output import application, console, print_json
from gadfly.cli.recipe_command import recipe_command, run_recipe, shown_setting
from gadfly.metrics.answers import outcome
from gadfly.metrics.proportions import wilson
from gadfly.protocols import Model, Solver
from gadfly.recipes.load import RecipeEntry, build_recipe, list_recipes
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

    def build(models: Callable[[str], Model]) -> Solver:
        return build_recipe(entry, settings, models=models, model=running.model)

    _, ran = run_recipe(entry.name, build, place=place, limit=limit, asking=running)
    summary = ran.summary
    if running.as_json:
        print_json({**summary.model_dump(mode="json"), "out": str(place), "warnings": ran.warnings})
    else:
        title = f"{entry.name} on {ran.asked.benchmark.name}, model {running.model}"
        _report(summary, place, title, ran.warnings)
    if summary.rollouts and summary.failed == summary.rollouts:
        raise all_failed(place)


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


def _examples(entry: RecipeEntry) -> str:
    return f"""Examples:

    gadfly run {entry.name}{shown_setting(entry)} --limit 20
    gadfly run {entry.name} --on problems.jsonl --model openai:MODEL@http://HOST/v1"""


for _entry in list_recipes():
    if _entry.room == "solve":
        app.command(recipe_command(_entry, _work), name=_entry.name, help_epilogue=_examples(_entry))
