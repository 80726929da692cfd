"""How often one model's answers are preferred to a baseline's, and what is left of it at equal length.

A preference belongs to one instruction. Its `coding` is named: `"share"` runs from 0 (the baseline's
answer is better) to 1 (the model's), `"1 or 2"` from 1 to 2, where 0, an old sign for a draw, means 1.5.
The middle is a draw. None is a preference that could not be read; it is left out and counted.

The length-controlled win rate is that of AlpacaEval 2 (arXiv:2404.04475, section 3): a logistic model
of the preference has a term for the model, one for the difference in length and one for the
difficulty of the instruction; the win rate is its mean prediction with the difference in length at 0.
"""

from collections.abc import Hashable, Sequence
from math import isfinite
from typing import Literal, TypeAlias

import numpy as np

from gadfly.errors import InputError
from gadfly.metrics.clustering import standard_error
from gadfly.metrics.intervals import mean_interval
from gadfly.metrics.logistic import fit_logistic, probability
from gadfly.metrics.measurement import Measurement
from gadfly.records import Record

Coding: TypeAlias = Literal["share", "1 or 2"]
Ties: TypeAlias = Literal["half", "wrong", "left out"]
"""What a draw is worth to the model: half a win, nothing (`wrong`), or its case is dropped."""


class WinRate(Record):
    """A model against a baseline. Rates are shares of 1."""

    rate: Measurement
    """Mean preference for the model; n are the preferences, unread ones included."""
    standard_error: float | None
    """Of `rate`: sample standard deviation over the square root of the cases, or robust to clusters, as
    `clustering.standard_error` has it; None for a single case or cluster."""
    discrete: Measurement
    """The same of preferences rounded to a win, a loss or a draw."""
    wins: int
    losses: int
    draws: int

    @property
    def read(self) -> int:
        """Preferences that could be read."""
        return self.wins + self.losses + self.draws


class LengthWeights(Record):
    """Weights of the logistic model of one model's preferences against a baseline."""

    model: float
    """The term that is always there: above 0 where the model is better."""
    length: float = 0.0
    """Of `length_feature`: below 0 where the longer answer is preferred."""
    difficulty: float = 0.0
    """Of the instruction's difficulty."""

    def against(self, other: "LengthWeights") -> "LengthWeights":
        """The model against another whose weights are against the same baseline."""
        return LengthWeights(
            model=self.model - other.model,
            length=self.length - other.length,
            difficulty=self.difficulty - other.difficulty,
        )


def shares(preferences: Sequence[float | None], *, coding: Coding = "share") -> list[float | None]:
    """Preferences as shares from 0 to 1.

    Raises:
        InputError: a preference lies outside of its coding.
    """
    return [None if value is None else _share(value, coding) for value in preferences]


def win_rate(
    preferences: Sequence[float | None],
    *,
    coding: Coding = "share",
    ties: Ties = "half",
    clusters: Sequence[Hashable] | None = None,
    resamples: int | None = None,
    seed: int = 0,
) -> WinRate:
    """Mean preference for the model, and wins, losses and draws.

    With `clusters` (one label a preference) the intervals resample whole clusters, and the standard error
    is robust to them.

    Raises:
        InputError: no preference can be read, one lies outside of its coding, or labels do not match.
    """
    if clusters is not None and len(clusters) != len(preferences):
        raise InputError(f"{len(clusters)} cluster labels for {len(preferences)} preferences")
    whole = shares(preferences, coding=coding)
    labels = clusters or range(len(whole))
    read = [(value, label) for value, label in zip(whole, labels, strict=True) if value is not None]
    kept = [(value, label) for value, label in read if ties != "left out" or value != 0.5]
    if not kept:
        raise InputError("a win rate needs at least one preference that can be read and counts")
    worth = [0.0 if ties == "wrong" and value == 0.5 else value for value, _ in kept]
    rounded = [value if value == 0.5 else float(value > 0.5) for value in worth]
    kept_labels = [label for _, label in kept] if clusters is not None else None

    def measured(values: Sequence[float]) -> Measurement:
        found = mean_interval(values, clusters=kept_labels, resamples=resamples, seed=seed)
        return found.model_copy(update={"n": len(whole), "unscored": len(whole) - len(read)})

    return WinRate(
        rate=measured(worth),
        standard_error=standard_error(worth, kept_labels),
        discrete=measured(rounded),
        wins=sum(value > 0.5 for value, _ in read),
        losses=sum(value < 0.5 for value, _ in read),
        draws=sum(value == 0.5 for value, _ in read),
    )


