"""How true and how complete critiques are."""
# pyright: reportUnknownMemberType=false
# (pytest.approx has no complete types.)

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gadfly.errors import InputError
from gadfly.metrics.critique_quality import UnitLabels, corpus_quality, critique_quality

units = st.lists(st.booleans(), min_size=1, max_size=8).map(tuple)


def test_precision_is_of_own_units_and_recall_of_the_reference() -> None:
    found = critique_quality([True, True, False, False], [True, False, False])
    assert (found.precision, found.recall) == (0.5, pytest.approx(1 / 3))
    assert found.f1 == pytest.approx(2 * 0.5 / 3 / (0.5 + 1 / 3))


def test_f1_is_zero_where_either_share_is_zero() -> None:
    assert critique_quality([True], [False, False]).f1 == 0.0
    assert critique_quality([False], [True]).f1 == 0.0
    assert critique_quality([False], [False]).f1 == 0.0


def test_a_critique_without_units_has_no_figures_and_is_left_out() -> None:
    assert critique_quality([], [True]).precision is None
    assert critique_quality([], [True]).f1 is None
    assert critique_quality([True], []).recall is None
    found = corpus_quality(
        [UnitLabels(own=(), reference=(True,)), UnitLabels(own=(True, False), reference=(True,))]
    )
    assert (found.precision.value, found.precision.n, found.precision.unscored) == (0.5, 2, 1)
    with pytest.raises(InputError, match="no critique"):
        corpus_quality([UnitLabels(own=(), reference=(True,))])


def test_the_mean_of_f1s_is_not_the_f1_of_the_means() -> None:
    critiques = [
        UnitLabels(own=(True,), reference=(False,)),
        UnitLabels(own=(True,), reference=(True,)),
    ]
    assert corpus_quality(critiques).f1.value == 0.5
    assert corpus_quality(critiques, average="of the means").f1.value == pytest.approx(2 / 3)


def test_critiques_of_one_answer_are_resampled_together() -> None:
    def corpus(group: bool) -> list[UnitLabels]:
        return [
            UnitLabels(own=(n % 2 == 0,), reference=(True,), group=str(n) if group else "")
            for n in range(30)
            for _ in range(5)
        ]

    together, apart = corpus_quality(corpus(True)).precision, corpus_quality(corpus(False)).precision
    assert together.value == apart.value == 0.5
    assert together.half_width > 1.8 * apart.half_width


@given(st.lists(st.tuples(units, units), min_size=1, max_size=6), st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_corpus_figures_are_bounded_ordered_and_know_no_order_of_rows(
    labels: list[tuple[tuple[bool, ...], tuple[bool, ...]]], chance: random.Random
) -> None:
    critiques = [UnitLabels(own=own, reference=reference) for own, reference in labels]
    found = corpus_quality(critiques)
    of_means = corpus_quality(critiques, average="of the means").f1
    shuffled = corpus_quality(chance.sample(critiques, len(critiques)))
    for one, other in ((found.precision, shuffled.precision), (found.f1, shuffled.f1)):
        assert one.value == pytest.approx(other.value)
        assert 0 <= one.low <= one.high <= 1
    # The harmonic mean is concave.
    assert found.f1.value <= of_means.value + 1e-9
