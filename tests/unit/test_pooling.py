"""Pooling critiques: units, matching, merging, weights, and that measured skill pays."""

import importlib.util
import json
import sys
from functools import partial
from math import log
from pathlib import Path
from types import ModuleType
from typing import cast

import pytest

from gadfly.errors import InputError
from gadfly.metrics.judged import Judged
from gadfly.models.scripted import Scripted
from gadfly.primitives.fusion import (
    Rule,
    Skill,
    evidence,
    log_odds,
    pool_by_evidence,
    skill_weights,
    skills_for,
)
from gadfly.primitives.matching import match_points, same_by_model
from gadfly.primitives.passages import chunks, sections, sentences
from gadfly.primitives.pooling import (
    match_units,
    pool,
    pooled_verdict,
    same_step,
    same_words,
    split_units,
    weigh,
)
from gadfly.primitives.units import TRUE_BESIDE_REFERENCE, Form, atomise, judge_units, worded
from gadfly.records import Candidate, Critique, Finding, Problem, Request, Severity, Verdict
from gadfly.run.critics import compare_judges, write_critics
from gadfly.run.judge_measure import measure
from gadfly.run.judge_skills import skills_from

pytestmark = pytest.mark.anyio

PROBLEM = Problem(id="p", prompt="What is 6 * 7?", reference="42", answer_kind="number")
TARGET = Candidate(text="6 * 7 = 48\nAnswer: 48", author="m", steps=("6 * 7 = 48\n", "Answer: 48"))


def at(step: int | None, text: str, severity: Severity | None = None, mend: str | None = None) -> Finding:
    return Finding(text=text, step=step, severity=severity, suggestion=mend)


def says(verdict: Verdict | None, *findings: Finding, text: str = "words") -> Critique:
    return Critique(target=TARGET.id, text=text, author="c", verdict=verdict, findings=findings)


# ---------------------------------------------------------------- units


def test_findings_are_the_units_of_a_critique() -> None:
    found = (at(0, "the product is wrong"), at(1, "the answer too"))
    assert split_units(says("incorrect", *found, text="long talk. And more.")) == found


def test_prose_of_a_rejecting_critique_is_cut_into_sentences_without_its_label() -> None:
    text = "The product is wrong. It is 42, e.g. six sevens.\nVERDICT: incorrect"
    assert [unit.text for unit in split_units(says("incorrect", text=text))] == [
        "The product is wrong.",
        "It is 42, e.g. six sevens.",
    ]


@pytest.mark.parametrize("verdict", ["correct", "unsure", None])
def test_prose_names_no_fault_where_the_verdict_is_not_incorrect(verdict: Verdict | None) -> None:
    assert split_units(says(verdict, text="The product holds. The rest too.")) == ()


def test_a_unit_is_worded_with_its_step_from_one_and_its_mend() -> None:
    assert worded(at(0, "wrong", mend="42")) == "step 1: wrong -> 42"


async def test_a_reply_without_units_is_unreadable_with_a_reason() -> None:
    forms: tuple[Form, ...] = ("lines", "json")
    for form in forms:
        found = await atomise(Scripted.from_function(lambda _: "Fine."), PROBLEM, TARGET, form=form)
        assert found.findings == ()
        assert found.failure is not None
        assert found.target == TARGET.id


async def test_the_forms_own_placeholder_is_no_unit() -> None:
    model = Scripted.from_function(lambda _: '{"units": ["<claim>", "<claim2>"]}')
    found = await atomise(model, PROBLEM, TARGET, form="json")
    assert found.findings == ()
    assert found.failure is not None


@pytest.mark.parametrize(
    ("form", "reply"),
    [
        ("lines", "- one thing\n- another\n- one thing"),
        ("lines", "1. one thing\n2. another"),
        ("json", 'Here: {"units": ["one thing", "another"]}'),
    ],
)
async def test_units_are_read_once_each_in_both_forms(form: Form, reply: str) -> None:
    found = await atomise(Scripted.from_function(lambda _: reply), PROBLEM, TARGET, form=form)
    assert [unit.text for unit in found.findings] == ["one thing", "another"]


