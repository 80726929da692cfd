"""Judges of pairs that saw every pair in both orders: accuracy, agreement, bias for a place, ties.

Rows are `Judged`: `said` and `gold` are `first`, `second` or `tie` and name answers, not places, and
`swapped` marks the decision made with the answers in the other order. Rows of one judge and one item
are one pair. An order that has no row counts as unreadable. Intervals resample `group`s of pairs,
where rows have one; a share of pairs that are groups of their own gets Wilson's interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from gadfly.errors import InputError
from gadfly.metrics.clustering import share
from gadfly.metrics.judged import Judged, Rows
from gadfly.metrics.measurement import Measurement
from gadfly.metrics.proportions import Unreadable
from gadfly.records import Record

Orders: TypeAlias = Literal["plain", "swapped", "mean", "both", "sum"]
"""Which decisions make a pair right.

- `"plain"`, `"swapped"`: the one made in that order.
- `"mean"`: each of the two is worth half.
- `"both"`: both have to be right.
- `"sum"`: they vote, +1 for the first answer, -1 for the second, 0 for a tie; the sum has to favour
  what people prefer (JudgeBench, arXiv:2410.12784).
"""
Ties: TypeAlias = Literal["wrong", "half", "left out"]
"""A judge's tie where people prefer one answer: wrong, half right, or left out with what people tie on.

