"""The recorder: what happened inside a rollout, observed and never consulted.

One ContextVar holds the current frame. Recipes cannot read it; primitives write steps to
it, the metered model writes calls to it. With no recorder open, everything runs the same
and nothing is kept.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import wraps
from time import monotonic
from types import CoroutineType
from typing import Any, ParamSpec, Protocol, TypeVar

from gadfly.errors import BoundaryError, sole_error
from gadfly.records import (
    Call,
    Candidate,
    Critique,
    Failure,
    FinishReason,
    Product,
    Ranking,
    Request,
    Score,
    Step,
    Usage,
)

P = ParamSpec("P")
R = TypeVar("R")


class Booking(Protocol):
    """Notes what a call used and how it ended."""

    def __call__(self, usage: Usage, finish_reason: FinishReason | None = None) -> None:
        """Book it."""
        ...


@dataclass(slots=True)
class _Open:
    """A step under way."""

    index: int
    parent: int | None
    name: str
    output: Product | None = None
    calls: list[Call] = field(default_factory=list[Call])
    failure: Failure | None = None

    def close(self) -> Step:
        return Step(
            index=self.index,
            parent=self.parent,
            name=self.name,
            output=self.output,
            calls=tuple(self.calls),
            failure=self.failure,
        )


class Recorder:
    """Collects the steps and the calls of one rollout."""

    def __init__(self) -> None:
        self._steps: list[_Open] = []
        self._loose = Usage()

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every step so far, in the order they began."""
        return tuple(step.close() for step in self._steps)

    @property
    def usage(self) -> Usage:
        """Everything spent so far, also outside of steps."""
        inside = (call.usage for step in self._steps for call in step.calls)
        return Usage.total([self._loose, *inside])

    def begin(self, name: str, parent: "_Open | None") -> "_Open":
        """Open a step."""
        step = _Open(len(self._steps), parent.index if parent else None, name)
        self._steps.append(step)
        return step

    def note(self, call: Call, step: "_Open | None") -> None:
        """Book a call to a step, or to the rollout where none is open."""
        if step is None:
            self._loose = self._loose + call.usage
        else:
            step.calls.append(call)


@dataclass(slots=True)
class _CallFrame:
    """A model call under way; the cache marks it when it answers from disk."""

    replayed: bool = False


@dataclass(slots=True, frozen=True)
class _Frame:
    recorder: Recorder
    step: _Open | None = None
    call: _CallFrame | None = None


_current: ContextVar[_Frame | None] = ContextVar("gadfly_recorder", default=None)


@contextmanager
def recording() -> Generator[Recorder]:
    """Record everything that happens in the block, on this task and those it starts."""
    recorder = Recorder()
    token = _current.set(_Frame(recorder))
    try:
        yield recorder
    finally:
        _current.reset(token)


@contextmanager
def step(name: str) -> Generator[_Open | None]:
    """Open a step. Errors that leave the block are noted on it and go on."""
    frame = _current.get()
    if frame is None:
        yield None
        return
    opened = frame.recorder.begin(name, frame.step)
    token = _current.set(_Frame(frame.recorder, opened))
    try:
        yield opened
    except Exception as error:
        cause = sole_error(error)
        opened.failure = (
            cause.failure()
            if isinstance(cause, BoundaryError)
            else Failure(boundary="recipe", type=type(cause).__name__, message=str(cause))
        )
        raise
    finally:
        _current.reset(token)


def primitive(
    function: Callable[P, "CoroutineType[Any, Any, R]"],
) -> Callable[P, "CoroutineType[Any, Any, R]"]:
    """Make every call of an asynchronous function one step, with the record it returns.

    The step is called by the function's name, or by the class for a `__call__` method.
    """
    name = function.__qualname__.removesuffix(".__call__").rpartition(".")[2]

    @wraps(function)
    async def recorded(*args: P.args, **kwargs: P.kwargs) -> R:
        with step(name) as opened:
            result = await function(*args, **kwargs)
            if opened is not None and isinstance(result, Candidate | Critique | Score | Ranking):
                opened.output = result
            return result

    return recorded


@contextmanager
def calling(model: str, request: Request) -> Generator[Booking]:
    """Book one model call: the block calls what it is handed with the usage it was told."""
    frame = _current.get()
    if frame is None:
        yield lambda usage, finish_reason=None: None
        return
    call = _CallFrame()
    token = _current.set(_Frame(frame.recorder, frame.step, call))

    def book(usage: Usage, finish_reason: FinishReason | None = None) -> None:
        spent = usage.model_copy(update={"replayed": usage.calls}) if call.replayed else usage
        booked = Call(request=request.digest, model=model, usage=spent, finish_reason=finish_reason)
        frame.recorder.note(booked, frame.step)

    try:
        yield book
    finally:
        _current.reset(token)


def mark_replayed() -> None:
    """Say that the call under way was answered from the durable cache."""
    frame = _current.get()
    if frame is not None and frame.call is not None:
        frame.call.replayed = True


def elapsed(start: float) -> float:
    """Seconds since `start`, a value of `time.monotonic`, to the microsecond."""
    return round(monotonic() - start, 6)
