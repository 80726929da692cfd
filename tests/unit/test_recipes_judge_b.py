"""Panels of judges, judges of judgements, critiques of critiques, a person: what each makes of scripts."""

import re
from collections.abc import Callable

import pytest
from support.judges import typed

from gadfly.errors import InputError
from gadfly.metrics.peer_rank import PeerVote, order_bias, peer_rank, self_preference
from gadfly.models.scripted import Scripted
from gadfly.primitives.panel import count_votes
from gadfly.protocols import Ranker
from gadfly.recipes.fields import read_fields
from gadfly.recipes.judge.judge_debate import JudgeDebate
from gadfly.recipes.judge.jury import Jury
from gadfly.recipes.judge.meta_judge import MetaCritic, MetaJudge
from gadfly.recipes.judge.pairwise import Pairwise
from gadfly.recipes.judge.peer_discussion import PeerDiscussion
from gadfly.recipes.judge.peer_rank import PeerRank
from gadfly.recipes.judge.person import Person
from gadfly.recipes.judge.recursive_critique import RecursiveCritique
from gadfly.records import Candidate, Critique, Problem, Ranking, Request
from gadfly.trace import recording

pytestmark = pytest.mark.anyio

PROBLEM = Problem(id="p", prompt="Which is largest?")
A, B, C = (Candidate(text=text, author=f"m{text}") for text in ("4", "7", "9"))
Says = Callable[[Request], str]


def says(answer: str | Says, name: str = "judge") -> Scripted:
    return Scripted.from_function((lambda request: answer) if isinstance(answer, str) else answer, id=name)


def shown(request: Request) -> list[str]:
    found = re.findall(r"<(answer_\w+?)(?:-\w+)?>\n(.*?)\n</\1", request.messages[0].content, re.DOTALL)
    return [text for _, text in found]


def by_size(request: Request) -> str:
    first, second = shown(request)
    return "CHOICE: A" if first > second else "CHOICE: B"


def by_smallness(request: Request) -> str:
    first, second = shown(request)
    return "CHOICE: A" if first < second else "CHOICE: B"


LARGE, SMALL, MUTE = says(by_size, "large"), says(by_smallness, "small"), says("hm", "mute")
TORN = says("CHOICE: A", "torn")


# ---------------------------------------------------------------- jury


@pytest.mark.parametrize(
    ("jurors", "weights", "best", "strength"),
    [
        ((LARGE, LARGE, SMALL), (), B, 1 / 3),
        ((LARGE, SMALL), (), None, 0.0),
        ((LARGE, SMALL), (1.0, 3.0), A, 0.5),
        ((LARGE, TORN, MUTE), (), B, 1 / 3),
        ((LARGE, LARGE, MUTE), (), B, 2 / 3),
        ((TORN, TORN), (), None, 0.0),
        ((SMALL, LARGE, LARGE), (1.0, 0.2, 0.2), A, 0.6 / 1.4),
    ],
)
async def test_the_margin_counts_ties_and_abstentions_by_weight(
    jurors: tuple[Scripted, ...], weights: tuple[float, ...], best: Candidate | None, strength: float
) -> None:
    said = await Jury(model=LARGE, models=jurors, weights=weights)(PROBLEM, (A, B))
    assert said.best == (best.id if best else None)
    assert said.strength == pytest.approx(strength)
    assert said.failure is None
    tied, mute = jurors.count(TORN), jurors.count(MUTE)
    assert said.explanation.endswith(f"{len(jurors)} judges, {tied} for a tie, {mute} abstained")


async def test_a_jury_that_abstains_as_one_has_failed() -> None:
    said = await Jury(model=MUTE)(PROBLEM, (A, B))
    assert said.tiers == ()
    assert said.failure is not None
    only_weighted = await Jury(model=LARGE, models=(LARGE, MUTE), weights=(0.0, 1.0))(PROBLEM, (A, B))
    assert only_weighted.tiers == ()


async def test_one_model_is_a_jury_of_different_draws() -> None:
    draws: list[tuple[int, ...]] = []

    def listen(request: Request) -> str:
        draws.append(request.draw)
        return by_size(request)

    await Jury(model=says(listen), n=3)(PROBLEM, (A, B))
    assert sorted(draws) == [(), (), (1,), (1,), (2,), (2,)]


async def test_a_jury_of_judges_of_any_kind_orders_many() -> None:
    judges: tuple[Ranker, ...] = (Pairwise(model=LARGE), Pairwise(model=LARGE), Pairwise(model=SMALL))
    said = await Jury(model=LARGE, judges=judges)(PROBLEM, (A, B, C))
    assert said.tiers == ((C.id,), (B.id,), (A.id,))
    assert "answer 3 > answer 2 > answer 1" in said.explanation


