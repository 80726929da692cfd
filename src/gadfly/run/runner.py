"""Running one solver on many problems: streamed, bounded, resumable, and safe to kill."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TypeAlias, TypeVar

import anyio
import anyio.lowlevel
from pydantic import JsonValue

from gadfly.errors import BoundaryError, InputError, boundary, sole_error
from gadfly.protocols import Scorer, SeesReference, Solver
from gadfly.records import Candidate, Case, Problem, Rollout, Score, Usage, content_digest
from gadfly.run.manifest import (
    Manifest,
    describe,
    package_version,
    portable,
    python_version,
    read_manifest,
    solver_name,
)
from gadfly.run.store import KeySet, RunFolder, open_folder, rollout_key
from gadfly.run.summary import RunSummary, Tally
from gadfly.trace import elapsed, recording

T = TypeVar("T")
Item: TypeAlias = tuple[Problem, Case | None]
"""A problem, and what is to be judged about it where a judge runs."""
Act: TypeAlias = Callable[[Item], Awaitable[tuple[Rollout, Usage]]]
"""Makes an item's rollout; with what was spent beside it that is no part of the method's cost."""

IN_FLIGHT = 512
"""Rollouts under way at once, unless told otherwise.

With 64 slots and log-normal latencies (three calls a rollout), 500 problems take 1.14 times as
long with 64 to 384 rollouts in flight as with all of them, because whoever starts late ends late;
for 5,000 problems the window makes no difference (0.99 to 1.00). An engine that keeps its prefix
cache in memory wants fewer: a few times its slots.
"""

DEAD_AFTER = 8
"""After this many equal refusals in a row (wrong key, nobody there) and no answer yet, a run stops."""

_DEAD = frozenset({"AuthenticationFailed", "ConnectionFailed"})


async def roll_out(solver: Solver, problem: Problem, scorers: Mapping[str, Scorer] | None = None) -> Rollout:
    """Answer one problem, record how, and score the answer.

    Whatever the solver raises becomes the rollout's failure, whatever a scorer raises becomes
    an unscored score with its reason.

    Raises:
        InputError: the solver or a scorer found a mistake of the user's.
    """
    rollout, _ = await _roll_out(solver, problem, scorers or {}, sighted=sees(solver))
    return rollout


def sees(solver: object) -> bool:
    """Whether the solver is to be handed the reference."""
    return isinstance(solver, SeesReference) and solver.sees_reference


async def _roll_out(
    solver: Solver, problem: Problem, scorers: Mapping[str, Scorer], *, sighted: bool
) -> tuple[Rollout, Usage]:
    """The rollout, and what its scorers spent (which is no part of the method's cost)."""
    start = monotonic()
    answer = failure = None
    with recording() as recorder:
        try:
            with boundary("recipe"):
                answer = checked(await solver(problem if sighted else problem.blind()), Candidate, solver)
        except BoundaryError as error:
            failure = error.failure()
    seconds = elapsed(start)
    scores: dict[str, Score] = {}
    spent = Usage()
    if answer is not None and scorers:
        with recording() as measuring:
            for name, scorer in scorers.items():
                scores[name] = await scored(name, scorer, problem, answer)
        spent = measuring.usage
    rollout = Rollout(
        problem=problem,
        solver=solver_name(solver),
        answer=answer,
        steps=recorder.steps,
        scores=scores,
        usage=recorder.usage,
        failure=failure,
        seconds=seconds,
    )
    return rollout, spent


async def scored(name: str, scorer: Scorer, problem: Problem, answer: Candidate) -> Score:
    """The scorer's score; whatever it raises becomes an unscored one with its reason."""
    try:
        with boundary("scorer"):
            return checked(await scorer(problem, answer), Score, scorer)
    except BoundaryError as error:
        return Score(target=answer.id, value=None, author=name, failure=error.failure())


def checked(value: T, kind: type[T], source: object) -> T:
    """The value, if it is what was promised: user code is not always type-checked."""
    if not isinstance(value, kind):
        raise TypeError(f"{solver_name(source)} returned {type(value).__name__}, not {kind.__name__}")
    return value


async def run(
    solver: Solver,
    problems: Iterable[Problem],
    *,
    out: Path | None = None,
    scorers: Mapping[str, Scorer] | None = None,
    benchmark: str | None = None,
    settings: Mapping[str, JsonValue] | None = None,
    in_flight: int = IN_FLIGHT,
    on_rollout: Callable[[Rollout], None] | None = None,
) -> RunSummary:
    """Answer every problem, score the answers, and keep each rollout as it finishes.

    Args:
        solver: Sees the problems without their reference, unless it declares `sees_reference`.
        problems: Any iterable; read one at a time, and no faster than rollouts finish.
        out: The run folder. Rollouts it already holds are not run again; None keeps nothing.
        scorers: By the name under which a score is kept; the first decides `Rollout.value`.
        benchmark: Where the problems come from, arguments included.
        settings: Whatever else tells this run from another, such as a seed.
        in_flight: Most rollouts under way at once.
        on_rollout: Called with each rollout of this session once it is safely written.

    Raises:
        InputError: two problems share an id, the folder belongs to another run or is in use, the
            disk is full, nobody answers at the endpoint or it refuses the key, or a recipe or
            scorer found a mistake of the user's. Rollouts written until then are kept.
    """
    scoring = dict(scorers or {})
    sighted = sees(solver)

    async def act(item: Item) -> tuple[Rollout, Usage]:
        return await _roll_out(solver, item[0], scoring, sighted=sighted)

    manifest = manifest_of(solver, benchmark, scoring, settings or {})
    items = ((problem, None) for problem in problems)
    return await work_through(act, items, manifest, out=out, in_flight=in_flight, on_rollout=on_rollout)


async def work_through(
    act: Act,
    items: Iterable[Item],
    manifest: Manifest,
    *,
    out: Path | None,
    in_flight: int = IN_FLIGHT,
    on_rollout: Callable[[Rollout], None] | None = None,
) -> RunSummary:
    """What `run` and `judge_cases` share: every item becomes a rollout, kept as it finishes.

    Raises:
        InputError: as `run`.
    """
    if in_flight < 1:
        raise InputError(f"in_flight is {in_flight}; at least one rollout has to be under way")
    place: AbstractContextManager[RunFolder | None] = (
        nullcontext() if out is None else open_folder(out, manifest)
    )
    with place as folder:
        session = _Session(act, folder, manifest.solver_digest, on_rollout)
        try:
            await session.work(iter(items), in_flight)
        except BaseException:
            # The reason matters more than a manifest that the same full disk refuses.
            with suppress(InputError):
                session.conclude(complete=False)
            raise
        return session.conclude(complete=True)


def run_sync(
    solver: Solver,
    problems: Iterable[Problem],
    *,
    out: Path | None = None,
    scorers: Mapping[str, Scorer] | None = None,
    benchmark: str | None = None,
    settings: Mapping[str, JsonValue] | None = None,
    in_flight: int = IN_FLIGHT,
    on_rollout: Callable[[Rollout], None] | None = None,
) -> RunSummary:
    """`run` for code that is not asynchronous.

    Raises:
        InputError: as `run`.
        KeyboardInterrupt: the user stopped it; the message says what is kept and how to go on.
    """
    work = partial(
        run,
        solver,
        problems,
        out=out,
        scorers=scorers,
        benchmark=benchmark,
        settings=settings,
        in_flight=in_flight,
        on_rollout=on_rollout,
    )
    try:
        return anyio.run(work)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_stopped(out)) from None


