"""Strengths of players from games between two of them: Bradley-Terry and Elo.

A player is whatever is compared in pairs: an answer's author, a critic, a method. Strengths say only how
players differ, so they are centred: their mean is 0, or `centre` on the Elo scale.
"""

from collections.abc import Sequence
from math import log
from typing import Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csgraph

from gadfly.errors import InputError
from gadfly.metrics.intervals import (
    Floats,
    Integers,
    kinds_of,
    numbered,
    percentile_interval,
    resampled,
)
from gadfly.metrics.judged import Rows
from gadfly.metrics.measurement import Measurement
from gadfly.records import Record

Won: TypeAlias = Literal["first", "second", "tie"]
TiesCount: TypeAlias = Literal["half", "left out"]
Order: TypeAlias = Literal["given", "shuffled"]

ELO_UNIT = 400 / log(10)
"""Elo points of one unit of log-odds: 400 points are odds of ten to one."""
_WORTH = {"first": 1.0, "second": 0.0, "tie": 0.5}
_STEPS = 500
_ELO_RESAMPLES = 1000
_SMALL = 1e-10


class Game(Record):
    """Two players and who won."""

    first: str
    second: str
    won: Won | None
    """None: unscored."""
    item: str = ""
    """What a bootstrap resamples together, such as the question; where empty, the game by itself."""


class Rated(Record):
    """One player."""

    player: str
    strength: Measurement
    """Log-odds against a player of strength 0; `n` counts the player's games."""
    elo: Measurement
    """The same on the Elo scale."""
    wins: float
    """Ties are half a win."""


class Ratings(Record):
    """All players, strongest first."""

    players: tuple[Rated, ...]
    games: int
    unscored: int
    """Games without a result; left out."""
    undefined: float = 0.0
    """Share of resamples left out since a strength in them is infinite (somebody only won, or only lost).
    Where it is not small, intervals are too short: give a `ridge`."""

    def elo(self) -> dict[str, float]:
        """Elo by player."""
        return {one.player: one.elo.value for one in self.players}


class WinMatrix(Record):
    """Who beat whom how often."""

    players: tuple[str, ...]
    wins: tuple[tuple[float, ...], ...]
    """Row against column; a tie is half a win for each."""


def games(rows: Rows, *, of: Literal["said", "gold"] = "said") -> tuple[Game, ...]:
    """A judge's pairwise rows (or people's labels on them) as games between the answers' authors.

    Rows of one author against itself are left out. A label other than first, second and tie is no result.

    Raises:
        InputError: a row does not have two authors.
    """
    made: list[Game] = []
    for row in rows:
        if len(row.authors) != 2:
            raise InputError(f"item {row.item!r} has {len(row.authors)} authors; a game needs two")
        label = row.said if of == "said" else row.gold
        if row.authors[0] != row.authors[1]:
            won = cast(Won, label) if label in _WORTH else None
            made.append(Game(first=row.authors[0], second=row.authors[1], won=won, item=row.cluster))
    return tuple(made)


def elo_scale(strength: float, *, centre: float = 1000.0) -> float:
    """A Bradley-Terry strength in Elo points: 400 points a factor of ten in odds."""
    return centre + ELO_UNIT * strength


def win_matrix(played: Sequence[Game], *, ties: TiesCount = "half") -> WinMatrix:
    """Wins of every player against every other, players in alphabetical order.

    Raises:
        InputError: there is no game with a result, or a player meets itself.
    """
    table = _Table(played, ties)
    size = len(table.players)
    wins = table.parts.sum(axis=0).reshape(size, size)
    return WinMatrix(players=table.players, wins=tuple(tuple(row) for row in wins.tolist()))


# ---------------------------------------------------------------- Bradley-Terry


