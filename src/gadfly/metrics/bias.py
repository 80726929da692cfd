"""Biases of a judge: for the longer answer, and for its own.

Each is what the judge does beyond what people (or an exact check) say of the same pairs: a judge
that likes long answers no more than people do has no bias here. Models that resemble the judge are
in `gadfly.metrics.similarity`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from statistics import NormalDist
from typing import Literal, TypeAlias

import numpy as np

from gadfly.errors import InputError
from gadfly.metrics.intervals import Floats, cluster_sums, mean_interval
from gadfly.metrics.judged import Judged, Rows
from gadfly.metrics.logistic import fit_logistic, probability
from gadfly.metrics.measurement import Measurement
from gadfly.metrics.proportions import Unreadable
from gadfly.records import Record

Ties: TypeAlias = Literal["half", "left out"]
PLACES = ("first", "second", "third", "fourth", "fifth")
"""Labels of the answers by place in `authors` and `lengths`."""


class LengthBias(Record):
    """How much more than people a judge decides for the longer answer."""

    excess: Measurement
    """Share of decisions for the longer answer, less the share that gold gives it."""
    slope: Measurement | None
    """Log odds of saying first for one unit of log(length first / length second), gold held equal.

    None where no finite slope fits: gold and length together foretell every decision.
    """


class SelfPreference(Record):
    """How much more than people a judge prefers its own author's answers."""

    excess: Measurement
    """`judge` less `people`."""
    judge: float
    """Share of decisions for its own answer, a tie half."""
    people: float
    """Share of gold labels for that answer, a tie half."""
    undue: Measurement | None
    """Share of decisions for its own answer where people prefer the other; None: no such pair."""


class SelfRecognition(Record):
    """Whether a model that was asked which answer is its own picks it more often than by chance."""

    accuracy: Measurement
    chance: float
    """Mean of one over the number of answers."""
    excess: Measurement
    """Accuracy less chance, row by row."""
    shown_first: Measurement
    """Share of picks of the place that was shown first, less chance: position bias."""


def length_bias(
    rows: Rows, *, ties: Ties = "half", level: float = 0.95, resamples: int | None = None, seed: int = 0
) -> LengthBias:
    """Length bias over the pairs that have gold, two unequal lengths and a decision.

    The slope is of a logistic regression of "says first" on the log ratio of lengths and on gold
    (+1 first, 0 tie, -1 second), with a constant that takes up position bias; its interval is
    Wald's with errors clustered by `row.cluster`. Under `ties="half"` a tie is half a first.

    Length-controlled AlpacaEval (arXiv:2404.04475) fits a like model to debias a win
    rate: with the tanh of a standardised difference of lengths and a term for the model and the
    instruction. Ours has gold in their place and measures the judge.

    Raises:
        InputError: no pair can be used, or a label is not first, second or tie.
    """
    pairs = [row for row in rows if _unequal(row) and row.gold is not None]
    decided = [row for row in pairs if row.said is not None and (ties == "half" or row.said != "tie")]
    if not decided:
        raise InputError("length bias needs pairs with gold, two unequal lengths and a decision")
    longer = [int(row.lengths[1] > row.lengths[0]) for row in decided]
    excess = _paired(decided, longer, level=level, resamples=resamples, seed=seed)
    missing = sum(row.said is None for row in pairs)
    return LengthBias(
        excess=_with_unscored(excess, missing),
        slope=_slope(decided, _pair_terms(decided), level, missing),
    )


def length_slope(rows: Rows, *, level: float = 0.95) -> Measurement | None:
    """Length bias of verdicts on single answers: whether a longer one is more often called correct.

    Log odds of saying correct for one unit of log(length), gold held equal: 0.69 times it is what twice
    the length adds. Of a logistic regression with a constant, `unsure` being half a correct; Wald's
    interval with errors clustered by `row.cluster`. None where no finite slope fits.

    Raises:
        InputError: fewer than two rows have gold, a length and a verdict, or a label is none of
            correct, incorrect and unsure.
    """
    answers = [row for row in rows if row.gold is not None and len(row.lengths) == 1]
    decided = [row for row in answers if row.said is not None]
    if len(decided) < 2:
        raise InputError("a slope over length needs two verdicts or more on answers with gold and a length")
    terms = _Terms(
        length=[log(max(row.lengths[0], 1)) for row in decided],
        gold=[2 * _worth(row.gold) - 1 for row in decided],
        said=[_worth(row.said) for row in decided],
    )
    return _slope(decided, terms, level, len(answers) - len(decided))


