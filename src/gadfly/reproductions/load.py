"""Reproductions by name: the modules of this package that have a constant `REPRODUCTION`."""

import pkgutil
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from types import ModuleType

import gadfly.reproductions as package
from gadfly.errors import InputError
from gadfly.reproductions.check import Reproduction


@cache
def list_reproductions() -> tuple[Reproduction, ...]:
    """Every reproduction there is, by name."""
    modules = (import_module(f"{package.__name__}.{found.name}") for found in _modules())
    found = [_constant(module) for module in modules]
    return tuple(sorted((one for one in found if one is not None), key=lambda one: one.name))


def find_reproduction(name: str) -> Reproduction:
    """The reproduction of this name, dashes as good as underscores.

    Raises:
        InputError: there is none; the message names the closest.
    """
    known = {one.name: one for one in list_reproductions()}
    wanted = name.lower().replace("-", "_")
    if wanted in known:
        return known[wanted]
    close = get_close_matches(wanted, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    raise InputError(f"there is no reproduction {name!r}{hint} There are {', '.join(known)}")


def _modules() -> list[pkgutil.ModuleInfo]:
    return list(pkgutil.iter_modules(package.__path__))


def _constant(module: ModuleType) -> Reproduction | None:
    found = getattr(module, "REPRODUCTION", None)
    return found if isinstance(found, Reproduction) else None