async def test_a_juror_that_saw_the_reference_marks_the_verdict() -> None:
    sighted = Ranking(tiers=((A.id,), (B.id,)), author="x", saw_reference=True)
    said = await count_votes((A, B), [sighted, sighted.model_copy(update={"saw_reference": False})])
    assert said.saw_reference


@pytest.mark.parametrize("weights", [(1.0,), (1.0, -1.0, 1.0), (0.0, 0.0, 0.0)])
async def test_weights_must_be_one_a_juror_and_not_below_zero(weights: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="weights"):
        await Jury(model=LARGE, weights=weights)(PROBLEM, (A, B))


# ---------------------------------------------------------------- debate of judges


async def test_judges_read_one_anothers_words_and_may_be_won_over() -> None:
    """A stubborn judge is for 7; the other is for 4 until it has read the word `largest`."""

    def choose(request: Request, text: str) -> str:
        return f"CHOICE: {1 + shown(request).index(text)}"

    stubborn = says(lambda request: f"7 is largest.\n{choose(request, '7')}", "stubborn")
    weak = says(lambda r: choose(r, "7" if "7 is largest" in r.messages[0].content else "4"), "weak")
    for rounds, best, strength in ((1, None, 0.0), (2, B.id, 1.0)):
        debate = JudgeDebate(model=weak, models=(weak, stubborn), rounds=rounds, in_turn=False)
        said = await debate(PROBLEM, (A, B))
        assert (said.best, said.strength) == (best, strength)
    in_turn = JudgeDebate(model=weak, models=(stubborn, weak), rounds=1)
    assert (await in_turn(PROBLEM, (A, B))).best == B.id


async def test_the_debate_of_judges_is_held_in_both_orders_with_different_roles() -> None:
    asked: list[str] = []

    def listen(request: Request) -> str:
        asked.append(request.messages[0].content)
        return "CHOICE: tie"

    said = await JudgeDebate(model=says(listen), n=2, rounds=1)(PROBLEM, (A, B, C))
    assert said.tiers == ((A.id, B.id, C.id),)
    assert len(asked) == 4
    assert len({re.sub(r"\d", "", text.partition("You are ")[2][:40]) for text in asked}) == 2
    orders = [re.findall(r">\n(\d)\n<", text) for text in asked]
    assert sorted(orders) == [["4", "7", "9"]] * 2 + [["9", "7", "4"]] * 2


async def test_a_choice_that_was_not_offered_abstains() -> None:
    said = await JudgeDebate(model=says("CHOICE: 3"), rounds=1)(PROBLEM, (A, B))
    assert said.tiers == ()
    assert said.failure is not None


# ---------------------------------------------------------------- peer rank


def votes(table: dict[str, str]) -> list[PeerVote]:
    """Each reviewer's order, best first, as votes on all pairs in both orders."""
    return [
        PeerVote(reviewer=reviewer, first=a, second=b, favour=float(order.index(a) < order.index(b)))
        for reviewer, order in table.items()
        for a in order
        for b in order
        if a != b
    ]


def test_peers_that_agree_weigh_as_they_rank() -> None:
    ranks = peer_rank(votes({"a": "abc", "b": "abc", "c": "abc"}))
    assert ranks.scores == pytest.approx({"a": 1.0, "b": 0.5, "c": 0.0})
    assert ranks.weights == pytest.approx({"a": 2 / 3, "b": 1 / 3, "c": 0.0})
    assert ranks.converged


def test_the_fixed_point_is_one() -> None:
    """A further round of scaling and normalising the scores gives the same weights."""
    ranks = peer_rank(votes({"a": "abc", "b": "bac", "c": "cba"}))
    assert ranks.converged
    low, high = min(ranks.scores.values()), max(ranks.scores.values())
    scaled = {name: (score - low) / (high - low) for name, score in ranks.scores.items()}
    total = sum(scaled.values())
    assert ranks.weights == pytest.approx({name: value / total for name, value in scaled.items()}, abs=1e-6)
    assert sum(ranks.weights.values()) == pytest.approx(1)


def test_a_weak_reviewer_that_praises_itself_is_outweighed() -> None:
    table = votes({"a": "abc", "b": "abc", "c": "cba"})
    assert peer_rank(table).scores["c"] < 0.01
    assert self_preference(table) == pytest.approx({"a": 0.5, "b": 0.0, "c": 1.0})


def test_equal_scores_give_equal_weights() -> None:
    ranks = peer_rank(votes({"a": "ab", "b": "ba"}))
    assert ranks.weights == {"a": 0.5, "b": 0.5}
    assert ranks.converged


