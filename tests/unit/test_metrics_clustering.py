"""Errors by cluster, as statsmodels has them, and two judges on the same cases."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gadfly.errors import InputError
from gadfly.metrics.clustering import (
    clustered_mean,
    drawn_sums,
    figure_of,
    figures_of,
    ratio,
    share,
    standard_error,
)
from gadfly.metrics.intervals import mean_interval
from gadfly.metrics.judged import Judged
from gadfly.metrics.paired import matched, paired, row_flips
from gadfly.metrics.proportions import mcnemar, wilson

VALUES = st.lists(st.tuples(st.integers(0, 4), st.integers(-20, 20).map(float)), min_size=2, max_size=30)


@given(VALUES, st.booleans())
@settings(deadline=None, max_examples=60)
def test_the_clustered_error_of_a_mean_is_that_of_statsmodels(
    pairs: list[tuple[int, float]], corrected: bool
) -> None:
    regression = pytest.importorskip("statsmodels.regression.linear_model")
    clusters, values = [c for c, _ in pairs], np.array([v for _, v in pairs])
    found = standard_error(values, clusters, small_sample="clusters" if corrected else "none")
    if len(set(clusters)) == 1:
        assert found is None
        return
    fitted = regression.OLS(values, np.ones(len(values))).fit(
        cov_type="cluster",
        cov_kwds={"groups": np.unique(clusters, return_inverse=True)[1], "use_correction": corrected},
        use_t=True,
    )
    assert found == pytest.approx(fitted.bse[0], abs=1e-9)
    if corrected:
        measured = clustered_mean(values, clusters)
        assert measured is not None
        low, high = fitted.conf_int()[0]
        assert (measured.low, measured.high) == (pytest.approx(low, abs=1e-6), pytest.approx(high, abs=1e-6))


@given(st.lists(st.integers(-20, 20).map(float), min_size=2, max_size=20))
def test_without_clusters_the_error_is_the_textbook_one(values: list[float]) -> None:
    assert standard_error(values) == pytest.approx(np.std(values, ddof=1) / len(values) ** 0.5, abs=1e-12)


@given(VALUES, st.randoms(use_true_random=False))
def test_the_error_knows_neither_the_order_of_rows_nor_the_names_of_clusters(
    pairs: list[tuple[int, float]], shuffler: random.Random
) -> None:
    found = standard_error([v for _, v in pairs], [c for c, _ in pairs])
    mixed = pairs[:]
    shuffler.shuffle(mixed)
    again = standard_error([v for _, v in mixed], [f"cluster {-c}" for c, _ in mixed])
    assert again == (None if found is None else pytest.approx(found, abs=1e-12))


def test_the_analytical_interval_is_near_the_bootstrap() -> None:
    generator = np.random.default_rng(0)
    clusters = np.repeat(np.arange(80), 5)
    values = generator.normal(size=80)[clusters] + generator.normal(size=400)
    exact, drawn = (
        clustered_mean(values, clusters.tolist()),
        mean_interval(values, clusters=clusters.tolist()),
    )
    assert exact is not None
    assert exact.value == pytest.approx(drawn.value)
    assert exact.half_width == pytest.approx(drawn.half_width, rel=0.06)
    normal = clustered_mean(values, clusters.tolist(), tail="normal")
    assert normal is not None
    assert normal.half_width < exact.half_width


def test_one_cluster_has_no_error_and_no_values_are_refused() -> None:
    assert clustered_mean([1.0, 2.0], ["a", "a"]) is None
    with pytest.raises(InputError, match="at least one value"):
        standard_error([])
    with pytest.raises(InputError, match="cluster labels"):
        standard_error([1.0, 2.0], ["a"])


def test_a_function_of_sums_is_the_bootstrap_of_a_mean_where_it_is_a_mean() -> None:
    values = np.random.default_rng(1).normal(size=60)
    clusters = [i // 3 for i in range(60)]
    parts = np.column_stack([values, np.ones(60)])
    found = figure_of(lambda sums: ratio(sums[:, 0], sums[:, 1]), drawn_sums(parts, clusters))
    expected = mean_interval(values, clusters=clusters)
    assert found is not None
    assert (found.value, found.low, found.high) == (
        pytest.approx(expected.value),
        pytest.approx(expected.low),
        pytest.approx(expected.high),
    )


def test_resamples_in_which_a_figure_is_undefined_are_left_out() -> None:
    found = figure_of(lambda sums: ratio(sums[:, 0], sums[:, 1]), drawn_sums([[1.0, 1.0], [0.0, 0.0]]))
    assert found is not None
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)
    assert figure_of(lambda sums: ratio(sums[:, 0], sums[:, 1]), drawn_sums([[1.0, 0.0]])) is None
    with pytest.raises(InputError, match="at least one case"):
        drawn_sums([])


def test_one_bootstrap_serves_several_figures() -> None:
    drawn = drawn_sums([[1.0, 0.0], [1.0, 1.0], [1.0, 1.0]], ["a", "a", "b"], n=4, unscored=1)
    mean, never = figures_of(
        lambda sums: np.column_stack([sums[:, 1] / sums[:, 0], np.full(len(sums), np.nan)]), drawn
    )
    assert never is None
    assert mean is not None
    assert (mean.value, mean.low, mean.high) == (round(2 / 3, 12), 0.5, 1.0)
    assert (mean.n, mean.unscored) == (4, 1)


def test_a_share_of_single_rows_has_wilsons_interval() -> None:
    assert share([True, False, True]) == wilson(2, 3)
    assert share([True, False, True], "abc") == wilson(2, 3)
    grouped = share([True, True, False, False], "aabb")
    assert (grouped.low, grouped.high) == (0.0, 1.0)


# ---------------------------------------------------------------- two judges


def rows(*said: str | None, judge: str = "x", gold: str = "first") -> list[Judged]:
    return [Judged(item=f"i{i}", judge=judge, said=one, gold=gold) for i, one in enumerate(said)]


def right(row: Judged) -> float | None:
    return None if row.right is None else float(row.right)


def test_a_paired_difference_is_the_mean_over_shared_cases() -> None:
    better, worse = rows("first", "first", "first", "second"), rows("first", "second", "second", "second")
    found = paired(better, worse[::-1], right)
    assert (found.value, found.n, found.unscored) == (0.5, 4, 0)
    turned = paired(worse, better, right)
    assert (turned.value, turned.low, turned.high) == (-found.value, -found.high, -found.low)
    assert paired(better, better, right).high == 0.0


def test_unreadable_rows_leave_the_pair_or_count_as_nothing() -> None:
    one, other = rows("first", None, "first"), rows("second", "first", "first")
    left = paired(one, other, right)
    assert (left.value, left.n, left.unscored) == (0.5, 3, 1)
    assert paired(one, other, right, unreadable="wrong").value == 0.0
    with pytest.raises(InputError, match="from both"):
        paired(rows(None), rows("first"), right)


def test_cases_of_one_judge_only_are_refused_unless_left_out() -> None:
    one, other = rows("first", "first"), rows("first")
    with pytest.raises(InputError, match="'i1'"):
        paired(one, other, right)
    assert len(matched(one, other, unmatched="left out")) == 1
    with pytest.raises(InputError, match="share no case"):
        matched(one, [], unmatched="left out")
    with pytest.raises(InputError, match="comes twice"):
        matched([*one, *one], other)


def test_the_other_order_of_a_pair_is_another_case() -> None:
    first = rows("first")[0]
    both = [first, first.model_copy(update={"swapped": True, "said": "second"})]
    assert [mine.swapped for mine, _ in matched(both, both[::-1])] == [False, True]


def test_flips_of_rows_are_counted_with_mcnemars_test() -> None:
    before = rows("second", "second", "first", "first", None)
    after = rows("first", "first", "second", "first", "first")
    found = row_flips(after, before)
    assert (found.wrong_to_right, found.right_to_wrong, found.n) == (3, 1, 5)
    assert found.p_value == mcnemar(3, 1)
    assert row_flips(after, before, unreadable="left out").wrong_to_right == 2
    turned = row_flips(before, after)
    assert (turned.wrong_to_right, turned.right_to_wrong, turned.p_value) == (1, 3, found.p_value)
    with pytest.raises(InputError, match="no case has a label"):
        row_flips([Judged(item="a", said="first")], [Judged(item="a", said="first")])


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 5))
@settings(deadline=None)
def test_mcnemar_of_rows_is_that_of_statsmodels(gained: int, lost: int, same: int) -> None:
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    if gained + lost + same == 0:
        return
    before = rows(*["second"] * gained, *["first"] * lost, *["first"] * same)
    after = rows(*["first"] * gained, *["second"] * lost, *["first"] * same)
    expected = tables.mcnemar([[same, lost], [gained, 0]], exact=True).pvalue
    assert row_flips(after, before).p_value == pytest.approx(min(1.0, expected))
