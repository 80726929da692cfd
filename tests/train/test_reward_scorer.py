"""A trained head as a scorer: the same numbers as in training, in batches, named by its weights."""

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
import torch
from support.tiny_policy import plain_numbers, said, tiny_learner, user

from gadfly.concurrency import each
from gadfly.errors import InputError
from gadfly.records import Candidate, Problem
from gadfly.train.learner import Learner
from gadfly.train.reward_scorer import HeadScorer

pytestmark = pytest.mark.anyio
PROBLEM = Problem(id="p", prompt="reverse ab")
TEXTS = ["ba", "b", "something longer", "", "x" * 300]


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Learner:
    return tiny_learner(tmp_path_factory.mktemp("scorer"), head=True)


@pytest.fixture(scope="module")
def folder(learner: Learner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("trained")
    learner.save_merged(target)
    return target


def candidates() -> list[Candidate]:
    return [Candidate(text=text, author="m") for text in TEXTS]


async def test_answers_get_the_numbers_they_had_in_training(learner: Learner, folder: Path) -> None:
    scorer = HeadScorer(folder=folder, limit=256, batch=2)
    scores = await each(lambda one: scorer(PROBLEM, one), candidates())
    await scorer.close()
    for text, score in list(zip(TEXTS, scores, strict=True))[:3]:
        row = learner.policy.codec.completion(user("reverse ab"), (said(text),))
        assert row is not None
        assert score.value == pytest.approx(plain_numbers(learner, row)[-1].item(), abs=1e-4)
    assert [score.target for score in scores] == [one.id for one in candidates()]
    assert {score.author for score in scores} == {scorer.author}


async def test_a_text_that_is_too_long_is_unscored_with_the_reason(folder: Path) -> None:
    scorer = HeadScorer(folder=folder, limit=256)
    score = await scorer(PROBLEM, candidates()[-1])
    await scorer.close()
    assert score.value is None
    assert score.failure is not None
    assert score.failure.boundary == "scorer"
    assert "longer than 256 tokens" in score.failure.message


async def test_p_ik_is_a_probability_of_the_problem_alone(learner: Learner, folder: Path) -> None:
    scorer = HeadScorer(folder=folder, reads="problem", probability=True)
    beliefs = [await scorer.belief(PROBLEM), *[await scorer(PROBLEM, one) for one in candidates()]]
    await scorer.close()
    asked = learner.policy.codec.asked(user("reverse ab"))
    assert asked is not None
    expected = torch.sigmoid(plain_numbers(learner, asked)[-1]).item()
    assert [score.value for score in beliefs] == pytest.approx([expected] * len(beliefs), abs=1e-5)
    assert beliefs[0].target == "p"
    with pytest.raises(InputError, match="reads answers"):
        await HeadScorer(folder=folder).belief(PROBLEM)


async def test_the_author_names_weights_and_head(learner: Learner, folder: Path, tmp_path: Path) -> None:
    learner.save_merged(tmp_path)
    assert HeadScorer(folder=tmp_path).author.split("@")[1] == HeadScorer(folder=folder).author.split("@")[1]
    state = torch.load(tmp_path / "head.pt", weights_only=True)
    torch.save({**state, "bias": state["bias"] + 1}, tmp_path / "head.pt")
    assert HeadScorer(folder=tmp_path).author != HeadScorer(folder=folder).author


async def test_closing_lets_the_weights_go_and_a_later_call_reads_them_again(folder: Path) -> None:
    scorer = HeadScorer(folder=folder)
    await scorer.close()
    first = await scorer(PROBLEM, candidates()[0])
    await scorer.close()
    await scorer.close()
    assert (await scorer(PROBLEM, candidates()[0])).value == first.value
    await scorer.close()


async def test_a_folder_without_a_head_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no head\.pt: it is no reward model"):
        await HeadScorer(folder=tmp_path)(PROBLEM, candidates()[0])
