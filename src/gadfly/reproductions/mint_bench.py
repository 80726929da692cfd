"""MINT: success over turns with and without feedback (arXiv:2309.10691), from its episodes.

The leaderboard files of the project's site are checked number by number: success at each turn
budget, slope and r squared, feedback gain, success by kind of task, and feedback givers compared.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gadfly.errors import InputError
from gadfly.metrics.rounds import Duplicates, fit, success_rate
from gadfly.parsing.typed_rows import read_typed
from gadfly.reproductions.check import Check, Note, Reproduction

BUDGETS = (1, 2, 3, 4, 5)
LAST = 5
CRITIC, CRITIQUE = "gpt-4-0613", "PHF=no_GT-textual"
"""The critic of the main table, and the kind of feedback: written, without the reference."""
EVALUATED = "gpt-3.5-turbo-0613"
"""The model that every feedback giver of the comparison advised."""
SERIES: Mapping[str, tuple[str, ...]] = {
    "eurus_code_sr_vs_k_series": ("humaneval", "mbpp"),
    "eurus_math_sr_vs_k_series": ("math", "mmlu", "theoremqa"),
}
SR, SLOPE, ONE_DIGIT = 0.005, 0.01, 0.05
"""Half of the last printed digit; a slope is a rounded number of rounded numbers."""


class _Episode(BaseModel):
    model_config = ConfigDict(strict=True)

    model: str
    feedback: str
    setting: str
    k: int
    type: str
    task: str
    id: int | str
    success: int = Field(ge=0, le=1)


_Cell = float | str | None


class _Line(BaseModel):
    """One model of a table. A cell that was not measured is a dash."""

    model_config = ConfigDict(extra="ignore")

    model: str
    rates: dict[int, _Cell]
    slope: _Cell = Field(alias="Slope")
    r_squared: _Cell = Field(alias="rsquared", default=None)
    gain: _Cell = Field(alias="Delta Feedback", default=None)
    advised: _Cell = Field(alias="Success Rate (5 turn) w/ GPT-4 Feedback", default=None)


class _Giver(BaseModel):
    model_config = ConfigDict(extra="ignore")

    feedback_provider: str
    SR5_difference: float
    evaluated_LLM_feedback: float


class _Published(BaseModel):
    model_config = ConfigDict(extra="ignore")

    benchmark: list[dict[str, _Cell]]
    eurus_code_sr_vs_k_series: list[dict[str, _Cell]]
    eurus_math_sr_vs_k_series: list[dict[str, _Cell]]
    sr_with_feedback: dict[str, list[tuple[str, float]]]
    sr_without_feedback: dict[str, list[tuple[str, float]]]
    feedback_comparison: list[_Giver]


_Run = dict[str, bool]
"""Task and number, after its kind: 'reasoning/gsm8k/7'."""


@dataclass(frozen=True, kw_only=True)
class Runs:
    """Outcomes by model, critic and budget. Names are compared as `plain` writes them."""

    outcomes: dict[tuple[str, str, int], _Run] = field(default_factory=dict[tuple[str, str, int], _Run])
    repeated: dict[tuple[str, str, int], int] = field(default_factory=dict[tuple[str, str, int], int])

    def outcome(self, model: str, critic: str, budget: int, part: tuple[str, ...] = ()) -> _Run:
        """The tasks of one run whose kind or name is in `part`; all where it is empty."""
        run = self.outcomes.get((plain(model), plain(critic), budget), {})
        return {task: right for task, right in run.items() if not part or set(part) & set(task.split("/"))}

    def rate(self, model: str, critic: str, budget: int, part: tuple[str, ...] = ()) -> float | None:
        """Success in percent; None where there is no such run."""
        run = self.outcome(model, critic, budget, part)
        return 100 * success_rate(run).value if run else None

    def rates(self, model: str, part: tuple[str, ...] = ()) -> dict[int, float]:
        """Success in percent by budget, without a critic."""
        found = {budget: self.rate(model, "None", budget, part) for budget in BUDGETS}
        return {budget: rate for budget, rate in found.items() if rate is not None}

    def gain(self, model: str, critic: str) -> float | None:
        """Percentage points that a critic adds at the last budget; None where a run is missing.

        The difference of rates that were rounded to 2 digits, as the site prints them.
        """
        return _less(_two(self.rate(model, critic, LAST)), _two(self.rate(model, "None", LAST)))


def plain(name: str) -> str:
    """A model's name without the ending of its checkpoint: the site shortens the names of the runs."""
    return re.sub(r"(?:-hf|-llama-2)$", "", name.partition(" (")[0].lower())


def read_runs(path: Path, *, duplicates: Duplicates = "first") -> Runs:
    """The runs of the main setting: no critic, or written feedback without the reference.

    Raises:
        InputError: the file is missing or has a broken row; or a task stands twice in a run, under
            `duplicates="refuse"`.
    """
    runs = Runs()
    for row in read_typed(path, _Episode):
        if row.setting not in ("None", CRITIQUE):
            continue
        key = (plain(row.model), plain(row.feedback), row.k)
        run = runs.outcomes.setdefault(key, {})
        task = f"{row.type}/{row.task}/{row.id}"
        if task in run:
            if duplicates == "refuse":
                raise InputError(f"{path}: {task} stands twice in the run {key}")
            runs.repeated[key] = runs.repeated.get(key, 0) + 1
        if task not in run or duplicates == "last":
            run[task] = row.success == 1
    return runs


