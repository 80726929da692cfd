"""What every metric over rows promises, whatever the rows are.

Finite, the figure within its interval and its bounds, the same in any order and under other names, what
could not be scored counted, and `InputError` as the only way to refuse.
"""
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

import random
from collections.abc import Callable, Iterator, Sequence
from math import inf, isfinite

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from gadfly.errors import InputError
from gadfly.metrics import intervals, pairs
from gadfly.metrics.agreement import agreement, agreement_between
from gadfly.metrics.bias import length_bias, length_slope, self_preference, self_recognition
from gadfly.metrics.calibration import brier, calibration_error, confidence_gaps, forecasts, reliability
from gadfly.metrics.detection import detection
from gadfly.metrics.judged import Judged
from gadfly.metrics.macro import macro
from gadfly.metrics.measurement import Measurement
from gadfly.metrics.paired import paired, row_flips
from gadfly.metrics.ranks import rank_agreement
from gadfly.metrics.ratings import bradley_terry, elo, games, win_matrix
from gadfly.metrics.selective import risk_coverage, selective_accuracy
from gadfly.metrics.steps import first_wrong_step, mr_score_rows

Rows = Sequence[Judged]
Metric = Callable[[Rows], object]
EXAMPLES = settings(max_examples=15, deadline=None)


@pytest.fixture(scope="module", autouse=True)
def few_resamples() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "RESAMPLES", 100)
        patch.setattr(intervals, "ENOUGH", 100)
        yield


def _split(rows: Rows) -> tuple[list[Judged], list[Judged]]:
    """Two judges on the same cases, from one: the second says what the first says of the mirrored label."""
    other = {"first": "second", "incorrect": "correct"}
    theirs = [
        row.model_copy(update={"judge": "other", "said": other.get(row.said or "", row.said)}) for row in rows
    ]
    return list(rows), theirs


def _between(rows: Rows) -> object:
    mine, theirs = _split(rows)
    return agreement_between([*mine, *theirs], people="people")


def _lengthened(rows: Rows) -> list[Judged]:
    """With a length that follows from the row itself, so that no order or name of rows changes it."""
    return [
        row.model_copy(update={"lengths": (1 + 10 * (row.step or 0) + 5 * (row.gold_step or 0),)})
        for row in rows
        if row.gold is not None
    ]


def _right(row: Judged) -> float | None:
    return None if row.right is None else float(row.right)


VERDICTS: dict[str, tuple[Metric, float, float]] = {
    "detection": (lambda rows: detection(rows), -1, 1),
    "detection, left out": (lambda rows: detection(rows, unreadable="left out"), -1, 1),
    "macro": (lambda rows: macro(rows), 0, 1),
    "macro, left out": (lambda rows: macro(rows, unreadable="left out"), 0, 1),
    "length of answers": (lambda rows: length_slope(_lengthened(rows)), -inf, inf),
    "agreement": (agreement, -1, 1),
    "agreement, wrong": (lambda rows: agreement(rows, unreadable="wrong"), -1, 1),
    "agreement between": (_between, -1, 1),
    "first wrong step": (first_wrong_step, 0, 1),
    "MR-Score": (lambda rows: mr_score_rows(rows, [row.right for row in rows]), -1, 1),
    "rank agreement": (lambda rows: rank_agreement(rows), -1, 1),
    "calibration error": (lambda rows: calibration_error(forecasts(rows)), 0, 1),
    "Brier": (lambda rows: brier(forecasts(rows)), -1, 1),
    "Brier, bins": (lambda rows: brier(forecasts(rows), bins=3), -1, 1),
    "reliability": (lambda rows: reliability(forecasts(rows)), 0, 1),
    "confidence gaps": (lambda rows: confidence_gaps(forecasts(rows, about="verdict")), 0, 1),
    "risk and coverage": (lambda rows: risk_coverage(forecasts(rows)), 0, 1),
    "risk, together": (lambda rows: risk_coverage(forecasts(rows), ties="together"), 0, 1),
    "selective": (lambda rows: selective_accuracy(forecasts(rows), 0.5), 0, 1),
    "paired": (lambda rows: paired(*_split(rows), _right), -1, 1),
    "flips": (lambda rows: row_flips(*_split(rows)), 0, inf),
}
PAIRS: dict[str, tuple[Metric, float, float]] = {
    "pairs right, plain": (lambda rows: pairs.accuracy(rows, orders="plain"), 0, 1),
    "pairs right, swapped": (lambda rows: pairs.accuracy(rows, orders="swapped"), 0, 1),
    "pairs right, mean": (lambda rows: pairs.accuracy(rows, orders="mean"), 0, 1),
    "pairs right, both": (lambda rows: pairs.accuracy(rows, orders="both"), 0, 1),
    "pairs right, sum": (lambda rows: pairs.accuracy(rows, orders="sum"), 0, 1),
    "pairs, ties half": (lambda rows: pairs.accuracy(rows, ties="half"), 0, 1),
    "swap agreement": (lambda rows: pairs.swap_agreement(rows), 0, 1),
    "position bias": (lambda rows: pairs.position_bias(rows), -0.5, 1),
    "tie rate": (lambda rows: pairs.tie_rate(rows), 0, 1),
    "agreement of pairs": (agreement, -1, 1),
    "length bias": (lambda rows: length_bias(rows), -inf, inf),
    "self-preference": (lambda rows: self_preference(rows), -1, 1),
    "self-recognition": (lambda rows: self_recognition(rows), -1, 1),
    "Bradley-Terry": (lambda rows: bradley_terry(games(rows), ridge=1.0), -inf, inf),
    "Bradley-Terry, no ridge": (lambda rows: bradley_terry(games(rows)), -inf, inf),
    "wins": (lambda rows: win_matrix(games(rows)), 0, inf),
    "calibration of pairs": (lambda rows: calibration_error(forecasts(rows)), 0, 1),
}
ORDERED: dict[str, tuple[Metric, float, float]] = {
    "Elo": (lambda rows: elo(games(rows)), -inf, inf),
}
"""Figures that depend on the order of rows, as they should."""

