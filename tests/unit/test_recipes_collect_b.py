"""Collectors of critiques and steps: what is pooled, tried out, searched for and compared."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.collecting import collected, plays, sums

from gadfly.models.scripted import Scripted
from gadfly.primitives.prefixes import Search
from gadfly.recipes.collect.auto_math_critiques import AutoMathCritiques
from gadfly.recipes.collect.multi_critique_sets import MultiCritiqueSets
from gadfly.recipes.collect.self_explore import SelfExplore
from gadfly.recipes.collect.step_labels import StepLabels
from gadfly.records import Problem, Request
from gadfly.train.rows import CritiqueRow, Preference, Stepwise, row_parts

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


# ---------------------------------------------------------------- steps: OmegaPRM and Self-Explore


def chain(bad: int, length: int = 16) -> tuple[list[str], Callable[[Request], str]]:
    """Steps with a wrong one at `bad`, and a model that can only go on rightly from before it.

    On its own draw the model writes the wrong chain, on every other one the right one.
    """
    wrong = [f"Step {k}: {'wrong' if k >= bad else 'right'}.\n" for k in range(length)]

    def answer(request: Request) -> str:
        begun = request.prefix or ""
        if not begun and not request.draw:
            return "".join(wrong) + "Answer: 0"
        return f"So on.\nAnswer: {0 if 'wrong' in begun else 7}"

    return wrong, answer


LONG = Problem(id="long", prompt="What is it?", reference="7", answer_kind="number")


@pytest.mark.parametrize("bad", [0, 1, 5, 11, 15])
def test_binary_search_finds_a_planted_first_error_in_about_log2_batches(bad: int, tmp_path: Path) -> None:
    steps, answer = chain(bad)
    tried: list[str] = []

    def listen(request: Request) -> str:
        tried.append(request.prefix or "")
        return answer(request)

    collector = StepLabels(model=Scripted.from_function(listen), n=2, continuations=4)
    good, wrong = collected(collector, [LONG], tmp_path)
    assert isinstance(good, Stepwise)
    assert all(good.labels)
    assert isinstance(wrong, Stepwise)
    assert wrong.completions == tuple(steps[: bad + 1])
    assert wrong.labels == (*[True] * bad, False)
    assert not wrong.lineage.oracle, "the text is the model's own; only the label saw the reference"
    assert wrong.lineage.saw_reference
    batches = len({begun for begun in tried if begun})
    assert batches <= math.ceil(math.log2(len(steps) + 1))
    step_by_step = replace(collector, search="linear")
    found = collected(step_by_step, [LONG], tmp_path / "linear")
    assert isinstance(found[1], Stepwise)
    assert found[1].labels == wrong.labels


def test_a_problem_that_no_sample_solves_gets_no_labels(tmp_path: Path) -> None:
    dropped: Counter[str] = Counter()
    model = plays(("What is it", "Step 1.\nAnswer: 0"))
    assert collected(StepLabels(model=model, n=3), [LONG], tmp_path, dropped=dropped) == []
    assert dropped == {"not solved, or always": 1}


@pytest.mark.parametrize("search", ["linear", "binary"])
def test_pairs_share_the_steps_before_the_pit_and_part_there(search: Search, tmp_path: Path) -> None:
    steps, answer = chain(3, length=6)
    collector = SelfExplore(model=Scripted.from_function(answer), n=2, search=search)
    (pair,) = collected(collector, [LONG], tmp_path)
    assert isinstance(pair, Preference)
    before = "".join(steps[:3])
    assert pair.chosen[0].content == f"{before}So on.\nAnswer: 7"
    assert pair.rejected[0].content == before + steps[3]
    assert not pair.lineage.oracle
    (rest,) = collected(replace(collector, view="rest"), [LONG], tmp_path)
    assert row_parts(rest)[1:] == [pair.chosen[0].content, "".join(steps) + "Answer: 0"]
    (whole,) = collected(replace(collector, view="answer"), [LONG], tmp_path)
    assert row_parts(whole)[1:] == ["So on.\nAnswer: 7", "".join(steps) + "Answer: 0"]


def test_where_the_first_step_is_the_pit_a_right_sample_stands_against_it(tmp_path: Path) -> None:
    steps, answer = chain(0, length=4)
    (pair,) = collected(SelfExplore(model=Scripted.from_function(answer), n=2), [LONG], tmp_path)
    assert row_parts(pair)[1:] == ["So on.\nAnswer: 7", steps[0]]
