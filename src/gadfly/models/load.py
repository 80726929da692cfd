"""`load_model`: from one line of text to a model with everything round it."""

import ast
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, cast, runtime_checkable

from gadfly.errors import InputError
from gadfly.models.budgeted import Budget, Budgeted, BudgetedTokens
from gadfly.models.cached import Cached, CachedTokens
from gadfly.models.limited import AdaptiveLimit, Limited, LimitedTokens
from gadfly.models.metered import Metered, MeteredTokens
from gadfly.models.retried import Retried, RetriedTokens
from gadfly.models.store import CompletionStore
from gadfly.parsing.spec import read_spec
from gadfly.protocols import Model, TokenModel

GROUP = "gadfly.models"

Load: TypeAlias = Callable[[str, Mapping[str, str]], Model]
CacheChoice: TypeAlias = Path | CompletionStore | Literal["default"] | None


@runtime_checkable
class Bounded(Protocol):
    """A backend that says how many requests at once suit it."""

    @property
    def capacity(self) -> int:
        """Requests in flight that fill it."""
        ...


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """What is known of a backend without importing it."""

    name: str
    summary: str
    example: str
    supports: tuple[str, ...]
    """Of: chat, logprobs, json_schema, prefix, score."""
    installed: bool
    install: str
    """The command that installs what is missing; empty where nothing is."""


def load_model(
    spec: str,
    *,
    cache: CacheChoice = "default",
    budget: Budget | None = None,
    limit: int | None = None,
    attempts: int = 6,
) -> Model:
    """The model that a specification names, metered, cached, budgeted, retried and limited.

    A specification is `backend:target?option=value&option=value`, as in
    `openai:qwen2.5-7b@http://localhost:8000/v1` or `llamacpp:model.gguf?slots=8`.
    What can score continuations (`TokenModel`) still can when wrapped. Close it when done
    (`close`): that closes everything inside.

    Args:
        spec: The specification.
        cache: Where completions are kept: a file, an open store (which stays open), None for
            nowhere, "default" for `completions.sqlite` in `$GADFLY_CACHE_DIR` or `~/.cache/gadfly`.
        budget: What may be spent; shared with every other model that is given the same one.
        limit: Most requests at once; None is what suits the backend.
        attempts: How often a call is tried that fails in a way that may pass.

    Raises:
        InputError: the specification, an option, the cache or a number cannot be used; what is
            missing is named with the command that installs it.
    """
    return wrap_model(load_backend(spec), cache=cache, budget=budget, limit=limit, attempts=attempts)


def wrap_model(
    backend: Model,
    *,
    cache: CacheChoice = "default",
    budget: Budget | None = None,
    limit: int | None = None,
    attempts: int = 6,
) -> Model:
    """What `load_model` puts round a backend, for one that is at hand as an object.

    The arguments are those of `load_model`. The backend's `id` is part of the cache's key, so it
    has to name the weights.

    Raises:
        InputError: the cache or a number cannot be used.
    """
    if attempts < 1:
        raise InputError(f"attempts={attempts} makes no call at all: give 1 or more")
    most = limit if limit is not None else backend.capacity if isinstance(backend, Bounded) else 64
    slots = AdaptiveLimit(most)
    ledger = budget or Budget()
    store = open_cache(cache)
    owns = not isinstance(cache, CompletionStore)
    if isinstance(backend, TokenModel):
        model = LimitedTokens(inner=backend, limit=slots)
        model = RetriedTokens(inner=model, attempts=attempts)
        model = BudgetedTokens(inner=model, budget=ledger)
        if store is not None:
            model = CachedTokens(inner=model, store=store, owns_store=owns)
        return MeteredTokens(inner=model)
    model = Limited(inner=backend, limit=slots)
    model = Retried(inner=model, attempts=attempts)
    model = Budgeted(inner=model, budget=ledger)
    if store is not None:
        model = Cached(inner=model, store=store, owns_store=owns)
    return Metered(inner=model)


def load_backend(spec: str) -> Model:
    """The bare backend that a specification names.

    Raises:
        InputError: there is none, it lacks a package, or it cannot use target or options.
    """
    named = read_spec(spec)
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    name = named.name
    if name not in found:
        raise InputError(_unknown(name, tuple(found.values())))
    try:
        load = cast(Load, found[name].load())
    except ImportError as error:
        entry = describe(found[name])
        mend = entry.install or f"reinstall what provides {found[name].value}"
        raise InputError(f"the model {name!r} cannot be used here ({error}); mend it with: {mend}") from error
    return load(named.target, named.options)


def split_models(text: str) -> list[str]:
    """`a,b:x?y=1,2,c` as its specifications: a comma parts two where a backend's name follows it.

    Raises:
        InputError: none is named, or one is named twice.
    """
    known = {entry.name for entry in entry_points(group=GROUP)}
    specs: list[str] = []
    for part in text.split(","):
        name = part.strip().partition("?")[0].partition(":")[0]
        if specs and name not in known:
            specs[-1] += f",{part}"
        else:
            specs.append(part)
    specs = [spec.strip().rstrip(",") for spec in specs]
    if not any(specs):
        raise InputError("no model is named; `gadfly models` lists what there is")
    if len(set(specs)) < len(specs):
        twice = next(spec for spec in specs if specs.count(spec) > 1)
        raise InputError(f"the model {twice} is named twice")
    return specs


def open_cache(cache: CacheChoice) -> CompletionStore | None:
    """The store that `load_model` is told to use.

    Raises:
        InputError: the file cannot be used.
    """
    if cache is None or isinstance(cache, CompletionStore):
        return cache
    return CompletionStore(default_cache() if cache == "default" else Path(cache))


def default_cache() -> Path:
    """The cache file used where none is named."""
    folder = os.environ.get("GADFLY_CACHE_DIR")
    return (Path(folder) if folder else Path.home() / ".cache" / "gadfly") / "completions.sqlite"


def list_models() -> tuple[ModelEntry, ...]:
    """Every backend that is registered, by name, without importing any of them."""
    return tuple(describe(entry) for entry in sorted(entry_points(group=GROUP), key=lambda e: e.name))


def describe(entry: EntryPoint) -> ModelEntry:
    """What a backend's module says of itself, read from its source and not by running it."""
    stated = _literals(entry.module)
    needs = cast(tuple[str, ...], stated.get("NEEDS", ()))
    missing = "__doc__" not in stated or any(find_spec(module) is None for module in needs)
    return ModelEntry(
        name=entry.name,
        summary=str(stated.get("__doc__", "")).strip().partition("\n")[0],
        example=str(stated.get("EXAMPLE", f"{entry.name}:...")),
        supports=cast(tuple[str, ...], stated.get("SUPPORTS", ())),
        installed=not missing,
        install=str(stated.get("INSTALL", "pip install " + " ".join(needs))) if missing else "",
    )


def _literals(module: str) -> dict[str, object]:
    """A module's docstring and its top-level literals; nothing where it has no source."""
    try:
        spec = find_spec(module)
    except ImportError:
        return {}
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return {}
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    found: dict[str, object] = {"__doc__": ast.get_docstring(tree) or ""}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return found


def _unknown(name: str, known: tuple[EntryPoint, ...]) -> str:
    if not known:
        return f"no models are registered under {GROUP!r}: install the package with pip install gadfly"
    close = get_close_matches(name, [entry.name for entry in known], n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    lines = [f"  {e.name:<14}{e.example}" for e in map(describe, sorted(known, key=lambda e: e.name))]
    return "\n".join([f"there is no model {name!r}{hint} Known, with an example each:", *lines])