score = st.one_of(st.none(), st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]))
verdict_rows = st.lists(
    st.builds(
        dict,
        gold=st.sampled_from(["correct", "incorrect", "incorrect", None]),
        said=st.sampled_from(["correct", "incorrect", "unsure", None]),
        group=st.sampled_from(["", "g", "h"]),
        score=score,
        gold_score=score,
        stepwise=st.booleans(),
        gold_step=st.one_of(st.none(), st.integers(0, 2)),
        step=st.one_of(st.none(), st.integers(0, 2)),
    ),
    max_size=12,
)
label = st.sampled_from(["first", "second", "tie", None])
pair_rows = st.lists(
    st.builds(
        dict,
        gold=label,
        plain=label,
        swapped=label,
        both=st.booleans(),
        group=st.sampled_from(["", "g", "h"]),
        score=st.one_of(st.none(), st.sampled_from([-1.0, 0.0, 0.5, 1.0])),
        lengths=st.tuples(st.integers(0, 4), st.integers(0, 4)),
        authors=st.sampled_from([("judge", "b"), ("b", "judge"), ("b", "c"), ("judge", "c")]),
    ),
    max_size=10,
)


def verdicts_of(drawn: Sequence[dict[str, object]]) -> list[Judged]:
    return [Judged.model_validate({"item": f"i{i}", "judge": "judge", **one}) for i, one in enumerate(drawn)]


def pairs_of(drawn: Sequence[dict[str, object]]) -> list[Judged]:
    rows: list[Judged] = []
    for i, one in enumerate(drawn):
        kept = {key: value for key, value in one.items() if key not in ("plain", "swapped", "both")}
        shared = {"item": f"i{i}", "judge": "judge", **kept}
        rows.append(Judged.model_validate({**shared, "said": one["plain"]}))
        if one["both"]:
            rows.append(Judged.model_validate({**shared, "said": one["swapped"], "swapped": True}))
    return rows


def numbers(found: object, path: str = "") -> Iterator[tuple[str, float]]:
    """Every number in a record, by its path."""
    if isinstance(found, bool | str) or found is None:
        return
    if isinstance(found, int | float):
        yield path, float(found)
    elif isinstance(found, BaseModel):
        yield from numbers({name: getattr(found, name) for name in type(found).model_fields}, path)
    elif isinstance(found, dict):
        for name, value in found.items():
            yield from numbers(value, f"{path}.{name}")
    else:
        assert isinstance(found, tuple)
        for place, value in enumerate(found):
            yield from numbers(value, f"{path}[{place}]")


def measurements(found: object) -> Iterator[Measurement]:
    if isinstance(found, Measurement):
        yield found
    elif isinstance(found, BaseModel):
        for name in type(found).model_fields:
            yield from measurements(getattr(found, name))
    elif isinstance(found, tuple):
        for value in found:
            yield from measurements(value)


