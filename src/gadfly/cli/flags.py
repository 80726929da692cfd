"""Flags that several commands share."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Group, Parameter

RECIPE = Group("The recipe's settings", sort_key=1)
RUNNING = Group("Running", sort_key=2)


def flag(help: str, name: str | None = None, *, show_default: bool | None = None) -> Parameter:
    """A flag of the running kind; a switch has no opposite."""
    return Parameter(name=name, group=RUNNING, negative="", show_default=show_default, help=help)


Limit = Annotated[int | None, flag("The first so many problems.")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Asking:
    """What every command is told that asks models: who answers what, and how much may be spent."""

    model: Annotated[str, flag("Which model: `gadfly models` lists what there is.")] = "embedded"
    on: Annotated[
        str,
        flag(
            "The problems: a benchmark (`gadfly benchmarks`) or a file of your own (JSONL, JSON, CSV, TSV)."
        ),
    ] = "families"
    scorer: Annotated[
        str | None,
        flag(
            "What decides whether an answer is right, instead of the benchmark's own: "
            "exact, numeric, choice, contains, math, or judge:MODEL."
        ),
    ] = None
    budget: Annotated[
        int | None,
        flag(
            "Tokens, in and out together, that may be paid for in all; calls that no longer fit are not made."
        ),
    ] = None
    cache: Annotated[
        str | None,
        flag(
            "The file that keeps completions, so that no call is paid twice; off for none. By default "
            "completions.sqlite in $GADFLY_CACHE_DIR or ~/.cache/gadfly."
        ),
    ] = None
    concurrency: Annotated[
        int | None, flag("Requests in flight at once; by default what suits the model.")
    ] = None
    as_json: Annotated[bool, flag("Print the result as JSON.", "--json", show_default=False)] = False


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Running(Asking):
    """What every run is told: also where it is kept."""

    out: Annotated[
        str | None,
        flag(
            "The folder for the results; the same command continues what it holds. "
            "By default one under runs/, named after what is run."
        ),
    ] = None


USUAL = Running()
"""Every flag at its default."""
USUAL_ASKING = Asking()
"""Likewise, where the folder is named otherwise."""
