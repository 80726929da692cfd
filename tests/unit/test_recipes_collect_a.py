"""Collectors of ratings, principles, feedback and meta-skills: the effect each paper is about."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from support.collecting import collected, plays, sums

from gadfly.errors import InputError
from gadfly.models.scripted import Scripted
from gadfly.recipes.collect.constitutional_ai import ConstitutionalAI
from gadfly.recipes.collect.ultra_feedback import PRINCIPLES, UltraFeedback
from gadfly.records import Request
from gadfly.train.rows import CritiqueRow, Preference, PromptCompletion, VectorReward, row_parts
from gadfly.train.sources import read_runs

# ---------------------------------------------------------------- UltraFeedback


def judge_of_words() -> Scripted:
    """Marks an answer by the word it begins with, and leaves honesty unread."""

    def mark(request: Request) -> str:
        asked = request.messages[-1].content
        if "its honesty" in asked:
            return "I cannot say."
        return f"SCORE: {5 if 'Good' in asked else 2}"

    return plays(("SCORE:", mark), ("You are a teacher", "Say why."), id="annotator")


def ultra_feedback() -> UltraFeedback:
    good, poor = plays(("What is", "Good. 1"), id="good"), plays(("What is", "Poor. 2"), id="poor")
    return UltraFeedback(model=judge_of_words(), models=(good, poor), n=2)


def test_one_run_gives_pairs_marks_and_critiques(tmp_path: Path) -> None:
    collector, problems = ultra_feedback(), sums(3)
    pairs = collected(collector, problems, tmp_path)
    before = (tmp_path / "rollouts.jsonl").read_bytes()
    assert len(pairs) == 3
    for row in pairs:
        assert isinstance(row, Preference)
        assert (row.chosen[0].author, row.rejected[0].author) == ("good", "poor")
        assert row.strength == pytest.approx(0.75)
        assert (row.lineage.policy, row.lineage.author) == ("good", "annotator")
        assert not row.lineage.saw_reference
    marks = collected(replace(collector, view="score"), problems, tmp_path)
    assert len(marks) == 6
    for row in marks:
        assert isinstance(row, VectorReward)
        assert set(row.rewards) == {"instruction-following", "truthfulness", "helpfulness"}, (
            "honesty is unread"
        )
    critiques = collected(replace(collector, view="critique"), problems, tmp_path)
    assert [type(row) for row in critiques] == [CritiqueRow] * 6
    assert {row.lineage.policy for row in critiques} == {"annotator"}
    assert (tmp_path / "rollouts.jsonl").read_bytes() == before, "the other views cost nothing"


def test_the_principle_an_answer_was_given_under_is_for_labelling_only(tmp_path: Path) -> None:
    rows = collected(replace(ultra_feedback(), view="score"), sums(8), tmp_path)
    drawn = Counter(row.labelling_only.principles for row in rows if row.labelling_only)
    assert all(len(found) == 1 and found[0] in PRINCIPLES for found in drawn)
    assert len(drawn) > 1
    assert not any(principle in part for row in rows for part in row_parts(row) for principle in PRINCIPLES)


def test_answers_with_the_same_marks_make_no_pair(tmp_path: Path) -> None:
    dropped: Counter[str] = Counter()
    model = plays(("SCORE:", "SCORE: 4"), ("You are a teacher", "Fine."), ("What is", "1"))
    assert collected(UltraFeedback(model=model), sums(2), tmp_path, dropped=dropped) == []
    assert dropped == {"no pair with the margin": 2}


# ---------------------------------------------------------------- Constitutional AI

RUDE = "Prefer the polite answer."


def test_a_constitution_in_a_file_drives_both_stages(tmp_path: Path) -> None:
    law = tmp_path / "principles.txt"
    law.write_text(f"# ours\n{RUDE}\n\nPrefer the short answer.\n")
    model = plays(
        ("CHOICE: A", lambda request: f"CHOICE: {'A' if 'Please' in _answer_a(request) else 'B'}"),
        ("Hold the answer", "It is rude."),
        ("Write the answer anew", "Please: 1"),
        ("What is", lambda request: "Please, 1" if request.draw else "Idiot, 1"),
    )
    collector = ConstitutionalAI(model=model, rounds=2, constitution=str(law))
    assert collector.principles == (RUDE, "Prefer the short answer.")
    revised = collected(collector, sums(6), tmp_path / "first")
    drawn: set[str] = set()
    for row in revised:
        assert isinstance(row, PromptCompletion)
        assert row.completion[0].content == "Please: 1"
        assert row.prompt[-1].content.startswith("What is"), "the bare request"
        assert row.labelling_only is not None
        drawn |= set(row.labelling_only.principles)
        assert not any(RUDE in part for part in row_parts(row))
    assert drawn == set(collector.principles)
    pairs = collected(replace(collector, view="preference"), sums(6), tmp_path / "second")
    assert len(pairs) == 6
    for row in pairs:
        assert isinstance(row, Preference)
        assert (row.chosen[0].content, row.rejected[0].content) == ("Please, 1", "Idiot, 1")
        assert row.labelling_only is not None
        assert len(row.labelling_only.principles) == 1


def _answer_a(request: Request) -> str:
    return request.messages[-1].content.partition("<answer_A>")[2].partition("</answer_A>")[0]


def test_a_revision_that_changes_nothing_makes_no_row(tmp_path: Path) -> None:
    dropped: Counter[str] = Counter()
    model = plays(("Hold the answer", "It follows it."), ("What is", "1"), ("anew", "1"))
    assert collected(ConstitutionalAI(model=model, rounds=1), sums(2), tmp_path, dropped=dropped) == []
    assert dropped == {"nothing changed": 2}


def test_a_constitution_without_principles_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("# nothing\n")
    with pytest.raises(InputError, match="one a line"):
        ConstitutionalAI(model=plays(), constitution=str(tmp_path / "empty.txt"))
    with pytest.raises(InputError, match="cannot read"):
        ConstitutionalAI(model=plays(), constitution=str(tmp_path / "none.txt"))


def test_the_rows_say_which_run_and_problem_they_are_from(tmp_path: Path) -> None:
    rows = collected(ultra_feedback(), sums(2), tmp_path)
    known = {source.id: source.rollout.problem.id for source in read_runs(tmp_path)}
    for row in rows:
        assert row.lineage.benchmark == "sums"
        assert [known[name] for name in row.lineage.rollouts] == [row.lineage.problem]