@pytest.mark.parametrize(("outsiders", "weight"), [("mean", 1 / 3), ("none", 0.0)])
def test_a_reviewer_that_is_no_contestant_has_the_mean_weight_or_none(outsiders: str, weight: float) -> None:
    table = votes({"a": "ab", "b": "ab", "z": "ab"})
    ranks = peer_rank(table, outsiders="mean" if outsiders == "mean" else "none")
    assert ranks.weights["z"] == pytest.approx(weight)


def test_order_bias_is_the_share_of_first_places_among_decided_votes() -> None:
    fair = votes({"a": "ab"})
    leaning = [vote.model_copy(update={"reviewer": "b", "favour": 1.0}) for vote in fair]
    unread = [vote.model_copy(update={"reviewer": "b", "favour": None}) for vote in fair]
    found = order_bias([*fair, *leaning, *unread])
    assert (found["a"].value, found["b"].value, found["b"].n, found["b"].unscored) == (0.5, 1.0, 4, 2)


def test_votes_that_nobody_can_read_are_refused() -> None:
    with pytest.raises(InputError, match="readable"):
        peer_rank([PeerVote(reviewer="a", first="a", second="b", favour=None)])


async def test_reviewers_weigh_as_their_own_answers_rank() -> None:
    """Three reviewers wrote the answers; the author of the worst wants the order turned round."""
    models = (says(by_smallness, "m4"), says(by_size, "m7"), says(by_size, "m9"))
    said = await PeerRank(model=LARGE, models=models)(PROBLEM, (A, B, C))
    assert said.tiers == ((C.id,), (B.id,), (A.id,))
    assert "reviewer 1: m4 weighs 0.000" in said.explanation
    assert "reviewer 1: m4 gives itself +1.00" in said.explanation
    assert "weights settled" in said.explanation


async def test_peer_rank_of_one_model_and_of_nothing_readable() -> None:
    said = await PeerRank(model=LARGE)(PROBLEM, (A, B))
    assert (said.best, said.strength) == (B.id, 1.0)
    assert "first place in 50%" in said.explanation
    mute = await PeerRank(model=MUTE)(PROBLEM, (A, B))
    assert (mute.tiers, mute.failure is None) == ((), False)


# ---------------------------------------------------------------- peer discussion


async def test_reviewers_that_agree_at_once_do_not_talk() -> None:
    with recording() as recorder:
        said = await PeerDiscussion(model=LARGE, other=LARGE)(PROBLEM, (A, B))
    assert (said.best, said.strength) == (B.id, 1.0)
    assert [step.name for step in recorder.steps] == ["choose"] * 4


async def test_a_talk_ends_with_one_agreed_preference() -> None:
    def open_minded(request: Request) -> str:
        return by_size(request) if "other_reviewer" in request.messages[0].content else by_smallness(request)

    with recording() as recorder:
        talk = PeerDiscussion(model=says(open_minded), other=LARGE, both_orders=False)
        said = await talk(PROBLEM, (A, B))
    assert said.best == B.id
    assert len(recorder.steps) == 3
    assert said.explanation.count("CHOICE") == 3


async def test_no_agreement_within_the_turns_is_a_tie_of_no_strength() -> None:
    said = await PeerDiscussion(model=LARGE, other=SMALL, turns=3)(PROBLEM, (A, B))
    assert (said.best, said.strength, said.failure) == (None, 0.0, None)
    assert "did not agree within 3 turns" in said.explanation


async def test_a_talk_in_which_nobody_can_be_read_has_failed() -> None:
    said = await PeerDiscussion(model=MUTE)(PROBLEM, (A, B))
    assert said.tiers == ()
    assert said.failure is not None


# ---------------------------------------------------------------- meta-judge


def marks(request: Request) -> str:
    """Marks by draw; as a meta-judge it likes the judgement with the most reasons."""
    text = request.messages[0].content
    if "judgement_A" not in text:
        draw = request.draw[0] if request.draw else 0
        return f"{'Because. ' * (draw % 3)}{draw}\nSCORE: {draw + 1}\nVERDICT: {('in' * (draw % 2))}correct"
    judgements = re.findall(r"<judgement_[AB]>\n(.*?)\n</", text, re.DOTALL)
    first, second = (words.count("Because") for words in judgements)
    return "CHOICE: A" if first > second else "CHOICE: B" if second > first else "CHOICE: tie"


async def test_the_judgement_that_wins_most_battles_is_kept() -> None:
    mark = await MetaJudge(model=says(marks), n=4)(PROBLEM, A)
    assert mark.explanation.startswith("Because. Because. 2")
    assert mark.value == pytest.approx(2 / 9)
    assert mark.target == A.id
    words = await MetaCritic(model=says(marks), n=4)(PROBLEM, A)
    assert words.text.startswith("Because. Because. 2")
    assert words.verdict == "correct"


