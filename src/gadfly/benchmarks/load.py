"""A benchmark from its name, through the entry points `gadfly.benchmarks`.

An entry point names a function `load(target, options) -> Benchmark`; the module it stands in
tells about itself in a constant `ABOUT`. Built-in benchmarks are found in the same way as others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from gadfly.benchmarks.about import About, notes_of
from gadfly.benchmarks.registry import Registry, check_limit
from gadfly.protocols import Benchmark, Scorer
from gadfly.records import Problem
from gadfly.scorers.load import load_scorer

_REGISTRY: Registry[Benchmark] = Registry(group="gadfly.benchmarks", what="benchmark")


@dataclass(frozen=True, kw_only=True)
class Limited:
    """The first `limit` problems of a benchmark. Mixes come interleaved, so they stay balanced."""

    benchmark: Benchmark
    limit: int

    @property
    def name(self) -> str:
        """The whole benchmark's name."""
        return self.benchmark.name

    @property
    def scorer(self) -> Scorer:
        """The benchmark's own scorer."""
        return self.benchmark.scorer

    @property
    def notes(self) -> tuple[str, ...]:
        """The benchmark's notes."""
        return notes_of(self.benchmark)

    def problems(self) -> Iterator[Problem]:
        """The first problems, in the benchmark's order."""
        return islice(self.benchmark.problems(), self.limit)


@dataclass(frozen=True, kw_only=True)
class Rescored:
    """A benchmark with another scorer."""

    benchmark: Benchmark
    scorer: Scorer

    @property
    def name(self) -> str:
        """The benchmark's name."""
        return self.benchmark.name

    @property
    def notes(self) -> tuple[str, ...]:
        """The benchmark's notes."""
        return notes_of(self.benchmark)

    def problems(self) -> Iterator[Problem]:
        """The benchmark's problems."""
        return self.benchmark.problems()


def load_benchmark(spec: str, *, scorer: str | None = None, limit: int | None = None) -> Benchmark:
    """The benchmark that a name such as `families:products?level=2` or a file's path names.

    `scorer` replaces the benchmark's own; `limit` keeps the first so many problems.

    Raises:
        InputError: unknown name, missing file, or an option that cannot be used.
    """
    check_limit(limit)
    found = _REGISTRY.find(spec)
    options, about = found.options, found.about
    if scorer is not None and "scorer" in about.options:
        options["scorer"] = scorer
    benchmark = found.load(found.target, options)
    if scorer is not None and "scorer" not in about.options:
        benchmark = Rescored(benchmark=benchmark, scorer=load_scorer(scorer))
    return benchmark if limit is None else Limited(benchmark=benchmark, limit=limit)


def list_benchmarks() -> list[About]:
    """What every installed benchmark says of itself, by name."""
    return _REGISTRY.abouts()
