"""Named things behind entry points, each module telling of itself in a constant `ABOUT`.

Benchmarks to be solved (`gadfly.benchmarks`) and benchmarks to be judged (`gadfly.judging`) are found so.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Generic, TypeVar, cast

from gadfly.benchmarks.about import About
from gadfly.errors import InputError
from gadfly.parsing.spec import read_spec, refuse_unknown

T = TypeVar("T")
_SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".gz")


@dataclass(frozen=True, kw_only=True)
class Loader(Generic[T]):
    """A name taken apart, with the function behind it."""

    target: str
    options: dict[str, str]
    about: About
    load: Callable[[str, Mapping[str, str]], T]


@dataclass(frozen=True, kw_only=True)
class Registry(Generic[T]):
    """The entry points of one group; each names a function `load(target, options) -> T`."""

    group: str
    what: str
    """One of them, in errors: "benchmark"."""
    file: str = "file"
    """The one that reads a user's own file, where a path is given for a name."""

    def find(self, spec: str) -> Loader[T]:
        """What `name:target?option=value`, or the path of a file, names.

        Raises:
            InputError: an unknown name, or options that cannot be read.
        """
        name, target, options = _parts(spec, self.file)
        found = self._found()
        refuse_unknown(name, found, what=self.what, where=repr(spec))
        load, about = self._loaded(found[name])
        return Loader(target=target, options=options, about=about, load=load)

    def abouts(self) -> list[About]:
        """What every installed one says of itself, by name."""
        return [self._loaded(point)[1] for _, point in sorted(self._found().items())]

    def _found(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group=self.group)}

    def _loaded(self, point: EntryPoint) -> tuple[Callable[[str, Mapping[str, str]], T], About]:
        load = cast(Callable[[str, Mapping[str, str]], T], point.load())
        about = getattr(sys.modules[load.__module__], "ABOUT", None)
        if not isinstance(about, About):
            raise InputError(f"the {self.what} {point.name!r} ({point.value}) has no ABOUT in its module")
        return load, about


def check_limit(limit: int | None) -> None:
    """Stop at a limit below 1.

    Raises:
        InputError: it is.
    """
    if limit is not None and limit < 1:
        raise InputError(f"the limit must be 1 or more, not {limit}")


def _parts(spec: str, file: str) -> tuple[str, str, dict[str, str]]:
    """Name, target and options of a spec; `file` is the name where it is the path of a file."""
    path = spec.partition("?")[0]
    if _is_file(spec):
        return file, spec, {}
    looks_like_file = path.endswith(_SUFFIXES) and ":" not in path.replace(":\\", "")
    if _is_file(path) or looks_like_file:
        return file, path, dict(read_spec(f"file{spec[len(path) :]}").options)
    parts = read_spec(spec)
    return parts.name, parts.target, dict(parts.options)


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # no path at all: too long, or with a null character
        return False
