"""Located errors: whether a judge finds the first wrong step, and how well it judges single steps.

Three published ways to count:

- ProcessBench (arXiv:2412.06559): the first wrong step must be named exactly, or that there is none;
  accuracy on wrong and on right solutions apart, and F1 as the harmonic mean of both.
- MR-GSM8K (arXiv:2312.17080, section 3): MR-Score, a weighted sum of Matthews' correlation on the
  verdict and of how often the step and the reason are found among the wrong solutions.
- ReasonEval (arXiv:2404.05692, section 4): a solution is as good as its worst step; macro F1 over good
  and bad, for solutions and for steps, where steps after the first error are not judged.

Steps are counted from 0. A verdict that could not be read is None.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from gadfly.errors import InputError
from gadfly.metrics.clustering import drawn_sums, figures_of, harmonic, ratio
from gadfly.metrics.detection import Classification, Unreadable, classification, matthews
from gadfly.metrics.intervals import Floats
from gadfly.metrics.judged import Judged, Rows
from gadfly.metrics.measurement import Measurement
from gadfly.records import Record

Reasons: TypeAlias = Literal["where the step is right", "wherever right"]
GOOD, BAD = "good", "bad"
MR_WEIGHTS = (0.2, 0.3, 0.5)
"""Of correlation, step and reason in MR-Score, as published."""


class Located(Record):
    """How often the first wrong step is found. Intervals resample clusters."""

    accuracy: Measurement
    """Over all solutions."""
    on_wrong: Measurement | None
    """Over wrong solutions: the step is exactly right. None: there is none."""
    on_right: Measurement | None
    """Over right solutions: no step is called wrong. None: there is none."""
    f1: Measurement | None
    """Harmonic mean of the two (ProcessBench); None where one of them is."""
    n: int
    unscored: int


class MetaReasoning(Record):
    """MR-Score with what it is made of."""

    score: float
    mcc: float
    """Matthews' correlation of the verdict; below 0 it counts as 0 in the score."""
    step: float
    """Share of the wrong solutions whose first wrong step is named."""
    reason: float
    """Share of the wrong solutions whose error is explained rightly."""
    n: int
    unscored: int


# ---------------------------------------------------------------- the first wrong step


def first_wrong_step(
    rows: Rows,
    *,
    sound: str = "correct",
    unreadable: Literal["wrong", "left out"] = "wrong",
    level: float = 0.95,
    seed: int = 0,
) -> Located:
    """Exact match of the first wrong step, "there is none" included, over rows that have the label.

    A solution without a wrong step is found right when the verdict is `sound` and no step is named. One
    with a wrong step needs that very step, whatever else is said. With `unreadable="wrong"` a row without
    a verdict is not found, on either side. A resample without wrong (or right) solutions does not
    enter the intervals that need them.

    Raises:
        InputError: no row has a label of its steps (`stepwise`), or none has a readable verdict.
    """
    labelled = [row for row in rows if row.stepwise]
    kept = [row for row in labelled if row.said is not None or unreadable == "wrong"]
    if not kept:
        raise InputError("no row says which step is the first wrong one, with a readable verdict")
    counts: list[tuple[float, ...]] = []
    for row in kept:
        wrong, hit = row.gold_step is not None, found_step(row, sound=sound)
        counts.append((1.0, wrong, hit, wrong and hit))
    unscored = sum(row.said is None for row in labelled)
    sums = drawn_sums(
        np.array(counts, dtype=np.float64),
        [row.cluster for row in kept],
        n=len(labelled),
        unscored=unscored,
        seed=seed,
    )
    accuracy, on_wrong, on_right, f1 = figures_of(_located, sums, level=level)
    assert accuracy is not None  # a share of all rows
    on_wrong = _counting(on_wrong, [row for row in labelled if row.gold_step is not None])
    on_right = _counting(on_right, [row for row in labelled if row.gold_step is None])
    return Located(
        accuracy=accuracy, on_wrong=on_wrong, on_right=on_right, f1=f1, n=len(labelled), unscored=unscored
    )


def found_step(row: Judged, *, sound: str = "correct") -> bool:
    """Whether the judge names exactly the first wrong step, or says rightly that there is none."""
    if row.said is None:
        return False
    if row.gold_step is None:
        return row.said == sound and row.step is None
    return row.step == row.gold_step


def _located(totals: Floats) -> Floats:
    """Accuracy over all, on wrong and on right ones, and F1, from weighted counts (b, 4)."""
    n, wrong, hits, hits_wrong = totals.T
    on_wrong, on_right = ratio(hits_wrong, wrong), ratio(hits - hits_wrong, n - wrong)
    return np.column_stack([hits / n, on_wrong, on_right, harmonic(on_wrong, on_right)])


def _counting(found: Measurement | None, rows: Rows) -> Measurement | None:
    """The same figure with the number of the rows it is about."""
    if found is None:
        return None
    return found.model_copy(update={"n": len(rows), "unscored": sum(row.said is None for row in rows)})


# ---------------------------------------------------------------- MR-Score


