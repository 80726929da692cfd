"""ReasonEval: how well evaluators find wrong and redundant steps (arXiv:2404.05692), from their outputs.

Macro F1 and AUC over solutions and over steps, as the authors' evaluation prints them. What an
evaluator gives decides how it is read, not its name: three class scores a step, one score a step,
one score a solution, or a written verdict.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import BaseModel, Field, ValidationError

from gadfly.errors import InputError
from gadfly.metrics.detection import auroc
from gadfly.metrics.judged import Judged
from gadfly.metrics.steps import (
    above,
    first_wrong_step,
    good_and_bad,
    solution_score,
    step_scores,
    up_to_first_wrong,
)
from gadfly.parsing.typed_rows import read_typed
from gadfly.reproductions.check import Check, Note, Reproduction

PRINTED = 0.0005
"""Half of the third decimal, the last that is printed."""
SOLUTION_THRESHOLD, STEP_THRESHOLD = 0.025, 0.5
"""Of one score a solution (ROSCOE), and of one score a step (a process reward model)."""

Negative: TypeAlias = float
Neutral: TypeAlias = float
Positive: TypeAlias = float
Labels: TypeAlias = tuple[bool | None, ...]


class _Output(BaseModel):
    """What one evaluator gave for one solution."""

    scores: float | list[float] | list[tuple[Negative, Neutral, Positive]] | None = None
    correctness_pred: str | None = None
    error_step_pred: str = ""


class _Invalid(BaseModel):
    id: int | str
    steps: list[list[str]]
    """Each step as its sub-steps, which are what is scored."""
    solution: Literal["correct", "wrong"]
    first_error_step: int | Literal["N/A"]
    """Counted from 1."""
    evaluators: dict[str, _Output]

    def gold(self) -> Labels:
        first = self.first_error_step
        if (first == "N/A") != (self.solution == "correct"):
            raise InputError(f"solution {self.id} is {self.solution}, but its first error step is {first}")
        return up_to_first_wrong(len(self.steps), None if first == "N/A" else first - 1)


class _Redundant(BaseModel):
    id: int | str
    steps: list[list[str]]
    rating: list[int]
    """One a step: 1 useful, 0 redundant; any other is not judged."""
    evaluators: dict[str, _Output]

    def gold(self) -> Labels:
        if len(self.rating) != len(self.steps):
            raise InputError(f"solution {self.id} has {len(self.rating)} ratings for {len(self.steps)} steps")
        return tuple({1: True, 0: False}.get(rating) for rating in self.rating)


class _Published(BaseModel):
    values: dict[str, dict[str, float]] = Field(min_length=1)


@dataclass(frozen=True, kw_only=True)
class _Quality:
    """What is looked for, and where an evaluator's outputs say it."""

    words: Mapping[str, bool]
    """The bare words that are a verdict, and whether they mean good."""
    several: bool
    """Whether a verdict may name several steps; otherwise it names the first wrong one."""
    neutral: float
    positive: float
    """What the class scores weigh in the score of a sub-step."""
    threshold: float
    """Of that score."""


INVALID = _Quality(
    words={"correct": True, "wrong": False}, several=False, neutral=1.0, positive=1.0, threshold=0.5
)
REDUNDANT = _Quality(
    words={"absent": True, "present": False}, several=True, neutral=-1.0, positive=0.0, threshold=-0.15
)


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """One output as verdicts: True good, False bad, None missing. Without steps: empty."""

    said: bool | None
    score: float | None
    steps: Labels = ()
    scores: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Outputs:
    """One evaluator on one set: solutions, their labels and what the evaluator says."""

    readings: list[tuple[Labels, _Reading]] = field(default_factory=list[tuple[Labels, _Reading]])

    def figure(self, level: str, name: str) -> float | None:
        """One published number; None where the outputs have no such thing."""
        if level == "solution":
            rows = [(False not in gold, one.said, one.score) for gold, one in self.readings]
        elif level == "step":
            rows = [row for gold, one in self.readings for row in _steps(gold, one)]
        else:
            return None
        judged = [row for row in rows if row[0] is not None]
        if name == "macro_f1" and judged:
            said = [verdict for _, verdict, _ in judged]
            return good_and_bad([good for good, _, _ in judged], said, unreadable="other class").f1
        scored = [(score, good is True) for good, _, score in judged if score is not None]
        if name == "auc" and len(scored) == len(judged) > 0:
            return auroc([score for score, _ in scored], [good for _, good in scored])
        return None


