"""How alike two models fail, beyond what their accuracies make likely, and whether judges like their like.

Goel et al. 2025, Great Models Think Alike and this Undermines AI Oversight (arXiv:2502.04313): CAPA,
chance-adjusted probabilistic agreement, and its partial correlation with the scores of a judge.
"""

from collections.abc import Sequence

import numpy as np

from gadfly.errors import InputError
from gadfly.metrics.intervals import Floats, kinds_of, percentile_interval, resampled
from gadfly.metrics.measurement import Measurement
from gadfly.records import Record


class Overlap(Record):
    """Agreement of two models, and what is left of it when chance is taken off."""

    kappa: Measurement
    """1: they always agree; 0: as often as independent models of their accuracies; may be below 0."""
    observed: float
    """Mean probability that both give the same answer."""
    expected: float
    """The same for independent models of these accuracies that spread errors evenly over the options."""
    accuracies: tuple[float, float]


def error_overlap(
    first: Sequence[int],
    second: Sequence[int],
    *,
    gold: Sequence[int],
    options: Sequence[int],
    level: float = 0.95,
    resamples: int | None = None,
    seed: int = 0,
) -> Overlap:
    """CAPA of chosen answers: what two models chose, by item, from 0; `options` counts the choices.

    The discrete form: kappa = (observed - expected) / (1 - expected), with the share of equal answers
    observed and a1 a2 + (1 - a1)(1 - a2) mean(1 / (options - 1)) expected at accuracies a1 and a2.

    Raises:
        InputError: lengths differ, an item has fewer than two options, a choice is none of them, or both
            models are always right: then nothing is left that chance could not explain.
    """
    sizes = {len(first), len(second), len(gold), len(options)}
    if len(sizes) != 1:
        raise InputError(f"as many choices of both models, gold answers and option counts: {sorted(sizes)}")
    columns = (_one_hot(chosen, options) for chosen in (first, second))
    return probable_overlap(*columns, gold=gold, level=level, resamples=resamples, seed=seed)


def probable_overlap(
    first: Sequence[Sequence[float]],
    second: Sequence[Sequence[float]],
    *,
    gold: Sequence[int],
    level: float = 0.95,
    resamples: int | None = None,
    seed: int = 0,
) -> Overlap:
    """CAPA of probabilities over the options, one row of probabilities an item.

    The paper's definition (section 2): observed is the mean over items of the sum over options of
    p1(o) p2(o); an accuracy is the mean probability of the right option. A model that is unsure
    agrees with itself less than always, so its kappa with itself is below 1. The interval
    resamples items; the paper prints none.

    Raises:
        InputError: lengths differ, a row is no distribution over two options or more, a gold answer
            is none of them, or both models are always right.
    """
    if not len(first) == len(second) == len(gold) or not gold:
        raise InputError(
            f"as many rows of both models as gold answers: {len(first)}, {len(second)}, {len(gold)}"
        )
    parts = np.array(
        [_parts(one, other, right) for one, other, right in zip(first, second, gold, strict=True)]
    )
    observed, one, other, spread = (float(mean) for mean in parts.mean(axis=0))
    expected = one * other + (1 - one) * (1 - other) * spread
    if expected >= 1 - 1e-12:
        raise InputError("both models are always right: there is no overlap of errors to measure")
    kinds, times = kinds_of(parts)
    draws = resampled(lambda weights: _kappa(weights @ kinds), times, resamples=resamples, seed=seed)
    value = (observed - expected) / (1 - expected)
    return Overlap(
        kappa=percentile_interval(value, draws, n=len(parts), level=level),
        observed=observed,
        expected=expected,
        accuracies=(one, other),
    )


def similarity_bias(
    scores: Sequence[float],
    similarities: Sequence[float],
    accuracies: Sequence[float],
    *,
    level: float = 0.95,
    resamples: int | None = None,
    seed: int = 0,
) -> Measurement:
    """Partial correlation of a judge's scores of models with their similarity to it, accuracy held equal.

    One entry a model. Above 0: of equally good models, the judge scores those higher that fail as it
    does. The paper tests it for each judge (section 3); the interval here resamples models.

    Raises:
        InputError: lengths differ, there are fewer than four models, or one of the three is constant or
            a straight line of accuracy: then nothing is left to correlate.
    """
    if not len(scores) == len(similarities) == len(accuracies) or len(scores) < 4:
        raise InputError("a partial correlation needs three numbers each of four models or more")
    values = np.array([scores, similarities, accuracies], dtype=np.float64).T
    # Sums of squares lose digits unless the numbers are centred first.
    values = values - values.mean(axis=0)
    count = len(values)
    found = float(_partial(np.full((1, count), 1 / count), values)[0])
    if not np.isfinite(found):
        raise InputError("scores, similarities and accuracies have to vary, and not only with one another")
    kinds, times = kinds_of(values)
    draws = resampled(lambda weights: _partial(weights, kinds), times, resamples=resamples, seed=seed)
    return percentile_interval(found, draws, n=count, level=level)


def _one_hot(chosen: Sequence[int], options: Sequence[int]) -> list[list[float]]:
    for item, (choice, count) in enumerate(zip(chosen, options, strict=True)):
        if not 0 <= choice < count:
            raise InputError(f"item {item}: choice {choice} is none of its {count} options, counted from 0")
    return [
        [float(option == choice) for option in range(n)] for choice, n in zip(chosen, options, strict=True)
    ]


def _parts(first: Sequence[float], second: Sequence[float], right: int) -> tuple[float, float, float, float]:
    """One item: chance of equal answers, of a right one by each, and of meeting on one wrong option."""
    if len(first) != len(second) or len(first) < 2 or not 0 <= right < len(first):
        raise InputError(f"an item with {len(first)} and {len(second)} options and gold {right}")
    for row in (first, second):
        if min(row) < 0 or abs(sum(row) - 1) > 1e-6:
            raise InputError(f"probabilities of the options add up to 1, not {sum(row):g}")
    same = sum(one * other for one, other in zip(first, second, strict=True))
    return same, first[right], second[right], 1 / (len(first) - 1)


def _kappa(means: Floats) -> Floats:
    observed, one, other, spread = means.T
    expected = one * other + (1 - one) * (1 - other) * spread
    left = np.where(expected < 1 - 1e-12, 1 - expected, np.nan)
    return (observed - expected) / left


def _partial(weights: Floats, values: Floats) -> Floats:
    """Partial correlations of columns 0 and 1 given column 2, a row of weights each; nan if undefined."""
    means = weights @ values
    squares = np.einsum("bn,ni,nj->bij", weights, values, values) - means[:, :, None] * means[:, None, :]
    spread = np.diagonal(squares, axis1=1, axis2=2)
    scale = np.where(spread > 1e-12 * values.var(axis=0), spread, np.nan) ** 0.5
    correlation = squares / (scale[:, :, None] * scale[:, None, :])
    with_score, with_similarity = correlation[:, 0, 2], correlation[:, 1, 2]
    left = (1 - with_score**2) * (1 - with_similarity**2)
    left = np.where(left > 1e-12, left, np.nan)
    return np.clip((correlation[:, 0, 1] - with_score * with_similarity) / left**0.5, -1, 1)
