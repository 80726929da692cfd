"""Distillation on a small policy: the divergence by hand, weights, another vocabulary refused."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
import torch
from support.tiny_policy import said, tiny_learner, user

from gadfly.errors import InputError
from gadfly.train.learner import Learner
from gadfly.train.masks import MaskedRow
from gadfly.train.objectives.distil import Distilled
from gadfly.train.objectives.supervised import Told
from gadfly.train.rows import PromptCompletion, Unpaired
from gadfly.train.tiny import write_tiny


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Learner:
    return tiny_learner(tmp_path_factory.mktemp("student"))


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("teacher"), seed=9, width=64, layers=2, spread=0.3)


def examples(learner: Learner, objective: Distilled) -> list[Told]:
    rows = [
        PromptCompletion(prompt=user("1+1"), completion=(said("2"),), weight=2.0),
        PromptCompletion(prompt=user("reverse abc"), completion=(said("cba"),), weight=0.5),
    ]
    return [one for row in rows if (one := objective.example(row, learner.policy.codec)) is not None]


def distributions(model: Any, row: MaskedRow) -> torch.Tensor:  # noqa: ANN401
    table = model(input_ids=torch.tensor([row.ids])).logits.float().log_softmax(dim=-1)[0]
    return table[[place - 1 for place, kept in enumerate(row.mask) if kept]]


def test_the_loss_is_the_divergence_from_the_teacher_weighted_by_row(learner: Learner, teacher: Path) -> None:
    forward = Distilled(teacher=str(teacher))
    backward = Distilled(teacher=str(teacher), divergence="reverse KL")
    other = tiny_teacher(teacher)
    there, back, tokens = torch.tensor(0.0), torch.tensor(0.0), 0
    for one in examples(learner, forward):
        ours = distributions(learner.policy.loaded.model, one.row)
        theirs = distributions(other, one.row)
        there = there + one.weight * (theirs.exp() * (theirs - ours)).sum()
        back = back + one.weight * (ours.exp() * (ours - theirs)).sum()
        tokens += len(ours)
    for objective, expected in ((forward, there), (backward, back)):
        found = objective.loss(learner.policy, examples(learner, objective))
        assert found.metrics["loss"] == pytest.approx(expected.item() / tokens, rel=1e-4)


def tiny_teacher(folder: Path) -> Any:  # noqa: ANN401
    from gadfly.models.transformers_weights import locate, read

    return read(locate(str(folder)), dtype="float32", device="cpu").model


def test_a_student_that_is_the_teacher_has_no_loss(learner: Learner, tmp_path: Path) -> None:
    learner.save_merged(tmp_path / "same")
    objective = Distilled(teacher=str(tmp_path / "same"), divergence="Jensen-Shannon")
    found = objective.loss(learner.policy, examples(learner, objective))
    assert found.metrics["loss"] == pytest.approx(0.0, abs=1e-6)


def test_training_brings_the_student_to_the_teacher(tmp_path: Path, teacher: Path) -> None:
    learner, objective = tiny_learner(tmp_path), Distilled(teacher=str(teacher))
    given = examples(learner, objective)
    before = objective.loss(learner.policy, given).metrics["divergence"]
    for _ in range(15):
        learner.forward_backward(given, objective)
        learner.optim_step(3e-3)
    assert objective.loss(learner.policy, given).metrics["divergence"] < before / 2


def test_a_teacher_with_another_vocabulary_is_refused(learner: Learner, tmp_path: Path) -> None:
    write_tiny(tmp_path, width=32, layers=1)
    file = tmp_path / "tokenizer.json"
    told = json.loads(file.read_text())
    vocabulary = told["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    file.write_text(json.dumps(told))
    objective = Distilled(teacher=str(tmp_path))
    with pytest.raises(InputError, match="another vocabulary"):
        objective.loss(learner.policy, examples(learner, objective))


def test_rows_of_another_kind_are_refused(learner: Learner) -> None:
    row = Unpaired(prompt=user("1"), completion=(said("2"),), label=True)
    with pytest.raises(InputError, match="not from unpaired rows"):
        Distilled(teacher="x").example(row, learner.policy.codec)