def self_preference(
    rows: Rows,
    *,
    own: Mapping[str, str] | None = None,
    level: float = 0.95,
    resamples: int | None = None,
    seed: int = 0,
) -> SelfPreference:
    """Self-preference over the pairs of which the judge wrote exactly one answer.

    `own` maps a judge to what `authors` call it; the judge's own name where it is not in it.

    Panickssery et al. (arXiv:2404.13076) measure self-preference by the judge's confidence in its own
    summary and take people to find both equal; ours takes the label, and people's label of the same pair.

    Raises:
        InputError: no such pair has both gold and a decision, or a label is unknown.
    """
    pairs = [
        row for row in rows if row.gold is not None and len(row.authors) == 2 and _own(row, own) is not None
    ]
    decided = [row for row in pairs if row.said is not None]
    if not decided:
        raise InputError("self-preference needs decided pairs with gold, one answer of which is the judge's")
    places = [_own(row, own) or 0 for row in decided]
    excess = _paired(decided, places, level=level, resamples=resamples, seed=seed)
    said = [_share(row.said, place) for row, place in zip(decided, places, strict=True)]
    gold = [_share(row.gold, place) for row, place in zip(decided, places, strict=True)]
    lost = [index for index, share in enumerate(gold) if share == 0]
    undue = (
        mean_interval(
            [said[index] for index in lost],
            clusters=[decided[index].cluster for index in lost],
            level=level,
            resamples=resamples,
            seed=seed,
        )
        if lost
        else None
    )
    unread = sum(row.said is None and _share(row.gold, _own(row, own) or 0) == 0 for row in pairs)
    return SelfPreference(
        excess=_with_unscored(excess, len(pairs) - len(decided)),
        judge=sum(said) / len(said),
        people=sum(gold) / len(gold),
        undue=None if undue is None else _with_unscored(undue, unread),
    )


def self_recognition(
    rows: Rows,
    *,
    own: Mapping[str, str] | None = None,
    unreadable: Unreadable = "left out",
    level: float = 0.95,
    resamples: int | None = None,
    seed: int = 0,
) -> SelfRecognition:
    """Accuracy of picking one's own answer among two to five, against chance.

    `said` is here the answer that the judge says it wrote. A row counts where the judge wrote
    exactly one answer; a judge that names none ("tie", or unreadable) is unscored.

    Davidson et al. (arXiv:2407.06946) report accuracy by number of options with the order drawn at
    random; ours puts all rows together, each against its own chance, and gives the pull of the
    first place beside it. Show both orders: then the pull of a place cancels in the accuracy.

    Raises:
        InputError: no row counts, or a row has more than five answers.
    """
    asked = [row for row in rows if len(row.authors) > 1 and _own(row, own) is not None]
    answered = [row for row in asked if row.said in PLACES[: len(row.authors)]]
    counted = asked if unreadable == "wrong" else answered
    if not answered:
        raise InputError("self-recognition needs rows with a pick, one answer of which is the judge's")
    if any(len(row.authors) > len(PLACES) for row in asked):
        raise InputError(f"self-recognition reads at most {len(PLACES)} answers a row")
    right = [float(row.said == PLACES[_own(row, own) or 0]) for row in counted]
    chance = [1 / len(row.authors) for row in counted]
    first = [
        float(row.said == PLACES[len(row.authors) - 1 if row.swapped else 0]) - 1 / len(row.authors)
        for row in answered
    ]

    def mean(values: Sequence[float], units: Sequence[Judged]) -> Measurement:
        labels = [row.cluster for row in units]
        found = mean_interval(values, clusters=labels, level=level, resamples=resamples, seed=seed)
        return found.model_copy(update={"n": len(asked), "unscored": len(asked) - len(answered)})

    return SelfRecognition(
        accuracy=mean(right, counted),
        chance=sum(chance) / len(chance),
        excess=mean([hit - luck for hit, luck in zip(right, chance, strict=True)], counted),
        shown_first=mean(first, answered),
    )


