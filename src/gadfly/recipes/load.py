"""Recipes by name: found in the rooms of this package and through entry points, built from text.

A recipe is a frozen dataclass with an asynchronous `__call__` and a `systems` class variable, in a
module of `gadfly.recipes.<room>` or named by an entry point of the group `gadfly.recipes`. Its
name on the command line is its class's name in kebab-case. Nothing is registered by hand.
"""

import dataclasses
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any, NoReturn, cast, get_type_hints

from gadfly.errors import InputError
from gadfly.models.load import load_model
from gadfly.protocols import Closing, Judge, Model, Scorer, Solver
from gadfly.recipes.fields import FieldEntry, assemble, read_fields, read_value
from gadfly.recipes.naming import kebab, split_settings
from gadfly.records import Critique, Ranking, Score
from gadfly.scorers.load import load_scorer
from gadfly.train.collecting import Collector
from gadfly.train.improve import Loop

GROUP = "gadfly.recipes"
ROOMS = ("solve", "judge", "collect", "improve")
"""The rooms there are, by what their recipes return."""
_STANDS_IN: Mapping[str, tuple[str, ...]] = {"solve": ("solve", "collect")}
"""Rooms whose recipes can stand where one of another room is wanted: a collector answers as well."""

_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5})")


@dataclass(frozen=True, kw_only=True)
class RecipeEntry:
    """What is known of a recipe before it is built."""

    name: str
    room: str
    summary: str
    """The first line of its module."""
    citation: str
    """The paragraph of the module's docstring that names the papers; empty where it has none."""
    papers: tuple[str, ...]
    """Their arXiv numbers."""
    differs: str
    """Where the recipe departs from its paper, in its own words."""
    systems: tuple[int, ...]
    """Ids in the catalogue of systems."""
    fields: tuple[FieldEntry, ...]
    source: str
    """`module:Class`."""
    recipe: type

    def find(self, name: str) -> FieldEntry:
        """The field of this name, dashes as good as underscores; `temperature` for `sampling.temperature`.

        Raises:
            InputError: there is none.
        """
        wanted = name.replace("-", "_")
        for entry in self.fields:
            if entry.name == wanted:
                return entry
        inside = [entry for entry in self.fields if entry.name.endswith(f".{wanted}")]
        if len(inside) == 1:
            return inside[0]
        names = [entry.name for entry in self.fields]
        close = get_close_matches(wanted, names, n=1)
        hint = f"; did you mean {close[0]}?" if close else ";"
        raise InputError(f"{self.name} has no field {name!r}{hint} it has {', '.join(names)}")


@dataclass(frozen=True, kw_only=True)
class SharedModels:
    """Loads each model specification once, so that recipes that name it share it."""

    load: Callable[[str], Model] = load_model
    _open: dict[str, Model] = field(default_factory=dict[str, Model], init=False, repr=False)

    def __call__(self, spec: str) -> Model:
        """The model that `spec` names.

        Raises:
            InputError: it cannot be loaded.
        """
        if spec not in self._open:
            self._open[spec] = self.load(spec)
        return self._open[spec]

    @property
    def loaded(self) -> tuple[Model, ...]:
        """Every model so far."""
        return tuple(self._open.values())

    async def close(self) -> None:
        """Close every model that was loaded here."""
        for model in self._open.values():
            if isinstance(model, Closing):
                await model.close()
        self._open.clear()


@cache
def list_recipes() -> tuple[RecipeEntry, ...]:
    """Every recipe there is, by room and name.

    Raises:
        InputError: a recipe that another package brings cannot be imported, or two share a name.
    """
    found: dict[str, RecipeEntry] = {}
    for recipe, room, name in _classes():
        entry = _describe(recipe, room, name)
        other = found.setdefault(entry.name, entry)
        if other is not entry:
            raise InputError(f"two recipes are called {entry.name!r}: {other.source} and {entry.source}")
    return tuple(sorted(found.values(), key=lambda entry: (ROOMS.index(entry.room), entry.name)))


