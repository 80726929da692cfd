# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownVariableType=false
"""SCoRe's shaping and its two stages, by hand."""

import math
from dataclasses import replace
from itertools import product
from typing import Literal

import numpy as np
import pytest

pytest.importorskip("torch")
import torch
from torch import Tensor

from gadfly.errors import InputError
from gadfly.train.losses.policy import Estimator
from gadfly.train.losses.reduction import PER_TOKEN
from gadfly.train.losses.score_rl import Attempts, advantages, score, stage_one, stage_two

LOGPROBS = np.array([[-9.0, -0.5, -1.0, -9.0, -2.0], [-9.0, -0.1, -0.2, -0.3, 0.0]])
REFERENCE = np.array([[-9.0, -0.7, -0.9, -9.0, -1.0], [-9.0, -0.1, -0.5, -0.2, 0.0]])
ATTEMPT = np.array([[0, 1, 1, 0, 2], [0, 1, 2, 2, 0]])
GAINS = np.array([[0.5, 2.0], [-0.5, -2.0]])
FIRST, SECOND = np.array([0.0, 1.0, 1.0, 0.0]), np.array([1.0, 1.0, 0.0, 0.0])


def t(values: object) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


ATTEMPTS = Attempts(logprobs=t(LOGPROBS), reference=t(REFERENCE), attempt=torch.tensor(ATTEMPT))


def test_progress_is_paid_and_damage_costs() -> None:
    found = stage_two(t(FIRST), t(SECOND), alpha=10.0)
    assert found.tolist() == [[0, 11], [1, 1], [1, -10], [0, 0]]
    assert stage_two(t(FIRST), t(SECOND), alpha=0.0).tolist() == [[0, 1], [1, 1], [1, 0], [0, 0]]
    assert stage_one(t(FIRST), t(SECOND)).tolist() == [[0, 1], [0, 1], [0, 0], [0, 0]]


def test_credit_is_each_attempts_own_unless_discounted() -> None:
    rewards = t([[0.0, 11.0], [1.0, 1.0]])
    assert advantages(rewards, baseline="none").tolist() == rewards.tolist()
    assert advantages(rewards).tolist() == [[-0.5, 5.0], [0.5, -5.0]]
    assert advantages(rewards, discount=1.0, baseline="none").tolist() == [[11, 11], [2, 1]]
    with pytest.raises(InputError, match=r"\[batch, 2\]"):
        advantages(t([1.0, 2.0]))


def by_hand(stage: str, light: float, strong: float) -> float:
    d = LOGPROBS - REFERENCE
    total = 0.0
    for row in range(2):
        for place in range(5):
            attempt = ATTEMPT[row, place]
            if not attempt:
                continue
            gain = 0.0 if stage == "I" and attempt == 1 else GAINS[row, attempt - 1]
            weight = light + (strong if stage == "I" and attempt == 1 else 0)
            total += -gain * LOGPROBS[row, place] + weight * d[row, place] ** 2 / 2
    return total / 2


@pytest.mark.parametrize("stage", ["I", "II"])
def test_a_stage_is_its_policy_gradient_and_penalties(stage: str) -> None:
    found = score(ATTEMPTS, t(GAINS), stage="I" if stage == "I" else "II", light=0.03, strong=0.2)
    assert float(found.loss) == pytest.approx(by_hand(stage, 0.03, 0.2))
    assert found.metrics["tokens"] == 6


def test_stage_one_holds_the_first_attempt_and_rewards_only_the_second() -> None:
    policy = t(REFERENCE).requires_grad_()
    at_base = replace(ATTEMPTS, logprobs=policy)
    score(at_base, t(GAINS), stage="I").loss.backward()
    assert policy.grad is not None
    assert not policy.grad[torch.tensor(ATTEMPT == 1)].any()
    assert policy.grad[torch.tensor(ATTEMPT == 2)].abs().min() > 0
    assert not policy.grad[torch.tensor(ATTEMPT == 0)].any()


def test_the_penalties_pull_back_to_the_base_model() -> None:
    policy = t(LOGPROBS).requires_grad_()
    nothing = torch.zeros(2, 2, dtype=torch.float64)
    pulls = []
    for stage in ("I", "II"):
        loss = score(replace(ATTEMPTS, logprobs=policy), nothing, stage=stage, light=0.01, strong=0.1).loss
        pulls.append(torch.autograd.grad(loss, policy)[0][0, 1])
    assert float(pulls[0] / pulls[1]) == pytest.approx(11)
    assert float(pulls[1]) == pytest.approx(0.01 * (-0.5 + 0.7) / 2)


def test_gradients_are_those_of_finite_differences() -> None:
    policy = t(LOGPROBS[:, :4]).requires_grad_()
    narrow = Attempts(logprobs=policy, reference=t(REFERENCE[:, :4]), attempt=torch.tensor(ATTEMPT[:, :4]))
    stages: tuple[Literal["I", "II"], ...] = ("I", "II")
    estimators: tuple[Estimator, ...] = ("k1", "k2", "k3")
    for stage, estimator in product(stages, estimators):

        def loss(p: Tensor, stage: Literal["I", "II"] = stage, estimator: Estimator = estimator) -> Tensor:
            given = replace(narrow, logprobs=p)
            return score(given, t(GAINS), stage=stage, estimator=estimator).loss

        assert torch.autograd.gradcheck(loss, (policy,))


def test_what_stands_outside_the_attempts_is_not_looked_at() -> None:
    noisy = LOGPROBS.copy()
    noisy[ATTEMPT == 0] = math.nan
    found = score(replace(ATTEMPTS, logprobs=t(noisy)), t(GAINS), stage="II", reduction=PER_TOKEN)
    plain = score(ATTEMPTS, t(GAINS), stage="II", reduction=PER_TOKEN)
    assert float(found.loss) == pytest.approx(float(plain.loss))


def test_what_cannot_be_used_is_named() -> None:
    with pytest.raises(InputError, match="0, 1 and 2"):
        score(replace(ATTEMPTS, attempt=torch.tensor(ATTEMPT + 1)), t(GAINS), stage="I")
    with pytest.raises(InputError, match="gains has shape"):
        score(ATTEMPTS, t(GAINS[:, 0]), stage="I")
    with pytest.raises(InputError, match="first holds nan"):
        stage_two(t([math.nan]), t([1.0]))
    with pytest.raises(InputError, match="alpha"):
        stage_two(t([1.0]), t([1.0]), alpha=-1)
    with pytest.raises(InputError, match="penalties"):
        score(ATTEMPTS, t(GAINS), stage="I", light=-1)
    with pytest.raises(InputError, match="keeps no token"):
        score(replace(ATTEMPTS, attempt=torch.zeros(2, 5)), t(GAINS), stage="II")