# ---------------------------------------------------------------- what a label says


def _share(label: str | None, place: int) -> float:
    """What a label gives the answer at a place of a pair: 1, 0, or half for a tie."""
    if label == "tie":
        return 0.5
    if label not in PLACES[:2]:
        raise InputError(f"a judgement of a pair says 'first', 'second' or 'tie', not {label!r}")
    return float(label == PLACES[place])


def _worth(label: str | None) -> float:
    """What a verdict on one answer is worth to it."""
    found = {"correct": 1.0, "incorrect": 0.0, "unsure": 0.5}.get(label or "")
    if found is None:
        raise InputError(f"a verdict on one answer says correct, incorrect or unsure, not {label!r}")
    return found


def _own(row: Judged, own: Mapping[str, str] | None) -> int | None:
    """Place of the answer that the judge wrote; None where it wrote none, or several."""
    name = (own or {}).get(row.judge, row.judge)
    return row.authors.index(name) if name and row.authors.count(name) == 1 else None


def _unequal(row: Judged) -> bool:
    return len(row.lengths) == 2 and row.lengths[0] != row.lengths[1]


def _paired(
    rows: Rows, places: Sequence[int], *, level: float, resamples: int | None, seed: int
) -> Measurement:
    """Mean over pairs of what the judge gives the answer at its place, less what gold gives it."""
    more = [
        _share(row.said, place) - _share(row.gold, place) for row, place in zip(rows, places, strict=True)
    ]
    clusters = [row.cluster for row in rows]
    return mean_interval(more, clusters=clusters, level=level, resamples=resamples, seed=seed)


def _with_unscored(found: Measurement, missing: int) -> Measurement:
    return found.model_copy(update={"n": found.n + missing, "unscored": missing})


# ---------------------------------------------------------------- the slope


@dataclass(frozen=True, kw_only=True)
class _Terms:
    """What the slope is fitted to, a number a row."""

    length: Sequence[float]
    """Logarithm of a length, or of a ratio of two."""
    gold: Sequence[float]
    said: Sequence[float]


def _pair_terms(rows: Rows) -> _Terms:
    # An empty answer counts as one character: its logarithm has to exist.
    return _Terms(
        length=[log(max(row.lengths[0], 1) / max(row.lengths[1], 1)) for row in rows],
        gold=[2 * _share(row.gold, 0) - 1 for row in rows],
        said=[_share(row.said, 0) for row in rows],
    )


def _slope(rows: Rows, terms: _Terms, level: float, missing: int) -> Measurement | None:
    response = np.array(terms.said)
    columns = np.column_stack([terms.length, np.ones(len(rows)), terms.gold])
    if np.linalg.matrix_rank(columns) < columns.shape[1]:
        # Gold that never varies is the constant already.
        columns = columns[:, :2]
    if np.linalg.matrix_rank(columns) < columns.shape[1]:
        return None
    weights = fit_logistic(columns, response)
    if weights is None:
        return None
    error = _clustered_error(columns, response, weights, [row.cluster for row in rows])
    if not np.isfinite(error):
        return None
    reach = NormalDist().inv_cdf((1 + level) / 2) * error
    value = float(weights[0])
    return Measurement(
        value=value, low=value - reach, high=value + reach, n=len(rows) + missing, unscored=missing
    )


def _clustered_error(columns: Floats, response: Floats, weights: Floats, clusters: Sequence[str]) -> float:
    """Standard error of the first weight, sound where rows of one cluster depend on one another."""
    chance = probability(columns @ weights)
    bread = np.linalg.inv((columns * (chance * (1 - chance))[:, None]).T @ columns)
    scores = cluster_sums(columns * (response - chance)[:, None], clusters)
    groups = len(scores)
    inflated = groups / (groups - 1) if groups > 1 else 1.0
    return float(np.sqrt(inflated * (bread @ scores.T @ scores @ bread)[0, 0]))