async def test_each_unit_is_judged_in_a_call_of_its_own() -> None:
    def judge(request: Request) -> str:
        asked = request.messages[0].content
        return (
            f"VERDICT: {'incorrect' if 'step 2: sun' in asked else 'correct'}" if "moon" not in asked else "?"
        )

    units = [at(0, "rain"), at(1, "sun"), at(None, "moon")]
    said = await judge_units(Scripted.from_function(judge), PROBLEM, TARGET, units)
    assert [one.verdict for one in said] == ["correct", "incorrect", None]
    assert said[2].failure is not None


async def test_in_json_form_a_unit_is_judged_by_a_schema_with_one_repair() -> None:
    def judge(request: Request) -> str:
        assert request.json_schema is not None
        asked = request.messages[-1].content
        if "could not be used" in asked:
            return '{"reason": "so", "holds": true}'
        assert "VERDICT" not in asked
        return '{"reason": "no", "holds": false}' if "rain" in asked else "hm"

    units = [at(0, "rain"), at(1, "sun")]
    model = Scripted.from_function(judge)
    said = await judge_units(model, PROBLEM, TARGET, units, form="json")
    assert [(one.verdict, one.text) for one in said] == [("incorrect", "no"), ("correct", "so")]
    slots = {"answer": "48"}
    (beside,) = await judge_units(
        model, PROBLEM, TARGET, units[:1], prompt=TRUE_BESIDE_REFERENCE, slots=slots, form="json"
    )
    assert beside.saw_reference
    mute = Scripted.from_function(lambda _: "hm")
    (unread,) = await judge_units(mute, PROBLEM, TARGET, units[:1], form="json")
    assert unread.verdict is None
    assert unread.failure is not None


# ---------------------------------------------------------------- matching and merging


def test_different_places_are_never_the_same_fault() -> None:
    assert not same_words(at(0, "the product is wrong"), at(1, "the product is wrong"))
    spans = [Finding(text="same words here", span=span) for span in ((0, 5), (5, 9), (4, 6))]
    assert not same_words(spans[0], spans[1])
    assert same_words(spans[0], spans[2])


def test_words_decide_where_the_place_does_not() -> None:
    assert same_words(at(0, "The products are wrong"), at(None, "product wrong!"))
    assert not same_words(at(0, "The product is wrong"), at(0, "Units are missing"))
    assert not same_words(at(0, "the"), at(0, "of"))


def test_by_step_one_place_is_one_fault_whatever_the_words() -> None:
    assert same_step(at(0, "The product is wrong"), at(0, "Units are missing"))
    assert not same_step(at(0, "The product is wrong"), at(None, "Units are missing"))


def test_a_merged_unit_has_the_highest_severity_and_what_anybody_could_tell() -> None:
    units = [
        [at(None, "product wrong", "minor"), at(2, "units missing")],
        [at(0, "the product is wrong", "blocking", "42"), at(0, "wrong product")],
    ]
    first, second = match_units(units, same_words)
    assert first.critics == (0, 1)
    assert first.finding == at(0, "product wrong", "blocking", "42")
    assert second.critics == (0,)


def test_meaning_does_not_drift_along_a_chain_of_matches() -> None:
    one, two, three = at(None, "red green"), at(None, "green blue"), at(None, "blue black")
    same = partial(same_words, overlap=0.3)
    assert same(one, two)
    assert same(two, three)
    assert [group.critics for group in match_units([[one], [two], [three]], same)] == [(0, 1), (2,)]


async def test_a_model_is_asked_once_a_pair_and_never_about_other_places() -> None:
    asked: list[str] = []

    def judge(request: Request) -> str:
        asked.append(request.messages[0].content)
        return "ANSWER: yes" if "sum" in asked[-1] else "perhaps"

    a, b, c = at(0, "the product is off"), at(0, "the sum is off"), at(1, "elsewhere")
    d = at(0, "no unit")
    same = await same_by_model(Scripted.from_function(judge), PROBLEM, [[a], [b, c], [d]])
    assert len(asked) == 3  # a-b, a-d, b-d
    assert same(a, b)
    assert same(b, a)
    assert not same(a, d)
    assert not same(a, c)


