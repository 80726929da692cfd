"""What critiques do to answers: gain, damage and repair apart, rounds, and the room for improvement.

A critique is worth what the answer made with it is worth: RealCritic, arXiv:2501.14492, which takes the
accuracy after correction less that of a direct answer, for critics of their own answers (`self`), of
given ones (`cross`) and over rounds.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
from pydantic import Field

from gadfly.errors import InputError
from gadfly.metrics.clustering import Statistic, drawn_sums, figure_of, ratio
from gadfly.metrics.intervals import Floats, mean_interval, paired_difference
from gadfly.metrics.measurement import Flips, Measurement
from gadfly.metrics.proportions import Unreadable, mcnemar
from gadfly.metrics.rounds import slope_weights
from gadfly.records import Record

Mode: TypeAlias = Literal["self", "cross"]
Against: TypeAlias = Literal["criticised", "first"] | Mapping[str, bool | None]
Stopped: TypeAlias = Literal["stands", "left out"]


class Corrected(Record):
    """One answer before and after one critique of it."""

    item: str
    """The problem. A bootstrap resamples these."""
    before: bool | None
    """Whether the answer that was criticised is right; None: unscored."""
    after: bool | None
    """Whether the answer made with the critique is right."""
    critic: str = ""
    mode: Mode = "self"
    """Whether the critic criticises its own answer or one that was given to it."""
    round: int = Field(default=1, ge=1)
    """Counted from 1. What round 2 criticises is what round 1 made."""
    draw: int = 0
    """Which of several independent attempts at the item."""
    saw_reference: bool = False
    tokens: int = Field(default=0, ge=0)
    """Input and output tokens of critique and correction."""

    @property
    def chain(self) -> tuple[str, str, Mode, int]:
        """What the rounds of one attempt share."""
        return self.item, self.critic, self.mode, self.draw


class Correction(Record):
    """Accuracy after = before * confidence + (1 - before) * critique, exactly (arXiv:2412.19513)."""

    before: Measurement
    after: Measurement
    gain: Measurement
    """After less before."""
    right_to_wrong: Measurement
    """Share of all pairs that a correction broke."""
    wrong_to_right: Measurement
    """Share of all pairs that a correction mended."""
    confidence: Measurement | None
    """CL: share of the right answers that stay right; None where none was right."""
    critique: Measurement | None
    """CS: share of the wrong answers that become right; None where none was wrong."""
    relative: Measurement | None
    """RSS; None where all or none were right before. See `correction`."""
    flips: Flips
    stayed_right: int
    stayed_wrong: int
    saw_reference: bool
    """Whether any of the critics saw the reference."""
    tokens: int


class Gain(Record):
    """What one critic's critiques gave in one mode and round."""

    critic: str
    mode: Mode
    round: int
    after: Measurement
    gain: Measurement
    """Accuracy after correction less that of the baseline, item by item."""
    saw_reference: bool
    tokens: int


# ---------------------------------------------------------------- one correction


def correction(
    records: Sequence[Corrected], *, unreadable: Unreadable = "wrong", level: float = 0.95, seed: int = 0
) -> Correction:
    """How corrections changed answers, damage and repair apart.

    Confidence level CL and critique score CS are pooled over all pairs: with several attempts an item an
    item counts for CL as often as it was right before. The relative self-correction score is
    RSS = (after - before²) / (2 before (1 - before)), where before² and 1 - (1 - before)² are the ends
    that the paper expects of the accuracy after; it is not cut to 0..1 where they are passed.
    All three: arXiv:2412.19513. Intervals resample items; the test of `flips` takes pairs as independent.

    Args:
        records: Usually of one critic, mode and round.
        unreadable: A None counts as not right (`wrong`), or its pair is `left out` of every figure.
        level: Of the intervals.
        seed: Of the resamples.

    Raises:
        InputError: no pair is left.
    """
    kept = [one for one in records if unreadable == "wrong" or None not in (one.before, one.after)]
    if not kept:
        raise InputError("no pair of answers is scored both before and after")
    cells = [2 * (one.before is not True) + (one.after is not True) for one in kept]
    unscored = sum(None in (one.before, one.after) for one in records)
    items = [one.item for one in kept]
    drawn = drawn_sums(np.eye(4)[cells], items, n=len(records), unscored=unscored, seed=seed)

    def measured(statistic: Statistic) -> Measurement | None:
        return figure_of(statistic, drawn, level=level)

    def of_all(*top: int) -> Measurement:
        found = measured(lambda sums: sums @ np.array(top, dtype=np.float64) / sums.sum(axis=1))
        assert found is not None
        return found

    right, lost, gained, wrong = (cells.count(cell) for cell in range(4))
    return Correction(
        before=of_all(1, 1, 0, 0),
        after=of_all(1, 0, 1, 0),
        gain=of_all(0, -1, 1, 0),
        right_to_wrong=of_all(0, 1, 0, 0),
        wrong_to_right=of_all(0, 0, 1, 0),
        confidence=measured(lambda sums: ratio(sums[:, 0], sums[:, 0] + sums[:, 1])),
        critique=measured(lambda sums: ratio(sums[:, 2], sums[:, 2] + sums[:, 3])),
        relative=measured(_relative),
        flips=Flips(right_to_wrong=lost, wrong_to_right=gained, n=len(kept), p_value=mcnemar(gained, lost)),
        stayed_right=right,
        stayed_wrong=wrong,
        saw_reference=any(one.saw_reference for one in records),
        tokens=sum(one.tokens for one in records),
    )


