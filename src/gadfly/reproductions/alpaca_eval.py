"""AlpacaEval: win rates of models against a baseline, by four judges (arXiv:2404.04475 for length control).

Every line of the leaderboards whose annotations are there: win rate, standard error, counts, length;
the preferences that follow from the judge's log-probabilities; and the length-controlled win rates,
from the published weights and the difficulty of each instruction. That difficulty was not published;
it is recovered from the length-controlled preferences that two files of annotations hold.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, inf, log
from pathlib import Path
from statistics import fmean
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from gadfly.errors import InputError
from gadfly.metrics.clustering import standard_error
from gadfly.metrics.preference import (
    LengthWeights,
    equal_length_preferences,
    fit_length_control,
    length_controlled,
    length_feature,
    shares,
    win_rate,
)
from gadfly.parsing.rows import read_rows
from gadfly.parsing.typed_rows import read_typed
from gadfly.reproductions.check import Check, Note, Reproduction

EXACT, LENGTH_CONTROLLED = 1e-9, 1e-6
"""Tolerances, in per cent. The recovered difficulties are good to about 1e-7."""
WEIGHTED = "weighted_alpaca_eval_gpt4_turbo"
"""The judge of the second leaderboard, which the published weights belong to."""
JUDGES: Mapping[str, str] = {"alpaca_eval_1": "alpaca_eval_gpt4", "alpaca_eval_2": WEIGHTED}
"""Leaderboards that are not named after their judge."""
FITS = 0.05
"""Points of win rate by which weights may miss the mean of the preferences that they were fitted to."""
_OUTDATED = (
    "win rate and standard error of the line both contradict the published weights, which fit this run's "
    f"preferences (their mean prediction is its win rate to {FITS} points): the line comes from another fit"
)
ERRATA: Mapping[tuple[str, str, float], tuple[float, str]] = {
    ("dbrx-instruct", "length_controlled_winrate", 25.37544974044448): (
        25.185341,
        "the leaderboard and the weights, both published, contradict each other for this run; neither its "
        "preferences nor a standard error are there to tell which is out of date",
    ),
}
"""By model, column and published number: what ours is, and why. What is here excuses these very numbers
and changes none; any other difference needs evidence in the records."""

COLUMNS = ("win_rate", "standard_error", "n_wins", "n_wins_base", "n_draws", "n_total", "discrete_win_rate")

Line: TypeAlias = Mapping[str, float]
Boards: TypeAlias = Mapping[str, Mapping[str, Line]]
"""Judge to model to line."""


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore")

    run: str
    model: str
    judge: str
    inst: int
    pref: float | None = Field(ge=0, le=2)
    len_1: int
    len_2: int
    lp_m: float | None = None
    lp_M: float | None = None
    lc_pref: float | None = None


class _Instruction(BaseModel):
    model_config = ConfigDict(extra="ignore")

    inst: int


class _Weights(BaseModel):
    model_config = ConfigDict(extra="ignore")

    name: str = Field(alias="")
    length: float = Field(alias="np.tanh(std_delta_len)")
    difficulty: float = Field(alias="instruction_difficulty")
    model: float = Field(alias="not_gamed_baseline.astype(float)")

    def weights(self) -> LengthWeights:
        return LengthWeights(model=self.model, length=self.length, difficulty=self.difficulty)


Runs: TypeAlias = Mapping[str, Sequence[_Row]]


def checks(folder: Path) -> Iterator[Check | Note]:
    """Seven columns and a length a run, its log-probabilities, then the length-controlled win rates."""
    boards = _boards(folder)
    instructions = [row.inst for row in read_typed(folder / "instructions.jsonl.gz", _Instruction)]
    runs: dict[str, list[_Row]] = {}
    for row in read_typed(folder / "annotations.jsonl.gz", _Row):
        runs.setdefault(row.run, []).append(row)
    alone: list[str] = []
    for name, run in runs.items():
        line = boards.get(run[0].judge, {}).get(run[0].model)
        if line is None:
            alone.append(name)
            continue
        yield from _line(name, run, line, boards)
        yield from _length(name, run, line, runs, len(instructions))
    for name, run in runs.items():
        yield from _log_probabilities(name, run)
    yield from _length_control(folder, boards.get(WEIGHTED, {}), runs, instructions)
    yield Note(text=f"leaderboards that are there, by judge: {', '.join(sorted(boards))}")
    if alone:
        yield Note(text=f"{len(alone)} runs have no line in a leaderboard: {', '.join(sorted(alone))}")
    unread = sum(row.pref is None for run in runs.values() for row in run)
    yield Note(text=f"{unread} preferences could not be read; they are left out")


# ---------------------------------------------------------------- lines of a leaderboard


def _line(name: str, run: Sequence[_Row], line: Line, boards: Boards) -> Iterator[Check]:
    ours = _figures(run)
    found = _beside(name, line, ours, EXACT)
    because = "" if all(check.matched for check in found) else _mistaken(run[0], ours, boards)
    yield from _explained(found, because)


def _beside(name: str, line: Line, ours: Mapping[str, float | None], tolerance: float) -> list[Check]:
    """Each of our numbers that the line has, beside it."""
    return [
        Check(
            what=f"{name}: {column}",
            part=column,
            published=line[column],
            ours=value,
            tolerance=tolerance,
        )
        for column, value in ours.items()
        if column in line
    ]


def _explained(found: Sequence[Check], because: str) -> Iterator[Check]:
    for check in found:
        yield check if check.matched else check.model_copy(update={"upstream": because})


def _figures(run: Sequence[_Row]) -> dict[str, float | None]:
    preferences = [row.pref for row in run]
    if not any(value is not None for value in preferences):
        return dict.fromkeys(COLUMNS)
    found = win_rate(preferences, coding="1 or 2", ties="half", resamples=1)
    figures = (
        100 * found.rate.value,
        None if found.standard_error is None else 100 * found.standard_error,
        found.wins,
        found.losses,
        found.draws,
        found.read,
        100 * found.discrete.value,
    )
    return dict(zip(COLUMNS, figures, strict=True))


def _mistaken(row: _Row, ours: Mapping[str, float | None], boards: Boards) -> str:
    """Whether the annotations are another judge's: they give its line for this model exactly."""
    for judge, board in boards.items():
        line = board.get(row.model)
        if line is None or judge == row.judge:
            continue
        apart = [abs((value or 0.0) - line[column]) for column, value in ours.items() if column in line]
        if len(apart) > 1 and max(apart) <= EXACT:
            return f"the annotations filed under {row.judge} give the line of {judge} exactly: they are its"
    return ""


