"""`gadfly improve LOOP`: rounds of generate, feedback, filter, train, reload, evaluate, beside controls."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, cast

import anyio
from cyclopts import Parameter

from gadfly.cli.flags import USUAL_ASKING, Asking, flag
from gadfly.cli.improving import USUAL_WEIGHTING, Weighting, open_pool, split
from gadfly.cli.opening import folder, open_models, rollouts_in_flight, stopped
from gadfly.cli.output import application, console, note, print_json
from gadfly.cli.recipe_command import recipe_command, shown_setting
from gadfly.errors import InputError
from gadfly.recipes.load import (
    RecipeEntry,
    SharedModels,
    build_loop,
    build_recipe,
    list_recipes,
)
from gadfly.recipes.naming import split_recipes
from gadfly.run.diagnosis import measure
from gadfly.run.health_publish import publish_improvement
from gadfly.run.health_table import print_health
from gadfly.run.improvement import Improvement
from gadfly.train.evaluating import Exam, Untouched
from gadfly.train.improve import Course, Improving, Loop, Settings
from gadfly.train.round import Tools, Trainer
from gadfly.train.weights import trainable

VOTING = "self-consistency"

app = application(
    "improve",
    "gadfly improve rest-em --rounds 2",
    "gadfly improve critique-in-the-loop --controls self-consistency,rest-em --held-out 300",
    "gadfly improve rest-em --on 'families:sums?low=1&high=30&n=900;families:differences?high=30&n=900'",
    "gadfly improve critique-in-the-loop --help",
    summary="Make a model better by what it says itself, and see on held-out problems whether it is.\n\n"
    "Each round generates, gets feedback, filters, trains and evaluates. Controls get the wall time that "
    "the loop took. The same command continues what was stopped. Writes improvement.json, pictures, "
    "report.html and report.md; the weights of each round are in arms/LOOP/round-N.",
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Size:
    """How many problems, and of what."""

    rounds: Annotated[int, flag("Of the loop.")] = 2
    per_round: Annotated[int, flag("Problems to learn from in each round.")] = 200
    held_out: Annotated[int, flag("Problems that checkpoints are judged by, and nobody learns from.")] = 300
    validation: Annotated[int, flag("Problems that decide whether a round is kept.")] = 60
    pool: Annotated[int, flag("Samples of each held-out problem: coverage, votes, diversity.")] = 8
    train_on: Annotated[
        str | None,
        flag("Where the problems to learn from come from; the rest of --on by default.", show_default=False),
    ] = None
    untouched: Annotated[
        str | None,
        flag("A benchmark that is not trained on: what else changes?", show_default=False),
    ] = None
    controls: Annotated[
        str | None,
        flag(
            "Arms to hold the loop against, by comma: self-consistency (votes of the base model), or a loop "
            "such as rest-em. Each gets the wall time that the loop took.",
            show_default=False,
        ),
    ] = None
    max_tokens: Annotated[int, flag("Upper limit of generated tokens a call.")] = 128
    seed: Annotated[int, flag("Of the trainings and the intervals.")] = 0


USUAL_SIZE = Size()


def _work(
    entry: RecipeEntry,
    settings: Mapping[str, str],
    *,
    out: Annotated[str | None, flag("The folder; the same command continues what it holds.")] = None,
    size: Size = USUAL_SIZE,
    weighting: Weighting = USUAL_WEIGHTING,
    asking: Asking = USUAL_ASKING,
) -> None:
    place = folder(out, "improve", entry.name, asking.model)
    trainer = _trainer(weighting, size.seed)

    async def work() -> Improvement:
        async with open_models(asking) as models:
            given = {**_shared(entry, size), **settings}
            loop = cast(Loop, build_recipe(entry, given, models=models, model=asking.model))
            improving = _improving(asking, size, models, trainer, place)
            return await improving([Course(name=entry.name, loop=loop), *_controls(asking, size, models)])

    try:
        improvement = anyio.run(work)
    except KeyboardInterrupt:
        raise stopped(place) from None
    written = publish_improvement(improvement, place)
    if asking.as_json:
        print_json(improvement.model_dump(mode="json"))
        return
    screen = console()
    print_health(measure(improvement), screen)
    for path in written:
        note(str(path))


def _shared(entry: RecipeEntry, size: Size) -> dict[str, str]:
    """What the command line says for every loop, as settings of this one."""
    fields = {field.name for field in entry.fields}
    shared = {"sampling.max_tokens": size.max_tokens, "plan.seed": size.seed}
    return {name: str(value) for name, value in shared.items() if name in fields}


def _controls(asking: Asking, size: Size, models: SharedModels) -> list[Course]:
    found: list[Course] = []
    for name in split_recipes(size.controls or ""):
        loop = None
        if name != VOTING:
            loop = build_loop(name, models=models, model=asking.model, max_tokens=size.max_tokens)
        found.append(Course(name=name.replace(":", "-"), loop=loop, control=True))
    return found


def _improving(asking: Asking, size: Size, models: SharedModels, trainer: Trainer, place: Path) -> Improving:
    pool = open_pool(asking.on, scorer=asking.scorer)
    more = None if size.train_on is None else open_pool(size.train_on, scorer=asking.scorer)
    parts = split(pool, more, held_out=size.held_out, validation=size.validation)
    untouched: dict[str, Untouched] = {}
    if size.untouched is not None:
        other = open_pool(size.untouched)
        untouched[other.name] = Untouched(problems=other.problems, scorers=other.scorers)
    if parts.given_away:
        note(
            f"{parts.given_away} problems to learn from are left out: they give held-out or validation "
            "problems away"
        )
    base = trainable(asking.model)
    tools = Tools(
        engines=models,
        trainer=trainer,
        scorers=pool.scorers,
        held_out={"held out": parts.held_out, "validation": parts.validation},
        benchmark=(more or pool).name,
        in_flight=rollouts_in_flight([models(base.model)], asking.concurrency),
        show=True,
    )
    exam = Exam(problems=parts.held_out, pool=size.pool, max_tokens=size.max_tokens, untouched=untouched)
    return Improving(
        settings=Settings(
            benchmark=pool.name,
            model=asking.model,
            rounds=size.rounds,
            per_round=size.per_round,
            seed=size.seed,
        ),
        tools=tools,
        exam=exam,
        base=base,
        problems=parts.learning,
        validation=parts.validation,
        out=place,
        on_phase=note,
    )


def _trainer(weighting: Weighting, seed: int) -> Trainer:
    """The trainer of this machine, with a bar.

    Raises:
        InputError: torch is not installed, or a setting cannot be used.
    """
    try:
        from gadfly.cli.train_here import local_trainer
    except ImportError as error:
        raise InputError(
            f'training needs torch ({error}); mend it with: pip install "gadfly[train]"'
        ) from error
    return local_trainer(weighting, seed)


def _examples(entry: RecipeEntry) -> str:
    return f"""Examples:

    gadfly improve {entry.name}{shown_setting(entry)} --rounds 2
    gadfly improve {entry.name} --controls self-consistency,rest-em --out runs/{entry.name}"""


_TAKEN = frozenset(
    {f"--{field.name.replace('_', '-')}" for kind in (Size, Weighting) for field in fields(kind)}
)
for _entry in list_recipes():
    if _entry.room == "improve":
        _command = recipe_command(_entry, _work, taken=_TAKEN)
        app.command(_command, name=_entry.name, help_epilogue=_examples(_entry))
