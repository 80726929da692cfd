"""Judges of pairs that saw both orders."""

import pytest

from gadfly.errors import InputError
from gadfly.metrics.judged import Judged
from gadfly.metrics.pairs import accuracy, position_bias, swap_agreement, tie_rate


def pair(
    item: str, gold: str | None, plain: str | None, swapped: str | None, group: str = "", judge: str = ""
) -> list[Judged]:
    return [
        Judged(item=item, gold=gold, said=said, swapped=turned, group=group, judge=judge)
        for said, turned in ((plain, False), (swapped, True))
    ]


BOTH = pair("both", "first", "first", "first")
PLAIN = pair("plain", "second", "second", "first")
NEITHER = pair("neither", "first", "second", "second")
TIED = pair("tied", "first", "tie", "first")
UNREAD = pair("unread", "second", None, "second")
ALL = [*BOTH, *PLAIN, *NEITHER, *TIED, *UNREAD]


@pytest.mark.parametrize(
    ("orders", "wanted"),
    [("plain", 2 / 5), ("swapped", 3 / 5), ("mean", 2.5 / 5), ("both", 1 / 5), ("sum", 3 / 5)],
)
def test_each_way_to_count_both_orders(orders: str, wanted: float) -> None:
    found = accuracy(ALL, orders=orders)  # pyright: ignore[reportArgumentType]
    assert found.value == pytest.approx(wanted)
    assert found.n == 5
    assert found.low < found.value < found.high


def test_only_the_order_that_counts_can_be_unscored() -> None:
    assert accuracy(ALL, orders="plain").unscored == 1
    assert accuracy(ALL, orders="swapped").unscored == 0
    assert accuracy(ALL, orders="both").unscored == 1


def test_an_unreadable_decision_is_wrong_or_as_if_never_asked() -> None:
    assert accuracy(ALL, orders="plain", unreadable="left out").value == pytest.approx(2 / 4)
    assert accuracy(UNREAD, orders="mean").value == 0.5
    assert accuracy(UNREAD, orders="mean", unreadable="left out").value == 1
    assert accuracy(UNREAD, orders="both").value == 0
    assert accuracy(UNREAD, orders="both", unreadable="left out").value == 1


def test_votes_that_cancel_out_favour_nobody() -> None:
    assert accuracy(PLAIN, orders="sum").value == 0
    assert accuracy(PLAIN, orders="sum", ties="half").value == 0.5
    assert accuracy(TIED, orders="sum").value == 1


def test_two_unreadable_decisions_are_no_tie() -> None:
    silent = pair("silent", "tie", None, None)
    assert accuracy(silent, orders="sum").value == 0
    with pytest.raises(InputError, match="no pair can be used"):
        accuracy(silent, orders="sum", unreadable="left out")


@pytest.mark.parametrize(("ties", "wanted"), [("wrong", 2 / 3), ("half", 2.5 / 3), ("left out", 1.0)])
def test_a_tie_is_wrong_half_right_or_left_out(ties: str, wanted: float) -> None:
    rows = [*BOTH, *TIED, *pair("even", "tie", "tie", "tie")]
    found = accuracy(rows, orders="plain", ties=ties)  # pyright: ignore[reportArgumentType]
    assert found.value == pytest.approx(wanted)


def test_a_pair_without_a_label_has_no_accuracy() -> None:
    assert accuracy([*BOTH, *pair("free", None, "first", "first")]).n == 1
    with pytest.raises(InputError, match="no pair can be used"):
        accuracy(pair("free", None, "first", "first"))


def test_an_order_nobody_asked_for_cannot_be_counted() -> None:
    assert accuracy(BOTH[:1], orders="plain").value == 1
    for orders in ("swapped", "mean", "both", "sum"):
        with pytest.raises(InputError, match="swapped order"):
            accuracy(BOTH[:1], orders=orders)


def test_an_order_without_a_row_counts_as_unreadable() -> None:
    found = accuracy([*BOTH, *NEITHER[:1]], orders="mean")
    assert (found.value, found.unscored) == (0.5, 1)


