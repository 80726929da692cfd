"""The generation-verification gap: what a verifier's choice adds to raw samples.

Song et al. 2024, arXiv:2412.02674: the mean truth of samples weighted or filtered by a verifier, less the
mean truth of all samples. It bounds what training on the chosen samples can teach, before any training.
"""

from typing import Literal, TypeAlias

import numpy as np

from gadfly.errors import InputError
from gadfly.metrics.clustering import drawn_sums, figure_of, ratio
from gadfly.metrics.estimators import Pool
from gadfly.metrics.intervals import Floats
from gadfly.metrics.measurement import Measurement, Sample
from gadfly.metrics.proportions import Unreadable
from gadfly.records import Record

Choice: TypeAlias = Literal["threshold", "top share", "proportional"]
Variant: TypeAlias = Literal["absolute", "of the room", "of each problem's room"]
NothingKept: TypeAlias = Literal["raw", "left out"]


class VerificationGap(Record):
    """What choosing by a verifier adds. All measurements are over problems, which count equally."""

    gap: Measurement | None
    """In the variant asked for; None where that is undefined, since there is no room above the raw samples.
    `unscored` counts problems of whose samples none was kept."""
    raw: Measurement
    """Mean truth of all samples of a problem."""
    chosen: Measurement
    """Mean truth of the chosen ones."""
    kept: float
    """Share of samples, by weight, that the choice keeps; of all their weight 1."""
    samples: int
    unscored: int
    """Samples without a truth or without a verifier's score."""


def verification_gap(
    pool: Pool,
    *,
    choice: Choice = "threshold",
    at: float = 0.5,
    variant: Variant = "absolute",
    nothing_kept: NothingKept = "raw",
    unreadable: Unreadable = "wrong",
    level: float = 0.95,
    seed: int = 0,
) -> VerificationGap:
    """Mean truth of the samples a verifier chooses less that of all samples, with an interval over problems.

    Args:
        pool: One row a problem, any number of samples each, with `right` and the verifier's `score`.
        choice: `threshold` keeps scores of `at` or more; `top share` the highest `at` of a problem's
            samples, those tied at the cut in part; `proportional` weighs every sample by its score. A sample
            without a score is never chosen.
        at: The threshold, or the share.
        variant: `absolute`: the difference. `of the room`: the mean difference over the mean of 1 - raw.
            `of each problem's room`: the mean of difference over 1 - raw, problem by problem, without
            the problems that have no room.
        nothing_kept: A problem none of whose samples is chosen counts with its raw ones, or is `left out`.
        unreadable: A sample without truth counts as not right (`wrong`), or is `left out`.
        level: Of the intervals.
        seed: Of the resamples.

    Raises:
        InputError: no problem has a sample left, a weight is below 0, or the share is outside of 0..1.
    """
    if choice == "top share" and not 0 < at <= 1:
        raise InputError(f"the share to keep is {at}; it must be above 0 and at most 1")
    rows = [[one for one in row if unreadable == "wrong" or one.right is not None] for row in pool]
    problems = [_problem(row, choice, at) for row in rows if row]
    used = [one for one in problems if one[2] > 0 or nothing_kept == "raw"]
    if not used:
        raise InputError("no problem has a sample that the verifier keeps")
    raw, chosen = np.array([one[0] for one in used]), np.array([one[1] for one in used])
    room = raw < 1
    each = np.divide(chosen - raw, 1 - raw, out=np.zeros_like(raw), where=room)
    parts = np.column_stack([raw, chosen, each, room, np.ones(len(raw))])
    lost = sum(one[2] == 0 for one in problems)
    sums = drawn_sums(parts, n=len(problems), unscored=lost, seed=seed)
    axis = np.eye(5)
    top = axis[2] if variant == "of each problem's room" else axis[1] - axis[0]
    bottom = {"absolute": axis[4], "of the room": axis[4] - axis[0]}.get(variant, axis[3])
    gap = figure_of(lambda drawn: ratio(drawn @ top, drawn @ bottom), sums, level=level)
    means = [figure_of(lambda drawn, c=c: drawn[:, c] / drawn[:, 4], sums, level=level) for c in (0, 1)]
    assert means[0] is not None
    assert means[1] is not None
    listed = [one for row in pool for one in row]
    return VerificationGap(
        gap=gap,
        raw=means[0],
        chosen=means[1],
        kept=sum(one[2] for one in problems) / sum(one[3] for one in problems),
        samples=len(listed),
        unscored=sum(one.right is None or one.score is None for one in listed),
    )


def _problem(row: list[Sample], choice: Choice, at: float) -> tuple[float, float, float, int]:
    """Mean truth of all samples and of the chosen ones, the weight of those, and the number of all."""
    truth = np.array([one.right is True for one in row], dtype=np.float64)
    scores = np.array([-np.inf if one.score is None else one.score for one in row])
    if choice == "threshold":
        weights = (scores >= at).astype(np.float64)
    elif choice == "top share":
        weights = _top(scores, at)
    else:
        weights = np.where(np.isinf(scores), 0.0, scores)
        if weights.min() < 0:
            raise InputError("a verifier's score is below 0 and cannot be a weight; map the scores first")
    total = float(weights.sum())
    raw = float(truth.mean())
    return raw, float(weights @ truth) / total if total > 0 else raw, total, len(row)


def _top(scores: Floats, share: float) -> Floats:
    """Weights 1 for the highest `share` of all samples, in part for those tied at the cut."""
    weights = np.zeros(len(scores))
    left = share * len(scores)
    for score in sorted({float(value) for value in scores if not np.isinf(value)}, reverse=True):
        tied = scores == score
        weights[tied] = min(1.0, left / int(tied.sum()))
        left = max(0.0, left - int(tied.sum()))
    return weights
