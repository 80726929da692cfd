"""Which items are worth a person's label: a predictor of quality from label mixtures, and its use.

Miranda et al. 2024, "Hybrid Preferences: Learning to Route Instances for Human vs. AI Feedback",
arXiv:2410.19133: many mixtures of human and model labels are made from items that carry both, each is
given a quality (there: the score of a reward model trained on it), and a regression learns quality from
what kinds of items went to people. An item's gain is what the prediction rises by when its label
alone comes from a person.
"""

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gadfly.errors import InputError
from gadfly.records import Record

Floats: TypeAlias = NDArray[np.float64]
Degree: TypeAlias = Literal["linear", "quadratic"]


class Mixture(Record):
    """One mixture of labels, and how good it turned out."""

    to_person: tuple[bool, ...]
    """For each item of the set, whether its label is the person's."""
    quality: float
    """Higher is better: accuracy of the labels, or of what was trained on them."""


class Predictor(Record):
    """A regression of a mixture's quality on the items that went to people."""

    coefficients: tuple[float, ...]
    """Of the share of items that went to people, then of each feature's mean over the set with zeros for
    the others; quadratic: then of the squares of all these."""
    intercept: float
    items: int
    """Size of the set it was fitted on."""
    degree: Degree
    residual: float
    """Root of the mean squared error on the mixtures it was fitted on."""


def draw_mixtures(
    size: int, count: int, quality: Callable[[Sequence[bool]], float], *, seed: int
) -> tuple[Mixture, ...]:
    """Random mixtures of all shares from none to all, with their quality.

    Raises:
        InputError: there are no items or no mixtures.
    """
    if size < 1 or count < 1:
        raise InputError("mixtures need at least one item and one mixture")
    generator = np.random.default_rng(seed)
    made: list[Mixture] = []
    for _ in range(count):
        routed = generator.random(size) < generator.random()
        chosen = tuple(bool(flag) for flag in routed)
        made.append(Mixture(to_person=chosen, quality=quality(chosen)))
    return tuple(made)


def fit_predictor(
    features: ArrayLike, mixtures: Sequence[Mixture], *, degree: Degree = "linear", ridge: float = 1e-6
) -> Predictor:
    """The regression of quality on mixtures, by least squares with a small ridge.

    Args:
        features: Shape (items, k), of any scale.
        mixtures: Over these items, in this order.
        degree: Whether squares of the mixture's features are regressors too.
        ridge: Added to the diagonal, relative to it; the intercept goes free.

    Raises:
        InputError: no mixtures, or a mixture of another number of items.
    """
    rows = _matrix(features)
    if not mixtures or any(len(mixture.to_person) != len(rows) for mixture in mixtures):
        raise InputError(f"a predictor needs mixtures of the {len(rows)} items that the features are of")
    chosen = np.array([mixture.to_person for mixture in mixtures], dtype=np.float64)
    regressors = _expanded(chosen @ rows / len(rows), degree)
    target = np.array([mixture.quality for mixture in mixtures])
    centred, level = regressors - regressors.mean(axis=0), float(target.mean())
    gram = centred.T @ centred
    penalty = ridge * (np.diag(gram) + np.trace(gram) / len(gram) * 1e-6) + 1e-15
    solution = np.asarray(np.linalg.solve(gram + np.diag(penalty), centred.T @ (target - level)), np.float64)
    intercept = float(level - regressors.mean(axis=0) @ solution)
    errors: Floats = target - regressors @ solution - intercept
    return Predictor(
        coefficients=tuple(float(value) for value in solution),
        intercept=intercept,
        items=len(rows),
        degree=degree,
        residual=float(np.sqrt((errors**2).mean())),
    )


def predicted_gains(predictor: Predictor, features: ArrayLike) -> Floats:
    """For each item what the predicted quality rises by when it alone goes to a person, times the items.

    Multiplied by the size of the set the predictor was fitted on, gains are per label: shape (items,).
    In a quadratic predictor an item's gain is that of the first label given.
    """
    rows = _matrix(features)
    if _expanded(rows, predictor.degree).shape[1] != len(predictor.coefficients):
        raise InputError(f"{rows.shape[1] - 1} features do not fit the predictor")
    alone = _expanded(rows / predictor.items, predictor.degree)
    return alone @ np.array(predictor.coefficients) * predictor.items


def route(gains: ArrayLike, *, share: float | None = None, count: int | None = None) -> tuple[bool, ...]:
    """The items that go to a person: those of the highest gains, as many as the budget allows.

    Items of equal gain go in their order. Gains need not be above 0: a budget is spent.

    Raises:
        InputError: not exactly one budget is given, or it is out of range.
    """
    values = np.asarray(gains, dtype=np.float64)
    affordable = _budget(len(values), share, count)
    order = np.argsort(-values, kind="stable")
    chosen = np.zeros(len(values), dtype=bool)
    chosen[order[:affordable]] = True
    return tuple(bool(flag) for flag in chosen)


def threshold_for(gains: ArrayLike, *, share: float) -> float:
    """The gain from which on an item goes to a person, so that about this share of such items does.

    For routing items one by one, as they come. With a share of 0 it lies above every gain given.

    Raises:
        InputError: no gains, or a share outside 0 to 1.
    """
    values = np.sort(np.asarray(gains, dtype=np.float64))[::-1]
    affordable = _budget(len(values), share, None)
    if not len(values):
        raise InputError("a threshold needs gains to be set by")
    if affordable == 0:
        return float(np.nextafter(values[0], np.inf))
    return float(values[affordable - 1])


def _budget(size: int, share: float | None, count: int | None) -> int:
    if (share is None) == (count is None):
        raise InputError("routing needs a budget: a share or a count, and not both")
    if share is not None and not 0 <= share <= 1:
        raise InputError(f"the share of items that go to a person is from 0 to 1, not {share:g}")
    if count is not None and count < 0:
        raise InputError(f"the count of items that go to a person cannot be {count}")
    return round(share * size) if share is not None else min(count or 0, size)


def _matrix(features: ArrayLike) -> Floats:
    """Features with a leading column of ones: the share of items."""
    rows = np.asarray(features, dtype=np.float64)
    if rows.ndim != 2 or not len(rows) or not all(isfinite(value) for value in rows.ravel()):
        raise InputError("features must be finite numbers, one row an item")
    return np.hstack([np.ones((len(rows), 1)), rows])


def _expanded(rows: Floats, degree: Degree) -> Floats:
    return rows if degree == "linear" else np.hstack([rows, rows**2])
