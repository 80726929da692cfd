"""Collectors of ratings, principles, feedback and meta-skills: the effect each paper is about."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from support.collecting import collected, plays, sums

from gadfly.errors import InputError
from gadfly.models.scripted import Scripted
from gadfly.recipes.collect.constitutional_ai import ConstitutionalAI
from gadfly.recipes.collect.ilf import ILF
from gadfly.recipes.collect.self_meta_skills import SelfMetaSkills
from gadfly.recipes.collect.ultra_feedback import PRINCIPLES, UltraFeedback
from gadfly.records import Candidate, Critique, Problem, Request
from gadfly.trace import primitive
from gadfly.train.rows import Correction, CritiqueRow, Preference, PromptCompletion, VectorReward, row_parts
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


# ---------------------------------------------------------------- ILF


def drafts_and_rewrites() -> Scripted:
    """The draft lacks a unit; of its rewrites only the second one takes the feedback up."""
    return plays(
        ("How much of the feedback", lambda request: f"SCORE: {10 if 'apples' in _new(request) else 1}"),
        ("what has to change", "Say apples of what."),
        ("An earlier solution", lambda request: "2 apples" if request.draw == (1,) else "It is 2."),
        ("What is", "2"),
    )


def _new(request: Request) -> str:
    return request.messages[-1].content.partition("<new_version>")[2]


def test_the_rewrite_that_takes_the_feedback_up_is_learned_without_the_feedback(tmp_path: Path) -> None:
    collector = ILF(model=drafts_and_rewrites(), n=3)
    rows = collected(collector, sums(2), tmp_path)
    for row in rows:
        assert isinstance(row, PromptCompletion)
        assert row.completion[0].content == "2 apples"
        assert not any("apples of what" in part for part in row_parts(row))
        assert row.labelling_only is not None
        assert "apples of what" in (row.labelling_only.explanation or "")
    pairs = collected(replace(collector, view="preference"), sums(2), tmp_path)
    assert [type(row) for row in pairs] == [Preference] * 2


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """A critic that reads the right answer out."""

    sees_reference: bool = True

    @primitive
    async def __call__(self, problem: Problem, target: object, /) -> Critique:
        assert isinstance(target, Candidate)
        words = f"It is {problem.reference}: apples of what?"
        return Critique(target=target.id, text=words, author="teacher", saw_reference=self.sees_reference)


def test_a_rewrite_by_feedback_that_saw_the_reference_is_an_oracles(tmp_path: Path) -> None:
    collector = ILF(model=drafts_and_rewrites(), critic=Teacher(), n=2)
    with pytest.raises(InputError, match="shaped by something that had seen the reference"):
        collected(collector, sums(1), tmp_path)
    (row,) = collected(collector, sums(1), tmp_path, oracle="mark")
    assert row.lineage.oracle
    assert row.lineage.saw_reference
    dropped: Counter[str] = Counter()
    assert collected(collector, sums(1), tmp_path, oracle="drop", dropped=dropped) == []
    assert dropped == {"oracle": 1}


# ---------------------------------------------------------------- SELF


def pupil() -> Scripted:
    return plays(
        ("What is", lambda request: "48" if "3 +" in request.messages[-1].content else "1"), id="pupil"
    )


def master() -> Scripted:
    def look(request: Request) -> str:
        asked = request.messages[-1].content
        return (
            "All is well.\nVERDICT: correct" if "48" not in asked else "- It is not 48.\nVERDICT: incorrect"
        )

    def mend(request: Request) -> str:
        return "4" if "What is 3" in request.messages[-1].content else "48 again"

    return plays(("An earlier solution", mend), ("VERDICT:", look), id="master")


def test_a_talk_of_draft_feedback_and_rewrite_is_kept_where_the_second_look_accepts(tmp_path: Path) -> None:
    dropped: Counter[str] = Counter()
    collector = SelfMetaSkills(model=pupil(), teacher=master())
    problems = [*sums(4), Problem(id="hard", prompt="What is 13 + 1?", reference="14")]
    (row,) = collected(collector, problems, tmp_path, dropped=dropped)
    assert isinstance(row, Correction)
    assert [(turn.author, turn.content) for turn in row.turns] == [
        ("pupil", "48"),
        ("master", "- It is not 48.\nVERDICT: incorrect"),
        ("master", "4"),
    ]
    assert dropped == {"nothing to mend": 3, "not accepted": 1}
    assert not row.lineage.saw_reference
    critiques = collected(replace(collector, view="critique"), problems, tmp_path)
    assert Counter(row.verdict for row in critiques if isinstance(row, CritiqueRow)) == {
        "correct": 3,
        "incorrect": 1,
    }
    assert len(collected(replace(collector, view="answer"), problems, tmp_path)) == 4
