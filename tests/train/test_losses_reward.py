# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownVariableType=false
"""Reward models, step rewards and the P(IK) head, by hand."""

import math

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from gadfly.errors import InputError
from gadfly.train.losses.head import last_hidden, p_ik, probe
from gadfly.train.losses.reduction import PER_SEQUENCE
from gadfly.train.losses.reward import Pointwise, bradley_terry, pointwise, process

CHOSEN, REJECTED = np.array([1.0, -0.5, 2.0]), np.array([0.0, 0.5, 2.0])


def t(values: object) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def log_sigmoid(x: np.ndarray) -> np.ndarray:
    return -np.log1p(np.exp(-x))


def test_the_pairwise_loss_is_the_logistic_loss_of_the_lead() -> None:
    found = bradley_terry(t(CHOSEN), t(REJECTED))
    assert float(found.loss) == pytest.approx(-log_sigmoid(CHOSEN - REJECTED).mean())
    assert found.metrics["accuracy"] == pytest.approx(1.5 / 3)
    assert found.metrics["margin"] == pytest.approx(0.0)


def test_margin_centring_and_smoothing_are_their_formulas() -> None:
    margin = np.array([1.0, 0.0, 0.5])
    lead = CHOSEN - REJECTED - margin
    found = bradley_terry(t(CHOSEN), t(REJECTED), margin=t(margin), centring=0.01, label_smoothing=0.1)
    values = -0.9 * log_sigmoid(lead) - 0.1 * log_sigmoid(-lead) + 0.01 * (CHOSEN + REJECTED) ** 2
    assert float(found.loss) == pytest.approx(values.mean())


def test_rewards_may_be_shifted_unless_they_are_centred() -> None:
    plain = float(bradley_terry(t(CHOSEN), t(REJECTED)).loss)
    assert float(bradley_terry(t(CHOSEN + 7), t(REJECTED + 7)).loss) == pytest.approx(plain)
    centred = float(bradley_terry(t(CHOSEN), t(REJECTED), centring=0.1).loss)
    assert float(bradley_terry(t(CHOSEN + 7), t(REJECTED + 7), centring=0.1).loss) > centred + 10


def test_pairs_count_by_their_weights() -> None:
    found = bradley_terry(t(CHOSEN), t(REJECTED), weights=t([0.0, 3.0, 0.0]))
    assert float(found.loss) == pytest.approx(-log_sigmoid(np.array(-1.0)))


def test_pointwise_losses_are_squared_error_and_cross_entropy() -> None:
    targets = np.array([1.0, 0.25, 0.0])
    assert float(pointwise(t(CHOSEN), t(targets)).loss) == pytest.approx(((CHOSEN - targets) ** 2).mean())
    p = 1 / (1 + np.exp(-CHOSEN))
    expected = -(targets * np.log(p) + (1 - targets) * np.log(1 - p)).mean()
    found = pointwise(t(CHOSEN), t(targets), kind="cross-entropy")
    assert float(found.loss) == pytest.approx(expected)
    assert found.metrics["mean_score"] == pytest.approx(p.mean())
    with pytest.raises(InputError, match="from 0 to 1"):
        pointwise(t(CHOSEN), t([2.0, 0, 0]), kind="cross-entropy")


STEPS = np.array([[2.0, -1.0, 0.5], [0.0, 3.0, 9.0]])
LABELS = np.array([[1.0, 0.0, 1.0], [1.0, 1.0, math.nan]])
SCORED = np.array([[1, 1, 1], [1, 1, 0]])


def test_steps_are_judged_one_by_one_and_an_unlabelled_one_is_left_out() -> None:
    p = 1 / (1 + np.exp(-STEPS))
    values = -np.where(np.nan_to_num(LABELS) > 0.5, np.log(p), np.log(1 - p))
    found = process(t(STEPS), t(LABELS), t(SCORED))
    assert float(found.loss) == pytest.approx(values[SCORED == 1].mean())
    assert found.metrics["accuracy"] == pytest.approx(4 / 5)
    by_row = process(t(STEPS), t(LABELS), t(SCORED), reduction=PER_SEQUENCE)
    assert float(by_row.loss) == pytest.approx((values[0].mean() + values[1, :2].mean()) / 2)


def test_what_comes_after_the_first_error_can_be_left_out() -> None:
    found = process(t(STEPS), t(LABELS), t(SCORED), after_first_error="left out")
    shorter = SCORED.copy()
    shorter[0, 2] = 0
    assert float(found.loss) == pytest.approx(float(process(t(STEPS), t(LABELS), t(shorter)).loss))
    assert found.metrics["tokens"] == 4


