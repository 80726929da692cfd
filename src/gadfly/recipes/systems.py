"""The catalogue of systems: the papers and programs of the field, and which of them can be run.

`systems.jsonl` has one row for each: id, title, field, room (where its recipe belongs) and scope.
What runs is not written there: it follows from the `systems` that recipes declare.
"""

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Literal, TypeAlias

from gadfly.recipes.load import RecipeEntry, list_recipes
from gadfly.records import Record

Room: TypeAlias = Literal["solve", "judge", "collect", "improve", "study", "benchmark"]
Status: TypeAlias = Literal["running", "planned", "outside"]

_COMMANDS = {"judge": "judge BENCHMARK --judge", "collect": "collect", "improve": "improve"}
"""What runs a recipe, by its room; `run` for all others."""


class System(Record):
    """One published system."""

    id: int
    title: str
    field: str
    room: Room | None
    """Where its recipe belongs, by what it returns; None outside of text models."""
    scope: Literal["core", "adjacent", "outside"]


class SystemEntry(Record):
    """A system and how far this package has got with it."""

    id: int
    title: str
    field: str
    room: Room | None
    scope: Literal["core", "adjacent", "outside"]
    status: Status
    """`running`: a recipe declares it. `outside`: not about text models, so nothing is planned."""
    recipes: tuple[str, ...] = ()
    command: str = ""
    """What runs it; empty unless it is running."""


@cache
def read_systems() -> tuple[System, ...]:
    """Every system of the catalogue, by id."""
    text = files("gadfly.recipes").joinpath("systems.jsonl").read_text(encoding="utf-8")
    return tuple(System.model_validate(json.loads(line)) for line in text.splitlines())


def list_systems() -> tuple[SystemEntry, ...]:
    """Every system with its status, by id."""
    declared: dict[int, list[RecipeEntry]] = {}
    for recipe in list_recipes():
        for system in recipe.systems:
            declared.setdefault(system, []).append(recipe)
    return tuple(_entry(system, declared.get(system.id, [])) for system in read_systems())


def _entry(system: System, recipes: Sequence[RecipeEntry]) -> SystemEntry:
    status: Status = "running" if recipes else "outside" if system.scope == "outside" else "planned"
    return SystemEntry(
        **system.model_dump(),
        status=status,
        recipes=tuple(recipe.name for recipe in recipes),
        command=_command(recipes[0]) if recipes else "",
    )


def _command(recipe: RecipeEntry) -> str:
    return f"gadfly {_COMMANDS.get(recipe.room, 'run')} {recipe.name}"
