"""Trainings on what the weights answer themselves: `gadfly train grpo|rloo|reinforce|score-rl --on BENCH`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import Annotated, Any

from cyclopts import Group, Parameter
from pydantic import JsonValue

from gadfly.cli.flags import flag
from gadfly.cli.improving import Pool, open_pool
from gadfly.cli.opening import folder, stopped
from gadfly.cli.recipe_command import settings_command
from gadfly.cli.teaching import OBJECTIVE, USUAL_TEACHING, Teaching
from gadfly.cli.train_command import OUT, TrainCommand, about
from gadfly.cli.train_report import TrainProgress, report
from gadfly.errors import InputError
from gadfly.protocols import Model, Solver
from gadfly.recipes.fields import FieldEntry, read_fields, read_value
from gadfly.recipes.load import SharedModels, build_recipe, find_recipe
from gadfly.recipes.naming import split_settings
from gadfly.run.manifest import solver_name
from gadfly.train.learner import Learner
from gadfly.train.online import Sampler
from gadfly.train.plan import Plan
from gadfly.train.sampled_training import SampledTrainer

SAMPLING = Group("Sampling", sort_key=2)
_POLICY = "the weights under training"


def _sampling(help: str, *, show_default: bool | None = None) -> Parameter:
    return Parameter(group=SAMPLING, negative="", show_default=show_default, help=help)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Drawing:
    """What is answered, how, and who rewards it."""

    on: Annotated[
        str, _sampling("The problems: benchmarks (`gadfly benchmarks`) or files of your own, by semicolon.")
    ] = "families"
    solver: Annotated[
        str | None,
        _sampling(
            "The recipe that the weights answer with, such as self-refine:rounds=1. Each call of theirs gets "
            "the answer's advantage. By default direct, and two-attempts for score-rl.",
            show_default=False,
        ),
    ] = None
    scorer: Annotated[
        str | None,
        _sampling(
            "The reward, instead of the benchmark's own scorer, which then goes to the log as gold: "
            "exact, numeric, choice, contains, math, or judge:MODEL."
        ),
    ] = None
    limit: Annotated[int | None, _sampling("The first so many problems.")] = None
    samples: Annotated[int, _sampling("Answers to each problem of a step.")] = 8
    max_tokens: Annotated[int, _sampling("Upper limit of generated tokens a call.")] = 128
    top_p: Annotated[float, _sampling("Nucleus. At 1 a small model derails on the tail.")] = 0.95
    passes: Annotated[int, _sampling("Gradient steps on each batch.")] = 1


USUAL_DRAWING = Drawing()


@dataclass(frozen=True, kw_only=True)
class OnPolicyEntry:
    """An objective with the batches that feed it."""

    name: str
    objective: str
    """`module:Class` below `gadfly.train`."""
    batches: str
    own: tuple[str, ...]
    """Settings of the batches that flags set."""
    fixed: Mapping[str, JsonValue]
    """Settings of the batches that the name stands for."""
    usual: Mapping[str, JsonValue]
    """Defaults of the objective under this name."""
    solver: str = "direct"


_GRADIENT = "objectives.policy_gradient:PolicyGradient", "online:OnPolicy"
_SUM: Mapping[str, JsonValue] = {"mean_over": "sum", "clipped": False}
ENTRIES = (
    OnPolicyEntry(
        name="grpo",
        objective=_GRADIENT[0],
        batches=_GRADIENT[1],
        own=("scale", "unreadable"),
        fixed={"estimate": "grpo"},
        usual={},
    ),
    OnPolicyEntry(
        name="rloo",
        objective=_GRADIENT[0],
        batches=_GRADIENT[1],
        own=("unreadable",),
        fixed={"estimate": "rloo", "scale": "none"},
        usual=_SUM,
    ),
    OnPolicyEntry(
        name="reinforce",
        objective=_GRADIENT[0],
        batches=_GRADIENT[1],
        own=("unreadable",),
        fixed={"estimate": "reinforce", "scale": "none"},
        usual=_SUM,
    ),
    OnPolicyEntry(
        name="score-rl",
        objective="objectives.score_rl:ScoreRL",
        batches="online_attempts:OnAttempts",
        own=("stage_one", "alpha", "discount", "baseline", "unreadable"),
        fixed={},
        usual={},
        solver="two-attempts",
    ),
)


def sampled_commands() -> Iterator[TrainCommand]:
    """A command for every objective that learns from what the policy answers."""
    for entry in ENTRIES:
        module = import_module(f"gadfly.train.{entry.objective.partition(':')[0]}")
        fields = (*_objective_fields(entry), *_batch_fields(entry))
        yield TrainCommand(
            name=entry.name,
            run=settings_command(
                fields, partial(_work, entry), about=about(entry.name, module.__doc__ or ""), group=OBJECTIVE
            ),
            examples=(
                f"gadfly train {entry.name} --on families:sums --samples 8 --batch 8 --steps 50",
                f"gadfly train {entry.name} --on problems.jsonl --scorer math --model ./model --steps 200",
                f"accelerate launch -m gadfly train {entry.name} --on gsm8k:train.jsonl --model ./model",
            ),
        )


def _work(
    entry: OnPolicyEntry,
    settings: Mapping[str, str],
    *,
    out: OUT = None,
    drawing: Drawing = USUAL_DRAWING,
    teaching: Teaching = USUAL_TEACHING,
    as_json: Annotated[bool, flag("Print the result as JSON.", "--json", show_default=False)] = False,
) -> None:
    given = {field.name: field for field in (*_objective_fields(entry), *_batch_fields(entry))}
    values = {name: read_value(given[name], text) for name, text in settings.items()}
    own = {name: values.pop(name) for name in entry.own if name in values}
    objective = _class(entry.objective)(**{**entry.usual, **values})
    pool, scorers, gold = _rewards(drawing)
    plan = _plan(teaching, drawing, len(pool.problems))
    if "stage_one" in entry.own:
        own.setdefault("stage_one", (plan.steps or 1) // 2)
    if gold and "estimate" in entry.fixed:
        own["gold"] = gold
    place = folder(out, "train", entry.name, drawing.on, teaching.model)
    solver = drawing.solver or entry.solver
    make = _solver(solver, drawing, temperature=objective.temperature)
    reward = next(iter(scorers))
    batches: dict[str, Any] = {**entry.fixed, **own, "reward": reward}

    def setting(learner: Learner) -> Sampler:
        return Sampler(
            learner=learner,
            solver=make,
            scorers=scorers,
            problems=pool.problems,
            samples=drawing.samples,
            plan=plan,
        )

    with TrainProgress(entry.name) as progress:
        trainer = SampledTrainer(tuning=teaching.tuning(), device=teaching.device, on_step=progress)
        told: dict[str, JsonValue] = {
            "solver": solver,
            "max_tokens": drawing.max_tokens,
            "top_p": drawing.top_p,
            "batches": batches,
        }
        try:
            trained = trainer.learn(
                teaching.start,
                setting,
                lambda sampler: _class(entry.batches)(sampler=sampler, **batches),
                objective,
                plan,
                place,
                told=told,
            )
        except KeyboardInterrupt:
            raise stopped(place) from None
    report(
        place,
        use=f"gadfly compare --on '{drawing.on}' --model {teaching.spec},{trained.manifest.model}",
        as_json=as_json,
    )


def _objective_fields(entry: OnPolicyEntry) -> list[FieldEntry]:
    return [
        replace(field, default=entry.usual.get(field.name, field.default))
        for field in read_fields(_class(entry.objective))
    ]


def _batch_fields(entry: OnPolicyEntry) -> list[FieldEntry]:
    fields = [field for field in read_fields(_class(entry.batches)) if field.name in entry.own]
    return [
        replace(field, required=False, doc=f"{field.doc} By default half of the steps.")
        if field.required
        else field
        for field in fields
    ]


def _class(place: str) -> Any:  # noqa: ANN401 (named by a table)
    module, _, name = place.partition(":")
    return getattr(import_module(f"gadfly.train.{module}"), name)


def _rewards(drawing: Drawing) -> tuple[Pool, Mapping[str, Any], str]:
    """Problems, scorers with the reward first, and the name of the one that knows the truth beside it."""
    pool = open_pool(drawing.on, scorer=drawing.scorer, limit=drawing.limit)
    scorers = dict(pool.scorers)
    gold = ""
    if drawing.scorer is not None:
        own = open_pool(drawing.on, limit=1).scorer
        name = solver_name(own)
        if name not in scorers:
            scorers[name] = own
            gold = name
    return pool, scorers, gold


def _plan(teaching: Teaching, drawing: Drawing, problems: int) -> Plan:
    if not problems:
        raise InputError(f"{drawing.on} holds no problems")
    if drawing.samples < 2:
        raise InputError(f"--samples {drawing.samples}: an answer's advantage is over others; give 2 or more")
    plan = teaching.plan(passes=drawing.passes)
    return plan.model_copy(update={"steps": plan.length(problems)})


def _solver(text: str, drawing: Drawing, *, temperature: float) -> Callable[[Model], Solver]:
    """Makes the solver; what the line does not say of its sampling is what the flags say.

    Raises:
        InputError: no such recipe or field.
    """
    name, given = split_settings(text)
    entry = find_recipe(name, room="solve")
    said = {entry.find(key).name for key in given}
    fields: Sequence[str] = [field.name for field in entry.fields]
    usual = {"temperature": temperature, "max_tokens": drawing.max_tokens, "top_p": drawing.top_p}
    for key, value in usual.items():
        if (field := f"sampling.{key}") in fields and field not in said:
            given[field] = str(value)
    shared = SharedModels()

    def make(policy: Model) -> Solver:
        return build_recipe(
            entry, given, models=lambda spec: policy if spec == _POLICY else shared(spec), model=_POLICY
        )

    return make