def find_recipe(name: str, *, room: str | None = None) -> RecipeEntry:
    """The recipe of this name, in any room or in one.

    Raises:
        InputError: there is none; the message names the closest.
    """
    every = {entry.name: entry for entry in list_recipes()}
    rooms = ROOMS if room is None else _STANDS_IN.get(room, (room,))
    known = {key: entry for key, entry in every.items() if entry.room in rooms}
    if name in every and name not in known:
        return _misplaced(every[name], room)
    if name in known:
        return known[name]
    close = get_close_matches(name.lower().replace("_", "-"), known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    raise InputError(f"there is no recipe {name!r}{hint} `gadfly recipes` lists them all")


def _misplaced(entry: RecipeEntry, room: str | None) -> NoReturn:
    uses = {
        "solve": "answers problems (gadfly run, gadfly compare)",
        "judge": "judges answers (gadfly judge)",
        "collect": "makes training rows (gadfly collect)",
        "improve": "is a loop that trains a model (gadfly improve)",
    }
    raise InputError(
        f"{entry.name} {uses[entry.room]}, so it cannot stand where a recipe of {room!r} is wanted"
    )


def build_recipe(
    entry: RecipeEntry,
    settings: Mapping[str, str],
    *,
    models: Callable[[str], Model],
    model: str | None = None,
) -> Solver:
    """A recipe with fields set from text.

    Fields of type Model take a model specification, Solver a recipe (`self-refine:rounds=2`),
    Scorer a scorer, Critic and Ranker a judge (several joined by ';'), Prompt the path of a Jinja
    template; all else is read as the field's type.

    Args:
        entry: Which recipe.
        settings: Text by field name; a record's fields by dotted name.
        models: Loads a model from its specification.
        model: For every required Model field that is not set.

    Raises:
        InputError: no such field, a text that does not fit, or a required field that is not set.
    """
    return cast(Solver, _build(entry, settings, models=models, model=model))


def build_collector(
    entry: RecipeEntry,
    settings: Mapping[str, str],
    *,
    models: Callable[[str], Model],
    model: str | None = None,
) -> Collector:
    """A recipe of the collecting room with fields set from text, as `build_recipe` does it.

    Raises:
        InputError: no such field, a text that does not fit, or a required field that is not set.
    """
    return cast(Collector, _build(entry, settings, models=models, model=model))


def build_loop(
    text: str, *, models: Callable[[str], Model], model: str | None = None, max_tokens: int | None = None
) -> Loop:
    """A recipe of the improving room from one line: `name`, or `name:field=value,field=value`.

    `max_tokens` is for every sampling field that the line does not set.

    Raises:
        InputError: no such loop or field, or a text that does not fit.
    """
    return cast(Loop, _from_line(text, "improve", models=models, model=model, max_tokens=max_tokens))


def build_judge(
    text: str, *, models: Callable[[str], Model], model: str | None = None, max_tokens: int | None = None
) -> Judge:
    """A recipe of the judging room from one line: `name`, or `name:field=value,field=value`.

    `max_tokens` is for every sampling field that the line does not set.

    Raises:
        InputError: no such judge or field, or a text that does not fit.
    """
    return cast(Judge, _from_line(text, "judge", models=models, model=model, max_tokens=max_tokens))


def _from_line(
    text: str, room: str, *, models: Callable[[str], Model], model: str | None, max_tokens: int | None
) -> object:
    name, settings = split_settings(text)
    entry = find_recipe(name, room=room)
    given = {entry.find(key).name for key in settings}
    names = {wanted.name for wanted in entry.fields}
    if max_tokens is not None and "sampling.max_tokens" in names - given:
        settings["sampling.max_tokens"] = str(max_tokens)
    return _build(entry, settings, models=models, model=model)


def _build(
    entry: RecipeEntry, settings: Mapping[str, str], *, models: Callable[[str], Model], model: str | None
) -> object:
    given = {entry.find(name).name: text for name, text in settings.items()}
    values: dict[str, object] = {}
    for wanted in entry.fields:
        text = given.get(wanted.name)
        if text is None and wanted.required:
            text = model if wanted.kind in ("model", "models") else None
            if text is None:
                raise InputError(f"{entry.name} needs {wanted.flag}: {wanted.doc or wanted.type}")
        if text is not None:
            values[wanted.name] = _read(entry, wanted, text, models, model)
    return assemble(entry.recipe, values)


def build_from_text(text: str, *, models: Callable[[str], Model], model: str | None = None) -> Solver:
    """A recipe from one line: `name`, or `name:field=value,field=value`.

    Raises:
        InputError: no such recipe or field, or a text that does not fit.
    """
    name, settings = split_settings(text)
    return build_recipe(find_recipe(name, room="solve"), settings, models=models, model=model)


def _read(
    entry: RecipeEntry, wanted: FieldEntry, text: str, models: Callable[[str], Model], model: str | None
) -> object:
    if wanted.kind == "python":
        raise InputError(f"{entry.name}: {wanted.name} can be given in Python only")
    if wanted.optional and text.strip().lower() == "none":
        return None
    match wanted.kind:
        case "model":
            return models(text)
        case "models":
            return tuple(models(spec.strip()) for spec in text.split(","))
        case "solver":
            return build_from_text(text, models=models, model=model)
        case "judge":
            return build_judge(text, models=models, model=model)
        case "judges":
            return tuple(build_judge(part, models=models, model=model) for part in text.split(";"))
        case "scorer":
            scorer: Scorer = load_scorer(text)
            return scorer
        case _:
            return read_value(wanted, text)


def _classes() -> Iterable[tuple[type, str, str | None]]:
    """Every recipe class with its room, and its name where an entry point gives one."""
    for room in ROOMS:
        package = import_module(f"gadfly.recipes.{room}")
        for module in pkgutil.iter_modules(package.__path__):
            for recipe in _recipes_in(import_module(f"{package.__name__}.{module.name}")):
                yield recipe, room, None
    for point in entry_points(group=GROUP):
        recipe = _foreign(point)
        yield recipe, _room(recipe), point.name


def _room(recipe: type) -> str:
    if not _answers(recipe):
        return "judge"
    return "collect" if callable(getattr(recipe, "rows", None)) else "solve"


def _answers(recipe: type) -> bool:
    """Whether it returns a candidate; without an annotation it is taken to."""
    try:
        returned = get_type_hints(cast(Any, recipe).__call__).get("return")
    except NameError:
        return True
    return returned not in (Critique, Score, Ranking)


def _foreign(point: EntryPoint) -> type:
    try:
        recipe: object = point.load()
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"the recipe {point.name!r} of another package ({point.value}) cannot be imported: {error}; "
            "mend or uninstall that package"
        ) from error
    if not (isinstance(recipe, type) and _is_recipe(recipe)):
        raise InputError(
            f"the recipe {point.name!r} of another package ({point.value}) is no frozen dataclass with an "
            "asynchronous __call__ and a `systems` class variable"
        )
    return recipe


