# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownVariableType=false
"""Advantages, the clipped surrogate and the KL estimators, by hand."""

import math

import numpy as np
import pytest

pytest.importorskip("torch")
import torch
from torch import Tensor

from gadfly.errors import InputError
from gadfly.train.losses import advantages as adv
from gadfly.train.losses.policy import (
    Clip,
    Estimator,
    Penalty,
    RatioOf,
    kl,
    penalised,
    policy_gradient,
    surrogate,
)
from gadfly.train.losses.reduction import PER_SEQUENCE, PER_TOKEN, SUM_PER_SEQUENCE, Reduction

NEW = np.array([[-0.5, -1.0, -2.0], [-1.5, -0.2, 0.0]])
OLD = np.array([[-0.9, -0.9, -2.1], [-1.0, -0.6, 0.0]])
REF = np.array([[-0.7, -1.4, -1.0], [-1.5, -0.1, 0.0]])
MASK = np.array([[1, 1, 1], [1, 1, 0]])
GAIN = np.array([1.5, -0.5])


def t(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def per_sequence(values: np.ndarray) -> float:
    return float(((values * MASK).sum(1) / MASK.sum(1)).mean())


def test_group_advantages_are_z_scores_of_the_group() -> None:
    rewards = np.array([[1.0, 0.0, 0.0, 1.0], [3.0, 5.0, 4.0, 0.0]])
    centred = rewards - rewards.mean(1, keepdims=True)
    for ddof in (0, 1):
        expected = centred / (rewards.std(1, ddof=ddof, keepdims=True) + 1e-4)
        assert np.allclose(adv.grpo(t(rewards), ddof=ddof).values, expected)
    assert np.allclose(adv.grpo(t(rewards), scale="none").values, centred)
    batch = centred / (rewards.std(ddof=1) + 1e-4)
    assert np.allclose(adv.grpo(t(rewards), scale="batch").values, batch)


def test_an_unscored_sample_is_neither_zero_nor_counted() -> None:
    rewards = t([[1.0, math.nan, 0.0, 1.0]])
    scored = t([[1, 0, 1, 1]])
    alone = t([[1.0, 0.0, 1.0]])
    for found, expected in (
        (adv.grpo(rewards, scored=scored), adv.grpo(alone)),
        (adv.rloo(rewards, scored=scored), adv.rloo(alone)),
    ):
        assert found.values[0, [0, 2, 3]].tolist() == pytest.approx(expected.values[0].tolist())
        assert found.values[0, 1] == 0
        assert (found.scored, found.unscored) == (3, 1)
    with pytest.raises(InputError, match=r"rewards holds nan at \(0, 1\)"):
        adv.grpo(rewards)


def test_a_group_that_teaches_nothing_is_counted_and_has_no_advantage() -> None:
    rewards, scored = t([[2.0, 2.0], [1.0, 9.0], [0.0, 1.0]]), t([[1, 1], [1, 0], [1, 1]])
    for found in (adv.grpo(rewards, scored=scored), adv.rloo(rewards, scored=scored)):
        assert found.flat_groups == 2
        assert not found.values[:2].any()
        assert found.values[2].abs().min() > 0.5


def test_rloo_leaves_the_sample_itself_out_of_its_baseline() -> None:
    rewards = np.array([[1.0, 0.0, 4.0], [2.0, 2.0, 5.0]])
    expected = np.array([[x - (row.sum() - x) / 2 for x in row] for row in rewards])
    assert np.allclose(adv.rloo(t(rewards)).values, expected)
    normal = (expected - expected.mean()) / (expected.std(ddof=1) + 1e-4)
    assert np.allclose(adv.rloo(t(rewards), scale="batch").values, normal)


def test_reinforce_takes_off_a_baseline_of_any_kind() -> None:
    rewards = t([1.0, 0.0, 5.0])
    assert adv.reinforce(rewards).values.tolist() == [1, 0, 5]
    assert adv.reinforce(rewards, baseline=2.0).values.tolist() == [-1, -2, 3]
    assert adv.reinforce(rewards, baseline="mean").values.tolist() == [-1, -2, 3]
    assert adv.reinforce(rewards, baseline=t([1.0, 1, 1])).values.tolist() == [0, -1, 4]
    assert adv.reinforce(rewards, baseline="mean", scored=t([1, 1, 0])).values.tolist() == [0.5, -0.5, 0]
    scaled = adv.reinforce(rewards, scale="batch").values
    assert scaled.tolist() == pytest.approx((rewards / (rewards.std() + 1e-4)).tolist())


def test_a_moving_baseline_starts_at_the_mean() -> None:
    assert adv.moving_baseline(None, t([1.0, 3.0])) == 2
    assert adv.moving_baseline(1.0, t([1.0, 3.0]), decay=0.9) == pytest.approx(1.1)
    with pytest.raises(InputError, match="needs rewards"):
        adv.moving_baseline(1.0, t([]))


def test_the_estimators_of_the_divergence_are_their_formulas() -> None:
    d = NEW - REF
    expectations: dict[Estimator, np.ndarray] = {"k1": d, "k2": d**2 / 2, "k3": np.exp(-d) - 1 + d}
    for name, expected in expectations.items():
        assert np.allclose(kl(t(NEW), t(REF), estimator=name), expected)


def test_k1_and_k3_average_to_the_divergence() -> None:
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5])
    true = (p * np.log(p / q)).sum()
    for name in ("k1", "k3"):
        values = kl(t(np.log(p)), t(np.log(q)), estimator=name)
        assert float((t(p) * values).sum()) == pytest.approx(true)


