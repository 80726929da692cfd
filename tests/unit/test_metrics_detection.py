"""How well wrong answers are told from right ones."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (pytest.approx and scikit-learn have no complete types.)

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gadfly.errors import InputError
from gadfly.metrics.detection import Detection, auroc, classification, detection, matthews
from gadfly.metrics.judged import Judged
from gadfly.metrics.macro import macro

CLASSES = ("a", "b", "c")
cases = st.lists(st.tuples(st.sampled_from(CLASSES), st.sampled_from(CLASSES)), min_size=1, max_size=25)
verdicts = st.sampled_from(["correct", "incorrect", "unsure", None])
judgements = st.lists(
    st.tuples(st.sampled_from(["correct", "incorrect"]), verdicts, st.integers(0, 4)), min_size=1, max_size=20
)


def judged(item: str, gold: str | None, said: str | None, score: float | None = None) -> Judged:
    return Judged(item=item, gold=gold, said=said, score=score)


def rows_of(found: list[tuple[str, str | None, int]]) -> list[Judged]:
    return [
        Judged(item=str(place), gold=gold, said=said, group=str(group))
        for place, (gold, said, group) in enumerate(found)
    ]


# ---------------------------------------------------------------- classes


@given(cases)
@settings(max_examples=60, deadline=None)
def test_macro_figures_agree_with_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    gold, said = [one for one, _ in pairs], [one for _, one in pairs]
    found = classification(gold, said, classes=CLASSES)
    options = {"labels": list(CLASSES), "zero_division": 0}
    expected = metrics.precision_recall_fscore_support(gold, said, average="macro", **options)[:3]
    assert (found.precision, found.recall, found.f1) == pytest.approx(tuple(expected))
    assert found.accuracy == pytest.approx(metrics.accuracy_score(gold, said))
    each = metrics.precision_recall_fscore_support(gold, said, average=None, **options)
    for place, label in enumerate(CLASSES):
        one = found.by_class[label]
        assert (one.precision, one.recall, one.f1) == pytest.approx(tuple(row[place] for row in each[:3]))
        assert one.cases == each[3][place]


@given(cases)
@settings(max_examples=60, deadline=None)
def test_matthews_agrees_with_scikit_learn_for_many_classes(pairs: list[tuple[str, str]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    gold, said = [one for one, _ in pairs], [one for _, one in pairs]
    assert -1 <= matthews(gold, said) <= 1
    if len({*gold, *said}) == 1:
        assert matthews(gold, said) == 0.0  # scikit-learn warns, and says the same
        return
    assert matthews(gold, said) == pytest.approx(metrics.matthews_corrcoef(gold, said), abs=1e-9)


@given(cases, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_order_and_names_of_classes_change_no_figure(
    pairs: list[tuple[str, str]], chance: random.Random
) -> None:
    shuffled = chance.sample(pairs, len(pairs))
    other = {"a": "north", "b": "south", "c": "east"}
    found = classification([g for g, _ in pairs], [s for _, s in pairs], classes=CLASSES)
    again = classification(
        [other[g] for g, _ in shuffled], [other[s] for _, s in shuffled], classes=["east", "north", "south"]
    )
    assert (again.accuracy, again.n) == (pytest.approx(found.accuracy), found.n)
    assert (again.precision, again.recall, again.f1) == pytest.approx(
        (found.precision, found.recall, found.f1)
    )
    assert again.by_class["south"] == found.by_class["b"]
    assert matthews([g for g, _ in pairs], [s for _, s in pairs]) == pytest.approx(
        matthews([other[g] for g, _ in shuffled], [other[s] for _, s in shuffled]), abs=1e-9
    )


def test_a_class_never_named_has_precision_zero_and_counts_in_the_mean() -> None:
    found = classification(["a", "b"], ["a", "a"], classes=["a", "b"])
    assert found.by_class["b"].precision == 0.0
    assert (found.precision, found.recall) == (pytest.approx(0.25), pytest.approx(0.5))
    assert found.f1 == pytest.approx((2 / 3) / 2)


def test_an_unreadable_verdict_is_a_miss_and_no_claim() -> None:
    gold, said = ["a", "a", "b", "b"], ["a", None, "b", "a"]
    found = classification(gold, said, classes=["a", "b"], unreadable="wrong")
    assert found.confusion == {"a": {"a": 1, "b": 0, "": 1}, "b": {"a": 1, "b": 1, "": 0}}
    assert (found.accuracy, found.n, found.unscored) == (0.5, 4, 1)
    assert found.by_class["a"].recall == 0.5
    assert found.by_class["b"].precision == 1.0


def test_an_unreadable_verdict_left_out_changes_no_share_but_is_counted() -> None:
    gold, said = ["a", "a", "b", "b"], ["a", None, "b", "a"]
    found = classification(gold, said, classes=["a", "b"], unreadable="left out")
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.by_class["a"].recall == 1.0
    assert (found.n, found.unscored) == (4, 1)


def test_an_unreadable_verdict_as_a_claim_of_the_other_class_is_a_false_alarm() -> None:
    gold, said = ["a", "a", "b", "b"], ["a", None, "b", "a"]
    found = classification(gold, said, classes=["a", "b"], unreadable="other class")
    assert found.by_class["b"].precision == 0.5
    assert found.confusion["a"] == {"a": 1, "b": 1, "": 0}
    assert found.unscored == 1
    with pytest.raises(InputError, match="two classes"):
        classification(["a"], [None], classes=CLASSES, unreadable="other class")


def test_matthews_counts_unreadable_verdicts_as_named() -> None:
    gold, said = ["a", "a", "b", "b"], ["a", "a", "b", None]
    assert matthews(gold, said, unreadable="left out") == pytest.approx(1.0)
    assert 0 < matthews(gold, said, unreadable="other class") < matthews(gold, said, unreadable="wrong") < 1
    assert matthews(["a", "b"], ["a", "a"]) == 0.0
    assert matthews(["a", "b"], ["b", "a"]) == pytest.approx(-1.0)


def test_labels_outside_of_the_classes_and_uneven_lists_are_refused() -> None:
    with pytest.raises(InputError, match="'x' is none of the classes a, b"):
        classification(["a"], ["x"], classes=["a", "b"])
    with pytest.raises(InputError, match="1 gold labels for 2"):
        classification(["a"], ["a", "b"], classes=["a", "b"])
    with pytest.raises(InputError, match="no cases"):
        classification([], [], classes=["a"])
    with pytest.raises(InputError, match="readable"):
        classification(["a"], [None], classes=["a", "b"], unreadable="left out")
    with pytest.raises(InputError, match="classes must be"):
        classification(["a"], ["a"], classes=["a", "a"])


# ---------------------------------------------------------------- ranks


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
@settings(max_examples=60, deadline=None)
def test_the_area_agrees_with_scikit_learn_and_with_counting_pairs(pairs: list[tuple[int, bool]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    scores, positive = [float(one) for one, _ in pairs], [one for _, one in pairs]
    found = auroc(scores, positive)
    if all(positive) or not any(positive):
        assert found is None
        return
    assert found is not None
    assert found == pytest.approx(metrics.roc_auc_score(positive, scores))
    wins = [(up > down) + (up == down) / 2 for up, good in pairs if good for down, bad in pairs if not bad]
    assert found == pytest.approx(sum(wins) / len(wins))
    reversed_ = auroc([-score for score in scores], positive)
    assert reversed_ is not None
    assert found + reversed_ == pytest.approx(1.0)


def test_an_area_needs_as_many_labels_as_finite_scores() -> None:
    with pytest.raises(InputError, match="2 scores for 1"):
        auroc([1.0, 2.0], [True])
    with pytest.raises(InputError, match="finite"):
        auroc([1.0, float("nan")], [True, False])


# ---------------------------------------------------------------- detection


def test_a_critic_that_finds_half_of_the_wrong_answers() -> None:
    rows = [
        judged("1", "incorrect", "incorrect"),
        judged("2", "incorrect", "correct"),
        judged("3", "correct", "incorrect"),
        judged("4", "correct", "correct"),
        judged("5", "correct", "correct"),
        judged("6", None, "correct"),
    ]
    found = detection(rows)
    assert found.precision.value == 0.5
    assert found.recall is not None
    assert found.recall.value == 0.5
    assert found.f1 is not None
    assert found.f1.value == 0.5
    assert found.accuracy.value == pytest.approx(0.6)
    assert found.acceptance.value == pytest.approx(0.6)
    assert (found.n, found.positives, found.unscored) == (5, 2, 0)
    assert found.auroc is not None
    assert found.auroc.value == pytest.approx((1 / 2 + 2 / 3) / 2)


@given(judgements)
@settings(max_examples=15, deadline=None)
def test_every_figure_is_a_share_inside_its_interval(found: list[tuple[str, str | None, int]]) -> None:
    measured_ = detection(rows_of(found))
    for one in (measured_.precision, measured_.recall, measured_.f1, measured_.accuracy, measured_.auroc):
        if one is not None:
            assert 0 <= one.value <= 1
            assert 0 <= one.low <= one.high <= 1
            assert one.n == len(found)
    if measured_.mcc is not None:
        assert -1 <= measured_.mcc.low <= measured_.mcc.high <= 1
        gold = [one for one, _, _ in found]
        said = [one if one != "unsure" else None for _, one, _ in found]
        assert measured_.mcc.value == pytest.approx(matthews(gold, said), abs=1e-9)


@given(judgements, st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_the_order_of_rows_changes_no_value(
    found: list[tuple[str, str | None, int]], chance: random.Random
) -> None:
    one, other = detection(rows_of(found)), detection(rows_of(chance.sample(found, len(found))))

    def values(figures: Detection) -> list[float | None]:
        named = (figures.precision, figures.recall, figures.f1, figures.accuracy, figures.auroc, figures.mcc)
        return [None if figure is None else round(figure.value, 9) for figure in named]

    assert values(one) == values(other)


def test_the_point_values_agree_with_classification() -> None:
    chance = np.random.default_rng(4)
    gold = ["incorrect" if wrong else "correct" for wrong in chance.random(60) < 0.4]
    said = [one if kept else "correct" for one, kept in zip(gold, chance.random(60) < 0.7, strict=True)]
    rows = [judged(str(i), g, s) for i, (g, s) in enumerate(zip(gold, said, strict=True))]
    found, plain = detection(rows), classification(gold, said, classes=["incorrect", "correct"])
    figures = plain.by_class["incorrect"]
    assert found.precision.value == pytest.approx(figures.precision)
    assert found.recall is not None
    assert found.recall.value == pytest.approx(figures.recall)
    assert found.recall.low < found.recall.value < found.recall.high
    assert found.mcc is not None
    assert found.mcc.value == pytest.approx(matthews(gold, said))
    assert found.accuracy.value == pytest.approx(plain.accuracy)
    assert found == detection(rows)


def test_an_unreadable_verdict_never_detects_and_is_never_right() -> None:
    rows = [
        judged("1", "incorrect", None),
        judged("2", "incorrect", "incorrect"),
        judged("3", "correct", None),
        judged("4", "correct", "correct"),
    ]
    counted, dropped = detection(rows), detection(rows, unreadable="left out")
    assert counted.recall is not None
    assert dropped.recall is not None
    assert (counted.recall.value, counted.precision.value, counted.accuracy.value) == (0.5, 1.0, 0.5)
    assert (dropped.recall.value, dropped.precision.value, dropped.accuracy.value) == (1.0, 1.0, 1.0)
    assert (counted.unscored, dropped.unscored, dropped.n) == (2, 2, 4)
    assert dropped.accuracy.unscored == 2
    assert counted.auroc is not None
    assert (counted.auroc.value, counted.auroc.unscored) == (1.0, 2)


def test_an_unsure_verdict_is_readable_but_detects_nothing_and_ranks_halfway() -> None:
    rows = [judged("1", "incorrect", "unsure"), judged("2", "correct", "unsure")]
    found = detection([*rows, judged("3", "correct", "correct")])
    assert found.unscored == 0
    assert found.recall is not None
    assert found.recall.value == 0.0
    assert found.accuracy.value == pytest.approx(1 / 3)
    assert found.auroc is not None
    assert found.auroc.value == pytest.approx(0.75)


def test_a_score_ranks_before_the_verdict_and_a_high_one_means_right() -> None:
    rows = [
        judged("1", "incorrect", "correct", 0.2),
        judged("2", "correct", "incorrect", 0.9),
        judged("3", "incorrect", "correct", 0.6),
        judged("4", "correct", "correct"),
    ]
    found = detection(rows).auroc
    assert found is not None
    assert (found.value, found.unscored, found.n) == (1.0, 1, 4)
    turned = detection(rows, higher="positive").auroc
    assert turned is not None
    assert turned.value == 0.0


def test_figures_that_have_no_cases_are_none() -> None:
    found = detection([judged("1", "correct", "correct"), judged("2", "correct", "incorrect")])
    assert (found.recall, found.f1, found.auroc, found.mcc) == (None, None, None, None)
    assert found.precision.value == 0.0
    assert found.accuracy.value == 0.5
    nothing = detection([judged("1", "correct", None), judged("2", "incorrect", None)])
    assert nothing.auroc is None
    assert nothing.accuracy.value == 0.0


def test_rows_of_one_cluster_are_resampled_together() -> None:
    rows = [
        Judged(item=f"{group}-{copy}", gold="incorrect", said=said, group=str(group))
        for group in range(30)
        for copy in range(6)
        for said in ["incorrect" if group % 2 else "correct"]
    ]
    apart = [row.model_copy(update={"group": ""}) for row in rows]
    together, single = detection(rows).recall, detection(apart).recall
    assert together is not None
    assert single is not None
    assert together.value == single.value
    assert together.half_width == pytest.approx(single.half_width * 6**0.5, rel=0.15)


def test_other_labels_can_be_named_and_unknown_ones_are_refused() -> None:
    rows = [judged("1", "bad", "bad"), judged("2", "good", "good")]
    assert detection(rows, positive="bad", negative="good").accuracy.value == 1.0
    with pytest.raises(InputError, match="item '1': the gold label 'bad'"):
        detection(rows)
    with pytest.raises(InputError, match="at least one row"):
        detection([judged("1", None, "correct")])
    with pytest.raises(InputError, match="at least one row"):
        detection([judged("1", "correct", None)], unreadable="left out")


def test_a_resample_without_cases_does_not_enter_an_interval() -> None:
    # Half of the resamples of two items have no wrong answer, or only wrong ones.
    found = detection([judged("1", "incorrect", "incorrect"), judged("2", "correct", "incorrect")])
    assert found.recall is not None
    assert (found.recall.value, found.recall.low, found.recall.high) == (1.0, 1.0, 1.0)
    assert found.mcc is not None
    assert (found.mcc.value, found.mcc.low, found.mcc.high) == (0.0, 0.0, 0.0)


# ---------------------------------------------------------------- macro figures with intervals


@given(
    st.lists(
        st.tuples(st.sampled_from(CLASSES), st.sampled_from(["a", "b", "c", None])), min_size=1, max_size=30
    )
)
@settings(max_examples=60, deadline=None)
def test_macro_figures_of_rows_are_those_of_classification(pairs: list[tuple[str, str | None]]) -> None:
    rows = [Judged(item=str(n), gold=gold, said=said) for n, (gold, said) in enumerate(pairs)]
    found = macro(rows, classes=CLASSES, resamples=20)
    known = classification([gold for gold, _ in pairs], [said for _, said in pairs], classes=CLASSES)
    assert found.precision.value == pytest.approx(known.precision)
    assert found.recall.value == pytest.approx(known.recall)
    assert found.f1.value == pytest.approx(known.f1)
    assert (found.f1.n, found.f1.unscored) == (known.n, known.unscored)


def test_macro_figures_take_the_labels_there_are_and_refuse_others() -> None:
    rows = [Judged(item="1", gold="x", said="y"), Judged(item="2", gold="x", said="x"), Judged(item="3")]
    assert macro(rows).classes == ("x", "y")
    assert macro(rows).recall.value == 0.25
    with pytest.raises(InputError, match="'y' is none of the classes x, z"):
        macro(rows, classes=("x", "z"))
    with pytest.raises(InputError, match="at least one row"):
        macro(rows[2:])


def test_macro_intervals_resample_whole_clusters() -> None:
    rows = [
        Judged(item=str(n), gold="ab"[n % 2], said="ab"[n // 2 % 2], group=str(n // 10)) for n in range(60)
    ]
    alone = macro([row.model_copy(update={"group": ""}) for row in rows], resamples=400)
    together = macro(rows, resamples=400)
    assert together.f1.value == alone.f1.value
    assert together.f1.high - together.f1.low < alone.f1.high - alone.f1.low
