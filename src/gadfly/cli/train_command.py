"""What the commands of `gadfly train` have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeAlias

from gadfly.cli.flags import flag

OUT: TypeAlias = Annotated[
    str | None,
    flag(
        "The folder for weights, log and curve; the same command continues what it holds. By default one "
        "under runs/, named after what is trained.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class TrainCommand:
    """One objective as a command."""

    name: str
    run: Callable[..., None]
    examples: tuple[str, ...]
