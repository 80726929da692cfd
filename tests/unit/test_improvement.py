"""The record of a self-improvement loop: what it holds, refuses, and how it is made of rollouts."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError
from support.loops import answers, chances, checkpoint, costs, improvement, pool, raised

from gadfly.errors import InputError
from gadfly.metrics.measurement import Sample
from gadfly.records import Candidate, Critique, Failure, Problem, Rollout, Score, Step, Usage
from gadfly.run.evaluation import LONGEST, answers_of, evaluation, families_of
from gadfly.run.improvement import (
    Arm,
    Checkpoint,
    Evaluation,
    before,
    read_improvement,
    write_improvement,
)

SOLVE = chances(12, 0.5)
BASE = checkpoint(0, SOLVE, k=3)


def loop(*rounds: Checkpoint) -> Arm:
    return Arm(name="star", kind="loop", checkpoints=rounds or (checkpoint(1, raised(SOLVE, 0.2), k=3),))


def test_a_record_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    arm = loop().model_copy(update={"costs": costs(1)})
    made = improvement(BASE, [arm])
    path = write_improvement(made, tmp_path)
    assert read_improvement(path.read_bytes()) == made
    assert json.loads(path.read_text())["version"] == 1
    assert [found.name for found in tmp_path.iterdir()] == ["improvement.json"]


def test_what_cannot_be_read_is_named_by_its_place() -> None:
    with pytest.raises(InputError, match=r"x\.json is not an improvement .*benchmark"):
        read_improvement('{"package": "0"}', where="x.json")


def test_an_evaluation_on_other_problems_is_refused() -> None:
    with pytest.raises(ValidationError, match="not evaluated on the 12 problems"):
        improvement(BASE, [loop(checkpoint(1, SOLVE[:5], k=3))])


def test_rounds_count_upwards_and_names_are_taken_once() -> None:
    with pytest.raises(ValidationError, match="count upwards"):
        loop(checkpoint(2, SOLVE), checkpoint(1, SOLVE))
    with pytest.raises(ValidationError, match="one name"):
        improvement(BASE, [loop(), loop()])


def test_a_ragged_pool_is_refused() -> None:
    rows = pool([0.5, 0.5], 2)
    with pytest.raises(ValidationError, match="differ in their number"):
        Evaluation(answers=answers([True, False]), pool=(rows[0], rows[1][:1]))


def test_after_a_rollback_the_next_round_starts_from_what_was_kept() -> None:
    second = checkpoint(2, SOLVE).model_copy(update={"standing": "rolled back"})
    arm = loop(checkpoint(1, SOLVE), second, checkpoint(3, SOLVE))
    path = improvement(checkpoint(0, SOLVE), [arm]).path(arm)
    assert [before(path, index).round for index in (1, 2, 3)] == [0, 1, 1]
    assert arm.final is not None
    assert arm.final.round == 3
    assert loop(second).final is None


# ---------------------------------------------------------------- from rollouts


def problem(name: str) -> Problem:
    return Problem(id=name, prompt="2 + 2?", answer_kind="number", metadata={"family": "sums"})


def rollout(
    asked: Problem, text: str | None, value: float | None = None, *, reward: float | None = None
) -> Rollout:
    if text is None:
        failure = Failure(boundary="model", type="Down", message="gone")
        return Rollout(problem=asked, solver="direct", failure=failure)
    answer = Candidate(text=text, author="m")
    scores = {"exact": Score(target=answer.id, value=value, author="exact")}
    if reward is not None:
        scores["reward"] = Score(target=answer.id, value=reward, author="judge")
    usage = Usage(calls=1, input_tokens=10, output_tokens=len(text.split()))
    return Rollout(problem=asked, solver="direct", answer=answer, scores=scores, usage=usage)


PROBLEMS = [problem("a"), problem("b")]


def test_rollouts_in_any_order_become_vectors_in_the_order_of_the_problems() -> None:
    rows = [
        rollout(PROBLEMS[1], "no idea, but 4", None),
        rollout(problem("other"), "Answer: 1", 1.0),
        rollout(PROBLEMS[0], "so\nAnswer: 4", 1.0),
    ]
    found = answers_of(rows, PROBLEMS)
    assert found.outcomes == ("right", "unscored")
    assert found.stated == (True, False)
    assert found.output_tokens == (3, 4)
    assert found.right == (True, False)
    assert families_of(PROBLEMS) == ("sums", "sums")


def test_a_pool_keeps_keys_truth_and_the_reward_of_every_attempt() -> None:
    pooled = [
        rollout(
            attempt, None if (name, number) == ("b", 1) else f"Answer: {number}", float(number), reward=0.3
        )
        for name in "ab"
        for number, attempt in enumerate(problem(name).attempts(3))
    ]
    greedy = [rollout(one, "Answer: 4", 1.0) for one in PROBLEMS]
    found = evaluation(greedy, PROBLEMS, pool=reversed(pooled), k=2, scores="reward")
    assert found.k == 2
    assert [one.key for one in found.pool[0]] == ["0", "1"]
    assert found.pool[0][1].right is True
    assert found.pool[0][1].score == 0.3
    assert found.pool[1][1] == Sample(key=None, right=None, tokens=0, output_tokens=0)
    assert [one.texts for one in found.variety] == [2, 1]


def test_a_missing_attempt_or_answer_is_named() -> None:
    greedy = [rollout(one, "Answer: 4", 1.0) for one in PROBLEMS]
    with pytest.raises(InputError, match="needs 2, and 2 have fewer, such as 'a'"):
        evaluation(greedy, PROBLEMS, pool=(), k=2)
    with pytest.raises(InputError, match="1 problems have no rollout, such as 'b'"):
        evaluation(greedy[:1], PROBLEMS)


def test_long_texts_are_cut_for_reading_only_and_oracles_are_counted() -> None:
    critique = Critique(target="x", text="it is 4", author="o", saw_reference=True)
    helped = rollout(PROBLEMS[0], "word " * LONGEST, 0.0).model_copy(
        update={"steps": (Step(index=0, parent=None, name="critique", output=critique),)}
    )
    found = answers_of([helped], PROBLEMS[:1])
    assert len(found.texts[0]) == LONGEST + 1
    assert found.output_tokens == (LONGEST,)
    assert found.oracle == 1
    assert found.repetition[0] is not None
    assert found.repetition[0] > 0.99
