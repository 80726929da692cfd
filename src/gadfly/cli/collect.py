"""`gadfly collect RECIPE`: a method that makes training rows, on many problems. Its fields are its flags."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from gadfly.cli.exporting import USUAL_KEEPING, Keeping, write_rows
from gadfly.cli.flags import USUAL_ASKING, Asking, Limit, flag
from gadfly.cli.opening import all_failed, folder
from gadfly.cli.output import application, note
from gadfly.cli.recipe_command import recipe_command, run_recipe, shown_setting
from gadfly.protocols import Model
from gadfly.recipes.load import RecipeEntry, build_collector, list_recipes
from gadfly.records import Rollout
from gadfly.train.collecting import Collector
from gadfly.train.export import check_target
from gadfly.train.rows import AnyRow
from gadfly.train.sources import Oracle, read_runs, sourced

app = application(
    "collect",
    "gadfly collect ultra-feedback --on families --limit 50 --out pairs.parquet --against gsm8k:test.jsonl",
    "gadfly collect ultra-feedback --view critique --run pairs.run --out critiques.parquet",
    "gadfly collect constitutional-ai --constitution principles.txt --on requests.jsonl --out revised.jsonl",
    "gadfly collect ultra-feedback --help",
    summary="Make training rows with one method: run it on problems, and write what it recorded as rows.\n\n"
    "The run is kept in a folder beside the file and continued by the same command; the rows follow from it, "
    "so another view of the same run costs nothing. FILE.manifest.json and FILE.card.md say what is in the "
    "file and what was left out and why.",
)


@dataclass(frozen=True, kw_only=True)
class _FirstRows:
    """Ends a run at its first rollout with rows, where they would be refused; later it is too late."""

    collector: Collector
    oracle: Oracle
    _made: list[bool] = field(default_factory=list[bool], init=False)

    def __call__(self, rollout: Rollout) -> None:
        if not self._made and next(self.collector.rows(sourced([rollout]), oracle=self.oracle), None):
            self._made.append(True)


def _work(
    entry: RecipeEntry,
    settings: Mapping[str, str],
    *,
    out: Annotated[str, flag("The file to write: .parquet or .jsonl.")],
    run: Annotated[
        str | None, flag("The folder of the run; FILE.run beside the file by default.", show_default=False)
    ] = None,
    limit: Limit = None,
    keeping: Keeping = USUAL_KEEPING,
    asking: Asking = USUAL_ASKING,
) -> None:
    file = Path(out).expanduser()
    check_target(file)
    place = folder(run or str(file.with_suffix(".run")))

    def build(models: Callable[[str], Model]) -> Collector:
        return build_collector(entry, settings, models=models, model=asking.model)

    def watch(collector: Collector) -> Callable[[Rollout], None]:
        return _FirstRows(collector=collector, oracle=keeping.oracle)

    collector, ran = run_recipe(entry.name, build, place=place, limit=limit, asking=asking, watch=watch)
    summary = ran.summary
    if summary.rollouts and summary.failed == summary.rollouts:
        raise all_failed(place)
    spent = f"{summary.usage.calls:,} calls, {summary.usage.tokens:,} tokens"
    note(f"{summary.rollouts:,} rollouts ({summary.failed:,} failed; {spent}) are kept in {place}")
    for line in ran.warnings:
        note(f"Warning: {line}", "yellow")

    def rows(dropped: Counter[str]) -> Iterator[AnyRow]:
        return collector.rows(read_runs(place), oracle=keeping.oracle, dropped=dropped)

    request = keeping.request({"recipe": entry.name, "settings": dict(settings)}, [place])
    write_rows(rows, file, request, keeping, as_json=asking.as_json)


def _examples(entry: RecipeEntry) -> str:
    return f"""Examples:

    gadfly collect {entry.name}{shown_setting(entry)} --limit 20 --out rows.parquet
    gadfly collect {entry.name} --on problems.jsonl --model openai:MODEL@http://HOST/v1 --out rows.jsonl"""


_TAKEN = frozenset({"--run", "--against", "--oracle", "--near", "--licence"})
for _entry in list_recipes():
    if _entry.room == "collect":
        _command = recipe_command(_entry, _work, taken=_TAKEN)
        app.command(_command, name=_entry.name, help_epilogue=_examples(_entry))
