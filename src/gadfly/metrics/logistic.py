"""The logistic model that length bias and length-controlled win rates share."""

import numpy as np

from gadfly.metrics.intervals import Floats

_STEPS, _CLOSE, _FAR = 100, 1e-10, 30.0


def probability(logits: Floats) -> Floats:
    """1 / (1 + exp(-logits)), without overflow."""
    return np.exp(-np.logaddexp(0.0, -logits))


def fit_logistic(features: Floats, wanted: Floats, *, penalty: float = 0.0) -> Floats | None:
    """Weights of least cross-entropy to shares from 0 to 1, plus `penalty` / 2 times their squares.

    Newton's method: the sum is convex, and whole steps are halved while they would lead upwards. A term
    that never varies, or repeats another, has no curvature of its own without a penalty: least squares
    keeps the weights small. Features have shape (n, k). None where no finite weights are best: without
    a penalty, where the features foretell every outcome.
    """
    weights = np.zeros(features.shape[1])
    loss = _loss(features, wanted, weights, penalty)
    for _ in range(_STEPS):
        logits = features @ weights
        if penalty == 0 and np.abs(logits).max() > _FAR:
            return None
        predicted = probability(logits)
        slope = features.T @ (predicted - wanted) + penalty * weights
        curve = (features.T * (predicted * (1 - predicted))) @ features + penalty * np.eye(len(weights))
        step = np.linalg.lstsq(curve, slope)[0]
        size, bound = 1.0, loss + 1e-12 * abs(loss)
        while (found := _loss(features, wanted, weights - size * step, penalty)) > bound and size > 1e-9:
            size /= 2
        weights, loss = weights - size * step, found
        if np.abs(step).max() < _CLOSE * max(1.0, float(np.abs(weights).max())):
            return weights
    return None


def _loss(features: Floats, wanted: Floats, weights: Floats, penalty: float) -> float:
    """Total cross-entropy of soft labels, plus the penalty."""
    logits = features @ weights
    losses = np.logaddexp(0.0, logits) - wanted * logits
    return float(losses.sum() + penalty / 2 * (weights**2).sum())