def _checks(folder: Path) -> Iterator[Check | Note]:
    published = _published(folder / "published.json")
    runs = read_runs(folder / "episodes.jsonl.gz", duplicates="first")
    yield from _main_table(published, runs)
    for name, part in SERIES.items():
        for line in _lines(getattr(published, name)):
            yield from _rates(name, line, runs, part)
            yield from _slope(name, line, runs, part)
    for table, critic in (("sr_with_feedback", CRITIC), ("sr_without_feedback", "None")):
        for kind, cells in getattr(published, table).items():
            part = () if kind == "avg_micro" else (kind,)
            for model, rate in cells:
                ours = runs.rate(model, critic, LAST, part)
                what = f"{table}, {kind}, {model}"
                yield Check(what=what, part=table, published=rate, ours=_two(ours), tolerance=SR)
    yield from _givers(published, runs)
    for (model, critic, budget), rows in runs.repeated.items():
        yield Note(
            text=f"{rows} rows of the run ({model}, critic {critic}, k={budget}) stand a second time: "
            "the first counts"
        )


def _main_table(published: _Published, runs: Runs) -> Iterator[Check]:
    for line in _lines(published.benchmark):
        yield from _rates("benchmark", line, runs, ())
        yield from _slope("benchmark", line, runs, ())
        for name, cell, ours in (
            ("delta feedback", line.gain, runs.gain(line.model, CRITIC)),
            ("SR@5 with GPT-4 critique", line.advised, runs.rate(line.model, CRITIC, LAST)),
        ):
            if _measured(cell):
                what = f"benchmark, {line.model}, {name}"
                yield Check(
                    what=what,
                    part="benchmark",
                    published=float(cell or 0),
                    ours=ours,
                    tolerance=ONE_DIGIT,
                )


def _rates(table: str, line: _Line, runs: Runs, part: tuple[str, ...]) -> Iterator[Check]:
    ours = runs.rates(line.model, part)
    for budget, cell in line.rates.items():
        if _measured(cell):
            yield Check(
                what=f"{table}, {line.model}, SR@{budget}",
                part=table,
                published=float(cell or 0),
                ours=_two(ours.get(budget)),
                tolerance=SR,
            )


def _slope(table: str, line: _Line, runs: Runs, part: tuple[str, ...]) -> Iterator[Check]:
    rates = runs.rates(line.model, part)
    line_through = fit(rates, rounded=2) if len(rates) > 1 else None
    upstream = "" if line_through else "a slope over turns cannot be read from one turn budget"
    if _measured(line.slope):
        yield Check(
            what=f"{table}, {line.model}, slope",
            part=table,
            published=float(line.slope or 0),
            ours=line_through.slope if line_through else None,
            # The series print one digit, as text.
            tolerance=ONE_DIGIT if isinstance(line.slope, str) else SLOPE,
            upstream=upstream,
        )
    if _measured(line.r_squared):
        yield Check(
            what=f"{table}, {line.model}, r squared",
            part=table,
            published=float(line.r_squared or 0),
            ours=line_through.r_squared if line_through else None,
            tolerance=SR,
        )


def _givers(published: _Published, runs: Runs) -> Iterator[Check]:
    base = _two(runs.rate(EVALUATED, "None", LAST))
    for row in published.feedback_comparison:
        giver = plain(row.feedback_provider)
        own = _two(runs.rate(giver, "None", LAST))
        for what, number, ours in (
            ("SR@5 less that of the model advised", row.SR5_difference, _less(own, base)),
            ("gain of the model advised", row.evaluated_LLM_feedback, runs.gain(EVALUATED, giver)),
        ):
            what = f"feedback_comparison, {row.feedback_provider}, {what}"
            yield Check(
                what=what, part="feedback_comparison", published=number, ours=ours, tolerance=ONE_DIGIT
            )


def _published(path: Path) -> _Published:
    try:
        return _Published.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except (ValidationError, ValueError) as error:
        raise InputError(f"{path} is not MINT's leaderboard: {str(error).splitlines()[0]}") from None


def _lines(rows: list[dict[str, _Cell]]) -> Iterator[_Line]:
    for row in rows:
        rates = {budget: row.get(str(budget)) for budget in BUDGETS}
        yield _Line.model_validate({**row, "rates": rates})


def _measured(cell: _Cell) -> bool:
    return cell is not None and cell != "-"


def _two(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 2)


def _less(rate: float | None, base: float | None) -> float | None:
    return None if rate is None or base is None else rate - base


REPRODUCTION = Reproduction(
    name="mint_bench",
    summary="MINT's leaderboard: success by turn budget, slope, and what feedback adds, for 54 models",
    citation="Wang et al. 2023, MINT: Evaluating LLMs in Multi-turn Interaction, arXiv:2309.10691",
    licence="Apache-2.0",
    conventions=(
        'rounds.by_budget(duplicates="first")',
        "rounds.fit(rounded=2): rates in percent, rounded before the line is fitted",
        "gain: the difference of rates rounded to 2 digits",
        "rounds.success_rate: over the tasks a run has (some runs have no decision making)",
    ),
    checks=_checks,
)