def _length(name: str, run: Sequence[_Row], line: Line, runs: Runs, instructions: int) -> Iterator[Check]:
    """Mean characters of the model's answers, cut to a whole number; an answer never judged is empty."""
    found = _beside(name, line, {"avg_length": _mean_length(run, instructions)}, 0.0)
    later = (
        other
        for other, rows in runs.items()
        if rows[0].model == run[0].model and other != name and _edited(run, rows)
        if _mean_length(rows, instructions) == line.get("avg_length")
    )
    other = next(later, None) if found and not found[0].matched else None
    because = f"the answers were exchanged after this judge had seen them: {other} has those measured"
    yield from _explained(found, because if other else "")


def _mean_length(run: Sequence[_Row], instructions: int) -> int:
    return sum(row.len_2 for row in run) // max(instructions, len(run))


def _edited(run: Sequence[_Row], other: Sequence[_Row]) -> bool:
    lengths = {row.inst: row.len_2 for row in other}
    return any(lengths.get(row.inst, row.len_2) != row.len_2 for row in run)


def _log_probabilities(name: str, run: Sequence[_Row]) -> Iterator[Check]:
    """The preference is the share of one of the judge's two tokens; which, the records do not say."""
    given = [row for row in run if row.pref is not None and (row.lp_m, row.lp_M) != (None, None)]
    if given:
        yield Check(
            what=f"{name}: preferences that follow from the log-probabilities",
            part="runs' preferences from log-probabilities",
            published=len(given),
            ours=sum(_follows(row) for row in given),
        )


