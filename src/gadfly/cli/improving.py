"""What `gadfly improve` opens: problems to learn from and to be judged by, and the arms."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from typing import Annotated

from cyclopts import Group, Parameter

from gadfly.benchmarks.load import load_benchmark
from gadfly.cli.flags import flag
from gadfly.errors import InputError
from gadfly.protocols import Benchmark, Scorer
from gadfly.records import Problem
from gadfly.run.manifest import describe, solver_name
from gadfly.train.decontaminate import Decontaminator
from gadfly.train.rows import PROBLEM, LabellingOnly, PromptCompletion, Turn

TRAINING = Group("Training", sort_key=3)


@Parameter(name="*", group=TRAINING)
@dataclass(frozen=True, kw_only=True)
class Weighting:
    """How weights are trained, whatever the loop."""

    full: Annotated[bool, flag("Train all weights instead of a LoRA adapter.", show_default=False)] = False
    rank: Annotated[int, flag("Of the adapter.")] = 16
    precision: Annotated[str, flag("Of the forward pass: bf16 or float32.")] = "bf16"
    part: Annotated[int, flag("Most rows in one forward pass; smaller takes less memory.")] = 8
    device: Annotated[str, flag("auto, cpu, cuda, ...")] = "auto"


USUAL_WEIGHTING = Weighting()


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Problems of one or several benchmarks that one scorer decides."""

    name: str
    problems: tuple[Problem, ...]
    scorer: Scorer

    @property
    def scorers(self) -> Mapping[str, Scorer]:
        """By the name that a run keeps it under."""
        return {solver_name(self.scorer): self.scorer}


@dataclass(frozen=True, kw_only=True)
class Split:
    """Who is learned from, and who is not."""

    held_out: tuple[Problem, ...]
    validation: tuple[Problem, ...]
    learning: tuple[Problem, ...]
    given_away: int
    """Problems to learn from that were left out, because they give one of the others away."""


def open_pool(specs: str, *, scorer: str | None = None, limit: int | None = None) -> Pool:
    """The problems of benchmarks joined by ';', one of each in turn.

    Raises:
        InputError: one cannot be loaded, two share an id, or their scorers differ.
    """
    benchmarks = [load_benchmark(spec.strip(), scorer=scorer) for spec in specs.split(";") if spec.strip()]
    if not benchmarks:
        raise InputError("no benchmark is named; `gadfly benchmarks` lists what there is")
    kinds = {str(describe(benchmark.scorer)) for benchmark in benchmarks}
    if len(kinds) > 1:
        raise InputError(f"{specs}: the benchmarks have different scorers; give one with --scorer")
    problems = tuple(islice(_in_turn(benchmarks), limit))
    if len({problem.id for problem in problems}) < len(problems):
        raise InputError(f"{specs}: two problems share an id; name every benchmark once")
    return Pool(
        name=" ; ".join(benchmark.name for benchmark in benchmarks),
        problems=problems,
        scorer=benchmarks[0].scorer,
    )


def split(pool: Pool, more: Pool | None, *, held_out: int, validation: int) -> Split:
    """Problems told apart: the first are held out, the next decide between checkpoints, the rest teach.

    Args:
        pool: Where held-out problems come from.
        more: Where the others come from; the rest of `pool`, where nothing is given.
        held_out: How many are held out.
        validation: How many decide between checkpoints.

    Raises:
        InputError: too few are left to learn from.
    """
    held = pool.problems[:held_out]
    rest = pool.problems[held_out:] if more is None else more.problems
    rest = _without(rest, {"held out": held})
    deciding, learning = rest[:validation], rest[validation:]
    if deciding:
        learning = _without(learning, {"validation": deciding})
    asked = len(pool.problems) - held_out if more is None else len(more.problems)
    if len(learning) < 2:
        raise InputError(
            f"{len(pool.problems)} problems leave {len(learning)} to learn from; ask for more of them "
            "(n of a generated benchmark), hold fewer out (--held-out), or give others with --train-on"
        )
    return Split(
        held_out=held,
        validation=deciding,
        learning=learning,
        given_away=asked - len(deciding) - len(learning),
    )


def _in_turn(benchmarks: Sequence[Benchmark]) -> Iterator[Problem]:
    rounds: Iterable[tuple[Problem | None, ...]] = zip_longest(*(one.problems() for one in benchmarks))
    return (problem for problem in chain.from_iterable(rounds) if problem is not None)


def _without(problems: Sequence[Problem], against: Mapping[str, Sequence[Problem]]) -> tuple[Problem, ...]:
    """Those that give none of the others away, by the rules that rows are held to."""
    screen = Decontaminator(against)
    return tuple(problem for problem in problems if next(screen.kept([_as_row(problem)]), None) is not None)


def _as_row(problem: Problem) -> PromptCompletion:
    asked = Turn(role="user", content=problem.text, author=PROBLEM)
    answer = Turn(role="assistant", content=problem.reference or "-", author=PROBLEM)
    known = LabellingOnly(reference=problem.reference)
    return PromptCompletion(prompt=(asked,), completion=(answer,), labelling_only=known)
