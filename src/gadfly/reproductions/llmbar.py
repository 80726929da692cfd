"""LLMBar: judges of pairs in which one answer follows the instruction (arXiv:2310.07641).

The statistics file published beside every run is computed again from both decisions on each pair.
"""

import json
from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from gadfly.errors import InputError
from gadfly.metrics.agreement import cohen_kappa
from gadfly.metrics.judged import Judged
from gadfly.metrics.pairs import Orders, accuracy, swap_agreement
from gadfly.parsing.typed_rows import read_typed
from gadfly.reproductions.check import Check, Note, Reproduction

TOLERANCE = 1e-9
MISCODED = (
    'the published value is exactly what comes out where the verdict "2" is coded 0 '
    "while the label keeps 1 and 2"
)
MERGED = 'the published value is exactly what comes out where an unreadable verdict has the same code as "2"'

Coding: TypeAlias = Literal["labels", "second is 0"]
"""Codes of verdicts for kappa: those of the labels, or 1 and for all else 0, as was published."""

_ORDERS: tuple[tuple[str, Orders], ...] = (
    ("correct_False", "plain"),
    ("correct_True", "swapped"),
    ("correct_average", "mean"),
    ("correct_both", "both"),
)
_KAPPAS = ("kappa_False", "kappa_True", "kappa_average", "kappa_agreement")
_NAMES = {"1": "first", "2": "second"}
_UNREAD = "unreadable"


def _verdict(value: object) -> str | None:
    """Whatever is neither 1 nor 2 could not be read: some files write `None` as a word."""
    return str(value) if str(value) in _NAMES else None


_Verdict: TypeAlias = Annotated[str | None, BeforeValidator(_verdict)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore")

    subset: str
    llm: str
    strategy: str
    idx: int | str
    label: Literal[1, 2]
    winner_ab: _Verdict
    winner_ba: _Verdict


_Published: TypeAlias = dict[str, dict[str, float | str]]


def checks(folder: Path) -> Iterator[Check | Note]:
    """Nine statistics a run: four accuracies and the agreement of orders in per cent, and four kappas."""
    published = _published(folder / "published_statistics.json")
    runs: dict[str, list[_Row]] = {}
    for row in read_typed(folder / "judgments.jsonl.gz", _Row):
        runs.setdefault(f"{row.subset}|{row.llm}|{row.strategy}", []).append(row)
    apart: list[float] = []
    for name, run in runs.items():
        if name not in published:
            yield Note(text=f"{name}: no published statistics")
            continue
        for check in _checks(name, run, published[name]):
            if _of_label(check.what) and isinstance(check.ours, float) and isinstance(check.published, float):
                apart.append(abs(check.ours - check.published))
            yield check
    if missing := published.keys() - runs.keys():
        yield Note(text=f"{len(missing)} published runs have no judgements here, such as {min(missing)}")
    if apart:
        mean = sum(apart) / len(apart)
        yield Note(
            text=f"the published kappas of verdict and label are {mean:.2f} away from Cohen's kappa on "
            f"average (mean absolute difference over {len(apart)})"
        )
    unread = sum((row.winner_ab, row.winner_ba).count(None) for run in runs.values() for row in run)
    yield Note(text=f"{unread} verdicts could not be read; they are wrong, and two of them are equal")


def _checks(name: str, run: list[_Row], published: dict[str, float | str]) -> Iterator[Check]:
    rows = [row for one in run for row in _judged(one)]
    ours: dict[str, float | None] = {
        column: 100 * accuracy(rows, orders=orders, unreadable="wrong", resamples=1).value
        for column, orders in _ORDERS
    }
    ours["equal"] = 100 * swap_agreement(rows, unreadable="equal", resamples=1).value
    right, miscoded = _kappas(run, "labels"), _kappas(run, "second is 0")
    for column, printed in published.items():
        value = _number(printed, f"{name}: {column}")
        check = Check(
            what=f"{name}: {column}",
            part=column,
            published=value,
            ours=right.get(column) if column in _KAPPAS else ours.get(column),
            tolerance=TOLERANCE,
        )
        bug = miscoded.get(column)
        if (
            not check.matched
            and isinstance(value, float)
            and bug is not None
            and abs(bug - value) < TOLERANCE
        ):
            because = MERGED if column == "kappa_agreement" else MISCODED
            check = check.model_copy(update={"upstream": because})
        yield check


def _kappas(run: Sequence[_Row], coding: Coding) -> dict[str, float | None]:
    """The four kappas. An unreadable verdict is a verdict of its own where labels are the codes."""

    def coded(verdict: str | None) -> str:
        if coding == "second is 0":
            return "1" if verdict == "1" else "0"
        return verdict or _UNREAD

    label = [str(row.label) for row in run]
    plain, swapped = [coded(row.winner_ab) for row in run], [coded(row.winner_ba) for row in run]
    one, other = cohen_kappa(label, plain), cohen_kappa(label, swapped)
    return {
        "kappa_False": one,
        "kappa_True": other,
        "kappa_average": None if one is None or other is None else (one + other) / 2,
        "kappa_agreement": cohen_kappa(plain, swapped),
    }


def _of_label(what: str) -> bool:
    """Whether a number is a kappa of verdicts and labels, of one order."""
    return what.endswith(("kappa_False", "kappa_True"))


def _judged(row: _Row) -> list[Judged]:
    """Both decisions; the swapped one already names answers, not places."""
    return [
        Judged(
            item=str(row.idx),
            judge=f"{row.llm} {row.strategy}",
            gold=_NAMES[str(row.label)],
            said=None if verdict is None else _NAMES[verdict],
            why="" if verdict else "no verdict in the judge's text",
            swapped=swapped,
            subset=row.subset,
        )
        for verdict, swapped in ((row.winner_ab, False), (row.winner_ba, True))
    ]


def _number(printed: float | str, what: str) -> float | str:
    """The percentage of "29 / 54 = 53.7%", or the number there is."""
    if not isinstance(printed, str):
        return float(printed) if isfinite(printed) else str(printed)
    try:
        return float(printed.rpartition("=")[2].strip().removesuffix("%"))
    except ValueError:
        raise InputError(f"{what}: {printed!r} is no percentage") from None


def _published(path: Path) -> _Published:
    try:
        found: object = json.loads(path.read_text(encoding="utf-8"))
        return TypeAdapter(_Published).validate_python(found)
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    except ValidationError as error:
        raise InputError(f"{path}: not statistics by run and name: {error.errors()[0]['msg']}") from None


REPRODUCTION = Reproduction(
    name="llmbar",
    summary="Accuracy in each order and both, agreement of the orders, and kappa, of every run of a judge.",
    citation="Zeng et al. 2023, LLMBar, arXiv:2310.07641; the statistics files of its repository",
    licence="MIT",
    conventions=(
        'metrics.pairs.accuracy(orders="plain" | "swapped" | "mean" | "both", unreadable="wrong")',
        'metrics.pairs.swap_agreement(unreadable="equal")',
        "metrics.agreement.cohen_kappa, an unreadable verdict being a class of its own",
    ),
    checks=checks,
)