def _follows(row: _Row) -> bool:
    # A token that is not among those reported has no probability.
    one, other = (-inf if value is None else value for value in (row.lp_m, row.lp_M))
    share, wanted = 1 / (1 + exp(min(other - one, 700.0))), shares([row.pref], coding="1 or 2")[0]
    return wanted is not None and min(abs(wanted - share), abs(wanted - (1 - share))) <= EXACT


# ---------------------------------------------------------------- length control


@dataclass(frozen=True, kw_only=True)
class _Case:
    """One model's length-controlled line."""

    model: str
    weights: LengthWeights
    line: Line
    difficulties: Sequence[float]
    """In the order of the instructions."""
    places: Mapping[int, int]
    """Instruction to its place in that order."""
    run: Sequence[_Row]
    """Empty where its annotations are not there."""

    def pairs(self) -> tuple[list[float], list[float], list[float]]:
        """Preference, length feature and difficulty of each pair whose preference was read."""
        apart = length_feature([row.len_1 for row in self.run], [row.len_2 for row in self.run])
        wanted = shares([row.pref for row in self.run], coding="1 or 2")
        known = [
            (share, length, self.difficulties[self.places[row.inst]])
            for row, share, length in zip(self.run, wanted, apart, strict=True)
            if share is not None and row.inst in self.places
        ]
        return [one for one, _, _ in known], [one for _, one, _ in known], [one for _, _, one in known]


def _length_control(
    folder: Path, board: Mapping[str, Line], runs: Runs, instructions: Sequence[int]
) -> Iterator[Check | Note]:
    weights = {row.name: row.weights() for row in read_typed(folder / "glm_weights.csv", _Weights)}
    known, apart = _difficulties(runs, weights)
    order = [inst for inst in instructions if inst in known]
    if not order:
        yield Note(text="no file of annotations holds length-controlled preferences: no difficulty is known")
        return
    yield Note(
        text=f"difficulties of {len(order)} of {len(instructions)} instructions recovered from length-"
        f"controlled preferences; two recoveries of one differ by at most {apart:.0e}"
    )
    own = {run[0].model: run for run in runs.values() if run[0].judge == WEIGHTED}
    refitted: list[float] = []
    for model, one in weights.items():
        if model not in board or "length_controlled_winrate" not in board[model]:
            continue
        case = _Case(
            model=model,
            weights=one,
            line=board[model],
            difficulties=[known[inst] for inst in order],
            places={inst: place for place, inst in enumerate(order)},
            run=own.get(model, ()),
        )
        yield from _controlled(case)
        if case.run:
            refitted.append(abs(_own_fit(case) - case.line["length_controlled_winrate"]))
    if refitted:
        yield Note(
            text="our own fit, with an L2 penalty and without the extra baselines of the published one, is "
            f"{sum(refitted) / len(refitted):.2f} points away on average over {len(refitted)} runs"
        )


def _difficulties(runs: Runs, weights: Mapping[str, LengthWeights]) -> tuple[dict[int, float], float]:
    """Difficulty of each instruction, the mean of what every run gives, and the largest disagreement."""
    found: dict[int, list[float]] = {}
    for run in runs.values():
        one = weights.get(run[0].model)
        if one is None or one.difficulty == 0:
            continue
        for row in run:
            if row.lc_pref is not None and 0 < row.lc_pref < 1:
                logit = log(row.lc_pref / (1 - row.lc_pref))
                found.setdefault(row.inst, []).append((logit - one.model) / one.difficulty)
    apart = max((max(values) - min(values) for values in found.values()), default=0.0)
    return {inst: sum(values) / len(values) for inst, values in found.items()}, apart