def bradley_terry(
    played: Sequence[Game],
    *,
    ties: TiesCount = "half",
    ridge: float = 0.0,
    centre: float = 1000.0,
    level: float = 0.95,
    resamples: int | None = None,
    seed: int = 0,
) -> Ratings:
    """Strengths s with P(i beats j) = 1 / (1 + exp(s_j - s_i)) (Bradley and Terry 1952), most likely ones.

    By Newton's method with steps that always lead up, to 1e-10. Intervals resample items.

    Args:
        played: The games; their order does not matter.
        ties: A tie is `half` a win for each, or `left out`.
        ridge: Weight of a penalty ridge / 2 * sum of s² on the log-likelihood; 0: none. It pulls strengths
            together and keeps them finite where somebody never lost.
        centre: Mean Elo.
        level: Of the intervals.
        resamples: Of the bootstrap; None: 10,000, fewer, at least 1,000, with more than 500 items.
        seed: Of the resamples.

    Raises:
        InputError: there is no game with a result, players fall into groups that never met, or, without a
            ridge, a group of players never lost to the others (in the games, or in every resample of them).
    """
    table = _Table(played, ties)
    size = len(table.players)
    wins = table.parts.sum(axis=0).reshape(1, size, size)
    _refuse_groups(wins[0], table.players, ridge)
    strengths = _strengths(wins, ridge)[0]

    kinds, times = kinds_of(table.parts)

    def drawn(weights: Floats) -> Floats:
        tables = np.rint(weights * len(table.parts)) @ kinds
        found = np.full((len(tables), size), np.nan)
        tables = tables.reshape(-1, size, size)
        finite = _connected(tables if ridge == 0 else tables + tables.transpose(0, 2, 1))
        found[finite] = _strengths(tables[finite], ridge)
        return found

    draws = resampled(drawn, times, resamples=resamples, seed=seed)
    kept = draws[~np.isnan(draws).any(axis=1)]
    if len(kept) == 0:
        raise InputError("strengths are infinite in every resample: too few games; give a ridge")
    undefined = 1 - len(kept) / len(draws)
    return table.ratings(strengths, kept, centre=centre, level=level, undefined=undefined)


def _strengths(wins: Floats, ridge: float) -> Floats:
    """Strengths for tables of wins, shape (b, k, k), each connected: (b, k), mean 0."""
    size = wins.shape[1]
    met = wins + wins.transpose(0, 2, 1)
    found = np.zeros(wins.shape[:2])
    going = np.arange(len(wins))
    flat = np.ones((size, size)) / size  # fixes the mean, which the games leave open
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(found[going, None, :] - found[going, :, None]))
        slope = (wins[going] - met[going] * chance).sum(axis=2) - ridge * found[going]
        bend = met[going] * chance * (1 - chance)
        curvature = (bend.sum(axis=2) + ridge)[:, :, None] * np.eye(size) - bend + flat
        step = cast(Floats, np.linalg.solve(curvature, slope[:, :, None])[:, :, 0])
        # A full step may overshoot. Logistic losses bend so little that this share of it never does.
        reach = np.maximum.reduce(step, axis=1) - np.minimum.reduce(step, axis=1)
        found[going] += step * (np.log1p(reach) / np.maximum(reach, 1e-300))[:, None]
        going = going[reach > _SMALL]
        if len(going) == 0:
            return found - found.mean(axis=1, keepdims=True)
    raise InputError("the strengths did not settle; players hardly ever lost to others: give a ridge")


def _connected(wins: Floats) -> NDArray[np.bool_]:
    """Whether in each table wins lead from every player to every other: then strengths are finite."""
    size = wins.shape[1]
    reach = (wins > 0).astype(np.float32) + np.eye(size, dtype=np.float32)
    for _ in range(max(1, (size - 1).bit_length())):
        reach = np.minimum(reach @ reach, np.float32(1))
    return np.logical_and.reduce(reach > 0, axis=(1, 2))


def _refuse_groups(wins: Floats, players: Sequence[str], ridge: float) -> None:
    apart = _groups(wins + wins.T, players)
    if len(apart) > 1:
        raise InputError(
            f"players fall into {len(apart)} groups that never met: {_listed(apart)}; "
            "rate each group by itself"
        )
    unbeaten = _groups(wins, players)
    if len(unbeaten) > 1 and ridge == 0:
        raise InputError(
            "strengths are infinite, since between these groups all games went one way: "
            f"{_listed(unbeaten)}; give a ridge, such as ridge=1"
        )


def _groups(wins: Floats, players: Sequence[str]) -> list[list[str]]:
    _, member = cast(
        tuple[int, Integers],
        csgraph.connected_components(wins > 0, directed=True, connection="strong"),  # pyright: ignore[reportUnknownMemberType]
    )
    found: dict[int, list[str]] = {}
    for player, group in zip(players, member.tolist(), strict=True):
        found.setdefault(group, []).append(player)
    return sorted(found.values())


def _listed(groups: list[list[str]]) -> str:
    return "; ".join(", ".join(group) for group in groups)


# ---------------------------------------------------------------- Elo


