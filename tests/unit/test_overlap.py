"""Overlap of two reviewers' points, its controls, and the recall of planted faults."""

import pytest

from gadfly.errors import InputError
from gadfly.metrics.overlap import Compared, Control, Measure, overlap, overlap_report, shuffled_partners
from gadfly.metrics.planted import fault_recall, points_at
from gadfly.records import Candidate, Case, Critique, Finding, Gold, Verdict


def compared(
    *pairs: tuple[int, int],
    first: int = 4,
    second: int = 5,
    document: str = "d",
    kind: Control = "model-human",
    unreadable: bool = False,
) -> Compared:
    return Compared(
        document=document, kind=kind, first=first, second=second, pairs=pairs, unreadable=unreadable
    )


@pytest.mark.parametrize(
    ("measure", "value"),
    [("hit rate", 2 / 4), ("szymkiewicz-simpson", 2 / 4), ("jaccard", 2 / 7), ("dice", 4 / 9)],
)
def test_each_measure_by_hand(measure: Measure, value: float) -> None:
    assert overlap(compared((0, 0), (3, 1)), measure) == pytest.approx(value)


def test_one_point_that_matches_all_of_the_other_side_is_shared_once() -> None:
    greedy = compared((0, 0), (1, 0), (2, 0))
    assert overlap(greedy, "hit rate") == 3 / 4
    assert overlap(greedy, "jaccard") == 1 / 8
    assert overlap(greedy, "jaccard", shared="of the first") == 3 / 6


def test_the_largest_matching_is_found_where_the_first_choice_stands_in_the_way() -> None:
    crossed = compared((0, 0), (0, 1), (1, 0), (2, 1), (2, 2))
    assert overlap(crossed, "szymkiewicz-simpson") == 3 / 4


def test_no_points_to_divide_by_is_no_value_and_not_zero() -> None:
    assert overlap(compared(first=0), "hit rate") is None
    assert overlap(compared(second=0), "hit rate") == 0
    assert overlap(compared(second=0), "szymkiewicz-simpson") is None
    assert overlap(compared(unreadable=True), "jaccard") is None


def test_a_pair_outside_of_the_lists_is_refused() -> None:
    with pytest.raises(InputError, match="outside"):
        overlap(compared((4, 0)), "hit rate")


def test_the_report_has_both_controls_and_counts_what_is_unscored() -> None:
    rows = [
        *(compared((0, 0), (1, 1), document=f"d{k}") for k in range(8)),
        *(compared((0, 0), document=f"d{k}", kind="human-human") for k in range(6)),
        *(compared(document=f"d{k}", kind="shuffled") for k in range(8)),
        compared(document="d9", unreadable=True),
    ]
    report = overlap_report(rows)
    assert report.model_human is not None
    assert (report.model_human.value, report.model_human.n, report.model_human.unscored) == (0.5, 9, 1)
    assert report.human_human is not None
    assert report.human_human.value == 0.25
    assert report.shuffled is not None
    assert report.shuffled.value == 0
    assert report.over_human is not None
    assert (report.over_human.value, report.over_human.n) == (0.25, 6)
    assert report.over_shuffled is not None
    assert report.over_shuffled.excludes(0)


def test_intervals_resample_documents_and_not_comparisons() -> None:
    few = [compared((0, 0), document="a")] * 20 + [compared(document="b")] * 20
    many = [compared((0, 0), document=f"a{k}") for k in range(20)]
    many += [compared(document=f"b{k}") for k in range(20)]
    narrow, wide = overlap_report(many).model_human, overlap_report(few).model_human
    assert narrow is not None
    assert wide is not None
    assert narrow.value == wide.value == 0.125
    assert wide.half_width > 2 * narrow.half_width


def test_a_report_of_nothing_has_no_figures() -> None:
    report = overlap_report([])
    assert report.model_human is report.human_human is report.over_shuffled is None


def test_nobody_is_its_own_shuffled_partner_and_everybody_is_one_once() -> None:
    documents = [f"d{k}" for k in range(9)]
    for seed in range(20):
        partners = shuffled_partners(documents, seed=seed)
        assert sorted(partners.values()) == documents
        assert all(mine != other for mine, other in partners.items())
    assert shuffled_partners(documents, seed=1) == shuffled_partners(documents, seed=1)


def test_partners_share_a_stratum_and_one_alone_has_none() -> None:
    strata = {"a": "x", "b": "x", "c": "y"}
    assert shuffled_partners(["a", "b", "c"], strata=strata) == {"a": "b", "b": "a"}
    with pytest.raises(InputError):
        shuffled_partners(["a", "a"])


# ---------------------------------------------------------------- planted faults

TEXT = "Two and two are 5.\nSo the sum is 9 in all."
FAULT = Finding(text="5 for 4", step=0, span=(16, 17))


def case(verdict: Verdict, text: str = TEXT) -> Case:
    gold = Gold(verdict=verdict, findings=(FAULT,) if verdict == "incorrect" else ())
    return Case(candidates=(Candidate(text=text, author="m"),), gold=gold)


def said(verdict: Verdict | None, *findings: Finding) -> Critique:
    return Critique(target="t", text="", author="c", verdict=verdict, findings=findings)


@pytest.mark.parametrize(
    ("found", "hit"),
    [
        (Finding(text="x", step=0), True),
        (Finding(text="5", step=1), False),
        (Finding(text="x", span=(10, 17)), True),
        (Finding(text="x", span=(17, 20)), False),
        (Finding(text="'5' cannot be"), True),
        (Finding(text="9 cannot be"), False),
    ],
)
def test_a_finding_is_at_the_fault_by_step_span_or_quotation(found: Finding, hit: bool) -> None:
    assert points_at(found, FAULT, TEXT) is hit


def test_recall_counts_faults_found_and_false_alarms_apart() -> None:
    cases = [case("incorrect")] * 4 + [case("correct")] * 2
    at_it, beside = Finding(text="x", step=0), Finding(text="x", step=1)
    words = [
        said("incorrect", at_it),
        said("incorrect", beside),
        said("correct"),
        said(None),
        said("incorrect", beside),
        said("correct"),
    ]
    figures = fault_recall(cases, words)
    assert figures.recall is not None
    assert figures.false_alarms is not None
    assert (figures.recall.value, figures.recall.n, figures.recall.unscored) == (0.25, 4, 1)
    assert figures.false_alarms.value == 0.5
    by_verdict = fault_recall(cases, words, found="verdict", unreadable="left out")
    assert by_verdict.recall is not None
    assert (by_verdict.recall.value, by_verdict.recall.n) == (pytest.approx(2 / 3), 4)


def test_cases_and_critiques_must_go_together() -> None:
    with pytest.raises(InputError):
        fault_recall([case("incorrect")], [])
    with pytest.raises(InputError):
        fault_recall([case("unsure")], [said("correct")])
    assert fault_recall([], []).recall is None
