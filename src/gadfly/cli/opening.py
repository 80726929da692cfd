"""What a command opens before it can run anything: models, their cache and their budget, a benchmark."""

import re
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import anyio

from gadfly.benchmarks.about import notes_of
from gadfly.benchmarks.audit import audit, hole_warnings
from gadfly.benchmarks.load import Limited, load_benchmark
from gadfly.cli.flags import Asking
from gadfly.cli.output import note
from gadfly.errors import GadflyError, InputError, WaitingForPerson
from gadfly.models.budgeted import Budget
from gadfly.models.load import Bounded, default_cache, load_model, open_cache
from gadfly.protocols import Benchmark, Closing, Model
from gadfly.recipes.load import SharedModels
from gadfly.run.runner import IN_FLIGHT
from gadfly.run.store import read_rollouts
from gadfly.scorers.judge import Judge

_AUDITED = 60
"""Problems of a benchmark whose checker is tried before its results are shown."""


@runtime_checkable
class _Wrapper(Protocol):
    @property
    def inner(self) -> Model: ...


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A benchmark that is open, with what has to stand beside its results."""

    benchmark: Benchmark
    warnings: tuple[str, ...]


@asynccontextmanager
async def open_models(asking: Asking) -> AsyncGenerator[SharedModels]:
    """Models that share a cache and a budget, closed at the end.

    Raises:
        InputError: a number or the cache file cannot be used.
    """
    store = open_cache(_cache_place(asking.cache))
    ledger = Budget(tokens=asking.budget)
    models = SharedModels(load=partial(load_model, cache=store, budget=ledger, limit=asking.concurrency))
    try:
        yield models
    finally:
        with anyio.CancelScope(shield=True):
            await models.close()
            if store is not None:
                store.close()


async def open_benchmark(asking: Asking, limit: int | None) -> Asked:
    """The benchmark, its notes said and its checker tried.

    Raises:
        InputError: it cannot be loaded, or a problem lacks what its scorer needs.
    """
    benchmark = load_benchmark(asking.on, scorer=asking.scorer, limit=limit)
    for line in notes_of(benchmark):
        note(line)
    if isinstance(benchmark.scorer, Judge):
        # Every probe would be a model call.
        return Asked(benchmark=benchmark, warnings=())
    whole = benchmark.benchmark if isinstance(benchmark, Limited) else benchmark
    report = await audit(whole, limit=_AUDITED)
    return Asked(benchmark=benchmark, warnings=tuple(hole_warnings(report)))


async def close_scorer(benchmark: Benchmark) -> None:
    """Release what the scorer holds: a worker process, a model."""
    if isinstance(benchmark.scorer, Closing):
        with anyio.CancelScope(shield=True):
            await benchmark.scorer.close()


def rollouts_in_flight(models: Sequence[Model], concurrency: int | None) -> int:
    """How many rollouts at once: few where an engine keeps its prefix cache in memory."""
    if concurrency is not None:
        return min(IN_FLIGHT, 4 * concurrency)
    known = [capacity for capacity in map(_capacity, models) if capacity is not None]
    return min(IN_FLIGHT, 4 * min(known)) if known else IN_FLIGHT


def folder(out: str | None, *names: str) -> Path:
    """The folder to write to; under runs/ by the names of what is run, where none is given.

    Raises:
        InputError: it is a file.
    """
    if out is not None:
        path = Path(out).expanduser()
        if path.exists() and not path.is_dir():
            raise InputError(f"--out {out} is a file; give a folder")
        return path
    words = (
        re.sub(r"[^\w.=+]+", "-", Path(name).name if "/" in name else name).strip("-.") for name in names
    )
    return Path("runs") / "-".join(words)


def stopped(out: Path) -> KeyboardInterrupt:
    """What Ctrl-C says."""
    return KeyboardInterrupt(
        f"stopped; what was finished is kept in {out}. Run the same command again to continue"
    )


def all_failed(run: Path) -> GadflyError:
    """What ends a command that got no answer at all: how often each error came, and the first one's words."""
    failures = [rollout.failure for rollout in read_rollouts(run) if rollout.failure is not None]
    if failures and all(failure.type == WaitingForPerson.__name__ for failure in failures):
        return GadflyError(
            f"nobody has answered yet: {failures[0].message}\n"
            "the same command goes on with what is answered by then, and asks nothing twice"
        )
    counts = Counter(f"{failure.boundary}/{failure.type}" for failure in failures)
    why = ", ".join(f"{count} {name}" for name, count in counts.items())
    first = f": {failures[0].message}" if failures else ""
    return GadflyError(f"every rollout failed ({why}){first}\ngadfly show {run} --failed shows one")


def _cache_place(cache: str | None) -> Path | None:
    if cache == "off":
        return None
    if cache is None:
        return default_cache()
    path = Path(cache).expanduser()
    return path / "completions.sqlite" if path.is_dir() else path


def _capacity(model: Model) -> int | None:
    while isinstance(model, _Wrapper):
        model = model.inner
    return model.capacity if isinstance(model, Bounded) else None
