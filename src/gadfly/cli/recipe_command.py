"""Commands made out of recipes: a recipe's fields are its flags, and a run of it goes to a folder."""

import dataclasses
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar, cast

import anyio
from cyclopts import Group, Parameter

from gadfly.cli.flags import RECIPE, Asking, Running
from gadfly.cli.opening import (
    Asked,
    close_scorer,
    open_benchmark,
    open_models,
    rollouts_in_flight,
    stopped,
)
from gadfly.errors import InputError
from gadfly.protocols import Model, Solver
from gadfly.recipes.fields import FieldEntry
from gadfly.recipes.load import RecipeEntry
from gadfly.records import Rollout
from gadfly.run.manifest import solver_name
from gadfly.run.progress import RunProgress
from gadfly.run.runner import run as run_rollouts
from gadfly.run.summary import RunSummary

S = TypeVar("S", bound=Solver)
Watch: TypeAlias = Callable[[S], Callable[[Rollout], None]]
"""Given the recipe, what is called with each of its rollouts."""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a run of one recipe came to."""

    summary: RunSummary
    asked: Asked
    total: int
    """Problems that were asked for."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What has to stand beside the results."""
        others = self.summary.rollouts - self.total
        if others <= 0:
            return self.asked.warnings
        return (
            *self.asked.warnings,
            f"the folder also holds {others} rollouts on problems that were not asked for this time; "
            "they are counted above",
        )


def run_recipe(
    name: str,
    build: Callable[[Callable[[str], Model]], S],
    *,
    place: Path,
    limit: int | None,
    asking: Asking,
    watch: Watch[S] | None = None,
) -> tuple[S, Ran]:
    """Run what `build` makes of the models on the benchmark, into the folder `place`.

    Raises:
        InputError: as `gadfly.run.run`, or the benchmark cannot be loaded.
        KeyboardInterrupt: the user stopped it; the message says what is kept.
    """

    async def work() -> tuple[S, Ran]:
        async with open_models(asking) as models:
            solver = build(models)
            asked = await open_benchmark(asking, limit)
            judge = asked.benchmark.scorer
            watched = None if watch is None else watch(solver)
            try:
                total = sum(1 for _ in asked.benchmark.problems())
                with RunProgress(total, title=name) as progress:

                    def seen(rollout: Rollout) -> None:
                        progress(rollout)
                        if watched is not None:
                            watched(rollout)

                    summary = await run_rollouts(
                        solver,
                        asked.benchmark.problems(),
                        out=place,
                        scorers={solver_name(judge): judge},
                        benchmark=asked.benchmark.name,
                        in_flight=rollouts_in_flight(models.loaded, asking.concurrency),
                        on_rollout=seen,
                    )
            finally:
                await close_scorer(asked.benchmark)
            return solver, Ran(summary=summary, asked=asked, total=total)

    try:
        return anyio.run(work)
    except KeyboardInterrupt:
        raise stopped(place) from None


def recipe_command(
    entry: RecipeEntry, work: Callable[..., None], *, taken: frozenset[str] = frozenset()
) -> Callable[..., None]:
    """A function whose keyword parameters are the recipe's fields and the keywords of `work`.

    It calls `work` with the entry, the settings as text, and the keywords. No field may have the name of a
    flag of every run, or one that is `taken`.

    Raises:
        InputError: a field has such a name.
    """
    fields = [field for field in entry.fields if not (field.flag == "--model" and field.kind == "model")]
    reserved = {"--limit", "--json", *(f"--{field.name}" for field in dataclasses.fields(Running)), *taken}
    for field in fields:
        if field.flag in reserved and field.kind != "python":
            raise InputError(
                f"the recipe {entry.name} has a field {field.name!r}, which every run has already"
            )
    return settings_command(fields, partial(work, entry), about=_help(entry), group=RECIPE)


def settings_command(
    fields: Iterable[FieldEntry], work: Callable[..., None], *, about: str, group: Group
) -> Callable[..., None]:
    """A function whose keyword parameters are the fields and the keywords of `work`.

    It calls `work` with what comes by place, the fields that were given, as text by name, and the keywords.
    """
    given_to_work = inspect.signature(work).parameters.values()
    by_place = [one for one in given_to_work if one.kind is inspect.Parameter.VAR_POSITIONAL]
    fixed = [one for one in given_to_work if one.kind is inspect.Parameter.KEYWORD_ONLY]
    known = {"field_" + field.name.replace(".", "__"): field for field in fields if field.kind != "python"}
    own = [_parameter(key, field, group) for key, field in known.items()]

    def command(*places: Any, **given: Any) -> None:  # noqa: ANN401 (cyclopts has checked them)
        settings = {
            field.name: _text(given.pop(key)) for key, field in known.items() if given.get(key) is not None
        }
        rest = {name: value for name, value in given.items() if name not in known}
        work(settings, *places, **rest)

    signed = cast(Any, command)
    # Cyclopts wants what has no default first.
    named = sorted([*own, *fixed], key=lambda parameter: parameter.default is not parameter.empty)
    parameters = [*by_place, *named]
    signed.__signature__ = inspect.Signature(parameters)
    signed.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__doc__ = about
    return command


def shown_setting(entry: RecipeEntry) -> str:
    """One of the recipe's whole-number flags with its default, for an example; empty where it has none."""
    shown = next((f for f in entry.fields if f.type == "int" and "." not in f.name), None)
    return f" {shown.flag} {shown.shown_default}" if shown and shown.shown_default else ""


def _parameter(key: str, field: FieldEntry, group: Group) -> inspect.Parameter:
    # Text where `none` may be given, for none given is what a flag's absence means.
    plain = field.kind == "value" and not field.optional and not field.type.endswith("by comma")
    kind = field.annotation if plain else str
    default = field.shown_default
    about = field.doc or ("" if plain else f"{field.type.capitalize()}.")
    annotation = Annotated[
        kind | None,
        Parameter(name=field.flag, group=group, help=about, show_default=default or False),
    ]
    return inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _help(entry: RecipeEntry) -> str:
    parts = [entry.summary, entry.citation]
    if entry.differs and entry.citation:
        parts.append(f"Differs from the paper: {entry.differs}")
    return "\n\n".join(filter(None, parts))
