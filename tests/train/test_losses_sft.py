# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownVariableType=false
"""Fine-tuning and distillation."""

import math

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from gadfly.errors import InputError
from gadfly.train.losses.distil import Divergence, distil
from gadfly.train.losses.logprobs import mean_logprobs, token_logprobs
from gadfly.train.losses.reduction import PER_SEQUENCE, Reduction
from gadfly.train.losses.sft import sft

LOGPROBS = torch.tensor([[-0.5, -1.0, -3.0], [-2.0, -0.25, -9.0]], dtype=torch.float64)
MASK = torch.tensor([[1, 1, 1], [1, 1, 0]])


def test_it_is_the_mean_negative_log_likelihood() -> None:
    found = sft(LOGPROBS, MASK)
    assert float(found.loss) == pytest.approx(6.75 / 5)
    assert found.metrics["nll"] == pytest.approx(6.75 / 5)
    assert (found.metrics["tokens"], found.metrics["sequences"]) == (5, 2)
    assert float(sft(LOGPROBS, MASK, reduction=PER_SEQUENCE).loss) == pytest.approx((1.5 + 1.125) / 2)


def test_weights_are_rewards_and_the_metric_stays_unweighted() -> None:
    rewards = torch.tensor([1.0, 0.0], dtype=torch.float64)
    found = sft(LOGPROBS, MASK, sequence_weights=rewards)
    assert float(found.loss) == pytest.approx(4.5 / 5)
    assert found.metrics["nll"] == pytest.approx(6.75 / 5)
    by_weight = sft(LOGPROBS, MASK, sequence_weights=rewards, reduction=Reduction(divide_by="weight"))
    assert float(by_weight.loss) == pytest.approx(1.5)
    spans = torch.tensor([[0.0, 2.0, 0.0], [0.0, -1.0, 5.0]], dtype=torch.float64)
    assert float(sft(LOGPROBS, MASK, token_weights=spans).loss) == pytest.approx((2.0 - 0.25) / 5)


def test_it_equals_torch_with_and_without_label_smoothing() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(2, 5, 7, generator=generator, dtype=torch.float64, requires_grad=True)
    ids = torch.randint(0, 7, (2, 5), generator=generator)
    mask = torch.tensor([[1, 1, 0, 1], [0, 1, 1, 1]])
    for smoothing in (0.0, 0.2):
        theirs = torch.nn.functional.cross_entropy(
            logits[:, :-1].reshape(-1, 7),
            ids[:, 1:].masked_fill(mask == 0, -100).reshape(-1),
            label_smoothing=smoothing,
        )
        ours = sft(
            token_logprobs(logits, ids),
            mask,
            label_smoothing=smoothing,
            vocabulary_mean=mean_logprobs(logits),
        ).loss
        assert float(ours.detach()) == pytest.approx(float(theirs.detach()))
        gradients = [torch.autograd.grad(loss, logits, retain_graph=True)[0] for loss in (ours, theirs)]
        assert torch.allclose(gradients[0], gradients[1])


def test_smoothing_needs_the_mean_over_the_vocabulary() -> None:
    with pytest.raises(InputError, match="vocabulary_mean"):
        sft(LOGPROBS, MASK, label_smoothing=0.1)
    with pytest.raises(InputError, match="below 1"):
        sft(LOGPROBS, MASK, label_smoothing=1.0)


STUDENT = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
TEACHER = np.array([[0.2, 0.2, 0.6], [0.25, 0.5, 0.25]])


def kl(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return (p * (np.log(p) - np.log(q))).sum(-1)


@pytest.mark.parametrize("divergence", ["forward KL", "reverse KL", "Jensen-Shannon"])
def test_a_divergence_is_the_textbook_sum(divergence: Divergence) -> None:
    mixed = 0.3 * TEACHER + 0.7 * STUDENT
    expected = {
        "forward KL": kl(TEACHER, STUDENT),
        "reverse KL": kl(STUDENT, TEACHER),
        "Jensen-Shannon": 0.3 * kl(TEACHER, mixed) + 0.7 * kl(STUDENT, mixed),
    }[divergence]
    student, teacher = (torch.tensor(np.log(p))[None] + 2 for p in (STUDENT, TEACHER))
    found = distil(student, teacher, torch.tensor([[1, 1]]), divergence=divergence, mixture=0.3)
    assert float(found.loss) == pytest.approx(expected.mean())
    one = distil(student, teacher, torch.tensor([[0, 1]]), divergence=divergence, mixture=0.3)
    assert float(one.loss) == pytest.approx(expected[1])


def test_a_temperature_flattens_both_sides_and_rewards_weigh_rows() -> None:
    student, teacher = (torch.tensor(np.log(p))[:, None] for p in (STUDENT, TEACHER))
    warm = [p**0.5 / (p**0.5).sum(-1, keepdims=True) for p in (STUDENT, TEACHER)]
    mask = torch.ones(2, 1)
    found = distil(student, teacher, mask, temperature=2.0)
    assert float(found.loss) == pytest.approx(kl(warm[1], warm[0]).mean())
    paid = distil(student, teacher, mask, sequence_weights=torch.tensor([0.0, 2.0]))
    assert float(paid.loss) == pytest.approx(kl(TEACHER, STUDENT)[1])


def test_no_gradient_reaches_the_teacher_and_none_leaks_from_padding() -> None:
    student = torch.tensor(np.log(STUDENT))[None].requires_grad_()
    teacher = torch.tensor(np.log(TEACHER))[None].requires_grad_()
    with torch.no_grad():
        teacher[0, 1, 0] = math.nan
    distil(student, teacher, torch.tensor([[1, 0]])).loss.backward()
    assert teacher.grad is None
    assert student.grad is not None
    assert student.grad[0, 0].abs().sum() > 0
    assert student.grad[0, 1].tolist() == [0, 0, 0]


def test_distillation_has_the_gradient_of_finite_differences() -> None:
    student = torch.tensor(np.log(STUDENT))[None].requires_grad_()
    teacher = torch.tensor(np.log(TEACHER))[None]
    names: tuple[Divergence, ...] = ("forward KL", "reverse KL", "Jensen-Shannon")
    for name in names:

        def loss(logits: torch.Tensor, name: Divergence = name) -> torch.Tensor:
            return distil(logits, teacher, torch.ones(1, 2), divergence=name).loss

        assert torch.autograd.gradcheck(loss, (student,))


def test_other_vocabularies_are_refused() -> None:
    with pytest.raises(InputError, match="one vocabulary"):
        distil(torch.zeros(1, 2, 3), torch.zeros(1, 2, 4), torch.ones(1, 2))
    with pytest.raises(InputError, match="temperature"):
        distil(torch.zeros(1, 2, 3), torch.zeros(1, 2, 3), torch.ones(1, 2), temperature=0)