@pytest.mark.parametrize(("estimator", "follows"), [("k1", "none"), ("k2", "reverse"), ("k3", "forward")])
def test_the_gradient_of_each_estimator_is_what_its_docstring_says(
    estimator: Estimator, follows: str
) -> None:
    logits = t([0.3, -0.2, 0.9]).requires_grad_()
    logq = torch.log_softmax(t([1.0, 0.0, -1.0]), dim=0)
    logp = torch.log_softmax(logits, dim=0)
    sampled = (logp.detach().exp() * kl(logp, logq, estimator=estimator)).sum()
    exact = {
        "none": 0 * logits.sum(),
        "reverse": (logp.exp() * (logp - logq)).sum(),
        "forward": (logq.exp() * (logq - logp)).sum(),
    }[follows]
    found, expected = (torch.autograd.grad(x, logits, retain_graph=True)[0] for x in (sampled, exact))
    assert found.tolist() == pytest.approx(expected.tolist(), abs=1e-12)


def test_a_penalty_can_go_into_the_reward() -> None:
    found = penalised(t([1.0, 2.0]), t(NEW), t(REF), t(MASK), weight=0.5)
    assert np.allclose(found, np.array([1.0, 2.0]) - 0.5 * ((NEW - REF) * MASK).sum(1))
    with pytest.raises(InputError, match="rewards has shape"):
        penalised(t([1.0]), t(NEW), t(REF), t(MASK), weight=0.5)


def clipped(ratio: np.ndarray, low: float, high: float) -> np.ndarray:
    gain = GAIN[:, None]
    return -np.minimum(ratio * gain, np.clip(ratio, 1 - low, 1 + high) * gain)


@pytest.mark.parametrize("of", ["token", "sequence mean", "sequence"])
def test_the_surrogate_is_clipped_on_the_side_that_gains(of: RatioOf) -> None:
    d = (NEW - OLD) * MASK
    ratio = {
        "token": np.exp(d),
        "sequence mean": np.exp(d.sum(1) / MASK.sum(1))[:, None] * np.ones((2, 3)),
        "sequence": np.exp(d.sum(1))[:, None] * np.ones((2, 3)),
    }[of]
    found = surrogate(t(NEW), t(OLD), t(GAIN), t(MASK), ratio=of, clip=Clip(low=0.1, high=0.3))
    assert float(found.loss) == pytest.approx(per_sequence(clipped(ratio, 0.1, 0.3)))
    assert found.metrics["ratio"] == pytest.approx(ratio[MASK == 1].mean())
    high = (ratio > 1.3) & (GAIN[:, None] > 0)
    assert found.metrics["clipped_high"] == pytest.approx(high[MASK == 1].mean())
    free = surrogate(t(NEW), t(OLD), t(GAIN), t(MASK), ratio=of, clip=None)
    assert float(free.loss) == pytest.approx(per_sequence(-ratio * GAIN[:, None]))
    assert free.metrics["clipped_high"] == free.metrics["clipped_low"] == 0