async def test_battles_are_fought_in_both_orders_and_unreadable_judgements_stay_out() -> None:
    battles: list[str] = []

    def listen(request: Request) -> str:
        if "judgement_A" in request.messages[0].content:
            battles.append(request.messages[0].content)
            return "CHOICE: A"
        return "no mark" if request.draw == (1,) else f"I say.\nSCORE: {5 + len(request.draw)}"

    said = await MetaJudge(model=says(listen), n=3)(PROBLEM, A)
    assert len(battles) == 2
    assert not any("no mark" in text for text in battles)
    assert said.value == pytest.approx(4 / 9)  # a tie: the earlier one


async def test_where_the_meta_judge_cannot_be_read_nothing_is_decided() -> None:
    meta = says("both are fine")
    mark = await MetaJudge(model=says(marks), meta=meta, n=3)(PROBLEM, A)
    words = await MetaCritic(model=says(marks), meta=meta, n=3)(PROBLEM, A)
    assert mark.value is None
    assert words.verdict is None
    assert mark.failure is not None
    assert "meta-judge" in mark.failure.message
    assert words.failure is not None


async def test_equal_judgements_need_no_battle() -> None:
    said = await MetaJudge(model=says("SCORE: 7"), n=4)(PROBLEM, A)
    assert said.value == pytest.approx(6 / 9)
    assert said.failure is None


async def test_a_judgement_that_nobody_can_read_has_failed() -> None:
    said = await MetaJudge(model=MUTE, n=2)(PROBLEM, A)
    assert (said.value, said.failure is None) == (None, False)
    with pytest.raises(InputError, match="at least one judgement"):
        MetaCritic(model=MUTE, n=0)


# ---------------------------------------------------------------- recursive critique


async def test_each_order_criticises_the_one_before_and_the_last_decides() -> None:
    asked: list[str] = []

    def speak(request: Request) -> str:
        asked.append(request.messages[0].content)
        return f"Order {len(asked)} speaks.\nVERDICT: {'incorrect' if len(asked) < 3 else 'correct'}"

    with recording() as recorder:
        said = await RecursiveCritique(model=says(speak), depth=3)(PROBLEM, A)
    assert (said.target, said.verdict) == (A.id, "correct")
    assert said.text.startswith("Order 3")
    chain = [step.output for step in recorder.steps]
    assert [step.name for step in recorder.steps] == ["critique"] * 3
    assert all(isinstance(words, Critique) for words in chain)
    targets = [words.target for words in chain if isinstance(words, Critique)]
    assert targets == [A.id, *(words.id for words in chain[:-1] if words is not None)]
    assert "Order 1" not in asked[0]
    assert "<last_critique>\nOrder 1" in asked[1]
    assert "<critique_1>\nOrder 1" in asked[2]
    assert "<last_critique>\nOrder 2" in asked[2]


async def test_the_first_order_may_be_unreadable_but_the_last_may_not() -> None:
    models = (MUTE, says("VERDICT: incorrect"))
    assert (await RecursiveCritique(model=MUTE, models=models)(PROBLEM, A)).verdict == "incorrect"
    said = await RecursiveCritique(model=MUTE, models=models[::-1])(PROBLEM, A)
    assert (said.verdict, said.failure is None) == (None, False)


async def test_a_person_may_take_any_order_and_is_shown_the_chain() -> None:
    shows: list[str] = []
    person = Person(read_line=typed("I disagree.", "VERDICT: correct", ""), show=shows.append)
    model = RecursiveCritique(model=says("Too small.\nVERDICT: incorrect"), depth=1)
    said = await RecursiveCritique(model=MUTE, critics=(model, person))(PROBLEM, A)
    assert (said.author, said.verdict, said.target) == ("person", "correct", A.id)
    assert "Which is largest?" in shows[0]
    assert "Too small." in shows[0]
    assert "<answer>\n4\n</answer>" in shows[0]


def test_a_depth_below_one_is_refused() -> None:
    with pytest.raises(InputError, match="depth"):
        RecursiveCritique(model=MUTE, depth=0)


# ---------------------------------------------------------------- on the command line


@pytest.mark.parametrize("recipe", [Jury, JudgeDebate, PeerRank, PeerDiscussion, MetaJudge, MetaCritic])
def test_a_model_is_all_that_must_be_given(recipe: type) -> None:
    assert [field.name for field in read_fields(recipe) if field.required] == ["model"]


async def test_a_person_at_the_terminal_gives_a_critique() -> None:
    shows: list[str] = []
    judge = Person(
        name="Ada", read_line=typed("- step 1: no -> 9", "VERDICT: incorrect", ""), show=shows.append
    )
    said = await judge(PROBLEM, A)
    assert (said.author, said.verdict, said.findings[0].suggestion) == ("Ada", "incorrect", "9")
    assert not any("m4" in text for text in shows)