def read(output: _Output, sizes: list[int], quality: _Quality) -> _Reading:
    """An evaluator's output for a solution whose steps have `sizes` sub-steps.

    Raises:
        InputError: it has another number of scores than sub-steps, or neither scores nor a verdict.
    """
    if output.correctness_pred is not None:
        return _read_verdict(output.correctness_pred, output.error_step_pred, len(sizes), quality)
    if output.scores is None:
        raise InputError("there are neither scores nor a verdict")
    if not isinstance(output.scores, list):
        return _Reading(said=output.scores > SOLUTION_THRESHOLD, score=output.scores)
    threshold, parts = STEP_THRESHOLD, list[float]()
    for one in output.scores:
        if isinstance(one, tuple):
            parts.append(quality.neutral * one[1] + quality.positive * one[2])
            threshold = quality.threshold
        else:
            parts.append(one)
    scores = step_scores(parts, sizes)
    worst = solution_score(scores)
    (said,) = above([worst], threshold)
    return _Reading(said=said, score=worst, steps=above(scores, threshold), scores=scores)


def _read_verdict(verdict: str, named: str, steps: int, quality: _Quality) -> _Reading:
    """A written verdict. Steps are named by number, from 1; a number of no step names none."""
    said = quality.words.get(verdict.strip().lower())
    numbers = [int(digits) - 1 for digits in re.findall(r"\d+", named)]
    if quality.several:
        marks: Labels = tuple(step not in numbers for step in range(steps))
    else:
        first = next(iter(numbers), None) if said is not True else None
        exists = first is not None and 0 <= first < steps
        marks = up_to_first_wrong(steps, first if exists else None)
    return _Reading(said=said, score=None, steps=marks)


def _steps(gold: Labels, one: _Reading) -> Iterator[tuple[bool | None, bool | None, float | None]]:
    scores: tuple[float | None, ...] = one.scores or (None,) * len(one.steps)
    if one.steps:
        yield from zip(gold, one.steps, scores, strict=True)


# ---------------------------------------------------------------- files


def _checks(folder: Path) -> Iterator[Check | Note]:
    sets = {
        "invalid": _outputs(folder / "invalid.jsonl.gz", _Invalid, INVALID),
        "redundant": _outputs(folder / "redundant.jsonl.gz", _Redundant, REDUNDANT),
    }
    for key, values in _published(folder / "published.json").items():
        name, level, figure = (*key.split("|"), "", "")[:3]
        for evaluator, number in values.items():
            outputs = sets.get(name, {}).get(evaluator)
            ours = outputs.figure(level, figure) if outputs else None
            what = f"{name}, {level}, {figure}, {evaluator}"
            yield Check(what=what, published=number, ours=ours, tolerance=PRINTED)
    for name, found in sets.items():
        for evaluator, outputs in found.items():
            missing = sum(one.said is None for _, one in outputs.readings)
            if missing:
                yield Note(
                    text=f"{name}: {missing} of {len(outputs.readings)} verdicts of {evaluator} are not one "
                    "of the words asked for and count as a claim of the other class"
                )
    yield from _located(sets["invalid"])


def _located(evaluators: Mapping[str, _Outputs]) -> Iterator[Note]:
    """Exact first-error accuracy, which nobody published for these records."""
    for evaluator, outputs in evaluators.items():
        rows = [
            Judged(
                item=str(place),
                said=None if one.said is None else "correct" if one.said else "wrong",
                stepwise=True,
                gold_step=_first(gold),
                step=_first(one.steps),
            )
            for place, (gold, one) in enumerate(outputs.readings)
            if one.steps
        ]
        found = first_wrong_step(rows).on_wrong if rows else None
        if found is not None:
            hits = round(found.value * found.n)
            yield Note(text=f"invalid: {evaluator} names exactly the first wrong step in {hits} of {found.n}")


def _first(labels: Labels) -> int | None:
    return labels.index(False) if False in labels else None


def _outputs(path: Path, shape: type[_Invalid] | type[_Redundant], quality: _Quality) -> dict[str, _Outputs]:
    found: dict[str, _Outputs] = {}
    for row in read_typed(path, shape):
        gold, sizes = row.gold(), [len(parts) for parts in row.steps]
        for evaluator, output in row.evaluators.items():
            try:
                reading = read(output, sizes, quality)
            except InputError as error:
                raise InputError(f"{path}: solution {row.id}, {evaluator}: {error}") from None
            found.setdefault(evaluator, _Outputs()).readings.append((gold, reading))
    return found


def _published(path: Path) -> dict[str, dict[str, float]]:
    try:
        return _Published.model_validate(json.loads(path.read_text(encoding="utf-8"))).values
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except (ValidationError, ValueError) as error:
        raise InputError(f"{path} has no published numbers: {str(error).splitlines()[0]}") from None


REPRODUCTION = Reproduction(
    name="reasoneval",
    summary="ReasonEval's macro F1 and AUC of twelve evaluators on invalid and redundant steps",
    citation="Xia et al. 2024, Evaluating Mathematical Reasoning Beyond Accuracy, arXiv:2404.05692",
    licence="none stated in the repository; parts derived from PRM800K are MIT",
    conventions=(
        'steps.good_and_bad(unreadable="other class"): a verdict that is not one of the words asked for',
        "steps.above(threshold=0.5), redundancy -0.15, one score a solution 0.025",
        "steps.up_to_first_wrong: steps after the first error are not judged",
        "a written verdict that names no step of the solution calls no step wrong",
    ),
    checks=_checks,
)
