"""`gadfly recipes`, `models` and `systems`: what there is."""

import dataclasses
import inspect
from collections import Counter

from gadfly.cli.output import AsJson, Words, application, matches, print_json, print_table
from gadfly.models.load import list_models
from gadfly.recipes.fields import FieldEntry
from gadfly.recipes.load import RecipeEntry, list_recipes
from gadfly.recipes.systems import Room, Status, list_systems

recipes = application("recipes", "gadfly recipes", "gadfly recipes refine", "gadfly recipes --json")
models = application(
    "models", "gadfly models", "gadfly models --supports score", "gadfly models --installed --json"
)
systems = application(
    "systems",
    "gadfly systems --status running",
    "gadfly systems debate",
    "gadfly systems --room judge --json",
)


@recipes.default
def recipe_listing(words: Words = None, /, *, room: Room | None = None, as_json: AsJson = False) -> None:
    """List the methods there are.

    `gadfly run RECIPE --help` shows one with its settings.

    Args:
        words: Only those that mention these words.
        room: Only those that return this.
        as_json: As JSON, with every field, its type and default.
    """
    found = [
        entry
        for entry in list_recipes()
        if matches(words, entry.name, entry.summary, entry.citation) and room in (None, entry.room)
    ]
    if as_json:
        print_json([_recipe(entry) for entry in found])
        return
    shared = Counter(entry.summary for entry in list_recipes())
    # Recipes of one file have its words in common; what tells them apart is said of each class.
    does = {
        entry.name: _after_colon(entry.summary) if shared[entry.summary] == 1 else _own_words(entry)
        for entry in found
    }
    print_table(
        ("recipe", "room", "what it does", "paper"),
        [(e.name, e.room, does[e.name], ", ".join(f"arXiv:{p}" for p in e.papers)) for e in found],
    )


@models.default
def model_listing(
    words: Words = None, /, *, supports: str | None = None, installed: bool = False, as_json: AsJson = False
) -> None:
    """List the model backends, what each can do, and what is missing here.

    Args:
        words: Only those that mention these words.
        supports: Only those that can do this: chat, logprobs, json_schema, prefix, score.
        installed: Only those that can be used here.
        as_json: As JSON.
    """
    found = [
        entry
        for entry in list_models()
        if matches(words, entry.name, entry.summary, entry.example)
        and (supports is None or supports in entry.supports)
        and (entry.installed or not installed)
    ]
    if as_json:
        print_json([dataclasses.asdict(entry) for entry in found])
        return
    print_table(
        ("model", "--model", "can do", "here"),
        [
            (e.name, e.example, ", ".join(e.supports), "yes" if e.installed else f"no: {e.install}")
            for e in found
        ],
    )


@systems.default
def system_listing(
    words: Words = None,
    /,
    *,
    status: Status | None = None,
    room: Room | None = None,
    as_json: AsJson = False,
) -> None:
    """List the field's published systems, and which of them run here.

    Args:
        words: Only those that mention these words, in title or field.
        status: running: a recipe here does it. planned: one is to. outside: not about text models.
        room: Only those whose recipe belongs in this room.
        as_json: As JSON.
    """
    found = [
        entry
        for entry in list_systems()
        if matches(words, entry.title, entry.field)
        and status in (None, entry.status)
        and room in (None, entry.room)
    ]
    if as_json:
        print_json([entry.model_dump(mode="json") for entry in found])
        return
    print_table(
        ("id", "title", "room", "status", "command"),
        [(str(e.id), e.title, e.room or "", e.status, e.command) for e in found],
    )


def _own_words(entry: RecipeEntry) -> str:
    said = (inspect.getdoc(entry.recipe) or "").partition("\n")[0].rstrip(".")
    return said[:1].lower() + said[1:]


def _after_colon(summary: str) -> str:
    """`Name: what it does.` without the name."""
    _, colon, rest = summary.partition(": ")
    return (rest if colon else summary).rstrip(".")


def _recipe(entry: RecipeEntry) -> dict[str, object]:
    return {
        "name": entry.name,
        "room": entry.room,
        "summary": entry.summary,
        "citation": entry.citation,
        "papers": entry.papers,
        "differs": entry.differs,
        "systems": entry.systems,
        "source": entry.source,
        "fields": [_field(field) for field in entry.fields],
    }


def _field(field: FieldEntry) -> dict[str, object]:
    return {
        "name": field.name,
        "flag": field.flag,
        "type": field.type,
        "required": field.required,
        "default": field.shown_default or None,
        "doc": field.doc,
    }