async def test_points_of_two_lists_are_matched_by_number_from_seven_on() -> None:
    reply = json.dumps({"matches": [{"a": 1, "b": 2, "similarity": 8}, {"a": 2, "b": 1, "similarity": 6}]})
    found = await match_points(Scripted.from_function(lambda _: reply), PROBLEM, ["x", "y"], ["z", "x"])
    assert found.pairs == ((0, 1),)
    assert (found.first, found.second, found.failure) == (2, 2, None)


@pytest.mark.parametrize(
    "reply", ["none", '{"matches": [{"a": 3, "b": 1, "similarity": 9}]}', '{"matches": [{"a": 1}]}']
)
async def test_a_matching_that_names_points_that_are_not_there_is_unreadable(reply: str) -> None:
    found = await match_points(Scripted.from_function(lambda _: reply), PROBLEM, ["x", "y"], ["z"])
    assert found.pairs == ()
    assert found.failure is not None


async def test_an_empty_list_matches_nothing_and_costs_nothing() -> None:
    found = await match_points(Scripted.from_list([]), PROBLEM, [], ["z"])
    assert (found.pairs, found.failure) == ((), None)


# ---------------------------------------------------------------- weights


def test_log_odds_are_zero_at_chance_and_bounded_at_the_ends() -> None:
    assert log_odds(0.5) == 0
    assert log_odds(0.8) == pytest.approx(log(4))
    assert log_odds(0.2) == pytest.approx(-log(4))
    assert log_odds(1.0) == log_odds(0.999) == pytest.approx(log(99))


def test_skill_weights_are_smoothed_and_never_negative() -> None:
    assert skill_weights([3, 0, 9], [4, 4, 10]) == pytest.approx((log(2), 0.0, log(5)))
    assert skill_weights([0], [0]) == (0.0,)
    assert skill_weights([1], [1]) < skill_weights([50], [50])


@pytest.mark.parametrize(("right", "judged"), [([2], [1]), ([1], [1, 2]), ([-1], [1])])
def test_counts_that_cannot_be_are_refused(right: list[int], judged: list[int]) -> None:
    with pytest.raises(InputError):
        skill_weights(right, judged)


def test_evidence_of_a_critic_that_knows_nothing_is_zero() -> None:
    assert evidence(True, 0.3, 0.3) == evidence(False, 0.3, 0.3) == 0
    assert evidence(True, 0.8, 0.1) == pytest.approx(log(8))
    assert evidence(False, 0.8, 0.1) == pytest.approx(log(0.2 / 0.9))


def test_the_weighted_verdict_follows_the_weight_and_ties_are_unsure() -> None:
    three: list[Verdict | None] = ["correct", "incorrect", "incorrect"]
    assert pooled_verdict(three, (1, 1, 1)) == "incorrect"
    assert pooled_verdict(three, (3, 1, 1)) == "correct"
    assert pooled_verdict(three, (2, 1, 1)) == "unsure"
    assert pooled_verdict(["correct", None], (1, 5)) == "correct"
    assert pooled_verdict([None, "correct"], (1, 0)) is None
    assert pooled_verdict(["unsure"], (1,)) == "unsure"


async def test_a_point_stays_where_enough_weight_stands_behind_it() -> None:
    critiques = [says("incorrect", at(0, "a fault")), says("incorrect", at(1, "another")), says("correct")]
    kept = await pool(TARGET, critiques, weights=(3.0, 1.0, 1.0))
    assert [(f.step, kept.verdict) for f in kept.findings] == [(0, "incorrect")]
    assert "60%" in kept.text
    every = await pool(TARGET, critiques, weights=(3.0, 1.0, 1.0), keep=0.0)
    assert [f.step for f in every.findings] == [0, 1]


async def test_an_unreadable_critic_weighs_nothing() -> None:
    critiques = [says("incorrect", at(0, "a fault")), says(None), says(None)]
    pooled = await pool(TARGET, critiques)
    assert pooled.verdict == "incorrect"
    assert len(pooled.findings) == 1
    assert "1 of 3 critics were readable" in pooled.text


