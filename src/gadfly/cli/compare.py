"""`gadfly compare`: methods on the same problems, against voting at the same number of tokens; or models."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import anyio
from pydantic import ValidationError
from rich.text import Text

from gadfly.cli.flags import USUAL, Limit, Running, flag
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
from gadfly.cli.plan import Plan, plan_methods
from gadfly.errors import InputError
from gadfly.metrics.estimators import LARGEST
from gadfly.models.load import split_models
from gadfly.recipes.load import SharedModels
from gadfly.recipes.naming import split_recipes
from gadfly.run.compare import Setup
from gadfly.run.compare import compare as compare_methods
from gadfly.run.comparison import Comparison, method_folder
from gadfly.run.diagnosis import measure
from gadfly.run.health_publish import publish_improvement
from gadfly.run.health_table import print_health
from gadfly.run.improvement import Improvement
from gadfly.run.lineup import Entrant, Lineup, line_up
from gadfly.run.progress import RunsProgress
from gadfly.run.publish import publish
from gadfly.run.table import print_comparison

DEFAULT = (
    "direct,direct:temperature=0,self-consistency:n=8,best-of-n:n=4,"
    "self-refine:rounds=1,critique-refine,self-correct:rounds=1,temperature=0.7"
)
"""What is compared unless told otherwise: the baselines, and one of each way to use feedback."""
GREEDY = "direct:temperature=0"
"""How several models answer unless told otherwise."""

compare = application(
    "compare",
    "gadfly compare",
    "gadfly compare --on problems.jsonl --scorer numeric --limit 50",
    "gadfly compare --recipes direct,self-refine:rounds=1,self-refine:rounds=3",
    "gadfly compare --critic openai:MODEL@http://HOST/v1",
    "gadfly compare --model embedded,transformers:runs/star/round-1,transformers:runs/star/round-2 --pool 8",
    summary="Say which method helps this model on these problems, and at what cost.\n\n"
    "Every method answers the same problems. Each is compared with one direct answer, and with a "
    "majority vote over as many samples as the same number of tokens buys. Writes compare.json, a "
    "picture (frontier.png and .svg) and report.html, in which every rollout can be opened.\n\n"
    "Several models joined by commas in --model are compared with the first of them instead, by one method "
    "(a greedy answer unless --recipes names another): which is better, in which families, and what it costs "
    "in coverage and diversity. Writes improvement.json, health.json, pictures and report.html.",
)


@compare.default
def compare_recipes(
    *,
    recipes: Annotated[
        str,
        flag(
            "Methods joined by commas, each with settings where wanted: self-refine:rounds=2. "
            "The same one may stand there several times."
        ),
    ] = DEFAULT,
    critic: Annotated[
        str | None, flag("A second model: takes every part of critic, judge or opponent there is.")
    ] = None,
    limit: Limit = 100,
    pool: Annotated[
        int, flag("Samples a problem: up to so many votes are compared with at equal tokens.")
    ] = 16,
    max_tokens: Annotated[
        int | None, flag("Upper limit of generated tokens a call, for every method.")
    ] = None,
    seed: Annotated[int, flag("Of the bootstrap intervals.")] = 0,
    running: Running = USUAL,
) -> None:
    """Compare methods; `gadfly compare --help` says how."""
    specs = split_models(running.model)
    size = _Size(limit=limit, pool=pool, seed=seed)
    if len(specs) > 1:
        method = _Method(recipe=_one(recipes), critic=critic, max_tokens=max_tokens)
        _compare_models(running, specs, method, size)
        return
    place = folder(running.out, "compare", running.on, running.model)
    planned = partial(plan_methods, recipes, model=running.model, critic=critic, max_tokens=max_tokens)
    try:
        comparison = anyio.run(_compared, running, place, planned, size)
    except KeyboardInterrupt:
        raise stopped(place) from None
    written = publish(comparison, place)
    if running.as_json:
        print_json(comparison.model_dump(mode="json"))
    else:
        screen = console()
        print_comparison(comparison, screen)
        for path in written:
            screen.print(Text(str(path), "dim"))
    if all(result.count("failed") == len(comparison.problems) for result in comparison.methods):
        raise all_failed(method_folder(place, comparison.methods[0].name))


def _compare_models(running: Running, specs: list[str], method: "_Method", size: "_Size") -> None:
    """Several models on the same problems; the first is what the others are compared with."""
    if not 0 <= size.pool <= LARGEST:
        raise InputError(f"--pool is {size.pool}; for several models it must be 0 to {LARGEST}")
    place = folder(running.out, "compare", running.on, f"{len(specs)}-models-{specs[0]}")
    try:
        improvement = anyio.run(_lined_up, running, specs, place, method, size)
    except KeyboardInterrupt:
        raise stopped(place) from None
    health = measure(improvement)
    written = publish_improvement(improvement, place, health=health)
    if running.as_json:
        print_json(health.model_dump(mode="json"))
    else:
        screen = console()
        print_health(health, screen)
        for path in written:
            screen.print(Text(str(path), "dim"))
    every = (improvement.base, *improvement.arms[0].checkpoints)
    if all(set(one.evaluation.answers.outcomes) == {"failed"} for one in every):
        raise all_failed(method_folder(place, every[0].name, room="models") / "answers")


def _one(recipes: str) -> str:
    if recipes == DEFAULT:
        return GREEDY
    named = split_recipes(recipes)
    if len(named) != 1:
        raise InputError(f"several models are compared by one method; --recipes names {len(named)}")
    return named[0]


async def _lined_up(
    running: Running, specs: list[str], place: Path, method: "_Method", size: "_Size"
) -> Improvement:
    async with open_models(running) as models:

        def enter(spec: str) -> Entrant:
            plan = plan_methods(
                method.recipe, models, model=spec, critic=method.critic, max_tokens=method.max_tokens
            )
            (answers,) = plan.methods.values()
            in_flight = rollouts_in_flight(models.loaded, running.concurrency)
            return Entrant(answers=answers, samples=plan.sampler, in_flight=in_flight, close=models.close)

        asked = await open_benchmark(running, size.limit)
        try:
            problems = list(asked.benchmark.problems())
            lineup = Lineup(
                models=specs,
                enter=enter,
                benchmark=asked.benchmark.name,
                pool=size.pool,
                seed=size.seed,
                warnings=asked.warnings,
            )
            totals = dict.fromkeys(lineup.names, (1 + size.pool) * len(problems))
            with RunsProgress(totals) as heard:
                return await line_up(lineup, problems, asked.benchmark.scorer, out=place, on_rollout=heard)
        finally:
            await close_scorer(asked.benchmark)


@dataclass(frozen=True, kw_only=True)
class _Method:
    """How every model answers."""

    recipe: str
    critic: str | None
    max_tokens: int | None


@dataclass(frozen=True, kw_only=True)
class _Size:
    """How many problems and samples, and the bootstrap's seed."""

    limit: int | None
    pool: int
    seed: int