def _recipes_in(module: ModuleType) -> list[type]:
    members = cast("dict[str, object]", vars(module)).values()
    return [
        member
        for member in members
        if isinstance(member, type) and member.__module__ == module.__name__ and _is_recipe(member)
    ]


def _is_recipe(member: type) -> bool:
    return (
        dataclasses.is_dataclass(member)
        and inspect.iscoroutinefunction(getattr(member, "__call__", None))  # noqa: B004 (of the class)
        and isinstance(getattr(member, "systems", None), tuple)
    )


def _describe(recipe: type, room: str, name: str | None) -> RecipeEntry:
    module: Any = import_module(recipe.__module__)
    text = inspect.getdoc(module) or inspect.getdoc(recipe) or ""
    first, _, rest = text.partition("\n")
    said, _, differs = " ".join(rest.split()).partition("Differs from the paper")
    return RecipeEntry(
        name=name or kebab(recipe.__name__),
        room=room,
        summary=first.strip(),
        citation=said.strip(),
        papers=tuple(dict.fromkeys(_ARXIV.findall(text))),
        differs=differs.lstrip("s:").strip(),
        systems=cast("tuple[int, ...]", cast(Any, recipe).systems),
        fields=read_fields(recipe),
        source=f"{recipe.__module__}:{recipe.__qualname__}",
        recipe=recipe,
    )