def mr_score(
    mcc: float,
    step_accuracy: float,
    reason_accuracy: float,
    *,
    weights: tuple[float, float, float] = MR_WEIGHTS,
) -> float:
    """MR-Score: the weighted sum of max(0, MCC), step accuracy and reason accuracy.

    Linear but for the cut at 0, so percent give percent (MR-GSM8K, arXiv:2312.17080, section 3).
    """
    return weights[0] * max(0.0, mcc) + weights[1] * step_accuracy + weights[2] * reason_accuracy


def mr_score_rows(
    rows: Rows,
    reason_right: Sequence[bool | None],
    *,
    weights: tuple[float, float, float] = MR_WEIGHTS,
    classes: tuple[str, str] = ("correct", "incorrect"),
    unreadable: Unreadable = "other class",
    reasons: Reasons = "where the step is right",
) -> MetaReasoning:
    """MR-Score from records. `reason_right` has one entry a row; None: nobody judged the reason.

    Rows need a gold label; steps and reasons count only where it is `classes[1]`. As published, a verdict
    that could not be read is a claim of the other class, and a reason counts only where the step is
    right too. A reason that nobody judged is not right.

    Raises:
        InputError: lengths differ, a label is neither class, or no solution is wrong.
    """
    if len(rows) != len(reason_right):
        raise InputError(f"{len(rows)} rows but {len(reason_right)} verdicts on the reason")
    pairs = [
        (row, right is True)
        for row, right in zip(rows, reason_right, strict=True)
        if row.gold is not None and (row.said is not None or unreadable != "left out")
    ]
    wrong = [(row, right) for row, right in pairs if row.gold == classes[1]]
    if not wrong:
        raise InputError("MR-Score needs at least one wrong solution")
    gold = [row.gold or "" for row, _ in pairs]
    mcc = matthews(gold, [row.said for row, _ in pairs], classes=classes, unreadable=unreadable)
    steps = [row.gold_step is not None and found_step(row, sound=classes[0]) for row, _ in wrong]
    explained = [
        right and (located or reasons == "wherever right")
        for (_, right), located in zip(wrong, steps, strict=True)
    ]
    step, reason = sum(steps) / len(wrong), sum(explained) / len(wrong)
    return MetaReasoning(
        score=mr_score(mcc, step, reason, weights=weights),
        mcc=mcc,
        step=step,
        reason=reason,
        n=sum(row.gold is not None for row in rows),
        unscored=sum(row.said is None for row in rows if row.gold is not None),
    )


# ---------------------------------------------------------------- scores of steps


def step_scores(scores: Sequence[float], sizes: Sequence[int]) -> tuple[float, ...]:
    """Scores of steps from scores of their parts: the lowest part of each step.

    `sizes` says how many parts each step has, in order.

    Raises:
        InputError: the parts do not add up, or a step has none.
    """
    if sum(sizes) != len(scores) or any(size < 1 for size in sizes):
        raise InputError(f"{len(scores)} scores cannot belong to steps of {list(sizes)} parts")
    ends = np.cumsum(sizes)
    return tuple(min(scores[end - size : end]) for end, size in zip(ends.tolist(), sizes, strict=True))


def solution_score(scores: Sequence[float]) -> float:
    """A solution is as good as its worst step.

    Raises:
        InputError: there is no step.
    """
    if not scores:
        raise InputError("a solution without steps has no score")
    return min(scores)


def above(scores: Sequence[float], threshold: float) -> tuple[bool, ...]:
    """Which scores mean good: those above the threshold, itself not included."""
    return tuple(score > threshold for score in scores)


def up_to_first_wrong(steps: int, first: int | None) -> tuple[bool | None, ...]:
    """Labels of `steps` steps: good before the first wrong one, which is bad, None (not judged) after it.

    `first` is counted from 0; None: all are good.

    Raises:
        InputError: the first wrong step is none of the steps.
    """
    if first is None:
        return (True,) * steps
    if not 0 <= first < steps:
        raise InputError(f"the first wrong step is number {first} (from 0), but there are {steps} steps")
    return (*(True,) * first, False, *(None,) * (steps - first - 1))


def good_and_bad(
    good: Sequence[bool | None], said: Sequence[bool | None], *, unreadable: Unreadable = "other class"
) -> Classification:
    """Good against bad, for solutions or for the steps of all solutions; `f1` is ReasonEval's macro F1.

    `good` is the gold label, None where nobody judged: such cases are left out. `said` is the verdict,
    None where there is none. As published, that counts as a claim of the other class.

    Raises:
        InputError: the lists differ in length, or no case is judged.
    """
    if len(good) != len(said):
        raise InputError(f"{len(good)} labels for {len(said)} verdicts")
    pairs = [(label, verdict) for label, verdict in zip(good, said, strict=True) if label is not None]
    return classification(
        [GOOD if label else BAD for label, _ in pairs],
        [None if verdict is None else GOOD if verdict else BAD for _, verdict in pairs],
        classes=(GOOD, BAD),
        unreadable=unreadable,
    )
