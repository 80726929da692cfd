"""Loops that learn from what models say of answers: which rows a round makes, and that it repeats nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.collecting import plays, sums
from support.loop_rounds import Diary, number, one_round, tools

from gadfly.models.scripted import Scripted
from gadfly.recipes.improve.constitutional_rounds import ConstitutionalRounds
from gadfly.recipes.improve.cut_online import CutOnline
from gadfly.recipes.improve.ilf_rounds import IlfRounds
from gadfly.recipes.improve.meta_rewarding import MetaRewarding
from gadfly.recipes.improve.scrit import Scrit
from gadfly.recipes.improve.self_evolution import SelfEvolution
from gadfly.recipes.improve.self_rewarding import SelfRewarding
from gadfly.recipes.improve.self_taught_evaluator import JUDGE, SelfTaughtEvaluator
from gadfly.records import Problem, Request
from gadfly.train.improve import CRITIC, Loop
from gadfly.train.rows import JudgedRow, Preference

PROBLEMS = sums(6)


def draft(request: Request) -> str:
    """Right for even numbers; another text for every draw."""
    k = number(request)
    return f"Draw {list(request.draw)}: {k + 1 if k % 2 == 0 else k}"


def draw_of(request: Request, tag: str) -> int:
    """The last number of the draw that an answer in the request names."""
    said = request.messages[-1].content.split(f"<{tag}>")[1]
    inside = said.split("[")[1].split("]")[0]
    return int(inside.split(",")[-1]) if inside else 0


# ---------------------------------------------------------------- the models that play


def evolving(heard: list[str] | None = None) -> Scripted:
    """Accepts what it wrote for numbers from 2 on, and what it mended, except for 0."""

    def check(request: Request) -> str:
        asked, k = request.messages[-1].content, number(request)
        accepts = k > 0 if "Mended" in asked else k >= 2
        return f"I looked.\nVERDICT: {'correct' if accepts else 'incorrect'}"

    return plays(
        ("Your earlier answer", lambda request: f"Mended: {number(request) + 1}"),
        ("Is the answer right?", check),
        ("What is", draft),
        heard=heard,
    )


def writing(heard: list[str] | None = None) -> Scripted:
    """Rewrites; the third takes up most, and those of 0 cannot be marked."""

    def mark(request: Request) -> str:
        asked, k = request.messages[-1].content, number(request)
        return "Hm." if k == 0 else f"SCORE: {9 if 'rewrite [2]' in asked else 3}"

    return plays(
        ("How much of the feedback", mark),
        ("Mend the solution", lambda request: f"{number(request) + 1}, rewrite {list(request.draw[-1:])}"),
        ("Say in a few sentences what has to change", "Say it shorter."),
        ("What is", draft),
        heard=heard,
    )


def principled(heard: list[str] | None = None) -> Scripted:
    """Revises all but 0, and prefers the second draw except for 0, where it cannot decide."""

    def choose(request: Request) -> str:
        if number(request) == 0:
            return "CHOICE: tie"
        return f"CHOICE: {'A' if draw_of(request, 'answer_A') == 1 else 'B'}"

    def revise(request: Request) -> str:
        asked, k = request.messages[-1].content, number(request)
        return asked.split("<answer>\n")[1].split("\n</answer>")[0] if k == 0 else f"Kindly: {k + 1}"

    return plays(
        ("Judge by this principle alone", choose),
        ("Write the answer anew", revise),
        ("Hold the answer against this principle", "It is curt."),
        ("What is", draft),
        heard=heard,
    )


def marking(heard: list[str] | None = None) -> Scripted:
    """Marks the second answer best and the first worst, and says more each time; 0 gets one mark for all."""

    def mark(request: Request) -> str:
        if number(request) == 0:
            return "All alike.\nSCORE: 3"
        value = (0, 5, 2, 2)[draw_of(request, "answer")]
        # The last judgement of the third answer is off: there the judgements differ.
        off = value == 2 and request.draw[-1:] == (2,)
        return f"Because.\nSCORE: {5 if off else value}"

    def better(request: Request) -> str:
        first = request.messages[-1].content.split("<judgement_A>")[1].split("</")[0]
        return f"CHOICE: {'B' if 'SCORE: 5' in first else 'A'}"

    return plays(("Two judges have judged", better), ("Begin at 0", mark), ("What is", draft), heard=heard)


def comparing(heard: list[str] | None = None) -> Scripted:
    """Finds the answer to the problem in both orders for odd numbers, and says A for the others."""

    def choose(request: Request) -> str:
        asked, k = request.messages[-1].content, number(request)
        known_first = "Other" in asked.split("<answer_B>")[1]
        right = "A" if known_first else "B"
        return f"I weighed both, {list(request.draw)}.\nCHOICE: {right if k % 2 else 'A'}"

    return plays(
        ("Say briefly which answer is better", choose),
        ("Write another task", "Which colour?"),
        ("Which colour", "Other: red"),
        ("What is", draft),
        heard=heard,
    )


def criticising(heard: list[str] | None = None) -> Scripted:
    """Tells what is right beside the reference, except for 1, where its critique leads astray."""

    def beside(request: Request) -> str:
        asked, k = request.messages[-1].content, number(request)
        assert f"<right_answer>\n{k + 1}\n" in asked
        return f"It should be {k + 1 if k != 1 else 7}.\nVERDICT: {'correct' if k % 2 == 0 else 'incorrect'}"

    def correct(request: Request) -> str:
        asked = request.messages[-1].content
        assert "right_answer" not in asked
        return asked.split("It should be ")[1].split(".")[0]

    return plays(("right_answer", beside), ("Your earlier answer", correct), ("What is", draft), heard=heard)


def judging(heard: list[str] | None = None) -> Scripted:
    """Says what is wrong with answers of its own to odd numbers; of 0 it says nothing clear."""

    def check(request: Request) -> str:
        k = number(request)
        said = f"It should be {k + 1}.\nVERDICT: incorrect" if k % 2 else "Well.\nVERDICT: correct"
        return "Well." if k == 0 else said

    return plays(("Is the answer right?", check), ("What is", draft), heard=heard)


@dataclass(frozen=True)
class Played:
    """A loop, a model that can play it, and a reply to everything that leaves it without rows."""

    loop: Loop
    model: Callable[[list[str] | None], Scripted]
    empty: str
    """What every model says, so that nothing is left to learn."""
    blind: bool = True
    """Whether its rows may not depend on references."""


LOOPS = {
    "self-evolution": Played(SelfEvolution(samples=2), evolving, "1\nVERDICT: incorrect"),
    "ilf-rounds": Played(IlfRounds(n=3), writing, "Nothing."),
    "constitutional-rounds": Played(ConstitutionalRounds(pairs=1), principled, "CHOICE: tie"),
    "self-rewarding": Played(SelfRewarding(marks=1), marking, "SCORE: 3"),
    "meta-rewarding": Played(MetaRewarding(), marking, "SCORE: 3"),
    "self-taught-evaluator": Played(SelfTaughtEvaluator(traces=4), comparing, "CHOICE: A"),
    "cut-online": Played(CutOnline(samples=1), judging, "Hm."),
    "scrit": Played(Scrit(samples=2), criticising, "VERDICT: incorrect", blind=False),
}
EVERY = pytest.mark.parametrize("played", LOOPS.values(), ids=LOOPS)


@EVERY
def test_a_second_run_of_a_round_asks_nothing_and_teaches_the_same(played: Played, tmp_path: Path) -> None:
    heard: list[str] = []
    first, second = Diary(), Diary()
    one_round(played.loop, PROBLEMS, tmp_path, tools(played.model(heard), first))
    assert heard
    assert first.rows
    asked = len(heard)
    one_round(played.loop, PROBLEMS, tmp_path, tools(played.model(heard), second))
    assert len(heard) == asked
    assert second.lessons == first.lessons


@EVERY
def test_a_round_with_nothing_to_learn_trains_nothing_and_says_so(played: Played, tmp_path: Path) -> None:
    diary = Diary()
    done = one_round(played.loop, PROBLEMS, tmp_path, tools(plays(("", played.empty)), diary))
    assert diary.lessons == []
    assert not done.current
    assert any("was not trained: there were no rows" in text for text in done.notes)
    assert any(text.startswith("no ") for text in done.notes), "and why"


@pytest.mark.parametrize("name", [name for name, played in LOOPS.items() if played.blind])
def test_references_change_no_row(name: str, tmp_path: Path) -> None:
    played, shuffled = LOOPS[name], rotated(PROBLEMS)
    rows: list[list[str]] = []
    for place, problems in enumerate((PROBLEMS, shuffled)):
        diary = Diary()
        one_round(played.loop, problems, tmp_path / str(place), tools(played.model(None), diary))
        assert diary.rows
        assert not any(row.lineage.saw_reference or row.lineage.oracle for row in diary.rows)
        rows.append([row.model_dump_json() for row in diary.rows])
    assert rows[0] == rows[1]


def rotated(problems: Sequence[Problem]) -> list[Problem]:
    """The problems, each with the reference of the next."""
    others = [*problems[1:], problems[0]]
    return [
        one.model_copy(update={"reference": other.reference})
        for one, other in zip(problems, others, strict=True)
    ]


# ---------------------------------------------------------------- what the rows are


def test_self_teaches_the_meta_skills_first(tmp_path: Path) -> None:
    diary = Diary()
    one_round(SelfEvolution(drafts=1), PROBLEMS, tmp_path, tools(evolving(), diary), index=0)
    ((lesson, rows, start),) = diary.lessons
    assert (lesson.objective, start) == ("sft", "base")
    feedback = [said for asked, said in diary.taught if "Is the answer right?" in asked]
    assert len(feedback) == 6 + 3, "six drafts, and the rewrites of the three wrong ones"
    assert sum("VERDICT: incorrect" in said for said in feedback) == 3
    refined = [(asked, said) for asked, said in diary.taught if "Your earlier answer" in asked]
    assert [said for _, said in refined] == ["Mended: 2", "Mended: 4", "Mended: 6"]
    assert all("The answer should be" in asked for asked, _ in refined), "by the teacher's feedback"
    assert (
        len([1 for asked, _ in diary.taught if asked.startswith("What is") and "earlier" not in asked]) == 6
    )
    assert all(row.lineage.oracle for row in rows if "Your earlier answer" in row.prompt[-1].content)


def test_self_learns_what_it_accepts_itself_with_the_meta_skills(tmp_path: Path) -> None:
    diary, loop = Diary(), SelfEvolution(drafts=1, samples=1)
    one_round(loop, PROBLEMS, tmp_path, tools(evolving(), diary), index=0)
    skills = diary.lessons.pop()[1]
    done = one_round(loop, PROBLEMS, tmp_path, tools(evolving(), diary))
    ((_, rows, start),) = diary.lessons
    own = {asked: said for asked, said in diary.taught[: len(rows) - len(skills)]}
    assert own == {
        "What is 1 + 1?": "Mended: 2",  # refused, mended, accepted
        "What is 2 + 1?": "Draw []: 3",
        "What is 3 + 1?": "Draw []: 3",  # wrong, and accepted all the same
        "What is 4 + 1?": "Draw []: 5",
        "What is 5 + 1?": "Draw []: 5",
    }
    assert rows[-len(skills) :] == skills
    assert start == "base"
    assert "the model accepts 5 of its 6 answers" in done.notes


def test_ilf_learns_the_rewrite_that_takes_up_most_of_the_feedback(tmp_path: Path) -> None:
    diary, heard = Diary(), list[str]()
    one_round(IlfRounds(n=3), PROBLEMS, tmp_path, tools(writing(heard), diary))
    assert diary.taught == [(f"What is {k} + 1?", f"{k + 1}, rewrite [2]") for k in range(1, 6)]
    assert len(heard) == 6 * (1 + 1 + 2 * 3), "a draft, its feedback, and three rewrites with a mark each"


def test_constitutional_ai_imitates_revisions_and_then_prefers_under_principles(tmp_path: Path) -> None:
    diary, loop = Diary(), ConstitutionalRounds(revisions=1, pairs=1)
    one_round(loop, PROBLEMS, tmp_path, tools(principled(), diary), index=0)
    assert diary.taught == [(f"What is {k} + 1?", f"Kindly: {k + 1}") for k in range(1, 6)]
    one_round(loop, PROBLEMS, tmp_path, tools(principled(), diary))
    lesson, pairs, _ = diary.lessons[1]
    assert (lesson.objective, lesson.settings) == ("dpo", {"beta": 0.1})
    assert len(pairs) == 5, "a tie makes no pair"
    for row in pairs:
        assert isinstance(row, Preference)
        assert (row.chosen[0].content[:9], row.rejected[0].content[:8]) == ("Draw [0, ", "Draw []:")
        assert row.strength == 1.0


def test_self_rewarding_prefers_its_best_answer_to_its_worst(tmp_path: Path) -> None:
    diary = Diary()
    one_round(SelfRewarding(), PROBLEMS, tmp_path, tools(marking(), diary))
    ((lesson, pairs, start),) = diary.lessons
    assert (lesson.objective, start) == ("dpo", "base")
    assert len(pairs) == 5, "equal marks make no pair"
    for row in pairs:
        assert isinstance(row, Preference)
        assert (row.chosen[0].content[:9], row.rejected[0].content[:8]) == ("Draw [1]:", "Draw []:")
        assert row.strength == pytest.approx(1.0)


def test_meta_rewarding_makes_pairs_of_answers_and_of_judgements(tmp_path: Path) -> None:
    diary = Diary()
    one_round(MetaRewarding(), PROBLEMS, tmp_path, tools(marking(), diary))
    ((lesson, rows, _),) = diary.lessons
    assert lesson.objective == "dpo"
    judged = [row for row in rows if "Begin at 0" in row.prompt[-1].content]
    assert len(rows) == 10
    assert len(judged) == 5
    for row in judged:
        assert isinstance(row, Preference)
        assert "Draw [2]" in row.prompt[-1].content, "of the answer whose marks differ most"
        assert row.chosen[0].content.endswith("SCORE: 2")
        assert row.rejected[0].content.endswith("SCORE: 5")


def test_meta_rewarding_takes_the_shorter_of_two_good_answers(tmp_path: Path) -> None:
    def answer(request: Request) -> str:
        return ("Wrong.", "Right, and so on and on.", "Right.", "Wrong, and on.")[(*request.draw, 0)[0]]

    def mark(request: Request) -> str:
        said = request.messages[-1].content.split("<answer>")[1]
        return "SCORE: 0" if "Wrong" in said else "SCORE: 5" if "so on" in said else "SCORE: 4.75"

    for tolerance, chosen, rejected in (
        (0.1, "Right.", "Wrong, and on."),
        (0.0, "Right, and so on and on.", "Wrong."),
    ):
        diary, model = Diary(), plays(("Begin at 0", mark), ("What is", answer))
        one_round(
            MetaRewarding(marks=1, tolerance=tolerance),
            PROBLEMS[:1],
            tmp_path / str(tolerance),
            tools(model, diary),
        )
        (row,) = diary.rows
        assert isinstance(row, Preference)
        assert (row.chosen[0].content, row.rejected[0].content) == (chosen, rejected)


def test_an_evaluator_learns_verdicts_that_agree_with_the_known_order_in_both_orders(tmp_path: Path) -> None:
    diary = Diary()
    done = one_round(SelfTaughtEvaluator(traces=4), PROBLEMS, tmp_path, tools(comparing(), diary))
    assert set(done.current) == {JUDGE}
    assert len(diary.taught) == 2 * 3, "one trace of either order, for odd numbers; the others have a leaning"
    for asked, said in diary.taught:
        assert (
            asked.index("Draw") < asked.index("Other")
            if said.endswith("A")
            else asked.index("Other") < asked.index("Draw")
        )
    assert [said[-1] for _, said in diary.taught] == ["A", "B"] * 3


def test_cut_learns_from_judgements_of_the_newest_answers(tmp_path: Path) -> None:
    diary = Diary()
    one_round(CutOnline(samples=1, alpha=0.5), PROBLEMS, tmp_path, tools(judging(), diary))
    ((lesson, rows, start),) = diary.lessons
    assert (lesson.objective, start) == ("cut", "base")
    assert lesson.settings == {"threshold": 1.1, "alpha": 0.5}
    judged = [row for row in rows if isinstance(row, JudgedRow)]
    assert [(row.prompt[0].content, row.satisfactory) for row in judged] == [
        (f"What is {k} + 1?", k % 2 == 0) for k in range(1, 6)
    ]
    assert [row.completion.content for row in judged if not row.satisfactory] == [
        f"Draw []: {k}" for k in (1, 3, 5)
    ]
    assert judged[0].judgement.content == "It should be 2.\nVERDICT: incorrect"


def test_scrit_keeps_critiques_that_lead_to_right_corrections_and_hides_the_reference(tmp_path: Path) -> None:
    diary = Diary()
    done = one_round(Scrit(samples=1), PROBLEMS, tmp_path, tools(criticising(), diary))
    assert set(done.current) == {CRITIC}
    assert [said.split(".")[0] for _, said in diary.taught] == [
        f"It should be {k + 1}" for k in (0, 2, 3, 4, 5)
    ]
    assert not any("right_answer" in asked for asked, _ in diary.taught)
    assert all(row.lineage.oracle for row in diary.rows), "the report says what shaped them"
    every = Diary()
    one_round(Scrit(samples=1, validated=False), PROBLEMS, tmp_path / "all", tools(criticising(), every))
    assert len(every.rows) == 6
