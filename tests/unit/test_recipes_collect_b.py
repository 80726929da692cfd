"""Collectors of critiques and steps: what is pooled, tried out, searched for and compared."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from support.collecting import collected, plays, sums

from gadfly.models.scripted import Scripted
from gadfly.recipes.collect.auto_math_critiques import AutoMathCritiques
from gadfly.recipes.collect.multi_critique_sets import MultiCritiqueSets
from gadfly.records import Problem, Request
from gadfly.train.rows import CritiqueRow, Preference, row_parts

# ---------------------------------------------------------------- MultiCritique

TRUE = "- step 1: the sum is wrong -> add one more\nVERDICT: incorrect"
HALF = "- step 1: the sum is wrong -> add one more\n- step 1: it ought to rhyme\nVERDICT: incorrect"
FALSE = "- step 1: it ought to rhyme\nVERDICT: incorrect"


def critics_and_checker() -> Scripted:
    def criticise(request: Request) -> str:
        return (TRUE, HALF, FALSE)[sum(request.draw)]

    def check(request: Request) -> str:
        return f"Let me see.\nVERDICT: {'incorrect' if 'rhyme' in _claim(request) else 'correct'}"

    return plays(
        ("checklist for judging", "- Is the sum right?"),
        ("Several reviewers judged", "The sum is wrong; add one more."),
        ("Name only faults", criticise),
        ("VERDICT:", check),
        ("What is", "It is 9.\nAnswer: 9"),
    )


def _claim(request: Request) -> str:
    return request.messages[-1].content.rpartition("<claim>")[2]


def test_false_points_leave_the_pooled_critique_and_sound_critiques_win_the_pairs(tmp_path: Path) -> None:
    collector = MultiCritiqueSets(model=critics_and_checker())
    for row in collected(collector, sums(2), tmp_path):
        assert isinstance(row, CritiqueRow)
        assert row.critique.content == "The sum is wrong; add one more."
        assert row.verdict == "incorrect"
        assert row.first_wrong_step == 0
    pairs = collected(replace(collector, view="preference"), sums(2), tmp_path)
    found = {(row.chosen[0].content, row.rejected[0].content) for row in pairs if isinstance(row, Preference)}
    assert found == {(TRUE, HALF), (TRUE, FALSE), (HALF, FALSE)}
    for row in pairs:
        assert "It is 9." in row.prompt[-1].content, "the prompt shows the answer that is criticised"
    wide = collected(replace(collector, view="preference", margin=0.8), sums(2), tmp_path)
    assert [row_parts(row)[1:] for row in wide] == [[TRUE, FALSE]] * 2


# ---------------------------------------------------------------- AutoMathCritique


def pupils(*, useful: bool = True, heard: list[str] | None = None) -> Scripted:
    """Wrong on the problem's own draw, right on others; mends with a useful critique, half of the time."""

    def answer(request: Request) -> str:
        k = int(request.messages[-1].content.split()[2])
        return f"{k} + 1 = {k + 1}.\nAnswer: {k + 1 if request.draw else k + 2}"

    def mend(request: Request) -> str:
        asked = request.messages[-1].content
        k = int(asked.split()[2])
        return f"Answer: {k + 1 if 'one more' in asked and sum(request.draw) % 2 == 0 else 0}"

    said = (
        "- step 1: add one more\nVERDICT: incorrect" if useful else "- step 1: be nicer\nVERDICT: incorrect"
    )
    return plays(
        ("The solution below ends with the right answer", "It holds.\nVERDICT: correct"),
        ("Mend the solution", mend),
        ("VERDICT:", said),
        ("What is", answer),
        heard=heard,
    )


def test_a_critique_whose_revisions_fail_is_dropped_and_one_that_helps_is_kept(tmp_path: Path) -> None:
    dropped: Counter[str] = Counter()
    for row in (rows := collected(AutoMathCritiques(model=pupils(), n=2), sums(3), tmp_path, oracle="mark")):
        assert isinstance(row, CritiqueRow)
        assert "one more" in row.critique.content
        assert row.lineage.oracle, "the critic was told the answer"
        assert row.lineage.saw_reference
    assert len(rows) == 3
    useless = AutoMathCritiques(model=pupils(useful=False), n=2)
    assert collected(useless, sums(3), tmp_path / "useless", oracle="mark", dropped=dropped) == []
    assert dropped == {"no reviser was helped": 3}


def test_the_least_share_of_right_revisions_is_chosen_afterwards(tmp_path: Path) -> None:
    collector = AutoMathCritiques(model=pupils(), n=2, least=0.5)
    assert len(collected(collector, sums(2), tmp_path, oracle="mark")) == 2
    assert collected(replace(collector, least=0.75), sums(2), tmp_path, oracle="mark") == []


def test_a_critic_that_is_told_nothing_makes_rows_without_an_oracle(tmp_path: Path) -> None:
    heard: list[str] = []
    rows = collected(AutoMathCritiques(model=pupils(heard=heard), n=2, told=False), sums(2), tmp_path)
    assert [row.lineage.oracle for row in rows] == [False, False]
    assert all(row.lineage.saw_reference for row in rows), "the filter saw it"
    assert not any("For your eyes only" in asked for asked in heard)


def test_a_planted_flaw_is_told_to_the_critic_by_its_place(tmp_path: Path) -> None:
    heard: list[str] = []

    def answer(request: Request) -> str:
        return "Two and two: 2 + 2 = 4.\nOne more: 4 + 1 = 5.\nAnswer: 5"

    model = plays(
        ("Mend the solution", "Answer: 5"),
        ("The beginning of a solution", "Answer: 7"),
        ("where the first error is", "- step 1: the sum is wrong\nVERDICT: incorrect"),
        ("What is", answer),
        heard=heard,
    )
    problem = Problem(id="p", prompt="What is 2 + 2 + 1?", reference="5", answer_kind="number")
    collector = AutoMathCritiques(model=model, n=1, flaw="rule")
    (row,) = collected(collector, [problem], tmp_path, oracle="mark")
    assert isinstance(row, CritiqueRow)
    assert row.answer.content.endswith("Answer: 7")
    (told,) = [asked for asked in heard if "where the first error is" in asked]
    assert "stands where" in told


def test_an_answer_without_a_flaw_gets_a_critique_that_accepts_it(tmp_path: Path) -> None:
    model = plays(
        ("The solution below ends with the right answer", "Each step holds.\nVERDICT: correct"),
        ("What is", lambda request: f"Answer: {int(request.messages[-1].content.split()[2]) + 1}"),
    )
    (row,) = collected(AutoMathCritiques(model=model, n=2), sums(1), tmp_path, oracle="mark")
    assert isinstance(row, CritiqueRow)
    assert row.verdict == "correct"