def measured(metric: Metric, rows: Rows) -> object:
    """What a metric gives; an `InputError` counts as an answer."""
    try:
        return metric(rows)
    except InputError:
        return None


def holds(metric: Metric, rows: Rows, low: float, high: float) -> None:
    found = measured(metric, rows)
    for path, number in numbers(found):
        assert isfinite(number), path
    for one in measurements(found):
        assert low - 1e-9 <= one.low <= one.value <= one.high <= high + 1e-9
        assert 0 <= one.unscored <= one.n


def same(metric: Metric, rows: Rows, other: Rows) -> None:
    one, two = measured(metric, rows), measured(metric, other)
    assert (one is None) == (two is None)
    assert dict(numbers(one)) == pytest.approx(dict(numbers(two)), abs=1e-9)


def renamed(rows: Rows) -> list[Judged]:
    """Items, groups and judges under other names; items and groups in another order."""
    items = {row.item: f"z{1000 - i}" for i, row in enumerate(rows)}
    authors = {"judge": "the judge", "b": "b", "c": "c"}
    return [
        row.model_copy(
            update={
                "item": items[row.item],
                "group": row.group and f"other {row.group}",
                "judge": authors["judge"],
                "authors": tuple(authors[name] for name in row.authors),
            }
        )
        for row in rows
    ]


def mixed(rows: Rows, shuffler: random.Random) -> list[Judged]:
    return shuffler.sample(list(rows), len(rows))


@pytest.mark.parametrize("name", VERDICTS)
@given(verdict_rows, st.randoms(use_true_random=False))
@EXAMPLES
def test_a_metric_of_verdicts_keeps_its_promises(
    name: str, drawn: list[dict[str, object]], shuffler: random.Random
) -> None:
    metric, low, high = VERDICTS[name]
    rows = verdicts_of(drawn)
    holds(metric, rows, low, high)
    same(metric, rows, mixed(rows, shuffler))
    same(metric, rows, renamed(rows))


@pytest.mark.parametrize("name", PAIRS)
@given(pair_rows, st.randoms(use_true_random=False))
@EXAMPLES
def test_a_metric_of_pairs_keeps_its_promises(
    name: str, drawn: list[dict[str, object]], shuffler: random.Random
) -> None:
    metric, low, high = PAIRS[name]
    rows = pairs_of(drawn)
    holds(metric, rows, low, high)
    same(metric, rows, mixed(rows, shuffler))
    same(metric, rows, renamed(rows))


@given(pair_rows)
@settings(max_examples=15, deadline=None)
def test_elo_is_finite_and_within_its_interval(drawn: list[dict[str, object]]) -> None:
    metric, low, high = ORDERED["Elo"]
    holds(metric, pairs_of(drawn), low, high)


@pytest.mark.parametrize("name", [*VERDICTS, *PAIRS, *ORDERED])
def test_no_rows_are_refused_with_a_message(name: str) -> None:
    metric = {**VERDICTS, **PAIRS, **ORDERED}[name][0]
    with pytest.raises(InputError, match=r"\w+ \w+"):
        metric([])


@pytest.mark.parametrize("name", ["detection", "agreement", "first wrong step", "calibration error"])
def test_what_could_not_be_read_is_counted(name: str) -> None:
    said: list[str | None] = ["correct", "incorrect", None, "incorrect", None]
    rows = [
        Judged(
            item=str(i),
            gold="incorrect" if i % 2 else "correct",
            said=one,
            score=None if one is None else 0.5,
            stepwise=True,
        )
        for i, one in enumerate(said)
    ]
    for one in measurements(VERDICTS[name][0](rows)):
        assert (one.n, one.unscored) in {(5, 2), (3, 2), (2, 0)}


@given(verdict_rows)
@EXAMPLES
def test_the_names_of_the_classes_do_not_matter(drawn: list[dict[str, object]]) -> None:
    rows = verdicts_of(drawn)
    names = {"correct": "zebra", "incorrect": "ape", "unsure": "newt", None: None}
    other = [row.model_copy(update={"gold": names[row.gold], "said": names[row.said]}) for row in rows]
    given, named = measured(agreement, rows), measured(agreement, other)
    # The draws of an interval may differ; the figures may not.
    assert [one.value for one in measurements(given)] == pytest.approx(
        [one.value for one in measurements(named)]
    )
    one = measured(lambda given: detection(given), rows)
    two = measured(lambda given: detection(given, positive="ape", negative="zebra"), other)
    assert dict(numbers(one)) == pytest.approx(dict(numbers(two)))