def elo(
    played: Sequence[Game],
    *,
    k: float = 4.0,
    order: Order = "given",
    shuffles: int = 100,
    centre: float = 1000.0,
    level: float = 0.95,
    seed: int = 0,
) -> Ratings:
    """Elo ratings: after each game both move by k times what the result exceeds its expectation.

    Everybody starts at `centre`. A tie is half a win. Later games weigh more, so the order of games counts.

    Args:
        played: The games, earliest first.
        k: Elo points at stake in a game.
        order: As `given`, or the mean over `shuffles` random orders (`shuffled`), which still depends on k.
        shuffles: How many. The intervals take one order a resample, so they hold the luck of an order too.
        centre: Where all start.
        level: Of the intervals.
        seed: Of the shuffles and the resamples.

    Raises:
        InputError: there is no game with a result, or a player meets itself.
    """
    table = _Table(played, "half")
    if shuffles < 1:
        raise InputError(f"shuffles is {shuffles}; it must be 1 or more")
    generator, length = np.random.default_rng(seed), len(table.worth)

    def sequence(times: Floats) -> Integers:
        games_at = np.arange(length, dtype=np.int64)
        if order == "shuffled":
            games_at = generator.permutation(games_at)
        return np.repeat(games_at, times[games_at].astype(np.int64))

    def drawn(weights: Floats) -> Floats:
        times = np.rint(weights * len(table.parts))[:, table.member]
        return _play(table, [sequence(row) for row in times], k)

    once = [sequence(np.ones(length)) for _ in range(1 if order == "given" else shuffles)]
    ratings = _play(table, once, k).mean(axis=0)
    draws = resampled(drawn, len(table.parts), resamples=_ELO_RESAMPLES, seed=seed)
    return table.ratings(ratings / ELO_UNIT, draws / ELO_UNIT, centre=centre, level=level)


def _play(table: "_Table", sequences: Sequence[Integers], k: float) -> Floats:
    """Ratings less the start after each sequence of games, shape (sequences, players)."""
    lengths = np.array([len(sequence) for sequence in sequences])
    rows = np.argsort(-lengths)
    padded = np.zeros((len(rows), int(lengths.max())), dtype=np.int64)
    for place, row in enumerate(rows.tolist()):
        padded[place, : lengths[row]] = sequences[row]
    ratings = np.zeros((len(rows), len(table.players)))
    # Longest first: those still playing at a step are the first few.
    for step in range(padded.shape[1]):
        count = int(np.count_nonzero(lengths > step))
        at, which = padded[:count, step], np.arange(count)
        one, other = table.first[at], table.second[at]
        expected = 1 / (1 + np.exp((ratings[which, other] - ratings[which, one]) / ELO_UNIT))
        move = k * (table.worth[at] - expected)
        ratings[which, one] += move
        ratings[which, other] -= move
    found = np.empty_like(ratings)
    found[rows] = ratings
    return found


# ---------------------------------------------------------------- games as numbers


class _Table:
    """Games with a result, as arrays."""

    def __init__(self, played: Sequence[Game], ties: TiesCount) -> None:
        scored = [one for one in played if one.won is not None]
        kept = [one for one in scored if ties == "half" or one.won != "tie"]
        for one in kept:
            if one.first == one.second:
                raise InputError(f"{one.first!r} plays against itself; leave such games out")
        if not kept:
            raise InputError("there is no game with a result")
        self.players = tuple(sorted({one.first for one in kept} | {one.second for one in kept}))
        number = {player: place for place, player in enumerate(self.players)}
        self.first = np.array([number[one.first] for one in kept], dtype=np.int64)
        self.second = np.array([number[one.second] for one in kept], dtype=np.int64)
        self.worth = np.array([_WORTH[one.won or ""] for one in kept])
        self.member = numbered([one.item or place for place, one in enumerate(kept)], len(kept))
        self.unscored = len(played) - len(scored)
        size = len(self.players)
        self.parts = np.zeros((int(self.member.max()) + 1, size * size))
        """Wins by item, shape (items, players squared)."""
        np.add.at(self.parts, (self.member, self.first * size + self.second), self.worth)
        np.add.at(self.parts, (self.member, self.second * size + self.first), 1 - self.worth)

    def ratings(
        self, strengths: Floats, draws: Floats, *, centre: float, level: float, undefined: float = 0.0
    ) -> Ratings:
        size = len(self.players)
        wins = self.parts.sum(axis=0).reshape(size, size)
        made: list[Rated] = []
        for place, player in enumerate(self.players):
            n = round(float(wins[place].sum() + wins[:, place].sum()))
            strength = percentile_interval(float(strengths[place]), draws[:, place], n=n, level=level)
            ends = (strength.value, strength.low, strength.high)
            scaled = [elo_scale(end, centre=centre) for end in ends]
            made.append(
                Rated(
                    player=player,
                    strength=strength,
                    elo=Measurement(value=scaled[0], low=scaled[1], high=scaled[2], n=n),
                    wins=float(wins[place].sum()),
                )
            )
        made.sort(key=lambda one: (-one.strength.value, one.player))
        return Ratings(
            players=tuple(made), games=len(self.worth), unscored=self.unscored, undefined=round(undefined, 12)
        )
