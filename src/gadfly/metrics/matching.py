"""A method against voting at the same number of tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gadfly.errors import InputError
from gadfly.metrics.intervals import Floats, percentile_interval, resampled
from gadfly.metrics.measurement import Match, Matched

NEAR = 0.05
"""A method within this share of one sample's or the whole pool's tokens still counts as equal."""


@dataclass(frozen=True, kw_only=True)
class Voting:
    """The voting baseline on the same problems: rows are problems, column k - 1 is k votes."""

    accuracy: Floats
    """Expected accuracy, from `estimators.majority_curve`."""
    tokens: Floats
    """Mean tokens of one sample, one entry a problem."""


def at_equal_tokens(
    right: Sequence[bool], tokens: Sequence[int], voting: Voting, *, level: float = 0.95, seed: int = 0
) -> Matched:
    """Compare a method with voting that may spend the method's mean tokens a problem.

    Where the method's tokens fall between k and k + 1 votes, voting uses k + 1 on a random share of
    the problems such that the mean tokens are equal: a mixture, so its accuracy is linear in between.
    The bootstrap resamples problems and repeats all of it, token means and mixture included.
    Outside of 1..N votes the nearest end is compared and `match` says so.

    Raises:
        InputError: the vectors do not belong to the same problems, or a sample took no tokens.
    """
    hits, spent = np.array(right, dtype=np.float64), np.array(tokens, dtype=np.float64)
    if not len(hits) == len(spent) == len(voting.tokens) == len(voting.accuracy):
        raise InputError("a method and its voting baseline must have been run on the same problems")
    if not voting.tokens.mean() > 0:
        raise InputError("the samples report no tokens, so nothing can be compared at equal tokens")
    size = voting.accuracy.shape[1]

    def lead(weights: Floats) -> Floats:
        votes = _votes(weights @ spent, weights @ voting.tokens, size)
        return weights @ hits - _mixture(weights @ voting.accuracy, votes)

    whole = np.full((1, len(hits)), 1 / len(hits))
    wanted = float(spent.mean() / voting.tokens.mean())
    votes = _votes(whole @ spent, whole @ voting.tokens, size)
    return Matched(
        difference=percentile_interval(
            float(lead(whole)[0]), resampled(lead, len(hits), seed=seed), n=len(hits), level=level
        ),
        votes=float(votes[0]),
        voting=float(_mixture(whole @ voting.accuracy, votes)[0]),
        match=_match(wanted, size),
    )


def _match(wanted: float, size: int) -> Match:
    if wanted > size * (1 + NEAR):
        return "pool too small"
    return "cheaper than one sample" if wanted < 1 - NEAR else "equal"


def _votes(spent: Floats, one: Floats, size: int) -> Floats:
    # A resample may hold only problems whose samples report no tokens; there voting gets one sample.
    ratio = np.divide(spent, one, out=np.ones_like(spent), where=one > 0)
    return np.clip(ratio, 1.0, float(size))


def _mixture(curve: Floats, votes: Floats) -> Floats:
    """Row by row, the curve at a real number of votes."""
    lower = np.minimum(np.floor(votes).astype(np.int64), curve.shape[1])
    upper = np.minimum(lower + 1, curve.shape[1])
    share = votes - lower
    rows = np.arange(len(curve))
    return (1 - share) * curve[rows, lower - 1] + share * curve[rows, upper - 1]