def _controlled(case: _Case) -> Iterator[Check]:
    predicted = equal_length_preferences(case.weights, case.difficulties)
    rate, error = length_controlled(case.weights, case.difficulties, resamples=1), standard_error(predicted)
    ours = {
        "length_controlled_winrate": 100 * rate.value,
        "lc_standard_error": None if error is None else 100 * error,
    }
    found = _beside(case.model, case.line, ours, LENGTH_CONTROLLED)
    outdated = len(found) > 1 and not any(check.matched for check in found) and _fit(case) <= FITS
    for check in found:
        because = _misaligned(case, predicted, check) or (_OUTDATED if outdated else _erratum(check))
        yield from _explained([check], because)


def _misaligned(case: _Case, predicted: Sequence[float], check: Check) -> str:
    """Whether the pairs of a run with gaps took the difficulties of the first instructions instead."""
    n = round(case.line.get("n_total", 0))
    if not 0 < n < len(predicted) or not check.what.endswith("length_controlled_winrate"):
        return ""
    if not check.model_copy(update={"ours": 100 * sum(predicted[:n]) / n}).matched:
        return ""
    return (
        f"only {n} pairs were judged, and the published value is exactly what comes out where they take the "
        f"difficulties of the first {n} instructions, not their own"
    )


def _fit(case: _Case) -> float:
    """Points between the mean prediction of the weights for a run's own pairs and its mean preference."""
    wanted, length, hard = case.pairs()
    if not wanted:
        return inf
    one = case.weights
    logits = [one.model + one.length * x + one.difficulty * y for x, y in zip(length, hard, strict=True)]
    return 100 * abs(fmean(1 / (1 + exp(-logit)) for logit in logits) - fmean(wanted))


def _erratum(check: Check) -> str:
    for (name, column, published), (given, because) in ERRATA.items():
        same = check.what == f"{name}: {column}" and check.published == published
        if same and check.ours is not None and abs(float(check.ours) - given) <= LENGTH_CONTROLLED:
            return because
    return ""


def _own_fit(case: _Case) -> float:
    """Length-controlled win rate, in per cent, from weights that we fit."""
    wanted, length, hard = case.pairs()
    fitted = fit_length_control(wanted, length=length, difficulties=hard)
    return 100 * length_controlled(fitted, case.difficulties, resamples=1).value


# ---------------------------------------------------------------- files


def _boards(folder: Path) -> dict[str, dict[str, Line]]:
    """Every leaderboard there is, by its judge."""
    boards: dict[str, dict[str, Line]] = {}
    for path in sorted(folder.glob("leaderboard_*.csv")):
        name = path.stem.removeprefix("leaderboard_")
        boards[JUDGES.get(name, f"alpaca_eval_{name}")] = {
            str(row.get("")): {
                column: _number(str(cell), f"{where}: {column}")
                for column, cell in row.items()
                if column not in ("", "mode") and str(cell).strip()
            }
            for where, row in read_rows(path)
        }
    if not boards:
        raise InputError(f"{folder} has no leaderboard_*.csv")
    return boards


def _number(cell: str, where: str) -> float:
    try:
        return float(cell)
    except ValueError:
        raise InputError(f"{where}: {cell!r} is no number") from None


REPRODUCTION = Reproduction(
    name="alpaca_eval",
    summary="Win rates, their errors and counts, and length-controlled win rates of four leaderboards.",
    citation="Li et al. 2023, AlpacaEval; Dubois et al. 2024, length control, arXiv:2404.04475",
    licence="CC BY-NC 4.0",
    conventions=(
        'metrics.preference.win_rate(coding="1 or 2", ties="half"), unread preferences left out',
        "metrics.clustering.standard_error: sample deviation over the square root of n",
        "metrics.preference.length_controlled over all instructions, judged or not",
        "avg_length: over all instructions, cut to a whole number",
    ),
    checks=checks,
)