Under `"wrong"` and `"half"` a tie is right where people call one.
"""
Alike: TypeAlias = Literal["equal", "different", "left out"]

_WORTH = {"first": 1, "second": -1, "tie": 0}


class PositionBias(Record):
    """What the place of an answer does to a judge."""

    first_place: Measurement
    """Share of the decisions that prefer an answer for the one shown first; 1/2 is fair."""
    beyond_half: Measurement | None
    """That share less 1/2, among pairs where both orders prefer the same place; None: there is no such pair.

    1/2: always the place shown first. -1/2: always the other.
    """
    contradicting: int
    """Pairs where both orders prefer the same place, so that they prefer different answers."""
    pairs: int
    """Pairs with a decision that prefers an answer in each order."""


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """Both decisions on a pair."""

    gold: str | None
    plain: str | None
    swapped: str | None
    cluster: str
    asked: tuple[bool, bool]
    """Whether there is a row at all, for each order."""

    @property
    def said(self) -> tuple[str | None, str | None]:
        return self.plain, self.swapped

    @property
    def unread(self) -> bool:
        return None in self.said


def accuracy(
    rows: Rows,
    *,
    orders: Orders = "mean",
    unreadable: Unreadable = "wrong",
    ties: Ties = "wrong",
    resamples: int | None = None,
    seed: int = 0,
) -> Measurement:
    """Share of the pairs that are right, under named conventions.

    Pairs without a gold label are left out. `n` counts all others, `unscored` those of them whose
    decision (one of both, where both count) could not be read.

    Raises:
        InputError: no pair is left, an order was never asked, or rows contradict each other.
    """
    pairs = [pair for pair in _pairs(rows) if pair.gold is not None]
    wanted = {"plain": (0,), "swapped": (1,)}.get(orders, (0, 1))
    for place in wanted:
        if pairs and not any(pair.asked[place] for pair in pairs):
            order = ("plain", "swapped")[place]
            raise InputError(f"orders={orders!r} needs decisions in the {order} order; there are none")
    worths = [(_credit(pair, orders, unreadable, ties), pair) for pair in pairs]
    kept = [(value, pair.cluster) for value, pair in worths if value is not None]
    unread = sum(any(pair.said[place] is None for place in wanted) for pair in pairs)
    return _mean(kept, n=len(pairs), unscored=unread, resamples=resamples, seed=seed)


def swap_agreement(
    rows: Rows, *, unreadable: Alike = "different", resamples: int | None = None, seed: int = 0
) -> Measurement:
    """Share of the pairs where both orders say the same, a tie included. Needs no gold label.

    `unreadable` is what a pair counts as where a decision could not be read: `"different"` in any
    case; `"equal"` where neither could, as LLMBar counts (arXiv:2310.07641); or `"left out"`. `n`
    counts the pairs asked in both orders, `unscored` those of them with such a decision.

    Raises:
        InputError: no pair is left, or rows contradict each other.
    """
    pairs = [pair for pair in _pairs(rows) if all(pair.asked)]
    kept = [
        (float(pair.plain == pair.swapped and (not pair.unread or unreadable == "equal")), pair.cluster)
        for pair in pairs
        if not (pair.unread and unreadable == "left out")
    ]
    unread = sum(pair.unread for pair in pairs)
    return _mean(kept, n=len(pairs), unscored=unread, resamples=resamples, seed=seed)


def position_bias(rows: Rows, *, resamples: int | None = None, seed: int = 0) -> PositionBias:
    """How much a judge favours the place shown first. Ties and unreadable decisions take no part.

    Raises:
        InputError: no decision prefers an answer, or rows contradict each other.
    """
    pairs = _pairs(rows)
    places = [(_place(pair.plain, 0), _place(pair.swapped, 1), pair.cluster) for pair in pairs]
    decided = [(value, cluster) for *both, cluster in places for value in both if value is not None]
    unread = sum(
        asked and said is None for pair in pairs for asked, said in zip(pair.asked, pair.said, strict=True)
    )
    settled = [(one, cluster) for one, other, cluster in places if one is not None and other is not None]
    contradicting = [(one, cluster) for one, other, cluster in places if one is not None and one == other]
    beyond: Measurement | None = None
    if contradicting:
        found = _mean(contradicting, n=len(contradicting), unscored=0, resamples=resamples, seed=seed)
        beyond = found.model_copy(
            update={"value": found.value - 0.5, "low": found.low - 0.5, "high": found.high - 0.5}
        )
    return PositionBias(
        first_place=_mean(decided, n=len(decided) + unread, unscored=unread, resamples=resamples, seed=seed),
        beyond_half=beyond,
        contradicting=len(contradicting),
        pairs=len(settled),
    )


def tie_rate(
    rows: Rows,
    *,
    unreadable: Literal["no tie", "left out"] = "left out",
    resamples: int | None = None,
    seed: int = 0,
) -> Measurement:
    """Share of the decisions, both orders alike, that call a tie.

    Raises:
        InputError: no decision is left, or rows contradict each other.
    """
    asked = [
        (said, pair.cluster)
        for pair in _pairs(rows)
        for there, said in zip(pair.asked, pair.said, strict=True)
        if there
    ]
    kept = [
        (float(said == "tie"), cluster)
        for said, cluster in asked
        if said is not None or unreadable == "no tie"
    ]
    unread = sum(said is None for said, _ in asked)
    return _mean(kept, n=len(asked), unscored=unread, resamples=resamples, seed=seed)


# ---------------------------------------------------------------- pairs


def _pairs(rows: Rows) -> list[_Pair]:
    by_pair: dict[tuple[str, str], dict[bool, Judged]] = {}
    for row in rows:
        for label in (row.gold, row.said):
            if label is not None and label not in _WORTH:
                raise InputError(f"item {row.item!r}: {label!r} is none of first, second and tie")
        both = by_pair.setdefault((row.judge, row.item), {})
        if row.swapped in both:
            order = "swapped" if row.swapped else "plain"
            raise InputError(f"item {row.item!r} was judged twice in the {order} order; give one row of each")
        both[row.swapped] = row
    return [_pair(item, both) for (_, item), both in by_pair.items()]


def _pair(item: str, both: dict[bool, Judged]) -> _Pair:
    gold = {row.gold for row in both.values()}
    if len(gold) > 1:
        raise InputError(f"item {item!r} has different gold labels in its two orders")
    plain, swapped = both.get(False), both.get(True)
    return _Pair(
        gold=gold.pop(),
        plain=plain.said if plain else None,
        swapped=swapped.said if swapped else None,
        cluster=next(iter(both.values())).cluster,
        asked=(plain is not None, swapped is not None),
    )


def _place(said: str | None, order: int) -> float | None:
    """1 where the decision is for the place shown first, 0 for the other; None where for neither."""
    if said is None or said == "tie":
        return None
    return float((said == "first") == (order == 0))


# ---------------------------------------------------------------- credit


def _credit(pair: _Pair, orders: Orders, unreadable: Unreadable, ties: Ties) -> float | None:
    """What a pair is worth, 0 to 1; None: it is left out."""

    def worth(said: str | None) -> float | None:
        return _worth(pair.gold, said, unreadable, ties)

    if orders == "plain" or orders == "swapped":
        return worth(pair.plain if orders == "plain" else pair.swapped)
    if orders == "sum":
        read = [said for said in pair.said if said is not None]
        total = sum(_WORTH[said] for said in read)
        voted = "first" if total > 0 else "second" if total < 0 else "tie"
        return worth(voted if read else None)
    found = [value for value in map(worth, pair.said) if value is not None]
    if not found:
        return None
    return sum(found) / len(found) if orders == "mean" else min(found)


def _worth(gold: str | None, said: str | None, unreadable: Unreadable, ties: Ties) -> float | None:
    if ties == "left out" and "tie" in (gold, said):
        return None
    if said is None:
        return 0.0 if unreadable == "wrong" else None
    if said == "tie" and gold != "tie" and ties == "half":
        return 0.5
    return float(said == gold)


# ---------------------------------------------------------------- intervals


def _mean(
    kept: Sequence[tuple[float, str]], *, n: int, unscored: int, resamples: int | None, seed: int
) -> Measurement:
    """Mean of values with their clusters."""
    if not kept:
        raise InputError("no pair can be used: none has a label and a decision that counts")
    values, clusters = [value for value, _ in kept], [cluster for _, cluster in kept]
    found = share(values, clusters, resamples=resamples, seed=seed)
    return found.model_copy(update={"n": n, "unscored": unscored})