def _stopped(out: Path | None) -> str:
    if out is None:
        return "stopped; nothing was kept, as the run had no folder"
    try:
        summary = read_manifest(out).summary
    except InputError:
        summary = None
    kept = f"{summary.rollouts} rollouts are kept" if summary else "what was finished is kept"
    return f"stopped; {kept} in {out}. Run the same command again to continue"


def manifest_of(
    solver: object,
    benchmark: str | None,
    scorers: Mapping[str, Scorer],
    settings: Mapping[str, JsonValue],
) -> Manifest:
    """What a run that starts now is made of."""
    recipe = describe(solver)
    return Manifest(
        solver=solver_name(solver),
        solver_digest=content_digest(recipe),
        recipe=recipe,
        benchmark=None if benchmark is None else portable(benchmark),
        scorers={name: describe(scorer) for name, scorer in scorers.items()},
        settings=settings,
        package=package_version(),
        python=python_version(),
        started=_now(),
    )


class _Session:
    """One call of `run`: workers that share an iterator of problems, and one writer."""

    def __init__(
        self,
        act: Act,
        folder: RunFolder | None,
        digest: str,
        on_rollout: Callable[[Rollout], None] | None,
    ) -> None:
        self._act = act
        self._folder = folder
        self._digest = digest
        self._on_rollout = on_rollout
        self._tally = Tally() if folder is None else folder.tally
        self._earlier = self._tally.rollouts
        self._seen = KeySet()
        self._scoring = Usage()
        self._answered = False
        self._refusal = ""
        self._refused = 0
        self._start = monotonic()

    async def work(self, items: Iterator[Item], in_flight: int) -> None:
        """Finish every item, or raise the one error that ended the run."""
        todo = self._todo(items)
        try:
            async with anyio.create_task_group() as group:
                for started in range(in_flight):
                    group.start_soon(self._worker, todo)
                    if started % 8 == 7:
                        # The first calls leave while the later ones are still being prepared.
                        await anyio.lowlevel.checkpoint()
        except BaseExceptionGroup as error:
            cause = sole_error(error)
            raise cause from cause.__cause__

    def _todo(self, items: Iterator[Item]) -> Iterator[Item]:
        """The items that have no row yet."""
        for problem, case in items:
            key = rollout_key(self._digest, problem)
            if not self._seen.add(key):
                raise InputError(
                    f"two problems have the id {problem.id!r} and the same draw; "
                    "give every problem an id of its own"
                )
            if self._folder is None or not self._folder.holds(problem, case):
                yield problem, case

    async def _worker(self, todo: Iterator[Item]) -> None:
        for item in todo:
            rollout, spent = await self._act(item)
            self._scoring = self._scoring + spent
            self._keep(rollout)
            # A solver that never waits would otherwise keep Ctrl-C and all others waiting.
            await anyio.lowlevel.checkpoint()

    def _keep(self, rollout: Rollout) -> None:
        if self._folder is None:
            self._tally.add(rollout)
        else:
            self._folder.add(rollout)
        if self._on_rollout is not None:
            self._on_rollout(rollout)
        self._watch(rollout)

    def _watch(self, rollout: Rollout) -> None:
        """Stop a run that meets nothing but the same refusal, before it meets thousands."""
        if rollout.failure is None:
            self._answered = True
        if rollout.failure is None or rollout.failure.type not in _DEAD:
            self._refused = 0
            return
        self._refused = self._refused + 1 if rollout.failure.type == self._refusal else 1
        self._refusal = rollout.failure.type
        if self._refused >= DEAD_AFTER and not self._answered:
            mend = "Check the key" if self._refusal == "AuthenticationFailed" else "Check the address"
            raise InputError(
                f"stopped after {self._refused} rollouts in a row failed alike and none succeeded: "
                f"{rollout.failure.message}. {mend}, then run the same command again"
            )

    def conclude(self, *, complete: bool) -> RunSummary:
        """Count everything and write it to the manifest."""
        summary = RunSummary(
            rollouts=self._tally.rollouts,
            new=self._tally.rollouts - self._earlier,
            failed=self._tally.failed,
            failures=dict(self._tally.failures),
            scores=self._tally.scores,
            usage=self._tally.usage,
            scoring=self._scoring,
            seconds=elapsed(self._start),
            complete=complete,
        )
        if self._folder is not None:
            ended = self._folder.manifest.model_copy(update={"ended": _now(), "summary": summary})
            self._folder.write_manifest(ended)
        return summary


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
