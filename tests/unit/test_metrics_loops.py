"""Reward against gold, difficulty, and what training did to a critic: figures by hand."""

from random import Random

import pytest

from gadfly.errors import InputError
from gadfly.metrics.correction import Corrected
from gadfly.metrics.critic_growth import f1_difference, gain_difference
from gadfly.metrics.difficulty import BINS, difficulty, halves, members, solve_rates
from gadfly.metrics.judged import Judged
from gadfly.metrics.measurement import Sample
from gadfly.metrics.overoptimisation import Rewarded, reward_truth, rise


def row(*right: bool | None) -> tuple[Sample, ...]:
    return tuple(Sample(key="k", right=one) for one in right)


def test_problems_fall_into_bins_by_the_share_of_right_samples() -> None:
    rows = [row(True, True), row(False, None), row(True, False), row(True, False, False)]
    assert solve_rates(rows).tolist() == pytest.approx([1, 0, 0.5, 1 / 3])
    bins = difficulty(rows)
    assert bins == ("always solved", "never solved", "half or more", "below half")
    assert members(bins) == {BINS[0]: [1], BINS[1]: [3], BINS[2]: [2], BINS[3]: [0]}
    assert list(members(bins[:2])) == [BINS[0], BINS[3]]


def test_the_half_that_is_measured_is_not_the_half_that_chooses() -> None:
    first, second = halves([row(True, False, None)])
    assert [one.right for one in first[0]] == [True]
    assert [one.right for one in second[0]] == [False, None]


def rewarded(*triples: tuple[str, float | None, bool | None]) -> list[Rewarded]:
    return [Rewarded(problem=name, proxy=proxy, gold=gold) for name, proxy, gold in triples]


def test_reward_and_truth_are_means_over_answers_that_have_both() -> None:
    rows = rewarded(("a", 1.0, True), ("a", 0.5, False), ("b", 0.0, False), ("c", None, True), ("d", 1, None))
    found = reward_truth(rows)
    assert found.proxy.value == pytest.approx(0.5)
    assert found.gold.value == pytest.approx(1 / 3)
    # Deviations 0.5, 0, -0.5 and 2/3, -1/3, -1/3.
    assert found.correlation is not None
    assert found.correlation.value == pytest.approx(0.5 / (0.5 * 2 / 3) ** 0.5)
    assert (found.proxy.n, found.proxy.unscored) == (5, 2)


def test_a_reward_that_never_varies_has_no_correlation() -> None:
    assert reward_truth(rewarded(("a", 0.3, True), ("b", 0.3, False))).correlation is None
    with pytest.raises(InputError, match="both a reward and a truth"):
        reward_truth(rewarded(("a", None, True)))


def test_the_rise_is_paired_where_the_problems_are_the_same() -> None:
    before = rewarded(("a", 0.2, False), ("b", 0.4, True))
    after = rewarded(("b", 0.8, True), ("a", 0.6, False))
    found = rise(after, before)
    assert found.paired
    assert found.proxy.value == pytest.approx(0.4)
    # Both problems rose by the same: paired, there is no doubt about it.
    assert (found.proxy.low, found.proxy.high) == pytest.approx((0.4, 0.4))
    assert found.gold.value == 0
    assert found.over_optimised


def test_other_problems_are_compared_as_two_samples() -> None:
    before = rewarded(("a", 0.2, False), ("b", 0.4, True))
    found = rise(rewarded(("c", 0.6, False), ("d", 0.8, True)), before)
    assert not found.paired
    assert found.proxy.value == pytest.approx(0.4)
    assert found.proxy.low < 0.4 < found.proxy.high


@pytest.mark.parametrize("seed", range(4))
def test_rise_and_truth_forget_the_order_of_the_answers(seed: int) -> None:
    random = Random(seed)
    rows = rewarded(*((f"p{random.randrange(9)}", random.random(), random.random() < 0.5) for _ in range(40)))
    base = rewarded(*((f"p{i}", random.random(), random.random() < 0.5) for i in range(9)))
    first = (reward_truth(rows), rise(rows, base))
    random.shuffle(rows)
    random.shuffle(base)
    assert (reward_truth(rows), rise(rows, base)) == first


def judged(*pairs: tuple[str, str | None]) -> list[Judged]:
    names = {"+": "correct", "-": "incorrect"}
    return [
        Judged(item=str(i), gold=names[gold], said=None if said is None else names[said])
        for i, (gold, said) in enumerate(pairs)
    ]


def test_f1_before_and_after_by_hand() -> None:
    before = judged(("-", "+"), ("-", "-"), ("+", "-"), ("+", None))
    after = judged(("-", "-"), ("-", "-"), ("+", "-"), ("+", "+"))
    found = f1_difference(after, before)
    assert found is not None
    # 2 * 2 / (2 + 3) less 2 * 1 / (2 + 2)
    assert found.value == pytest.approx(0.8 - 0.5)
    assert found.unscored == 1
    assert f1_difference(judged(("+", "-")), judged(("+", "+"))) is None


def corrected(*pairs: tuple[bool, bool | None]) -> list[Corrected]:
    return [Corrected(item=str(i), before=before, after=after) for i, (before, after) in enumerate(pairs)]


def test_the_difference_of_gains_by_hand() -> None:
    before = corrected((False, False), (False, True), (True, False), (True, True))
    after = corrected((False, True), (False, True), (True, True), (True, None))
    found = gain_difference(after, before)
    # (1 + 1 + 0 - 1) / 4 less (0 + 1 - 1 + 0) / 4
    assert found.value == pytest.approx(0.25)
    assert found.unscored == 1


def test_critics_tried_on_different_answers_are_not_compared() -> None:
    with pytest.raises(InputError, match="the same answers"):
        gain_difference(corrected((False, True)), corrected((False, True), (True, True)))
    with pytest.raises(InputError, match="once each"):
        gain_difference(corrected((False, True)) * 2, corrected((False, True)))