async def test_with_no_readable_critic_there_is_no_verdict_but_a_reason() -> None:
    pooled = await pool(TARGET, [says(None), says(None)])
    assert (pooled.verdict, pooled.findings) == (None, ())
    assert pooled.failure is not None


async def test_pooling_says_that_a_critic_saw_the_reference() -> None:
    seen = says("correct").model_copy(update={"saw_reference": True})
    assert (await pool(TARGET, [says("correct"), seen])).saw_reference
    assert not (await pool(TARGET, [says("correct")])).saw_reference


async def test_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="2 weights for 1"):
        await pool(TARGET, [says("correct")], weights=(1.0, 2.0))
    with pytest.raises(InputError, match="negative"):
        await pool(TARGET, [says("correct"), says("correct")], weights=(1.0, -2.0))
    with pytest.raises(InputError, match="share"):
        await pool(TARGET, [says("correct")], keep=2)
    with pytest.raises(InputError):
        weigh((), (0.0,), (0,))


# ---------------------------------------------------------------- passages


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One is here. Two is there.", ["One is here.", "Two is there."]),
        ("Dr. A. Smith said 3.5 kg. Then he left", ["Dr. A. Smith said 3.5 kg.", "Then he left"]),
        ("a line\nanother line\n\n", ["a line", "another line"]),
        ('He said "no." She left!', ['He said "no."', "She left!"]),
        ("", []),
        ("  \n ", []),
    ],
)
def test_sentences_know_their_place(text: str, parts: list[str]) -> None:
    assert [text[start:end] for start, end in sentences(text)] == parts


def test_sections_cover_the_document_and_carry_its_headings() -> None:
    text = "Preface.\n# One\nBody one.\n## Two ##\nBody.\n\\section{Three}\nx\n4.1 Four things\nend\n"
    parts = sections(text)
    assert [part.title for part in parts] == ["", "One", "Two", "Three", "4.1 Four things"]
    assert "".join(part.text for part in parts) == text
    assert all(text[slice(*part.span)] == part.text for part in parts)


def test_chunks_keep_to_the_budget_and_lose_nothing() -> None:
    text = "# A\n" + "word " * 200 + "\n\n# B\nshort\n# C\nshort too\n"
    parts = chunks(sections(text), 300)
    assert "".join(part.text for part in parts) == text
    assert all(len(part.text) <= 300 and text[slice(*part.span)] == part.text for part in parts)
    assert parts[-1].title.endswith("B; C")
    with pytest.raises(InputError):
        chunks(sections(text), 10)


# ---------------------------------------------------------------- skill