# ---------------------------------------------------------------- length control


def length_feature(baseline: Sequence[int], model: Sequence[int]) -> list[float]:
    """Per instruction, tanh of the baseline's length less the model's, over its sample deviation.

    0 throughout where the difference never varies.

    Raises:
        InputError: there are not as many lengths of the one as of the other.
    """
    if len(baseline) != len(model):
        raise InputError(f"{len(baseline)} lengths of the baseline for {len(model)} of the model")
    apart = np.array(baseline, dtype=np.float64) - np.array(model, dtype=np.float64)
    spread = float(np.std(apart, ddof=1)) if len(apart) > 1 else 0.0
    return np.tanh(apart / spread).tolist() if spread > 0 else [0.0] * len(apart)


def equal_length_preferences(weights: LengthWeights, difficulties: Sequence[float]) -> list[float]:
    """What the logistic model predicts for each instruction were both answers equally long."""
    return probability(weights.model + weights.difficulty * np.array(difficulties, dtype=np.float64)).tolist()


def length_controlled(
    weights: LengthWeights, difficulties: Sequence[float], *, resamples: int | None = None, seed: int = 0
) -> Measurement:
    """The length-controlled win rate, a share of 1: mean of `equal_length_preferences`.

    The interval resamples instructions with the weights held fixed, so it leaves their own error out.

    Raises:
        InputError: there is no instruction.
    """
    return mean_interval(equal_length_preferences(weights, difficulties), resamples=resamples, seed=seed)


def fit_length_control(
    preferences: Sequence[float | None],
    *,
    length: Sequence[float],
    difficulties: Sequence[float] | None = None,
    coding: Coding = "share",
    penalty: float = 0.1,
) -> LengthWeights:
    """Fit the logistic model to one model's preferences.

    Least total cross-entropy to the preferences plus `penalty` / 2 times the sum of the squared
    weights, by Newton's method; a penalty above 0 keeps the weights finite where a model always wins.
    The leaderboard's own fit has an L1 penalty whose strength is found by cross-validation, and adds
    preferences of a verbose and a concise baseline with weight 0.2; ours has neither.

    Args:
        preferences: One an instruction; what could not be read takes no part.
        length: `length_feature` of the same instructions.
        difficulties: Of the same instructions; None leaves the term out.
        coding: Of the preferences.
        penalty: Strength of the L2 penalty.

    Raises:
        InputError: the lengths differ, no preference can be read, or no finite fit is found.
    """
    hard = [0.0] * len(preferences) if difficulties is None else difficulties
    if not len(preferences) == len(length) == len(hard):
        raise InputError(
            f"{len(preferences)} preferences, {len(length)} lengths and {len(hard)} difficulties: "
            "give one of each an instruction"
        )
    if penalty < 0:
        raise InputError(f"a penalty of {penalty} is below 0")
    whole = shares(preferences, coding=coding)
    read = [index for index, value in enumerate(whole) if value is not None]
    if not read:
        raise InputError("a fit needs at least one preference that can be read")
    wanted = np.array([whole[index] for index in read], dtype=np.float64)
    features = np.array([[1.0, length[index], hard[index]] for index in read], dtype=np.float64)
    fitted = fit_logistic(features, wanted, penalty=penalty)
    if fitted is None:
        raise InputError("the length-controlled fit does not settle; give it a penalty above 0")
    model, by_length, difficulty = fitted.tolist()
    return LengthWeights(model=model, length=by_length, difficulty=difficulty)


def _share(value: float, coding: Coding) -> float:
    found = (0.5 if value == 0 else value - 1.0) if coding == "1 or 2" else float(value)
    if not isfinite(found) or not 0.0 <= found <= 1.0:
        wanted = "1 to 2, or 0 for a draw" if coding == "1 or 2" else "0 to 1"
        raise InputError(f"the preference {value} is outside of {wanted} (coding={coding!r})")
    return found