async def _compared(
    running: Running, place: Path, planned: Callable[[SharedModels], Plan], size: _Size
) -> Comparison:
    async with open_models(running) as models:
        plan = planned(models)
        asked = await open_benchmark(running, size.limit)
        try:
            problems = list(asked.benchmark.problems())
            in_flight = rollouts_in_flight(models.loaded, running.concurrency)
            setup = _setup(size, in_flight=in_flight, asked=asked, model=running.model, plan=plan)
            rollouts = dict.fromkeys([plan.direct, *plan.methods], len(problems))
            with RunsProgress({**rollouts, "pool": size.pool * len(problems)}) as heard:
                return await compare_methods(
                    plan.methods,
                    problems,
                    asked.benchmark.scorer,
                    sampler=plan.sampler,
                    out=place,
                    setup=setup,
                    on_rollout=heard,
                )
        finally:
            await close_scorer(asked.benchmark)


def _setup(size: _Size, *, in_flight: int, asked: Asked, model: str, plan: Plan) -> Setup:
    try:
        return Setup(
            benchmark=asked.benchmark.name,
            model=model,
            pool=size.pool,
            direct=plan.direct,
            baselines=plan.baselines,
            warnings=asked.warnings,
            seed=size.seed,
            in_flight=in_flight,
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InputError(f"--{first['loc'][0]}: {first['msg']}") from None
