"""Agreement coefficients: bounds, symmetry, relabelling, and what other packages say."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gadfly.errors import InputError
from gadfly.metrics.agreement import (
    Level,
    Weights,
    agreement,
    agreement_between,
    cohen_kappa,
    fleiss_kappa,
    fleiss_kappa_of_counts,
    krippendorff_alpha,
    raw_agreement,
)
from gadfly.metrics.judged import Judged
from gadfly.metrics.ranks import kendall_tau, spearman

PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30)
FLOATS = st.lists(
    st.tuples(st.integers(-5, 5).map(float), st.floats(-5, 5).map(lambda x: round(x, 1))),
    min_size=2,
    max_size=25,
)
GAPPED = st.lists(
    st.lists(st.one_of(st.none(), st.integers(0, 3)), min_size=3, max_size=3), min_size=2, max_size=15
)


def row(item: str, said: str | None, gold: str | None = "first", judge: str = "") -> Judged:
    return Judged(item=item, said=said, gold=gold, judge=judge)


# ---------------------------------------------------------------- two raters


@given(PAIRS, st.sampled_from(["none", "linear", "quadratic"]))
@settings(deadline=None)
def test_kappa_agrees_with_scikit_learn(pairs: list[tuple[int, int]], weights: Weights) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    a, b = [one for one, _ in pairs], [other for _, other in pairs]
    found = cohen_kappa(a, b, weights=weights, order=(0, 1, 2, 3))
    if found is None:
        assert len({*a, *b}) == 1
        return
    named = None if weights == "none" else weights
    expected = metrics.cohen_kappa_score(a, b, weights=named, labels=[0, 1, 2, 3])
    assert found == pytest.approx(expected, abs=1e-12)


@given(PAIRS, st.sampled_from(["none", "linear", "quadratic"]), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_kappa_is_at_most_one_symmetric_and_blind_to_the_order_of_cases(
    pairs: list[tuple[int, int]], weights: Weights, shuffler: random.Random
) -> None:
    a, b = [one for one, _ in pairs], [other for _, other in pairs]
    found = cohen_kappa(a, b, weights=weights)
    shuffled = pairs[:]
    shuffler.shuffle(shuffled)
    again = cohen_kappa([x for x, _ in shuffled], [y for _, y in shuffled], weights=weights)
    if found is None:
        assert again is None
        return
    assert found <= 1
    assert found == pytest.approx(cohen_kappa(b, a, weights=weights))
    assert found == pytest.approx(again)
    assert (found == pytest.approx(1)) == (a == b)


@given(PAIRS)
def test_new_names_for_labels_change_no_kappa(pairs: list[tuple[int, int]]) -> None:
    a, b = [one for one, _ in pairs], [other for _, other in pairs]
    names = {0: "d", 1: "a", 2: "c", 3: "b"}
    renamed = [names[x] for x in a], [names[x] for x in b]
    found = cohen_kappa(a, b)
    assert cohen_kappa(*renamed) == (None if found is None else pytest.approx(found))
    linear = cohen_kappa(a, b, weights="linear", order=(0, 1, 2, 3))
    assert cohen_kappa(*renamed, weights="linear", order="dacb") == linear


def test_the_order_counts_unused_labels_as_places() -> None:
    a, b = ["low", "high", "low", "high"], ["low", "high", "high", "middle"]
    three = cohen_kappa(a, b, weights="linear", order=("low", "middle", "high"))
    four = cohen_kappa(a, b, weights="linear", order=("low", "middle", "good", "high"))
    assert three == pytest.approx(1 - 0.375 / 0.5)
    assert four != three


def test_kappa_is_none_where_chance_alone_gives_full_agreement() -> None:
    assert cohen_kappa("aaa", "aaa") is None
    assert cohen_kappa("aaa", "bbb") == 0.0


def test_weights_need_an_order_that_holds_every_label_once() -> None:
    with pytest.raises(InputError, match="need an order"):
        cohen_kappa("ab", "ba", weights="linear")
    with pytest.raises(InputError, match="lacks the label 'b'"):
        cohen_kappa("ab", "ba", order="a")
    with pytest.raises(InputError, match="repeats"):
        cohen_kappa("ab", "ba", order="aba")
    for a, b in (("", ""), ("a", "ab")):
        with pytest.raises(InputError, match="same cases"):
            raw_agreement(a, b)


@given(FLOATS)
@settings(deadline=None)
def test_rank_correlations_are_bounded_symmetric_and_follow_ranks_only(
    pairs: list[tuple[float, float]],
) -> None:
    a, b = [one for one, _ in pairs], [other for _, other in pairs]
    for figure in (kendall_tau, spearman):
        found = figure(a, b)
        if len(set(a)) == 1 or len(set(b)) == 1:
            assert found is None
            continue
        assert found is not None
        assert -1 - 1e-12 <= found <= 1 + 1e-12
        assert figure(b, a) == pytest.approx(found, abs=1e-12)
        assert figure([x**3 + x for x in a], b) == pytest.approx(found, abs=1e-9)
        assert figure([-x for x in a], b) == pytest.approx(-found, abs=1e-12)


def test_kendall_counts_pairs_and_corrects_for_ties() -> None:
    # Concordant 4, discordant 1, one pair tied in b: (4 - 1) / sqrt(6 * 5).
    assert kendall_tau([1, 2, 3, 4], [1, 3, 2, 3]) == pytest.approx(3 / 30**0.5)
    with pytest.raises(InputError, match="finite"):
        spearman([1.0, float("nan")], [1.0, 2.0])


# ---------------------------------------------------------------- several raters


@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=20))
@settings(deadline=None)
def test_fleiss_kappa_agrees_with_statsmodels(ratings: list[list[int]]) -> None:
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")
    found = fleiss_kappa(ratings)
    if found is None:
        assert len({label for row in ratings for label in row}) == 1
        return
    table = [[row.count(label) for label in range(4)] for row in ratings]
    assert found == pytest.approx(inter_rater.fleiss_kappa(np.array(table)), abs=1e-12)
    assert fleiss_kappa_of_counts(table) == pytest.approx(found)
    assert fleiss_kappa([row[::-1] for row in ratings[::-1]]) == pytest.approx(found)


def test_fleiss_kappa_needs_equal_numbers_of_ratings() -> None:
    for ratings in (["ab", "abc"], ["a", "b"], []):
        with pytest.raises(InputError, match="same number of ratings"):
            fleiss_kappa(ratings)


@given(GAPPED, st.sampled_from(["nominal", "ordinal", "interval"]))
@settings(deadline=None)
def test_krippendorff_alpha_agrees_with_the_package_of_that_name(
    ratings: list[list[int | None]], level: Level
) -> None:
    package = pytest.importorskip("krippendorff")
    found = krippendorff_alpha(ratings, level=level)
    paired = [value for row in ratings if sum(v is not None for v in row) > 1 for value in row]
    if len({value for value in paired if value is not None}) < 2:
        assert found is None
        return
    data = np.array([[np.nan if v is None else float(v) for v in row] for row in ratings]).T
    expected = package.alpha(reliability_data=data, level_of_measurement=level)
    assert found == pytest.approx(expected, abs=1e-9)


@given(GAPPED, st.sampled_from(["nominal", "ordinal", "interval"]))
def test_alpha_knows_neither_who_rated_nor_in_what_order(
    ratings: list[list[int | None]], level: Level
) -> None:
    found = krippendorff_alpha(ratings, level=level)
    turned = krippendorff_alpha([row[::-1] for row in ratings[::-1]], level=level)
    assert turned == (None if found is None else pytest.approx(found, abs=1e-12))
    assert found is None or found <= 1 + 1e-12


def test_alpha_of_krippendorffs_own_example() -> None:
    # Krippendorff 2011, "Computing Krippendorff's alpha-reliability", data C: 4 observers, 12 units.
    observers = ["1 2 3 3 2 1 4 1 2 . . .", "1 2 3 3 2 2 4 1 2 5 . 3", ". 3 3 3 2 3 4 2 2 5 1 .",
                 "1 2 3 3 2 4 4 1 2 5 1 ."]  # fmt: skip
    rows = [[None if mark == "." else int(mark) for mark in line.split()] for line in observers]
    ratings = list(zip(*rows, strict=True))
    assert krippendorff_alpha(ratings) == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha(ratings, level="ordinal") == pytest.approx(0.815, abs=5e-4)
    assert krippendorff_alpha(ratings, level="interval") == pytest.approx(0.849, abs=5e-4)


def test_ordinal_alpha_takes_an_order_and_interval_alpha_takes_numbers() -> None:
    ratings = [("low", "mid"), ("high", "high"), ("low", "low"), ("mid", "high")]
    numbers = [[("low", "mid", "high").index(label) for label in row] for row in ratings]
    found = krippendorff_alpha(ratings, level="ordinal", order=("low", "mid", "high"))
    assert found == pytest.approx(krippendorff_alpha(numbers, level="ordinal"))
    with pytest.raises(InputError, match="takes numbers"):
        krippendorff_alpha(ratings, level="interval", order=("low", "mid", "high"))


# ---------------------------------------------------------------- rows


ROWS = [
    *[row(f"a{i}", "first") for i in range(8)],
    *[row(f"b{i}", "second", "second") for i in range(6)],
    *[row(f"c{i}", "first", "second") for i in range(3)],
    row("d0", None),
    row("e0", "first", None),
]


def test_rows_give_raw_agreement_and_kappa_with_intervals_and_counts() -> None:
    found = agreement(ROWS)
    assert found.kappa is not None
    assert found.raw.value == pytest.approx(14 / 17)
    labels = [(one.gold, one.said) for one in ROWS if one.gold and one.said]
    assert found.kappa.value == pytest.approx(cohen_kappa(*zip(*labels, strict=True)))
    for figure in (found.raw, found.kappa):
        assert figure.low < figure.value < figure.high
        assert (figure.n, figure.unscored) == (18, 1)
    assert found == agreement(ROWS)


def test_unreadable_rows_agree_with_nobody_where_that_is_the_convention() -> None:
    found = agreement(ROWS, unreadable="wrong")
    assert found.raw.value == pytest.approx(14 / 18)
    assert found.kappa is not None
    said = [one.said or "?" for one in ROWS[:-1]]
    assert found.kappa.value == pytest.approx(cohen_kappa([one.gold for one in ROWS[:-1]], said))
    with pytest.raises(InputError, match="no place in an order"):
        agreement(ROWS, unreadable="wrong", weights="linear", order=("first", "second"))


def test_a_cluster_widens_the_interval_of_agreement() -> None:
    plain = [row(f"{i}-{j}", "first" if i % 3 else "second", "first") for i in range(30) for j in range(4)]
    grouped = [one.model_copy(update={"group": one.item.split("-")[0]}) for one in plain]
    assert agreement(grouped).raw.half_width > 1.5 * agreement(plain).raw.half_width
    assert agreement(plain).kappa == agreement(plain).kappa


def test_kappa_of_rows_is_none_where_only_one_label_is_used() -> None:
    found = agreement([row("a", "first"), row("b", "first")])
    assert found.kappa is None
    assert found.raw.value == 1
    with pytest.raises(InputError, match="no case has a label"):
        agreement([row("a", None)])


def test_judges_are_compared_two_by_two_on_the_cases_they_share() -> None:
    rows = [
        *[row(f"i{i}", "first" if i % 2 else "second", judge="x") for i in range(8)],
        *[row(f"i{i}", "first" if i % 2 else "second", judge="y") for i in range(4)],
        *[row(f"i{i}", "first", judge="z") for i in range(4, 8)],
    ]
    found = agreement_between(rows)
    assert found.judges == ("x", "y", "z")
    assert found.table("raw") == ((None, 1.0, 0.5), (1.0, None, None), (0.5, None, None))
    assert found.table()[0] == (None, 1.0, 0.0)
    assert [pair.agreement is None for pair in found.pairs] == [False, False, True]
    ratings = [["first" if i % 2 else "second"] * 2 for i in range(4)]
    ratings += [["first" if i % 2 else "second", "first"] for i in range(4)]
    assert found.alpha == pytest.approx(krippendorff_alpha(ratings))
    for one, other in pairwise(found.table("raw")):
        assert len(one) == len(other) == 3


def test_people_can_join_the_table_as_one_more_judge() -> None:
    rows = [row(f"i{i}", "first", "first" if i else "second", judge=j) for i in range(4) for j in "xy"]
    found = agreement_between(rows, people="people")
    assert found.judges == ("x", "y", "people")
    assert found.table("raw")[0] == (None, 1.0, 0.75)
    with pytest.raises(InputError, match="another name"):
        agreement_between(rows, people="x")


def test_a_table_needs_two_judges_with_one_row_a_case() -> None:
    with pytest.raises(InputError, match="two judges"):
        agreement_between([row("a", "first", judge="x")])
    twice = [row("a", "first", judge="x")] * 2
    with pytest.raises(InputError, match="two rows"):
        agreement_between([*twice, row("a", "first", judge="y")])
    with pytest.raises(InputError, match="two labels"):
        agreement_between([row("a", "first", judge="x"), row("a", "first", "second", judge="y")])