def test_an_unlabelled_step_does_not_hide_the_error_before_it() -> None:
    labels, mask = t([[0.0, math.nan, 1.0]]), t([[1, 0, 1]])
    found = process(t([[0.0, 0.0, 0.0]]), labels, mask, after_first_error="left out")
    assert found.metrics["tokens"] == 1


def test_steps_may_be_scored_by_squared_error() -> None:
    found = process(t([[0.5, 0.2]]), t([[1.0, 0.0]]), t([[1, 1]]), kind="squared")
    assert float(found.loss) == pytest.approx((0.25 + 0.04) / 2)
    with pytest.raises(InputError, match="from 0 to 1"):
        process(t([[0.5]]), t([[3.0]]), t([[1]]))


def test_the_head_is_trained_on_the_share_of_right_answers() -> None:
    logits, right, samples = np.array([0.0, 2.0]), np.array([1.0, 8.0]), np.array([2.0, 10.0])
    found = p_ik(t(logits), t(right), samples=t(samples))
    p = 1 / (1 + np.exp(-logits))
    every = -(right * np.log(p) + (samples - right) * np.log(1 - p)).sum() / samples.sum()
    assert float(found.loss) == pytest.approx(every)
    assert found.metrics["brier"] == pytest.approx(((p - right / samples) ** 2).mean())
    alike = p_ik(t(logits), t(right), samples=t(samples), weigh_by_samples=False)
    share = right / samples
    assert float(alike.loss) == pytest.approx(-(share * np.log(p) + (1 - share) * np.log(1 - p)).mean())
    assert float(p_ik(t(logits), t(share)).loss) == pytest.approx(float(alike.loss))


def test_a_question_without_a_scored_sample_is_refused() -> None:
    with pytest.raises(InputError, match="without a scored sample"):
        p_ik(t([0.0]), t([0.0]), samples=t([0.0]))
    with pytest.raises(InputError, match="give `samples`"):
        p_ik(t([0.0]), t([3.0]))
    with pytest.raises(InputError, match="logits holds nan"):
        p_ik(t([math.nan]), t([1.0]))


def test_the_last_token_is_found_whichever_side_is_padded() -> None:
    hidden = torch.arange(12.0).reshape(2, 3, 2)
    assert last_hidden(hidden, torch.tensor([[1, 1, 0], [0, 1, 1]])).tolist() == [[2, 3], [10, 11]]
    assert last_hidden(hidden, torch.tensor([[1, 0, 0], [1, 1, 1]])).tolist() == [[0, 1], [10, 11]]
    with pytest.raises(InputError, match="no token"):
        last_hidden(hidden, torch.tensor([[0, 0, 0], [1, 1, 1]]))


def test_gradients_are_those_of_finite_differences() -> None:
    chosen, rejected = (t(x).requires_grad_() for x in (CHOSEN, REJECTED))
    assert torch.autograd.gradcheck(
        lambda c, r: bradley_terry(c, r, centring=0.1, label_smoothing=0.1).loss, (chosen, rejected)
    )
    targets = t([1.0, 0.0, 0.5])
    kinds: tuple[Pointwise, ...] = ("squared", "cross-entropy")
    for kind in kinds:

        def loss(scores: torch.Tensor, kind: Pointwise = kind) -> torch.Tensor:
            return pointwise(scores, targets, kind=kind).loss

        assert torch.autograd.gradcheck(loss, (chosen,))
    steps = t(STEPS).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: process(s, t(LABELS), t(SCORED)).loss, (steps,))
    hidden, weight, bias = t([[0.3, -1.0], [0.5, 2.0]]), t([0.2, 0.4]), t(0.1)
    assert torch.autograd.gradcheck(
        lambda w, b: p_ik(probe(hidden, w, b), t([1.0, 3.0]), samples=t([2.0, 3.0])).loss,
        (weight.requires_grad_(), bias.requires_grad_()),
    )


def test_the_head_learns_what_a_direction_of_the_hidden_state_says() -> None:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(64, 4, generator=generator)
    right = (hidden[:, 1] > 0).float()
    weight, bias = torch.zeros(4, requires_grad=True), torch.zeros((), requires_grad=True)
    optimiser = torch.optim.SGD([weight, bias], lr=1.0)
    for _ in range(50):
        optimiser.zero_grad()
        p_ik(probe(hidden, weight, bias), right).loss.backward()
        optimiser.step()
    assert p_ik(probe(hidden, weight, bias), right).metrics["brier"] < 0.1
