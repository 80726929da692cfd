"""Rows with feedback in front: what stands where, and that control words are never learned."""

from collections import Counter

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")

from support.tiny_policy import learned_text, said, tiny_learner, user

from gadfly.errors import InputError
from gadfly.records import Message, Problem
from gadfly.train.conditioned import (
    chain_of_hindsight,
    controlled,
    leti,
    quality_tokens,
    reward_words,
)
from gadfly.train.learner import Learner
from gadfly.train.objectives.supervised import Supervised
from gadfly.train.reading import as_written
from gadfly.train.rows import AnyRow, CritiqueRow, JudgedRow, Lineage, Preference, Unpaired, VectorReward

X = said("x")


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Learner:
    return tiny_learner(tmp_path_factory.mktemp("conditioned"))


def shown(learner: Learner, row: AnyRow, supervised: Supervised) -> tuple[str, str]:
    """The whole row, and what of it is learned."""
    found = supervised.example(as_written(row), learner.policy.codec)
    assert found is not None
    return learner.policy.codec.tokenizer.decode(found.row.ids), learned_text(learner, found.row)


def test_a_label_stands_in_front_of_the_problem_and_is_not_learned(learner: Learner) -> None:
    rows = [
        Unpaired(prompt=user("sort ba"), completion=(said("ab"),), label=True, lineage=Lineage(problem="p")),
        Unpaired(prompt=user("sort ba"), completion=(said("ba"),), label=False, weight=0.5),
    ]
    good, bad = leti(rows, good="good", bad="bad")
    whole, learned = shown(learner, good, Supervised())
    assert whole == "<|turn|>u\ngood\nsort ba<|end|>\n<|turn|>a\nab<|end|>\n"
    assert learned == "ab<|end|>"
    assert shown(learner, bad, Supervised())[0].startswith("<|turn|>u\nbad\nsort ba")
    assert (good.lineage.problem, good.weight, bad.weight) == ("p", 1.0, 0.5)


def test_words_of_feedback_follow_the_answer_and_are_learned(learner: Learner) -> None:
    judged = JudgedRow(
        prompt=user("sort ba"),
        completion=said("ba"),
        judgement=said("Both are wrong.", "critic"),
        satisfactory=False,
    )
    critique = CritiqueRow(
        prompt=user("sort ba"), answer=said("ab"), critique=said("Fine.", "critic"), verdict="correct"
    )
    unread = critique.model_copy(update={"verdict": None})
    dropped: Counter[str] = Counter()
    first, second = leti([judged, critique, unread], good="good", bad="bad", ask="Why?", dropped=dropped)
    whole, learned = shown(learner, first, Supervised())
    assert whole == (
        "<|turn|>u\nbad\nsort ba<|end|>\n<|turn|>a\nba<|end|>\n"
        "<|turn|>u\nWhy?<|end|>\n<|turn|>a\nBoth are wrong.<|end|>\n"
    )
    assert learned == "ba<|end|>Both are wrong.<|end|>"
    assert shown(learner, second, Supervised())[1] == "ab<|end|>Fine.<|end|>"
    assert dropped == {"without a verdict": 1}
    (quiet,) = leti([judged], ask="")
    assert shown(learner, quiet, Supervised())[1] == "ba<|end|>"


def test_hindsight_learns_both_answers_and_not_the_words_between(learner: Learner) -> None:
    row = Preference(prompt=user("sort ba"), chosen=(said("ab"),), rejected=(said("ba"),), weight=0.5)
    up, down = chain_of_hindsight([row], good="good", bad="bad")
    whole, learned = shown(learner, up, Supervised(learn="all"))
    assert whole == (
        "<|turn|>u\nbad\nsort ba<|end|>\n<|turn|>a\nba<|end|>\n<|turn|>u\ngood<|end|>\n<|turn|>a\nab<|end|>\n"
    )
    assert learned == "ba<|end|>ab<|end|>"
    assert shown(learner, down, Supervised(learn="all"))[1] == "ab<|end|>ba<|end|>"
    assert list(chain_of_hindsight([row], good="good", bad="bad", order="bad first")) == [up]
    assert up.weight == 0.5


def test_quality_tokens_part_the_rewards_and_keep_equal_ones_together() -> None:
    rewards = [0.1, 0.9, 0.5, 0.5, 0.2, None, 0.8]
    rows = [
        VectorReward(
            prompt=user(f"p{place}"), completion=(said("x"),), rewards={"exact": value, "other": 1.0}
        )
        for place, value in enumerate(rewards)
    ]
    dropped: Counter[str] = Counter()
    found = quality_tokens(rows, scorer="exact", names=("low", "mid", "high"), dropped=dropped)
    assert [row.prompt[0].content for row in found] == [
        "low\np0",
        "high\np1",
        "mid\np2",
        "mid\np3",
        "low\np4",
        "high\np6",
    ]
    assert dropped == {"unscored": 1}
    with pytest.raises(InputError, match="exact, other: say which"):
        quality_tokens(rows)
    with pytest.raises(InputError, match="two names"):
        quality_tokens(rows, scorer="exact", names=("one",))


def test_labels_fall_into_two_parts_whatever_their_shares() -> None:
    rows = [
        Unpaired(prompt=user("p"), completion=(said(str(place)),), label=place == 3) for place in range(4)
    ]
    found = quality_tokens(rows, names=("bad", "good"))
    assert [row.prompt[0].content for row in found] == ["bad\np", "bad\np", "bad\np", "good\np"]


def test_a_reward_can_be_said_as_a_number() -> None:
    rows = [
        VectorReward(prompt=user("p"), completion=(said("x"),), rewards={"exact": 0.25}),
        VectorReward(prompt=user("p"), completion=(said("y"),), rewards={"exact": None}),
        Unpaired(prompt=user("p"), completion=(said("z"),), label=True),
    ]
    found = list(reward_words(rows, template="Reward: {reward:.2f}"))
    assert [row.prompt[0].content for row in found] == ["Reward: 0.25\np", "Reward: 1.00\np"]


def test_a_problem_is_asked_under_the_same_words_as_the_rows() -> None:
    (row,) = leti(
        [Unpaired(prompt=user("sort ba"), completion=(said("ab"),), label=True)], good="good", bad="bad"
    )
    problem = Problem(id="p", prompt="sort ba", reference="ab")
    asked = controlled(problem, "good")
    assert asked.prompt == row.prompt[0].content
    assert (asked.id, asked.reference) == ("p", "ab")
    talk = Problem(
        id="q",
        prompt=(Message(role="system", content="Be brief."), Message(role="user", content="sort ba")),
    )
    assert [one.content for one in controlled(talk, "good").messages] == ["Be brief.", "good\nsort ba"]
