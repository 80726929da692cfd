"""Loops of self-training: what their rows are, and that a round is done once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from support.collecting import plays, sums
from support.looping import BASE, NEWEST, Actor, FakeTrainer, number, played, round_of, shuffled

from gadfly.errors import InputError
from gadfly.primitives.hints import beginning
from gadfly.recipes.improve.b_star import BStar
from gadfly.recipes.improve.guided_self_improvement import GuidedSelfImprovement
from gadfly.recipes.improve.lmsi import LMSI
from gadfly.recipes.improve.online_dpo import OnlineDPO
from gadfly.recipes.improve.online_grpo import OnlineGRPO
from gadfly.recipes.improve.self_consistency_preference import SelfConsistencyPreference
from gadfly.recipes.improve.star import Star
from gadfly.records import Candidate, Problem, Ranking, Request, Score
from gadfly.train.improve import Loop
from gadfly.train.rows import AnyRow, Preference, PromptCompletion, row_parts


def texts(rows: Sequence[AnyRow]) -> list[tuple[str, str]]:
    """What is asked and what is learned, of rows to imitate."""
    found: list[tuple[str, str]] = []
    for row in rows:
        assert isinstance(row, PromptCompletion)
        found.append((row.prompt[-1].content, row.completion[0].content))
    return found


def pairs(rows: Sequence[AnyRow]) -> list[Preference]:
    found = [row for row in rows if isinstance(row, Preference)]
    assert len(found) == len(rows)
    return found


def solves_even(request: Request) -> str:
    """Even problems are solved; odd ones with a hint alone."""
    k = number(request)
    return f"Answer: {k + 1 if k % 2 == 0 or 'hint' in request.messages[-1].content else 0}"


def says_never(request: Request) -> str:
    return "I do not know."


def votes(request: Request) -> str:
    """Of eight samples of problem k, 8 - k say k + 1 and the others 0."""
    k, draw = number(request), request.draw[-1] if request.draw else 0
    return f"Answer: {k + 1 if draw < 8 - k else 0}"


EVERY: list[Loop] = [
    Star(),
    LMSI(samples=8),
    SelfConsistencyPreference(),
    BStar(samples=2),
    GuidedSelfImprovement(samples=2),
    OnlineDPO(samples=8),
]


@pytest.mark.parametrize("loop", EVERY, ids=lambda loop: type(loop).__name__)
def test_a_round_that_is_done_is_not_done_again(loop: Loop, tmp_path: Path) -> None:
    def answer(request: Request) -> str:
        return votes(request) if "hint" not in request.messages[-1].content else solves_even(request)

    actor = Actor(answer)
    first, taught = played(loop, tmp_path, actor, sums(6))
    heard = len(actor.heard)
    again, retaught = played(loop, tmp_path, actor, sums(6))
    assert heard > 0
    assert len(actor.heard) == heard
    assert taught.rows
    assert taught.taught == retaught.taught
    assert first.notes == again.notes
    assert first.ledger.costs == again.ledger.costs


@pytest.mark.parametrize("loop", EVERY, ids=lambda loop: type(loop).__name__)
def test_where_nothing_can_be_learned_that_is_said(loop: Loop, tmp_path: Path) -> None:
    now, trainer = played(loop, tmp_path, Actor(says_never), sums(3))
    assert trainer.taught == []
    assert now.weights() == NEWEST
    assert any("rows" in note for note in now.notes)
    assert "the actor was not trained: there were no rows" in now.notes


@pytest.mark.parametrize("loop", [LMSI(samples=8), SelfConsistencyPreference()], ids=["lmsi", "scpo"])
def test_loops_without_references_make_the_same_rows_from_wrong_ones(loop: Loop, tmp_path: Path) -> None:
    _, right = played(loop, tmp_path / "right", Actor(votes), sums(6))
    _, wrong = played(loop, tmp_path / "wrong", Actor(votes), shuffled(sums(6)))
    _, none = played(
        loop, tmp_path / "none", Actor(votes), [one.model_copy(update={"reference": "77"}) for one in sums(6)]
    )
    assert right.rows
    assert [row.id for row in right.rows] == [row.id for row in wrong.rows] == [row.id for row in none.rows]
    assert not any(row.lineage.saw_reference or row.lineage.oracle for row in right.rows)
    assert {row.lineage.author for row in right.rows} == {"vote"}


# ---------------------------------------------------------------- STaR


def test_star_learns_what_a_hint_brought_about_as_if_there_had_been_none(tmp_path: Path) -> None:
    now, trainer = played(Star(), tmp_path, Actor(solves_even), sums(4))
    [training] = trainer.taught
    assert training.start == BASE.start
    assert sorted(texts(training.rows)) == [(f"What is {k} + 1?", f"Answer: {k + 1}") for k in range(4)]
    marked = {row.lineage.problem: row.lineage.oracle for row in training.rows}
    assert marked == {"p0": False, "p1": True, "p2": False, "p3": True}
    assert not any("hint" in part for row in training.rows for part in row_parts(row))
    assert [(cost.phase, cost.oracle) for cost in now.ledger.costs] == [
        ("feedback", 2),
        ("generation", 0),
        ("training", 2),
    ]


def test_star_gives_hints_to_failed_problems_alone(tmp_path: Path) -> None:
    actor = Actor(solves_even)
    played(Star(), tmp_path, actor, sums(4))
    hinted = [number(request) for request in actor.heard if "hint" in request.messages[-1].content]
    assert sorted(hinted) == [1, 3]
    plain, trainer = Actor(solves_even), FakeTrainer()
    played(Star(rationalise=False), tmp_path / "plain", plain, sums(4), trainer=trainer)
    assert len(plain.heard) == 4
    assert len(trainer.rows) == 2


# ---------------------------------------------------------------- majority


def test_lmsi_keeps_the_share_of_votes_as_weight_and_leaves_out_disagreement(tmp_path: Path) -> None:
    now, trainer = played(LMSI(samples=8, least=0.7), tmp_path, Actor(votes), sums(4))
    [training] = trainer.taught
    assert (training.lesson.objective, training.start) == ("sft", NEWEST.start)
    weights = {row.lineage.problem: row.weight for row in training.rows if isinstance(row, PromptCompletion)}
    assert weights == {"p0": 1.0, "p1": 7 / 8, "p2": 6 / 8}
    _, trainer = played(LMSI(samples=8, least=1.0), tmp_path / "all", Actor(votes), sums(4)[1:])
    assert trainer.taught == []
    assert now.notes == []


def test_scpo_prefers_the_frequent_answer_by_the_margin_of_votes(tmp_path: Path) -> None:
    _, trainer = played(SelfConsistencyPreference(), tmp_path, Actor(votes), sums(6))
    [training] = trainer.taught
    assert (training.lesson.objective, training.start) == ("dpo", NEWEST.start)
    assert training.lesson.settings == {"beta": 0.5, "likelihood_weight": 1.0}
    found = {row.lineage.problem: row for row in pairs(training.rows)}
    assert sorted(found) == ["p1", "p2", "p3", "p5"], "all samples of p0 agree, and those of p4 are tied"
    assert found["p5"].chosen[0].content == "Answer: 0", "what is frequent is believed, right or wrong"
    for k in (1, 2, 3):
        row = found[f"p{k}"]
        assert (row.chosen[0].content, row.rejected[0].content) == (f"Answer: {k + 1}", "Answer: 0")
        assert row.weight == row.strength == pytest.approx((8 - 2 * k) / 8)
        assert len(row.lineage.rollouts) == 2


# ---------------------------------------------------------------- B-STaR


def hotter(request: Request) -> str:
    """Cold samples repeat one right text; hot ones differ, and more of them are wrong the hotter it is."""
    k, draw = number(request), request.draw[-1] if request.draw else 0
    heat = request.sampling.temperature
    if heat < 0.6:
        return f"Answer: {k + 1}"
    wrong = draw >= (4 if heat < 0.8 else 2)
    return f"Sample {draw}.\nAnswer: {0 if wrong else k + 1}"


def test_b_star_takes_the_setting_with_the_best_balance_and_keeps_it(tmp_path: Path) -> None:
    loop = BStar(samples=4, wanted=3, temperatures=(0.5, 0.7, 0.9))
    now, trainer = played(loop, tmp_path, Actor(hotter), sums(3))
    assert now.remember("setting", None) == {"temperature": 0.7, "threshold": 0.5}
    scores = now.remember("balance", None)
    assert isinstance(scores, dict)
    assert scores["temperature 0.5, threshold 1"] == pytest.approx(1 / 3)
    assert scores["temperature 0.7, threshold 1"] == pytest.approx(1.0)
    assert scores["temperature 0.9, threshold 1"] == pytest.approx(2 / 3)
    assert "temperature 0.7" in now.notes[0]
    assert len(trainer.rows) == 9
    assert trainer.taught[0].start == NEWEST.start
    colder = BStar(samples=4, wanted=3, temperatures=(0.5,))
    again, _ = played(colder, tmp_path, Actor(hotter), sums(3))
    assert again.remember("setting", None) == {"temperature": 0.7, "threshold": 0.5}, "decided once"


@dataclass(frozen=True)
class Believes:
    """A proxy: half a mark for every answer, a whole one for those of the first two samples."""

    async def __call__(self, problem: Problem, candidate: Candidate, /) -> Score:
        early = "Sample 0" in candidate.text or "Sample 1" in candidate.text
        return Score(target=candidate.id, value=1.0 if early else 0.5, author="believes")


def test_b_star_raises_the_threshold_where_the_reward_is_deceived_below_it(tmp_path: Path) -> None:
    loop = BStar(samples=4, temperatures=(0.9,), reward=Believes())
    now, trainer = played(loop, tmp_path, Actor(hotter), sums(3))
    assert now.remember("setting", None) == {"temperature": 0.9, "threshold": 1.0}
    assert len(trainer.rows) == 6
    assert all(row.lineage.author == "believes" for row in trainer.rows)


# ---------------------------------------------------------------- guided self-improvement


def needs_help(request: Request) -> str:
    """Problem 0 needs none, 1 a question, 2 a beginning, 3 the answer."""
    asked = request.messages[-1].content
    if "Ask a student" in asked:
        return "What comes next?"
    strength = (
        1 if "What comes next?" in asked else 2 if "It begins" in asked else 3 if "A hint" in asked else 0
    )
    k = number(request)
    return f"Answer: {k + 11 if strength >= k else 0}"


def tens(n: int) -> list[Problem]:
    return [one.model_copy(update={"reference": str(k + 11)}) for k, one in enumerate(sums(n))]


def test_help_grows_until_a_problem_is_solved_and_no_further(tmp_path: Path) -> None:
    actor = Actor(needs_help)
    loop = GuidedSelfImprovement(samples=2, helped=1, hint_budget=100.0)
    now, trainer = played(loop, tmp_path, actor, tens(4))
    asked = [request.messages[-1].content for request in actor.heard]
    helped = {
        sign: sorted(number(one) for one in actor.heard if sign in one.messages[-1].content)
        for sign in ("What comes next?", "It begins: 1", "A hint")
    }
    assert helped == {"What comes next?": [1, 2, 3], "It begins: 1": [2, 3], "A hint": [1, 2, 2, 3, 3, 3]}
    assert not any("reference" in one and "Ask a student" not in one for one in asked)
    [training] = trainer.taught
    assert training.start == BASE.start
    assert sorted(texts(training.rows)) == [(f"What is {k} + 1?", f"Answer: {k + 11}") for k in range(4)]
    assert {row.lineage.problem for row in training.rows if row.lineage.oracle} == {"p1", "p2", "p3"}
    assert now.remember("solve-rates", None) == {"p0": 1.0, "p1": 0.0, "p2": 0.0, "p3": 0.0}
    assert now.notes[0].startswith("3 problems unsolved at first, 0 after help")


def test_help_ends_with_its_budget(tmp_path: Path) -> None:
    actor = Actor(needs_help)
    now, _ = played(GuidedSelfImprovement(samples=2, helped=1, hint_budget=0.0), tmp_path, actor, tens(4))
    assert len(actor.heard) == 8
    assert now.notes[0].startswith("3 problems unsolved at first, 3 after help")
    some = Actor(needs_help)
    loop = GuidedSelfImprovement(helps=("answer",), samples=2, helped=1, hint_budget=0.25)
    played(loop, tmp_path / "some", some, tens(4))
    assert len(some.heard) == 8 + 2, "a quarter of eight answers"


def test_the_beginning_of_an_answer_is_its_first_half() -> None:
    assert beginning("one two three four") == "one two"
    assert beginning("first line\nsecond line\n") == "first line"
    assert beginning("abcd") == "ab"
    assert beginning("7") == ""


# ---------------------------------------------------------------- online


def test_online_dpo_prefers_the_best_sample_to_the_worst(tmp_path: Path) -> None:
    _, trainer = played(OnlineDPO(samples=4), tmp_path, Actor(hotter), sums(2))
    [training] = trainer.taught
    assert (training.lesson.objective, training.start) == ("dpo", NEWEST.start)
    for row in pairs(training.rows):
        assert not row.chosen[0].content.endswith("Answer: 0")
        assert row.rejected[0].content.endswith("Answer: 0")
        assert row.lineage.saw_reference
    assert {row.lineage.problem for row in training.rows} == {"p0", "p1"}


def test_online_dpo_follows_a_proxy_and_not_the_truth(tmp_path: Path) -> None:
    loop = OnlineDPO(samples=4, proxy=Believes())
    _, right = played(loop, tmp_path / "right", Actor(hotter), sums(3))
    _, wrong = played(loop, tmp_path / "wrong", Actor(hotter), shuffled(sums(3)))
    early = [row.chosen[0].content[:8] for row in pairs(right.rows) + pairs(wrong.rows)]
    late = [row.rejected[0].content[:8] for row in pairs(right.rows) + pairs(wrong.rows)]
    assert len(early) == 6
    assert {*early} <= {"Sample 0", "Sample 1"}
    assert {*late} <= {"Sample 2", "Sample 3"}
    assert {row.strength for row in pairs(right.rows)} == {0.5}
    assert {row.lineage.author for row in right.rows} == {"believes"}


@dataclass(frozen=True)
class LastFirst:
    """A judge that likes later samples better."""

    async def __call__(self, problem: Problem, candidates: Sequence[Candidate], /) -> Ranking:
        assert problem.reference is None
        tiers = tuple((one.id,) for one in reversed(candidates))
        return Ranking(tiers=tiers, author="last-first", strength=0.4)


def test_online_dpo_follows_a_judges_ranking(tmp_path: Path) -> None:
    loop = OnlineDPO(samples=4, judge=LastFirst())
    _, trainer = played(loop, tmp_path, Actor(hotter), sums(2))
    for row in pairs(trainer.rows):
        assert row.chosen[0].content.startswith("Sample 3")
        assert row.rejected[0].content.startswith("Sample 0")
        assert (row.strength, row.lineage.author, row.lineage.saw_reference) == (0.4, "last-first", False)
    assert len(trainer.rows) == 2


def test_online_grpo_asks_for_practice_and_books_both_phases(tmp_path: Path) -> None:
    now, trainer = played(OnlineGRPO(samples=3), tmp_path, Actor(votes), sums(5))
    [practice] = trainer.practised
    assert (practice.samples, practice.estimate, practice.gold) == (3, "grpo", "")
    assert list(practice.scorers) == ["numeric"]
    assert practice.settings["temperature"] == 1.0
    model = plays(("What is", "Answer: 1"))
    answer = practice.solver(model)
    assert getattr(answer, "model", None) is model
    booked = {cost.phase: (cost.round, cost.tokens, cost.calls, cost.steps) for cost in now.ledger.costs}
    assert booked == {"generation": (1, 70, 7, 0), "training": (1, 50, 0, 3)}
    assert now.weights() == NEWEST


def test_online_grpo_watches_the_truth_beside_another_reward(tmp_path: Path) -> None:
    _, trainer = played(OnlineGRPO(reward=Believes()), tmp_path, Actor(votes), sums(5))
    assert list(trainer.practised[0].scorers) == ["reward", "numeric"]
    assert trainer.practised[0].gold == "numeric"


@pytest.mark.anyio
async def test_a_trainer_of_rows_alone_refuses_practice(tmp_path: Path) -> None:
    rows_alone = FakeTrainer()
    now = round_of(tmp_path, Actor(votes), rows_alone, sums(2))
    now = replace(now, tools=replace(now.tools, trainer=rows_alone.__call__))
    with pytest.raises(InputError, match="written rows alone"):
        await OnlineGRPO()(now)
