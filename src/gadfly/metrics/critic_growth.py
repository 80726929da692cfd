"""What training did to a critic: detection and correction gain before and after, on the same answers."""

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from gadfly.errors import InputError
from gadfly.metrics.clustering import drawn_sums, figure_of, ratio
from gadfly.metrics.correction import Corrected
from gadfly.metrics.intervals import Floats
from gadfly.metrics.judged import Judged
from gadfly.metrics.measurement import Measurement

T = TypeVar("T")


def f1_difference(rows: Sequence[Judged], baseline: Sequence[Judged], *, seed: int = 0) -> Measurement | None:
    """F1 at finding `incorrect` answers less the baseline's, case by case; None where no answer is incorrect.

    A verdict that could not be read is wrong. The interval resamples cases by their cluster.

    Raises:
        InputError: the two did not judge the same cases.
    """
    pairs = _same(rows, baseline, lambda row: (row.item, row.swapped))
    parts = [[*_found(mine), *_found(theirs)] for mine, theirs in pairs]
    unread = sum(mine.said is None or theirs.said is None for mine, theirs in pairs)
    sums = drawn_sums(parts, [mine.cluster for mine, _ in pairs], unscored=unread, seed=seed)

    def difference(drawn: Floats) -> Floats:
        # 2 TP / (cases that are + cases said to be)
        return ratio(2 * drawn[:, 0], drawn[:, 1]) - ratio(2 * drawn[:, 2], drawn[:, 3])

    return figure_of(difference, sums) if any(mine.gold == "incorrect" for mine, _ in pairs) else None


def gain_difference(
    records: Sequence[Corrected], baseline: Sequence[Corrected], *, seed: int = 0
) -> Measurement:
    """Correction gain less the baseline's, over the same answers; unscored is not right.

    Raises:
        InputError: the two did not criticise the same answers.
    """
    pairs = _same(records, baseline, lambda one: (one.item, one.mode, one.round, one.draw))
    parts = [[_gain(mine) - _gain(theirs), 1.0] for mine, theirs in pairs]
    unread = sum(None in (mine.before, mine.after, theirs.after) for mine, theirs in pairs)
    sums = drawn_sums(parts, [mine.item for mine, _ in pairs], unscored=unread, seed=seed)
    found = figure_of(lambda drawn: drawn[:, 0] / drawn[:, 1], sums)
    assert found is not None
    return found


def _same(rows: Sequence[T], baseline: Sequence[T], case: Callable[[T], Hashable]) -> list[tuple[T, T]]:
    mine, theirs = ({case(row): row for row in side} for side in (rows, baseline))
    if not mine or mine.keys() != theirs.keys() or len(mine) < len(rows):
        raise InputError("the two critics were not tried once each on the same answers")
    return [(row, theirs[key]) for key, row in mine.items()]


def _found(row: Judged) -> tuple[float, float]:
    """What a case adds to true positives, and to the cases that are and that are said to be incorrect."""
    gold, said = row.gold == "incorrect", row.said == "incorrect"
    return float(gold and said), float(gold) + float(said)


def _gain(one: Corrected) -> float:
    return float(one.after is True) - float(one.before is True)
