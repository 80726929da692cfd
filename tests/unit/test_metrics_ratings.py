"""Bradley-Terry and Elo: other packages' strengths, disconnected players, intervals."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from itertools import combinations
from math import exp, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gadfly.errors import InputError
from gadfly.metrics.judged import Judged
from gadfly.metrics.ratings import (
    ELO_UNIT,
    Game,
    Ratings,
    Won,
    bradley_terry,
    elo,
    elo_scale,
    games,
    win_matrix,
)

FEW = settings(deadline=None, max_examples=25)
TABLES = st.lists(st.integers(1, 9), min_size=12, max_size=12)
"""Wins of each of four players over each other, all above 0."""


def game(first: str, second: str, won: Won | None = "first", item: str = "") -> Game:
    return Game(first=first, second=second, won=won, item=item)


def tabled(wins: list[int], players: str = "abcd") -> list[Game]:
    pairs = [(one, other) for one in players for other in players if one != other]
    return [game(*pair) for pair, count in zip(pairs, wins, strict=True) for _ in range(count)]


def strengths(found: Ratings) -> dict[str, float]:
    return {one.player: one.strength.value for one in found.players}


# ---------------------------------------------------------------- Bradley-Terry


def test_two_players_differ_by_the_log_of_their_wins() -> None:
    found = strengths(bradley_terry([game("a", "b")] * 3 + [game("b", "a")]))
    assert found["a"] - found["b"] == pytest.approx(log(3))
    assert found["a"] + found["b"] == pytest.approx(0)


@given(TABLES)
@FEW
def test_strengths_are_those_of_logistic_regression_in_statsmodels(wins: list[int]) -> None:
    linear = pytest.importorskip("statsmodels.genmod.generalized_linear_model")
    families = pytest.importorskip("statsmodels.genmod.families")
    played = tabled(wins)
    players = "abcd"
    design = np.array([[(g.first == p) - (g.second == p) for p in players[1:]] for g in played], dtype=float)
    # Every game once each way round: an outcome that is always 1 fits nothing.
    design = np.vstack([design, -design])
    outcome = np.repeat([1.0, 0.0], len(played))
    fitted = linear.GLM(outcome, design, family=families.Binomial()).fit(tol=1e-12)
    found = strengths(bradley_terry(played, resamples=200))
    for player, coefficient in zip(players[1:], fitted.params, strict=True):
        assert found[player] - found["a"] == pytest.approx(coefficient, abs=1e-6)


@given(TABLES, st.sampled_from([0.1, 1.0, 5.0]))
@FEW
def test_a_ridge_is_the_penalty_of_scikit_learn(wins: list[int], ridge: float) -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    played = tabled(wins)
    design = np.array([[(g.first == p) - (g.second == p) for p in "abcd"] for g in played], dtype=float)
    model = linear.LogisticRegression(C=1 / ridge, fit_intercept=False, tol=1e-10, max_iter=10_000)
    flipped = np.vstack([design, -design])
    fitted = model.fit(flipped, np.repeat([1, 0], len(played)), sample_weight=np.full(2 * len(played), 0.5))
    found = strengths(bradley_terry(played, ridge=ridge, resamples=200))
    assert [found[p] for p in "abcd"] == pytest.approx(fitted.coef_[0].tolist(), abs=1e-4)


@given(TABLES)
@FEW
def test_expected_wins_are_the_observed_ones_in_any_order_and_under_any_names(wins: list[int]) -> None:
    played = tabled(wins)
    found = strengths(bradley_terry(played, resamples=200))
    for player in "abcd":
        mine = [g for g in played if player in (g.first, g.second)]
        expected = sum(
            1 / (1 + exp(found[g.second if g.first == player else g.first] - found[player])) for g in mine
        )
        assert expected == pytest.approx(sum(g.first == player for g in mine), abs=1e-6)
    renamed = [game(g.second.upper(), g.first.upper(), "second") for g in played[::-1]]
    again = strengths(bradley_terry(renamed, resamples=200))
    assert {name.lower(): value for name, value in again.items()} == pytest.approx(found, abs=1e-8)


def test_a_tie_is_worth_half_a_win_or_nothing() -> None:
    played = [*[game("a", "b")] * 3, game("b", "a"), *[game("a", "b", "tie")] * 4]
    half = strengths(bradley_terry(played))
    assert half["a"] - half["b"] == pytest.approx(log(5 / 3))
    left = bradley_terry(played, ties="left out")
    assert strengths(left)["a"] - strengths(left)["b"] == pytest.approx(log(3))
    assert (left.games, bradley_terry(played).games) == (4, 8)


def test_groups_that_never_met_are_refused_by_name_even_with_a_ridge() -> None:
    played = [game("a", "b"), game("b", "a"), game("c", "d"), game("d", "c")]
    for ridge in (0.0, 1.0):
        with pytest.raises(InputError, match=r"2 groups that never met: a, b; c, d"):
            bradley_terry(played, ridge=ridge)


def test_a_player_who_never_lost_is_refused_unless_there_is_a_ridge() -> None:
    played = [game("a", "b"), game("b", "a"), game("champion", "a"), game("champion", "b")]
    with pytest.raises(InputError, match=r"one way: a, b; champion; give a ridge"):
        bradley_terry(played)
    found = bradley_terry(played, ridge=0.5)
    assert found.players[0].player == "champion"
    assert found.players[0].strength.value > 0.5


def test_a_heavy_ridge_pulls_all_strengths_together() -> None:
    played = tabled([9, 9, 9, 1, 5, 5, 1, 5, 5, 1, 5, 5])
    wide, narrow = bradley_terry(played), bradley_terry(played, ridge=1e6)
    assert wide.players[0].strength.value > 1
    assert abs(narrow.players[0].strength.value) < 1e-4


def test_lopsided_tables_still_settle() -> None:
    played = [*[game("a", "b")] * 5000, game("b", "a"), *[game("b", "c")] * 5000, game("c", "b")]
    found = strengths(bradley_terry(played, resamples=20))
    assert found["a"] - found["b"] == pytest.approx(log(5000), abs=1e-6)
    assert found["a"] - found["c"] == pytest.approx(2 * log(5000), abs=1e-6)


def test_the_interval_is_near_the_one_of_theory_and_items_widen_it() -> None:
    plain = [game("a", "b")] * 120 + [game("b", "a")] * 60
    found = bradley_terry(plain)
    best = found.players[0]
    # Standard error of a log-odds, halved since strengths are centred.
    error = (1 / 120 + 1 / 60) ** 0.5 / 2
    assert best.strength.half_width == pytest.approx(1.96 * error, rel=0.1)
    assert best.strength.n == 180
    grouped = [g.model_copy(update={"item": f"i{k // 10}"}) for k, g in enumerate(plain)]
    assert bradley_terry(grouped).players[0].strength.half_width > 2 * best.strength.half_width
    assert found == bradley_terry(plain)


def test_resamples_without_a_finite_strength_are_counted() -> None:
    few = bradley_terry([game("a", "b")] * 4 + [game("b", "a")])
    # No loss is drawn in (4/5)^5 of the resamples, and no win in (1/5)^5.
    assert few.undefined == pytest.approx(0.8**5 + 0.2**5, abs=0.02)
    assert bradley_terry([game("a", "b")] * 4 + [game("b", "a")], ridge=1).undefined == 0


def test_strengths_turn_into_elo_points() -> None:
    assert elo_scale(log(10)) == pytest.approx(1400)
    found = bradley_terry([game("a", "b")] * 10 + [game("b", "a")], centre=1500, ridge=0)
    assert found.elo()["a"] - found.elo()["b"] == pytest.approx(400)
    assert found.elo()["a"] + found.elo()["b"] == pytest.approx(3000)


# ---------------------------------------------------------------- Elo


def by_hand(played: list[Game], k: float) -> dict[str, float]:
    points: dict[str, float] = {}
    for one in played:
        mine, theirs = points.setdefault(one.first, 1000.0), points.setdefault(one.second, 1000.0)
        worth = {"first": 1.0, "second": 0.0, "tie": 0.5}[one.won or "tie"]
        move = k * (worth - 1 / (1 + 10 ** ((theirs - mine) / 400)))
        points[one.first] += move
        points[one.second] -= move
    return points


OUTCOMES = st.tuples(st.integers(0, 5), st.sampled_from(["first", "second", "tie"]))


@given(st.lists(OUTCOMES, min_size=1, max_size=20), st.sampled_from([4.0, 32.0]))
@FEW
def test_elo_plays_game_after_game(outcomes: list[tuple[int, Won]], k: float) -> None:
    pairs = list(combinations("abcd", 2))
    played = [game(*pairs[pair], won) for pair, won in outcomes]
    found = elo(played, k=k)
    assert found.elo() == pytest.approx(by_hand(played, k))
    assert sum(found.elo().values()) == pytest.approx(1000 * len(found.players))
    for one in found.players:
        assert one.elo.value == pytest.approx(elo_scale(one.strength.value))


def test_the_order_of_games_counts_unless_they_are_shuffled() -> None:
    played = [game("a", "b")] * 10 + [game("b", "a")] * 10
    assert elo(played, k=32).players[0].player == "b"
    assert elo(played[::-1], k=32).players[0].player == "a"
    shuffled = elo(played, k=32, order="shuffled", shuffles=400)
    assert shuffled.elo()["a"] == pytest.approx(1000, abs=10)
    with pytest.raises(InputError, match="shuffles is 0"):
        elo(played, order="shuffled", shuffles=0)


def test_elo_with_small_steps_and_many_games_nears_bradley_terry() -> None:
    generator = np.random.default_rng(0)
    true = {"a": 0.8, "b": 0.0, "c": -0.8}
    played: list[Game] = []
    for _ in range(1000):
        for one, other in combinations("abc", 2):
            beats = generator.random() < 1 / (1 + exp(true[other] - true[one]))
            played.append(game(one, other, "first" if beats else "second"))
    rated, fitted = elo(played, k=4.0).elo(), bradley_terry(played, resamples=50).elo()
    for player, value in true.items():
        assert fitted[player] == pytest.approx(1000 + ELO_UNIT * value, abs=20)
        assert rated[player] == pytest.approx(fitted[player], abs=40)


def test_elo_has_intervals_over_items() -> None:
    found = elo([game("a", "b")] * 30 + [game("b", "a")] * 10, k=16)
    for one in found.players:
        assert one.elo.low < one.elo.value < one.elo.high
    assert found == elo([game("a", "b")] * 30 + [game("b", "a")] * 10, k=16)


# ---------------------------------------------------------------- games


def test_the_matrix_of_wins_counts_a_tie_for_both() -> None:
    found = win_matrix([game("b", "a"), game("a", "b", "tie"), game("c", "a", "second")])
    assert found.players == ("a", "b", "c")
    assert found.wins == ((0.0, 0.5, 1.0), (1.5, 0.0, 0.0), (0.0, 0.0, 0.0))


def test_rows_of_pairs_become_games_of_their_authors() -> None:
    rows = [
        Judged(item="i", said="first", gold="second", authors=("a", "b"), group="g"),
        Judged(item="j", said=None, gold="tie", authors=("b", "a")),
        Judged(item="k", said="first", authors=("a", "a")),
    ]
    said, gold = games(rows), games(rows, of="gold")
    assert said == (game("a", "b", "first", "g"), game("b", "a", None, "j"))
    assert [one.won for one in gold] == ["second", "tie"]
    assert bradley_terry([*said, game("b", "a")]).unscored == 1
    with pytest.raises(InputError, match="needs two"):
        games([Judged(item="i", authors=("a",))])


def test_no_games_and_games_against_oneself_are_refused() -> None:
    for played in ([], [game("a", "b", None)]):
        with pytest.raises(InputError, match="no game"):
            bradley_terry(played)
    with pytest.raises(InputError, match="plays against itself"):
        elo([game("a", "a")])
