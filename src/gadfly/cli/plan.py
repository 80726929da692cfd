"""Which methods a comparison runs: recipes named on one line, with settings, as solvers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gadfly.errors import InputError
from gadfly.protocols import Model, Solver
from gadfly.recipes.load import RecipeEntry, build_recipe, find_recipe
from gadfly.recipes.naming import split_recipes, split_settings

DIRECT = "direct"
VOTING = "self-consistency"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The methods of a comparison, by the label they were given."""

    methods: Mapping[str, Solver]
    direct: str
    """Label of the one that answers once."""
    baselines: tuple[str, ...]
    """Labels of those that are voting themselves."""
    sampler: Solver
    """Answers once; its attempts are the votes."""


def plan_methods(
    recipes: str,
    models: Callable[[str], Model],
    *,
    model: str,
    critic: str | None = None,
    max_tokens: int | None = None,
) -> Plan:
    """The recipes of `a,b:x=1,c` as solvers.

    Args:
        recipes: What the user wrote; each part becomes the method's label.
        models: Loads a model from its specification.
        model: Answers.
        critic: Takes every optional part of a second model that no setting gives to another.
        max_tokens: For every method whose settings do not say otherwise.

    Raises:
        InputError: nothing is named, one is named twice, or a recipe or setting does not exist.
    """
    methods: dict[str, Solver] = {}
    named: dict[str, str] = {}
    for label in split_recipes(recipes):
        if label in methods:
            raise InputError(f"--recipes names {label} twice")
        name, settings = split_settings(label)
        entry = find_recipe(name, room="solve")
        settings = {**_shared(entry, settings, critic, max_tokens), **settings}
        methods[label] = build_recipe(entry, settings, models=models, model=model)
        named[label] = name
    if not methods:
        raise InputError("--recipes names no method; `gadfly recipes` lists what there is")
    once = find_recipe(DIRECT)
    return Plan(
        methods=methods,
        direct=next((label for label, name in named.items() if name == DIRECT), DIRECT),
        baselines=tuple(label for label, name in named.items() if name == VOTING),
        sampler=build_recipe(once, _shared(once, {}, None, max_tokens), models=models, model=model),
    )


def _shared(
    entry: RecipeEntry, settings: Mapping[str, str], critic: str | None, max_tokens: int | None
) -> dict[str, str]:
    """What the command line says for all methods, as settings of this one."""
    given = {entry.find(name).name for name in settings}
    shared: dict[str, str] = {}
    for field in entry.fields:
        if field.name in given:
            continue
        if critic is not None and field.kind == "model" and field.optional:
            shared[field.name] = critic
        if max_tokens is not None and field.name == "sampling.max_tokens":
            shared[field.name] = str(max_tokens)
    return shared