def test_reductions_of_the_surrogate_are_those_of_the_papers() -> None:
    values = clipped(np.exp((NEW - OLD) * MASK), 0.2, 0.2) * MASK
    for reduction, expected in (
        (PER_SEQUENCE, per_sequence(values)),
        (PER_TOKEN, values.sum() / 5),
        (SUM_PER_SEQUENCE, values.sum() / 2),
        (Reduction(over="fixed length", length=10), values.sum() / 20),
    ):
        found = surrogate(t(NEW), t(OLD), t(GAIN), t(MASK), reduction=reduction)
        assert float(found.loss) == pytest.approx(expected)


def test_a_ceiling_stops_the_ratio_where_the_clip_does_not() -> None:
    new, old = t([[0.0]]), t([[-3.0]])
    found = surrogate(new, old, t([-1.0]), t([[1]]), clip=Clip(ceiling=4.0))
    assert float(found.loss) == pytest.approx(4.0)
    assert float(surrogate(new, old, t([-1.0]), t([[1]])).loss) == pytest.approx(math.exp(3))
    with pytest.raises(InputError, match="ceiling"):
        Clip(ceiling=1.1)


def test_a_penalty_is_added_to_every_token() -> None:
    plain = surrogate(t(NEW), t(OLD), t(GAIN), t(MASK))
    d = NEW - REF
    found = surrogate(t(NEW), t(OLD), t(GAIN), t(MASK), penalty=Penalty(reference=t(REF), weight=0.3))
    expected = per_sequence(np.exp(-d) - 1 + d)
    assert float(found.loss) == pytest.approx(float(plain.loss) + 0.3 * expected)
    assert found.metrics["kl"] == pytest.approx((np.exp(-d) - 1 + d)[MASK == 1].mean())


def test_on_fresh_samples_the_surrogate_has_the_gradient_of_reinforce() -> None:
    policy = t(NEW).requires_grad_()
    one = surrogate(policy, policy.detach(), t(GAIN), t(MASK), reduction=SUM_PER_SEQUENCE).loss
    other = policy_gradient(policy, t(GAIN), t(MASK)).loss
    gradients = [torch.autograd.grad(x, policy)[0] for x in (one, other)]
    assert torch.allclose(gradients[0], gradients[1])
    assert float(other.detach()) == pytest.approx(-(GAIN[:, None] * NEW * MASK).sum() / 2)


def test_advantages_may_be_of_tokens() -> None:
    gains = np.array([[1.0, 0.0, 2.0], [3.0, -1.0, math.nan]])
    found = policy_gradient(t(NEW), t(gains), t(MASK), reduction=PER_TOKEN)
    assert float(found.loss) == pytest.approx(-(np.nan_to_num(gains) * NEW * MASK).sum() / 5)


def test_gradients_are_those_of_finite_differences() -> None:
    policy = t(NEW[:, :]).requires_grad_()
    for of in ("token", "sequence mean", "sequence"):
        for estimator in ("k1", "k2", "k3"):
            penalty = Penalty(reference=t(REF), estimator=estimator)

            def loss(p: Tensor, of: RatioOf = of, penalty: Penalty = penalty) -> Tensor:
                return surrogate(p, t(OLD), t(GAIN), t(MASK), ratio=of, penalty=penalty).loss

            assert torch.autograd.gradcheck(loss, (policy,))
    penalty = Penalty(reference=t(REF))
    assert torch.autograd.gradcheck(
        lambda p: policy_gradient(p, t(GAIN), t(MASK), penalty=penalty).loss, (policy,)
    )


def test_a_ratio_that_overflows_is_refused() -> None:
    with pytest.raises(InputError, match="overflowed"):
        surrogate(t([[0.0]]), t([[-9999.0]]), t([-1.0]), t([[1]]))


def test_what_is_wrong_with_the_old_policy_is_said_by_name() -> None:
    broken = OLD.copy()
    broken[0, 1] = math.nan
    with pytest.raises(InputError, match=r"old holds nan at \(0, 1\)"):
        surrogate(t(NEW), t(broken), t(GAIN), t(MASK))
    with pytest.raises(InputError, match="advantages has shape"):
        surrogate(t(NEW), t(OLD), t([1.0]), t(MASK))
    with pytest.raises(InputError, match=r"\[groups, samples\]"):
        adv.grpo(t([1.0]))
