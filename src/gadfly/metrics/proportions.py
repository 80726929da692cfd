"""Counts: the interval of a proportion, and the exact test of a paired one."""

from collections.abc import Sequence
from math import comb, sqrt
from statistics import NormalDist
from typing import Literal, TypeAlias

from gadfly.errors import InputError
from gadfly.metrics.measurement import Measurement

Unreadable: TypeAlias = Literal["left out", "wrong"]
"""What a case without a score is: as if never asked, or not right."""


def wilson(successes: int, n: int, *, level: float = 0.95, unscored: int = 0) -> Measurement:
    """A proportion with Wilson's score interval (1927), sound near 0 and 1 and for small n.

    Raises:
        InputError: n is below 1 or `successes` outside 0..n.
    """
    if n < 1 or not 0 <= successes <= n:
        raise InputError(f"{successes} of {n} is no proportion")
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, centre - reach)
    high = 1.0 if successes == n else min(1.0, centre + reach)
    return Measurement(value=share, low=low, high=high, n=n, unscored=unscored)


def share_of(
    hits: Sequence[bool | None], *, unreadable: Unreadable = "wrong", level: float = 0.95
) -> Measurement | None:
    """The share of independent cases that are True, with Wilson's interval; None where no case is left.

    `n` counts all cases, `unscored` those that are None, whether they are wrong or left out.
    """
    unscored = sum(hit is None for hit in hits)
    counting = len(hits) - (unscored if unreadable == "left out" else 0)
    if counting == 0:
        return None
    found = wilson(sum(hit is True for hit in hits), counting, level=level, unscored=unscored)
    return found.model_copy(update={"n": len(hits)})


def mcnemar(gained: int, lost: int) -> float:
    """Exact two-sided McNemar test (1947): the p-value of so uneven a split of discordant pairs.

    Raises:
        InputError: a count is below 0.
    """
    if gained < 0 or lost < 0:
        raise InputError("counts of flips cannot be below 0")
    n = gained + lost
    tail = sum(comb(n, taken) for taken in range(min(gained, lost) + 1))
    return min(1.0, 2 * tail / 2**n)