def test_pairs_of_one_group_are_not_independent() -> None:
    rows = [
        row
        for number in range(40)
        for row in pair(str(number), "first", *["first" if number < 20 else "second"] * 2)
    ]
    grouped = [row.model_copy(update={"group": str(int(row.item) // 10)}) for row in rows]
    assert accuracy(grouped).value == accuracy(rows).value
    assert accuracy(grouped).half_width > 1.5 * accuracy(rows).half_width


def test_rows_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(InputError, match="judged twice in the plain order"):
        accuracy([*BOTH, BOTH[0]])
    with pytest.raises(InputError, match="different gold"):
        accuracy([BOTH[0], BOTH[1].model_copy(update={"gold": "second"})])
    with pytest.raises(InputError, match="'A' is none of"):
        accuracy(pair("odd", "first", "A", "first"))


def test_two_judges_of_one_item_make_two_pairs() -> None:
    rows = [
        *pair("a", "first", "first", "first", judge="x"),
        *pair("a", "first", "second", "first", judge="y"),
    ]
    assert accuracy(rows).n == 2
    assert accuracy(rows).value == 0.75


@pytest.mark.parametrize(
    ("unreadable", "wanted"), [("equal", 3 / 5), ("different", 2 / 5), ("left out", 2 / 3)]
)
def test_two_orders_agree_where_they_name_the_same_winner(unreadable: str, wanted: float) -> None:
    rows = [
        *BOTH,
        *NEITHER,
        *PLAIN,
        *pair("silent", "first", None, None),
        *pair("half", "first", None, "first"),
    ]
    found = swap_agreement(rows, unreadable=unreadable)  # pyright: ignore[reportArgumentType]
    assert found.value == pytest.approx(wanted)
    assert (found.n, found.unscored) == (5, 2)


def test_agreement_needs_both_orders_and_no_label() -> None:
    assert swap_agreement([*pair("free", None, "tie", "tie"), *NEITHER[:1]]).n == 1
    with pytest.raises(InputError, match="no pair can be used"):
        swap_agreement(NEITHER[:1])


def test_a_judge_that_always_takes_the_first_place_is_all_bias() -> None:
    rows = [row for number in range(30) for row in pair(str(number), "first", "first", "second")]
    found = position_bias(rows)
    assert found.first_place.value == 1
    assert found.beyond_half is not None
    assert found.beyond_half.value == 0.5
    assert found.beyond_half.excludes(0)
    assert (found.contradicting, found.pairs) == (30, 30)


def test_a_judge_that_always_takes_the_second_place_is_biased_the_other_way() -> None:
    rows = [row for number in range(30) for row in pair(str(number), None, "second", "first")]
    found = position_bias(rows)
    assert found.first_place.value == 0
    assert found.beyond_half is not None
    assert found.beyond_half.value == -0.5


def test_a_judge_that_keeps_its_word_has_no_bias_to_measure() -> None:
    found = position_bias([*BOTH, *NEITHER, *pair("none", None, None, "first")])
    assert found.beyond_half is None
    assert (found.contradicting, found.pairs) == (0, 2)
    assert (found.first_place.n, found.first_place.unscored) == (6, 1)
    assert found.first_place.value == pytest.approx(2 / 5)


def test_contradiction_with_a_tie_says_nothing_of_a_place() -> None:
    found = position_bias([*TIED, *PLAIN])
    assert (found.contradicting, found.pairs) == (1, 1)
    assert found.first_place.value == 0
    with pytest.raises(InputError, match="no pair can be used"):
        position_bias(pair("tie", None, "tie", None))


def test_ties_are_counted_among_what_was_read() -> None:
    assert tie_rate(ALL).value == pytest.approx(1 / 9)
    assert tie_rate(ALL, unreadable="no tie").value == pytest.approx(1 / 10)
    assert (tie_rate(ALL).n, tie_rate(ALL).unscored) == (10, 1)
