"""Rows, and making them from rollouts of scripted models."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from pydantic import ValidationError

from gadfly.errors import InputError
from gadfly.models.scripted import Scripted
from gadfly.recipes.solve.direct import Direct
from gadfly.recipes.solve.self_correct import SelfCorrect
from gadfly.recipes.solve.self_refine import SelfRefine
from gadfly.records import (
    Candidate,
    Case,
    Critique,
    Failure,
    Finding,
    Gold,
    Problem,
    Ranking,
    Request,
    Rollout,
    Score,
    Step,
)
from gadfly.run import run_sync
from gadfly.scorers.text import Numeric
from gadfly.train.from_critiques import critiques, judged_answers, stepwise, weighted_steps
from gadfly.train.from_rewrites import corrections, revisions
from gadfly.train.from_rollouts import (
    preferences,
    prompt_completions,
    ranked_preferences,
    rankings,
    unpaired,
    vector_rewards,
)
from gadfly.train.rows import (
    LabellingOnly,
    Lineage,
    Preference,
    PromptCompletion,
    RankedList,
    Span,
    Stepwise,
    Turn,
    Weighted,
    row_parts,
)
from gadfly.train.sources import Sourced, read_runs, sourced

PROBLEM = Problem(id="p1", prompt="What is 6 * 7?", reference="42", privileged={"hints": ["seven sixes"]})
ASKED = (Turn(role="user", content="What is 6 * 7?", author="problem"),)


def turn(text: str, author: str = "m") -> Turn:
    return Turn(role="assistant", content=text, author=author)


def scored(text: str, value: float | None, *, problem: Problem = PROBLEM, author: str = "m") -> Rollout:
    answer = Candidate(text=text, author=author)
    failure = None if value is not None else Failure(boundary="parse", type="ParseError", message="?")
    score = Score(target=answer.id, value=value, author="exact", saw_reference=True, failure=failure)
    return Rollout(problem=problem, solver="direct", answer=answer, scores={"exact": score})


def refined(tmp_path: Path) -> list[Sourced]:
    """A self-refine run: the first draft is wrong, its critique says so, the rewrite is right."""

    def play(request: Request) -> str:
        asked = request.messages[-1].content
        if "VERDICT: correct" in asked:
            return "- the product is wrong\nVERDICT: incorrect" if "48" in asked else "VERDICT: correct"
        return "Answer: 42" if "reviewer" in asked else "Answer: 48"

    model = Scripted.from_function(play, id="small")
    problems = [Problem(id=f"p{k}", prompt=f"({k}) What is 6 * 7?", reference="42") for k in range(3)]
    run_sync(SelfRefine(model=model), problems, out=tmp_path, scorers={"exact": Numeric()}, benchmark="sixes")
    return list(read_runs(tmp_path))


def test_stripping_a_row_keeps_its_id() -> None:
    seen = LabellingOnly(reference="42", rubric="be strict")
    row = PromptCompletion(prompt=ASKED, completion=(turn("42"),), labelling_only=seen)
    assert row.stripped().labelling_only is None
    assert row.stripped().id == row.id
    assert row.id != PromptCompletion(prompt=ASKED, completion=(turn("43"),)).id
    assert row.id != row.model_copy(update={"lineage": Lineage(policy="m")}).id


def test_a_row_is_read_back_equal_from_its_json() -> None:
    row = Preference(prompt=ASKED, chosen=(turn("42"),), rejected=(turn("48"),), strength=0.5)
    again = Preference.model_validate_json(row.model_dump_json())
    assert again == row
    assert again.id == row.id


@pytest.mark.parametrize(
    "make",
    [
        lambda: Preference(prompt=ASKED, chosen=(turn("42"),), rejected=(turn("42", "n"),)),
        lambda: RankedList(prompt=ASKED, completions=(turn("a"), turn("b")), tiers=((0,),)),
        lambda: RankedList(prompt=ASKED, completions=(turn("a"), turn("b")), tiers=((0,), (0, 1))),
        lambda: Stepwise(prompt=ASKED, completions=("a", "b"), labels=(True,), author="m"),
        lambda: Weighted(prompt=ASKED, completion=turn("abc"), spans=(Span(start=1, end=9, weight=0),)),
        lambda: Weighted(prompt=ASKED, completion=turn("abc")),
        lambda: PromptCompletion(prompt=(), completion=(turn("a"),)),
    ],
)
def test_a_row_that_contradicts_itself_is_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(ValidationError):
        make()


def test_only_answers_with_the_mark_are_kept_and_the_rest_is_counted() -> None:
    dropped: Counter[str] = Counter()
    given = [scored("42", 1.0), scored("48", 0.0), scored("?", None), Rollout(problem=PROBLEM, solver="s")]
    rows = list(prompt_completions(sourced(given, benchmark="sixes"), dropped=dropped))
    assert [row.completion[0].content for row in rows] == ["42"]
    assert dropped == {"below the mark": 1, "unscored": 1, "no answer": 1}
    assert rows[0].lineage.benchmark == "sixes"
    assert rows[0].lineage.policy == "m"
    assert rows[0].lineage.author == "exact"
    assert rows[0].lineage.saw_reference
    assert not rows[0].lineage.oracle
    assert rows[0].labelling_only is not None
    assert rows[0].labelling_only.reference == "42"
    assert rows[0].labelling_only.hints == ("seven sixes",)
    assert not any("seven sixes" in part for part in row_parts(rows[0]))


def test_so_many_answers_of_a_problem_and_no_more() -> None:
    given = [scored(f"{k}: 42", 1.0) for k in range(5)]
    assert len(list(prompt_completions(sourced(given), per_problem=2))) == 2


def test_an_unscored_answer_has_no_label() -> None:
    rows = list(unpaired(sourced([scored("42", 1.0), scored("48", 0.25), scored("?", None)])))
    assert [(row.completion[0].content, row.label) for row in rows] == [("42", True), ("48", False)]


def test_a_vector_keeps_what_nobody_could_score_as_none() -> None:
    rollout = scored("42", 1.0)
    assert rollout.answer is not None
    short = Score(target=rollout.answer.id, value=None, author="length")
    both = rollout.model_copy(update={"scores": {**rollout.scores, "length": short}})
    (row,) = vector_rewards(sourced([both]))
    assert row.rewards == {"exact": 1.0, "length": None}


def test_right_goes_before_wrong_over_several_runs_whatever_their_order() -> None:
    other = PROBLEM.model_copy(update={"id": "p2", "prompt": "Another?"})
    given = [
        scored("42", 1.0),
        scored("48", 0.0),
        scored("13", 0.0, author="n"),
        scored("9", 0.0, problem=other),
    ]
    rows = list(preferences(sourced(given), per_problem=None))
    assert {(row.chosen[0].content, row.rejected[0].content) for row in rows} == {("42", "48"), ("42", "13")}
    assert all(row.strength == 1.0 and len(row.lineage.rollouts) == 2 for row in rows)
    assert rows == list(preferences(sourced(reversed(given)), per_problem=None))


def test_the_margin_and_the_number_of_pairs_are_kept_to() -> None:
    given = [scored(f"answer {value}", value) for value in (0.0, 0.25, 0.5, 1.0)]
    rows = list(preferences(sourced(given), margin=0.75, per_problem=None))
    assert [row.strength for row in rows] == [1.0, 0.75]
    assert len(list(preferences(sourced(given), margin=0.1, per_problem=3))) == 3
    with pytest.raises(InputError, match="margin is 0"):
        list(preferences(sourced(given), margin=0))


def test_pairs_use_each_answer_as_rarely_as_they_can() -> None:
    given = [scored(f"right {k}", 1.0) for k in range(4)] + [scored(f"wrong {k}", 0.0) for k in range(4)]
    rows = list(preferences(sourced(given), per_problem=4))
    assert len({row.chosen[0].content for row in rows}) == 4
    assert len({row.rejected[0].content for row in rows}) == 4


def judged(tiers: Iterable[Iterable[int]], *, saw: bool = False, strength: float | None = None) -> Rollout:
    answers = tuple(Candidate(text=text, author=text) for text in ("one", "two", "three"))
    order = Ranking(
        tiers=tuple(tuple(answers[place].id for place in tier) for tier in tiers),
        author="judge",
        saw_reference=saw,
        strength=strength,
        explanation="because of the reference",
    )
    return Rollout(problem=PROBLEM, solver="judge", case=Case(candidates=answers), judgement=order)


def test_a_judges_order_becomes_a_list_and_the_list_pairs() -> None:
    (ranked,) = rankings(sourced([judged([[1], [0, 2]])]))
    assert [one.content for one in ranked.completions] == ["two", "one", "three"]
    assert ranked.tiers == ((0,), (1, 2))
    assert ranked.labelling_only is not None
    assert ranked.labelling_only.explanation == "because of the reference"
    rows = list(ranked_preferences([ranked]))
    assert [(row.chosen[0].content, row.rejected[0].content) for row in rows] == [
        ("two", "one"),
        ("two", "three"),
    ]
    assert sum(row.weight for row in rows) == pytest.approx(1.0)


def test_pairs_of_neighbours_and_of_the_ends() -> None:
    ranked = list(rankings(sourced([judged([[0], [1], [2]], strength=0.3)])))
    assert [len(list(ranked_preferences(ranked, pairs=which))) for which in ("all", "adjacent", "ends")] == [
        3,
        2,
        1,
    ]
    assert list(ranked_preferences(ranked, least_strength=0.5)) == []


def test_a_tie_is_no_ranking_and_a_judge_with_the_reference_shows_in_the_label() -> None:
    dropped: Counter[str] = Counter()
    rows = list(rankings(sourced([judged([[0, 1, 2]]), judged([[0], [1, 2]], saw=True)]), dropped=dropped))
    assert dropped == {"tied": 1}
    assert [(row.lineage.saw_reference, row.lineage.oracle) for row in rows] == [(True, False)]


def test_self_refines_last_answer_is_set_against_its_draft(tmp_path: Path) -> None:
    rows = list(revisions(refined(tmp_path)))
    assert [(r.chosen[0].content, r.rejected[0].content) for r in rows] == [("Answer: 42", "Answer: 48")] * 3
    assert {row.lineage.author for row in rows} == {"small"}
    assert {row.lineage.benchmark for row in rows} == {"sixes"}
    assert all(row.strength is None for row in rows), "nobody scored the drafts"


def test_a_correction_is_a_conversation_whose_turns_name_their_authors(tmp_path: Path) -> None:
    rows = list(corrections(refined(tmp_path)))
    assert [[one.role for one in row.turns] for row in rows] == [["assistant", "user", "assistant"]] * 3
    assert [one.author for one in rows[0].turns] == ["small"] * 3
    assert rows[0].after == 1.0
    assert rows[0].before is None
    assert list(corrections(refined(tmp_path), least_revisions=2)) == []


def test_critiques_are_kept_where_a_rewrite_from_them_is_right(tmp_path: Path) -> None:
    rows = list(critiques(refined(tmp_path), keep="fixed"))
    assert [(row.answer.content, row.verdict) for row in rows] == [("Answer: 48", "incorrect")] * 3
    # Of the last answers only, a score says whether the verdict is right.
    agreed = list(critiques(refined(tmp_path), keep="agrees"))
    assert [(row.answer.content, row.verdict) for row in agreed] == [("Answer: 42", "correct")] * 3
    assert len(list(critiques(refined(tmp_path), keep="all"))) == 6


def stepped(wrong: int | None, *, found: int | None, verdict: str, failed: bool = False) -> Rollout:
    answer = Candidate(text="a\nb\nc", author="m", steps=("a\n", "b\n", "c"))
    gold = Gold(verdict="correct" if wrong is None else "incorrect", stepwise=True, wrong_step=wrong)
    said = Critique.model_validate(
        {
            "target": answer.id,
            "text": "Look at the step.",
            "author": "critic",
            "verdict": None if failed else verdict,
            "findings": () if found is None else (Finding(text="wrong", step=found),),
            "failure": Failure(boundary="parse", type="ParseError", message="?") if failed else None,
        }
    )
    return Rollout(
        problem=PROBLEM, solver="critic", case=Case(candidates=(answer,), gold=gold), judgement=said
    )


def test_a_critique_against_the_gold_is_left_out() -> None:
    given = [
        stepped(1, found=1, verdict="incorrect"),
        stepped(1, found=None, verdict="correct"),
        stepped(1, found=None, verdict="correct", failed=True),
    ]
    dropped: Counter[str] = Counter()
    rows = list(critiques(sourced(given), dropped=dropped))
    assert [(row.verdict, row.first_wrong_step) for row in rows] == [("incorrect", 1)]
    assert dropped == {"not confirmed": 1}, "an unreadable critique is none"


def test_a_judged_row_has_the_answer_with_what_was_said_of_it() -> None:
    given = [stepped(1, found=1, verdict="incorrect"), stepped(1, found=None, verdict="correct")]
    dropped: Counter[str] = Counter()
    (row,) = judged_answers(sourced(given), dropped=dropped)
    assert not row.satisfactory
    assert (row.completion.author, row.judgement.author) == ("m", "critic")
    assert row.completion.content == "a\nb\nc"
    assert dropped == {"not confirmed": 1}, "a critic who praises a wrong answer teaches the wrong thing"
    assert [one.satisfactory for one in judged_answers(sourced(given), keep="all")] == [False, True]


@pytest.mark.parametrize(
    ("wrong", "after", "labels"),
    [
        (1, "cut", (True, False)),
        (1, "wrong", (True, False, False)),
        (None, "cut", (True, True, True)),
        (0, "cut", (False,)),
    ],
)
def test_steps_are_right_until_the_first_wrong_one(
    wrong: int | None, after: str, labels: tuple[bool, ...]
) -> None:
    cut = "cut" if after == "cut" else "wrong"
    (row,) = stepwise(sourced([stepped(wrong, found=2, verdict="incorrect")]), after=cut)
    assert row.labels == labels
    assert row.completions == ("a\n", "b\n", "c")[: len(labels)]
    assert row.author == "m"


def test_labelled_steps_weigh_as_they_are_labelled() -> None:
    (row,) = weighted_steps(
        stepwise(sourced([stepped(1, found=1, verdict="incorrect")]), after="wrong"), wrong=-0.5
    )
    assert row.completion.content == "a\nb\nc"
    assert [(row.completion.content[s.start : s.end], s.weight) for s in row.spans] == [
        ("a\n", 1.0),
        ("b\n", -0.5),
        ("c", -0.5),
    ]


def test_a_critic_can_label_the_steps_and_a_verdict_without_a_step_labels_none() -> None:
    given = [stepped(0, found=2, verdict="incorrect"), stepped(0, found=None, verdict="incorrect")]
    dropped: Counter[str] = Counter()
    (row,) = stepwise(sourced(given), by="critique", dropped=dropped)
    assert row.labels == (True, True, False)
    assert row.lineage.author == "critic"
    assert dropped == {"names no step": 1}


def oracles() -> list[Sourced]:
    """Rollouts of a method that is told by the reference when to stop."""
    model = Scripted.from_function(lambda request: f"Answer: {42 + len(request.messages)}", id="small")
    found: list[Rollout] = []
    run_sync(SelfCorrect(model=model, oracle=Numeric()), [PROBLEM], on_rollout=found.append)
    run_sync(Direct(model=model), [PROBLEM], on_rollout=found.append)
    return list(sourced(found))


def refereed() -> Sourced:
    """A scored answer that a critic with the reference had a hand in."""
    rollout = scored("48", 0.0)
    assert rollout.answer is not None
    said = Critique(target=rollout.answer.id, text="It is 42.", author="m", saw_reference=True)
    steps = (Step(index=0, parent=None, name="critique", output=said),)
    return Sourced(rollout=rollout.model_copy(update={"steps": steps}))


def test_text_shaped_by_the_reference_is_refused_marked_or_dropped_never_mixed() -> None:
    given, dropped = oracles(), Counter[str]()
    assert given[0].rollout.oracle
    with pytest.raises(InputError, match=r"'p1' was shaped by .* oracle='drop'"):
        list(prompt_completions(given, keep=None))
    assert [row.lineage.oracle for row in prompt_completions(given, keep=None, oracle="mark")] == [
        True,
        False,
    ]
    with pytest.raises(InputError, match="'p1' was shaped by"):
        list(preferences([Sourced(rollout=scored("42", 1.0)), refereed()]))
    kept = list(prompt_completions(given, keep=None, oracle="drop", dropped=dropped))
    assert [row.lineage.oracle for row in kept] == [False]
    assert dropped == {"oracle": 1}


def test_a_replay_gives_the_same_ids_though_it_took_another_time(tmp_path: Path) -> None:
    first, again = refined(tmp_path / "a"), refined(tmp_path / "b")
    assert [one.id for one in first] == [one.id for one in again]
    assert [row.id for row in corrections(first)] == [row.id for row in corrections(again)]
