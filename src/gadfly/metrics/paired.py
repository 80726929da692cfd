"""Two judges on the same rows: which cases they share, differences case by case, and flips."""

from collections.abc import Callable
from typing import Literal, TypeAlias

from gadfly.errors import InputError
from gadfly.metrics.intervals import mean_interval
from gadfly.metrics.judged import Judged, Rows
from gadfly.metrics.measurement import Flips, Measurement
from gadfly.metrics.proportions import Unreadable, mcnemar

Unmatched: TypeAlias = Literal["refuse", "left out"]


def matched(
    rows: Rows, baseline: Rows, *, unmatched: Unmatched = "refuse"
) -> tuple[tuple[Judged, Judged], ...]:
    """Rows of two judges on the same case, in the order of the first: same item, shown in the same order.

    `unmatched` says what becomes of cases that one of the judges has not judged.

    Raises:
        InputError: a judge has two rows of one case, none is shared, or some are not and that is refused.
    """
    mine, theirs = _by_case(rows), _by_case(baseline)
    odd = [case for case in (*mine, *theirs) if case not in mine or case not in theirs]
    if odd and unmatched == "refuse":
        raise InputError(
            f"not the same cases: {len(odd)} are on one side only, such as item {odd[0][0]!r}; "
            'pass unmatched="left out" to compare on the shared ones'
        )
    pairs = tuple((row, theirs[case]) for case, row in mine.items() if case in theirs)
    if not pairs:
        raise InputError("the two judges share no case")
    return pairs


def paired(
    rows: Rows,
    baseline: Rows,
    value: Callable[[Judged], float | None],
    *,
    unreadable: Unreadable = "left out",
    unmatched: Unmatched = "refuse",
    level: float = 0.95,
    seed: int = 0,
) -> Measurement:
    """Mean of a row's value less the baseline's on the same case, with a clustered percentile interval.

    Args:
        rows: One judge, at most one row a case.
        baseline: The other.
        value: A row's figure, such as `lambda row: row.right`; None: it has none.
        unreadable: Pairs in which a value is None are `left out`, or a None is worth 0 (`wrong`).
        unmatched: As in `matched`.
        level: Of the interval.
        seed: Of the resamples.

    Raises:
        InputError: as `matched`, or every pair is left out.
    """
    pairs = matched(rows, baseline, unmatched=unmatched)
    values = [(value(mine), value(theirs)) for mine, theirs in pairs]
    unread = sum(None in both for both in values)
    kept = [i for i, both in enumerate(values) if unreadable == "wrong" or None not in both]
    if not kept:
        raise InputError("no case has a value from both judges")
    differences = [float(values[i][0] or 0.0) - float(values[i][1] or 0.0) for i in kept]
    clusters = [pairs[i][0].cluster for i in kept]
    found = mean_interval(differences, clusters=clusters, level=level, seed=seed)
    return found.model_copy(update={"n": len(pairs), "unscored": unread})


def row_flips(
    rows: Rows, baseline: Rows, *, unreadable: Unreadable = "wrong", unmatched: Unmatched = "refuse"
) -> Flips:
    """Cases that one judge gets right and the other does not, with McNemar's exact test.

    The baseline is "before". Cases nobody labelled are left out. The test takes cases as independent.

    Raises:
        InputError: as `matched`, or no case is left.
    """
    pairs = [
        (theirs.right, mine.right)
        for mine, theirs in matched(rows, baseline, unmatched=unmatched)
        if mine.gold is not None and theirs.gold is not None
    ]
    if unreadable == "left out":
        pairs = [both for both in pairs if None not in both]
    if not pairs:
        raise InputError("no case has a label and a judgement from both judges")
    lost = sum(before is True and after is not True for before, after in pairs)
    gained = sum(before is not True and after is True for before, after in pairs)
    return Flips(right_to_wrong=lost, wrong_to_right=gained, n=len(pairs), p_value=mcnemar(gained, lost))


def _by_case(rows: Rows) -> dict[tuple[str, bool], Judged]:
    found: dict[tuple[str, bool], Judged] = {}
    for row in rows:
        case = (row.item, row.swapped)
        if case in found:
            raise InputError(f"item {row.item!r} comes twice in one order; give one row a case")
        found[case] = row
    return found