def _relative(sums: Floats) -> Floats:
    n = sums.sum(axis=1)
    before, after = (sums[:, 0] + sums[:, 1]) / n, (sums[:, 0] + sums[:, 2]) / n
    return ratio(after - before**2, 2 * before * (1 - before))


# ---------------------------------------------------------------- critics, modes and rounds


def gains(
    records: Sequence[Corrected],
    *,
    against: Against = "criticised",
    unreadable: Unreadable = "wrong",
    level: float = 0.95,
    seed: int = 0,
) -> tuple[Gain, ...]:
    """Correction gain of every critic, mode and round, in the order of their first record.

    Args:
        records: Of any number of critics, modes and rounds.
        against: The baseline. `criticised`: the answer that the critique was of. `first`: the answer that
            the attempt began with, before its earliest round. Or whether the critic's own direct answer is
            right, by item: RealCritic's baseline; in cross mode it tells whether a given answer helped.
        unreadable: A None counts as not right (`wrong`), or its pair is `left out`.
        level: Of the intervals.
        seed: Of the resamples.

    Raises:
        InputError: an item has no direct answer, a round of an attempt comes twice, or no pair is left.
    """
    first = {chain: rounds[0].before for chain, rounds in _chains(records).items()}
    grouped: dict[tuple[str, Mode, int], list[Corrected]] = {}
    for one in records:
        grouped.setdefault((one.critic, one.mode, one.round), []).append(one)
    made: list[Gain] = []
    for (critic, mode, number), group in grouped.items():
        pairs = [(_baseline(one, against, first), one.after) for one in group]
        kept = [i for i, pair in enumerate(pairs) if unreadable == "wrong" or None not in pair]
        if not kept:
            raise InputError(f"critic {critic!r} has no scored pair of answers in round {number}")
        after = np.array([pairs[i][1] is True for i in kept], dtype=np.float64)
        before = np.array([pairs[i][0] is True for i in kept], dtype=np.float64)
        items = [group[i].item for i in kept]
        counted = {"n": len(group), "unscored": sum(None in pair for pair in pairs)}
        difference = paired_difference(after, before, clusters=items, level=level, seed=seed)
        accuracy = mean_interval(after, clusters=items, level=level, seed=seed)
        made.append(
            Gain(
                critic=critic,
                mode=mode,
                round=number,
                after=accuracy.model_copy(update=counted),
                gain=difference.model_copy(update=counted),
                saw_reference=any(one.saw_reference for one in group),
                tokens=sum(one.tokens for one in group),
            )
        )
    return tuple(made)


def slope_over_rounds(
    records: Sequence[Corrected],
    *,
    stopped: Stopped = "stands",
    unreadable: Unreadable = "wrong",
    level: float = 0.95,
    seed: int = 0,
) -> Measurement:
    """Least-squares slope of accuracy over rounds, in accuracy a round; round 0 is the first answer.

    Every round has the same weight. The interval resamples items.

    Args:
        records: Of one critic and mode.
        stopped: After its last round an attempt's answer `stands` and goes on counting, or the attempt is
            `left out` of later rounds: then those rounds are of harder items.
        unreadable: A None counts as not right (`wrong`), or is `left out` of its round.
        level: Of the interval.
        seed: Of the resamples.

    Raises:
        InputError: there are no records, they are of several critics or modes, a round of an attempt comes
            twice, or a round has no scored answer.
    """
    if len({(one.critic, one.mode) for one in records}) != 1:
        raise InputError("a slope needs the rounds of one critic in one mode; group the records first")
    last = max(one.round for one in records)
    chains = _chains(records)
    answers = np.full((len(chains), last + 1), np.nan)
    unread = 0
    for row, rounds in enumerate(chains.values()):
        known = {0: rounds[0].before} | {one.round: one.after for one in rounds}
        unread += None in known.values()
        for number in range(last + 1):
            at = max(earlier for earlier in known if earlier <= number)
            if (stopped == "stands" or at == number) and (known[at] is not None or unreadable == "wrong"):
                answers[row, number] = known[at] is True
    present = ~np.isnan(answers)
    parts = np.hstack([np.where(present, answers, 0.0), present.astype(np.float64)])
    steps = slope_weights(range(last + 1))

    def slope(sums: Floats) -> Floats:
        return ratio(sums[:, : last + 1], sums[:, last + 1 :]) @ steps

    found = figure_of(
        slope, drawn_sums(parts, [chain[0] for chain in chains], unscored=unread, seed=seed), level=level
    )
    if found is None:
        raise InputError("a round has no scored answer, so there is no slope")
    return found


# ---------------------------------------------------------------- parts


def _baseline(
    one: Corrected, against: Against, first: Mapping[tuple[str, str, Mode, int], bool | None]
) -> bool | None:
    if against == "criticised":
        return one.before
    if against == "first":
        return first[one.chain]
    if one.item not in against:
        raise InputError(f"item {one.item!r} has no direct answer; give one for every item, None if unscored")
    return against[one.item]


def _chains(records: Sequence[Corrected]) -> dict[tuple[str, str, Mode, int], list[Corrected]]:
    """The rounds of every attempt, earliest first."""
    found: dict[tuple[str, str, Mode, int], list[Corrected]] = {}
    for one in records:
        found.setdefault(one.chain, []).append(one)
    for chain, rounds in found.items():
        rounds.sort(key=lambda one: one.round)
        if len({one.round for one in rounds}) < len(rounds):
            raise InputError(
                f"item {chain[0]!r} has a round twice for critic {chain[1]!r}; number its attempts in `draw`"
            )
    return found
