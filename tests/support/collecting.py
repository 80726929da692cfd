"""Collectors run in a folder, and models that answer by rule."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from gadfly.models.scripted import Scripted
from gadfly.records import Problem, Request
from gadfly.run import run_sync
from gadfly.scorers.text import Numeric
from gadfly.train.collecting import Collector
from gadfly.train.rows import AnyRow
from gadfly.train.sources import Oracle, read_runs

Rule = tuple[str, str | Callable[[Request], str]]


def plays(*rules: Rule, heard: list[str] | None = None, id: str = "m") -> Scripted:
    """A model that answers by the first mark that stands in what it is asked last."""

    def answer(request: Request) -> str:
        asked = request.messages[-1].content
        if heard is not None:
            heard.append(asked)
        for mark, reply in rules:
            if mark in asked:
                return reply if isinstance(reply, str) else reply(request)
        raise AssertionError(f"nobody answers {asked[:300]}")

    return Scripted.from_function(answer, id=id)


def sums(n: int) -> list[Problem]:
    """Sums of which every one has another answer."""
    return [
        Problem(id=f"p{k}", prompt=f"What is {k} + 1?", reference=str(k + 1), answer_kind="number")
        for k in range(n)
    ]


def collected(
    collector: Collector,
    problems: Sequence[Problem],
    folder: Path,
    *,
    oracle: Oracle = "refuse",
    dropped: Counter[str] | None = None,
) -> list[AnyRow]:
    """The rows of a collector that is run on the problems in a folder, read back from it."""
    scorers = {"numeric": Numeric()} if all(problem.reference for problem in problems) else {}
    summary = run_sync(collector, problems, out=folder, scorers=scorers, benchmark="sums")
    assert not summary.failures, summary.failures
    return list(collector.rows(read_runs(folder), oracle=oracle, dropped=dropped))