def bench() -> ModuleType:
    path = Path(__file__).parents[2] / "bench" / "critic_skill.py"
    found = importlib.util.spec_from_file_location("critic_skill", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules["critic_skill"] = module  # dataclasses look their module up
    found.loader.exec_module(module)
    return module


async def test_weights_by_measured_skill_beat_equal_weights_and_every_single_critic() -> None:
    accuracies, leads = await bench().compare(items=160, seeds=range(3))
    assert accuracies["pool, weights by skill"].n == 240
    evidence_rules = ("pool, evidence", "evidence with the rates at each step")
    assert all(leads[label].value < 0 for label in evidence_rules)
    others = [label for label in leads if label not in evidence_rules]
    assert len(others) == 8
    for label in others:
        assert leads[label].low > 0, (label, leads[label])


GOOD = Skill(right=9, judged=10, detection=0.9, false_alarm=0.1)
POOR = Skill(right=6, judged=10, detection=0.6, false_alarm=0.5)


async def test_evidence_lets_one_careful_critic_outvote_two_that_cry_wolf() -> None:
    critiques = [says("correct"), says("incorrect", at(0, "a fault")), says("incorrect", at(0, "a fault"))]
    assert (await pool(TARGET, critiques)).verdict == "incorrect"
    fused = await pool_by_evidence(TARGET, critiques, (GOOD, POOR, POOR))
    assert (fused.verdict, fused.findings) == ("correct", ())
    assert (await pool_by_evidence(TARGET, critiques, (POOR, POOR, GOOD))).verdict == "incorrect"


async def test_evidence_puts_the_likeliest_point_first_and_drops_unlikely_ones() -> None:
    critiques = [says("incorrect", at(1, "late")), says("incorrect", at(0, "early"))]
    fused = await pool_by_evidence(TARGET, critiques, (POOR, GOOD))
    assert [finding.step for finding in fused.findings] == [0]
    every = await pool_by_evidence(TARGET, critiques, (POOR, GOOD), keep=0.0)
    assert [finding.step for finding in every.findings] == [0, 1]


async def test_a_rejection_without_a_point_counts_and_silence_after_a_check_does_not() -> None:
    vague = [says("incorrect", text="")]
    assert (await pool_by_evidence(TARGET, vague, (GOOD,))).verdict == "incorrect"
    refuted = [says("incorrect", at(0, "a fault"))]
    assert (await pool_by_evidence(TARGET, refuted, (GOOD,), units=[()])).verdict == "correct"


async def test_the_base_rate_moves_the_evidence_and_the_unreadable_do_not() -> None:
    critiques = [says("incorrect", at(0, "a fault")), says(None, at(1, "noise"))]
    assert (await pool_by_evidence(TARGET, critiques, (GOOD, GOOD))).verdict == "incorrect"
    rare = await pool_by_evidence(TARGET, critiques, (GOOD, GOOD), base_rate=0.01)
    assert rare.verdict == "correct"
    mute = await pool_by_evidence(TARGET, [says(None)], (GOOD,))
    assert mute.verdict is None
    assert mute.failure is not None
    with pytest.raises(InputError, match="one skill"):
        await pool_by_evidence(TARGET, critiques, (GOOD,))


def test_skills_that_do_not_fit_the_rule_are_refused_and_one_stands_for_equal_critics() -> None:
    assert skills_for("evidence", (GOOD,), critics=3, alike=True) == (GOOD,) * 3
    assert skills_for("equal", (), critics=3, alike=False) == ()
    for rule, skills in (("evidence", (GOOD,)), ("skill", ()), ("equal", (GOOD, GOOD, GOOD))):
        with pytest.raises(InputError, match="one skill for each"):
            skills_for(cast(Rule, rule), skills, critics=3, alike=False)


def test_a_critic_that_lists_points_without_end_is_cut() -> None:
    assert len(split_units(says("incorrect", *(at(n, f"fault {n}") for n in range(500))))) == 30
    assert len(split_units(says("incorrect", text="It is wrong. " * 500))) == 30


def test_skills_are_read_from_what_judge_and_critics_write(tmp_path: Path) -> None:
    rows = [
        Judged(judge="j", item=str(n), gold=gold, said=said)
        for n, (gold, said) in enumerate(
            [("incorrect", "incorrect")] * 7
            + [("incorrect", "correct")]
            + [("correct", "correct")] * 5
            + [("correct", "incorrect")]
            + [("correct", None)]
        )
    ]
    report = measure(rows, benchmark="b", judge="j")
    wanted = Skill(right=12, judged=14, detection=0.8, false_alarm=0.25)
    (tmp_path / "judge.json").write_text(f"[{report.model_dump_json()}]")
    assert skills_from(tmp_path) == (wanted,)
    write_critics(compare_judges([report], {"j": rows}), tmp_path)
    assert skills_from(tmp_path / "critics.json") == (wanted,)
    assert skills_from(tmp_path) == (wanted,)
    bare = measure([row for row in rows if row.gold == "correct"], benchmark="b", judge="j")
    (tmp_path / "judge.json").write_text(bare.model_dump_json())
    with pytest.raises(InputError, match="both right and wrong"):
        skills_from(tmp_path / "judge.json")
    (tmp_path / "judge.json").write_text("{}")
    with pytest.raises(InputError, match="no report"):
        skills_from(tmp_path / "judge.json")
    with pytest.raises(InputError, match="cannot read"):
        skills_from(tmp_path / "none.json")
