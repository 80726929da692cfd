"""A benchmark of judges from its name, through the entry points `gadfly.judging`.

An entry point names a function `load(target, options) -> JudgingBenchmark`; the module it stands in
tells about itself in a constant `ABOUT`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from gadfly.benchmarks.about import About, notes_of
from gadfly.benchmarks.registry import Registry, check_limit
from gadfly.protocols import JudgingBenchmark
from gadfly.records import Case, Problem

_REGISTRY: Registry[JudgingBenchmark] = Registry(
    group="gadfly.judging", what="benchmark of judges", file="cases"
)


@dataclass(frozen=True, kw_only=True)
class Limited:
    """The first `limit` cases of a benchmark."""

    benchmark: JudgingBenchmark
    limit: int

    @property
    def name(self) -> str:
        """The whole benchmark's name."""
        return self.benchmark.name

    @property
    def notes(self) -> tuple[str, ...]:
        """The benchmark's notes."""
        return notes_of(self.benchmark)

    def cases(self) -> Iterator[tuple[Problem, Case]]:
        """The first cases, in the benchmark's order."""
        return islice(self.benchmark.cases(), self.limit)


def load_cases(spec: str, *, limit: int | None = None) -> JudgingBenchmark:
    """The benchmark that a name such as `judgebench:data?subset=mmlu-pro-math` or a file's path names.

    `limit` keeps the first so many cases.

    Raises:
        InputError: unknown name, missing file, a row that is not of the format, or an option that
            cannot be used.
    """
    check_limit(limit)
    found = _REGISTRY.find(spec)
    benchmark = found.load(found.target, found.options)
    return benchmark if limit is None else Limited(benchmark=benchmark, limit=limit)


def list_judging_benchmarks() -> list[About]:
    """What every installed benchmark of judges says of itself, by name."""
    return _REGISTRY.abouts()
