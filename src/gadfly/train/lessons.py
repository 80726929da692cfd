"""Objectives by name: found in the modules of `gadfly.train.objectives`, built from settings.

An objective that learns from rows is a frozen dataclass with the methods of `RowObjective`. Its name is that
of its module, or of its class where a module has several; one class may have other names for some of its
settings. Nothing is registered: a new file is a new objective. Torch is loaded when the first is asked for.
"""

import dataclasses
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, cast

from pydantic import JsonValue

from gadfly.errors import InputError
from gadfly.train.objective import RowObjective

_HOME = "gadfly.train.objectives"
_METHODS = ("example", "size", "length", "loss")
_NAMED: Mapping[str, Mapping[str, Mapping[str, JsonValue]]] = {
    "Supervised": {"sft": {}},
    "PreferencePairs": {
        "dpo": {"loss_type": "dpo"},
        "ipo": {"loss_type": "ipo"},
        "hinge": {"loss_type": "hinge", "beta": 1.0},
        "simpo": {"loss_type": "simpo", "beta": 2.0},
        "orpo": {"loss_type": "orpo"},
    },
    "RewardPairs": {"reward": {}},
}
"""Classes with names of their own: each name with the settings that it stands for."""


@dataclass(frozen=True, kw_only=True)
class ObjectiveEntry:
    """What is known of an objective before it is built."""

    name: str
    kind: type
    settings: Mapping[str, JsonValue]
    """What makes the class the objective of this name."""
    about: str
    """The docstring of its module: what it is, its citation, where it differs."""

    @property
    def open(self) -> tuple[str, ...]:
        """Names of the settings that may be given: those that the name itself sets for good are not."""
        fields = dataclasses.fields(cast(Any, self.kind))
        return tuple(one.name for one in fields if not (one.name in self.settings and one.name in _TELLING))

    def build(self, settings: Mapping[str, object]) -> RowObjective[Any]:
        """The objective with these settings.

        Raises:
            InputError: it has no such setting, or refuses a value.
        """
        known = self.open
        if unknown := settings.keys() - set(known):
            raise InputError(
                f"{self.name} has no setting {', '.join(sorted(unknown))}; it has {', '.join(known)}"
            )
        return cast("RowObjective[Any]", self.kind(**{**self.settings, **settings}))


_TELLING = frozenset({"loss_type"})
"""Fields that the name itself sets, for good."""


@cache
def list_objectives() -> tuple[ObjectiveEntry, ...]:
    """Every objective that learns from rows, by module.

    Raises:
        InputError: torch is not installed, or two objectives share a name.
    """
    found: dict[str, ObjectiveEntry] = {}
    for entry in _entries():
        other = found.setdefault(entry.name, entry)
        if other is not entry:
            raise InputError(f"two objectives are called {entry.name!r}: {other.kind} and {entry.kind}")
    return tuple(found.values())


def find_objective(name: str) -> ObjectiveEntry:
    """The objective of this name.

    Raises:
        InputError: there is none; the message names those there are.
    """
    known = {entry.name: entry for entry in list_objectives()}
    if name in known:
        return known[name]
    close = get_close_matches(name.lower().replace("_", "-"), known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise InputError(f"there is no objective {name!r}{hint}; there are {', '.join(known)}")


def build_objective(name: str, settings: Mapping[str, JsonValue]) -> RowObjective[Any]:
    """The objective of this name, with these settings.

    Raises:
        InputError: there is none, it has no such setting, or torch is not installed.
    """
    return find_objective(name).build(settings)


def _entries() -> Iterator[ObjectiveEntry]:
    for module in _modules():
        kinds = [kind for kind in vars(module).values() if _learns_from_rows(kind, module)]
        for kind in cast("Sequence[type]", kinds):
            usual = module.__name__.rpartition(".")[2] if len(kinds) == 1 else _words(kind.__name__)
            names = _NAMED.get(kind.__name__, {usual.replace("_", "-"): {}})
            for name, settings in names.items():
                yield ObjectiveEntry(name=name, kind=kind, settings=settings, about=module.__doc__ or "")


def _modules() -> Iterator[ModuleType]:
    try:
        home = import_module(_HOME)
        for info in pkgutil.iter_modules(home.__path__):
            yield import_module(f"{_HOME}.{info.name}")
    except ImportError as error:
        raise InputError(
            f'training needs torch, transformers, peft and accelerate ({error}): pip install "gadfly[train]"'
        ) from error


def _learns_from_rows(kind: object, module: ModuleType) -> bool:
    return (
        isinstance(kind, type)
        and kind.__module__ == module.__name__
        and dataclasses.is_dataclass(kind)
        and all(callable(getattr(kind, method, None)) for method in _METHODS)
    )


def _words(name: str) -> str:
    """RewardMarks as reward_marks."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
