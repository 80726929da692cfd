"""Errors, each named once by the boundary it crossed.

    GadflyError
      InputError                 what the user gave cannot be used (file, flag, name, argument)
      BoundaryError              a rollout met it; it becomes a `Failure` in the record
        ModelError               boundary "model"
          TransientModelError      worth trying again
            RateLimited              429, with what Retry-After said
            ServerFailed             5xx
            ConnectionFailed         no connection, or it broke
            ModelTimeout             no answer in time
            MalformedResponse        the body is not what the protocol says
            WaitingForPerson         a person has not answered yet (boundary "tool")
          AuthenticationFailed     401, 403
          ContextLengthError       prompt and answer do not fit the context
          RequestRejected          any other 4xx
          ContentFiltered          the server refused to show the text
          UnsupportedError         this backend lacks what the request needs
        ParseError               boundary "parse": a model's text could not be read
        ToolError                boundary "tool"
        ScorerError              boundary "scorer"
        RecipeError              boundary "recipe"
        BudgetExceeded           boundary "budget"

Whoever writes a recipe, scorer or backend raises plain Python errors or one of these;
`boundary(...)` gives any other exception that leaves the code below it the name of the
boundary it crossed. Nothing else in the package catches broadly.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import ClassVar, cast

from gadfly.records import Boundary, Failure


class GadflyError(Exception):
    """Everything this package raises on purpose."""


class InputError(GadflyError, ValueError):
    """What the user gave cannot be used; the message says what to change."""


class BoundaryError(GadflyError):
    """An error with the name of the boundary it crossed."""

    boundary: ClassVar[Boundary]

    def failure(self) -> Failure:
        """This error as data."""
        return Failure(boundary=self.boundary, type=type(self).__name__, message=str(self))


class ModelError(BoundaryError):
    """A model call failed and trying again will not help."""

    boundary = "model"


class TransientModelError(ModelError):
    """A model call failed in a way that may pass."""


class RateLimited(TransientModelError):
    """The server asks for fewer requests (429)."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds the server asks to wait; None where it does not say."""


class ServerFailed(TransientModelError):
    """The server failed (5xx)."""


class ConnectionFailed(TransientModelError):
    """No connection could be made, or it broke before the answer was whole."""


class ModelTimeout(TransientModelError, TimeoutError):
    """No whole answer came in time."""


class MalformedResponse(TransientModelError):
    """The answer's body is not what the protocol promises."""


class WaitingForPerson(TransientModelError):
    """A person stands where a model could, and has not answered yet: a later session looks again."""

    boundary = "tool"


class AuthenticationFailed(ModelError):
    """The server does not accept the key (401, 403)."""


class ContextLengthError(ModelError):
    """Prompt and answer together do not fit the model's context."""


class RequestRejected(ModelError):
    """The server calls the request wrong (4xx)."""


class ContentFiltered(ModelError):
    """The server withheld the text."""


class UnsupportedError(ModelError):
    """This backend lacks what the request needs; the message names one that has it."""


class ParseError(BoundaryError, ValueError):
    """A model's text could not be read. It is unscored, never zero."""

    boundary = "parse"


class ToolError(BoundaryError):
    """A tool failed, as opposed to finding fault."""

    boundary = "tool"


class ScorerError(BoundaryError):
    """A scorer failed, as opposed to scoring low."""

    boundary = "scorer"


class RecipeError(BoundaryError):
    """A recipe's own code failed."""

    boundary = "recipe"


class BudgetExceeded(BoundaryError):
    """The budget is spent: an end, not a fault."""

    boundary = "budget"


_BY_BOUNDARY: dict[Boundary, type[BoundaryError]] = {
    "model": ModelError,
    "parse": ParseError,
    "tool": ToolError,
    "scorer": ScorerError,
    "recipe": RecipeError,
    "budget": BudgetExceeded,
}


@contextmanager
def boundary(name: Boundary) -> Generator[None]:
    """Give any foreign exception that leaves the block the name of this boundary.

    Errors that already have a name pass through, as do cancellation, Ctrl-C and `InputError`
    (which is for the user, not for the record). A group holding one error is that error.
    """
    try:
        yield
    except GadflyError:
        raise
    except ExceptionGroup as group:
        error = sole_error(group)
        if isinstance(error, GadflyError):
            raise error from error.__cause__
        raise _BY_BOUNDARY[name](_describe(error)) from error
    except Exception as error:
        raise _BY_BOUNDARY[name](_describe(error)) from error


def sole_error(error: BaseException) -> BaseException:
    """The error a task group wrapped: the first of them, as a rule.

    Ctrl-C and the like come before everything else, and then a `BudgetExceeded`, which is the
    reason for the others.
    """
    if not isinstance(error, BaseExceptionGroup):
        return error
    group = cast(BaseExceptionGroup[BaseException], error)
    leaves = [sole_error(inner) for inner in group.exceptions]
    for leaf in leaves:
        if not isinstance(leaf, Exception):
            return leaf
    for leaf in leaves:
        if isinstance(leaf, BudgetExceeded):
            return leaf
    return leaves[0]


def _describe(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
