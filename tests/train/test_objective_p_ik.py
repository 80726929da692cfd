"""P(IK) on a small policy: where the head stands, what it learns from, and what else moves."""

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
import torch
from support.tiny_policy import plain_numbers, said, tiny_learner, user
from torch.nn import functional as F

from gadfly.errors import InputError
from gadfly.train.fit import examples_of
from gadfly.train.learner import Learner
from gadfly.train.objectives.p_ik import KnowsAnswer, Question, gathered
from gadfly.train.plan import Plan
from gadfly.train.rows import PromptCompletion, Unpaired

ROWS = [
    Unpaired(prompt=user("1+1"), completion=(said("2"),), label=True),
    Unpaired(prompt=user("what is left of 7"), completion=(said("8"),), label=False, weight=2.0),
    Unpaired(prompt=user("1+1"), completion=(said("3"),), label=False),
    Unpaired(prompt=user("1+1"), completion=(said("2 "),), label=True),
]


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Learner:
    return tiny_learner(tmp_path_factory.mktemp("p_ik"), head=True)


def questions(learner: Learner) -> tuple[Question, ...]:
    return examples_of(ROWS, KnowsAnswer(), learner.policy.codec, Plan()).kept


def test_the_head_stands_where_the_answer_would_begin(learner: Learner) -> None:
    first = questions(learner)[0]
    assert learner.policy.codec.tokenizer.decode(first.row.ids) == ("<|turn|>u\n1+1<|end|>\n<|turn|>a\n")
    assert not any(first.row.mask)


def test_the_loss_is_the_cross_entropy_of_every_answers_label(learner: Learner) -> None:
    given = questions(learner)
    logits = torch.stack([plain_numbers(learner, one.row)[-1] for one in given])
    labels, weights = torch.tensor([1.0, 0.0, 0.0, 1.0]), torch.tensor([1.0, 2.0, 1.0, 1.0])
    values = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    expected = ((values * weights).sum() / weights.sum()).item()
    assert KnowsAnswer().loss(learner.policy, given).metrics["loss"] == pytest.approx(expected, rel=1e-4)


def test_answers_of_one_question_gathered_have_the_same_loss_in_fewer_passes(learner: Learner) -> None:
    apart, together = questions(learner), gathered(questions(learner))
    assert [(one.right, one.samples) for one in together] == [(2.0, 3.0), (0.0, 2.0)]
    losses = [KnowsAnswer().loss(learner.policy, given).metrics["loss"] for given in (apart, together)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize("alone", [True, False])
def test_the_head_can_be_trained_alone(tmp_path: Path, alone: bool) -> None:
    learner = tiny_learner(tmp_path, head=True)
    before = {name: weight.detach().clone() for name, weight in learner.trained.items()}
    objective = KnowsAnswer(head_only=alone)
    learner.forward_backward(questions(learner), objective)
    learner.optim_step(1e-2)
    moved = {name for name, weight in learner.trained.items() if not torch.equal(weight, before[name])}
    assert moved >= {"head.weight", "head.bias"}
    assert (moved == {"head.weight", "head.bias"}) is alone


def test_rows_of_another_kind_are_refused_and_rows_without_weight_left_out(learner: Learner) -> None:
    codec = learner.policy.codec
    with pytest.raises(InputError, match=r"P\(IK\) learns from unpaired rows, not from prompt-completion"):
        KnowsAnswer().example(PromptCompletion(prompt=user("1+1"), completion=(said("2"),)), codec)
    rows = [ROWS[0], ROWS[1].model_copy(update={"weight": 0.0})]
    assert examples_of(rows, KnowsAnswer(), codec, Plan()).left_out == {"of weight 0": 1}
