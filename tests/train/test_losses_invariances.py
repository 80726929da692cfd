# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownVariableType=false
"""What must hold of every token loss: padding, the order of the batch, and dirt under the mask."""

from collections.abc import Callable

import pytest

pytest.importorskip("torch")
import torch
from torch import Tensor

from gadfly.errors import InputError
from gadfly.train.losses.cut import Judged, cut
from gadfly.train.losses.policy import Penalty, policy_gradient, surrogate
from gadfly.train.losses.reduction import (
    PER_SEQUENCE,
    PER_TOKEN,
    SUM_PER_SEQUENCE,
    Loss,
    Reduction,
)
from gadfly.train.losses.reward import process
from gadfly.train.losses.score_rl import Attempts, score
from gadfly.train.losses.sft import sft

GENERATOR = torch.Generator().manual_seed(5)
LOGPROBS, OTHER = (-torch.rand(3, 4, generator=GENERATOR, dtype=torch.float64) * 3 for _ in range(2))
MASK = torch.tensor([[0, 1, 1, 1], [1, 1, 0, 0], [0, 1, 0, 1]])
ROW = torch.tensor([1.0, -0.5, 0.25], dtype=torch.float64)

TokenLoss = Callable[[Tensor, Tensor, Tensor, Tensor, Reduction], Loss]
"""Of log-probabilities, others of the same tokens, the mask, a number per row, and the reduction."""


def judged(p: Tensor, q: Tensor, m: Tensor, row: Tensor, r: Reduction) -> Loss:
    return cut(Judged(plain=p, with_judgement=q, mask=m, satisfactory=(row > 0)), reduction=r)


def attempts(p: Tensor, q: Tensor, m: Tensor, row: Tensor, r: Reduction) -> Loss:
    turn = m * (1 + (m.cumsum(1) > 1))
    return score(
        Attempts(logprobs=p, reference=q, attempt=turn),
        torch.stack([row, -row], dim=1),
        stage="I",
        reduction=r,
    )


LOSSES: dict[str, TokenLoss] = {
    "sft": lambda p, q, m, row, r: sft(p, m, token_weights=-q, sequence_weights=row, reduction=r),
    "smoothed": lambda p, q, m, row, r: sft(p, m, label_smoothing=0.1, vocabulary_mean=q, reduction=r),
    "gradient": lambda p, q, m, row, r: policy_gradient(p, row, m, reduction=r),
    "surrogate": lambda p, q, m, row, r: surrogate(
        p, q, row, m, penalty=Penalty(reference=q, weight=0.1), reduction=r
    ),
    "sequence": lambda p, q, m, row, r: surrogate(p, q, row, m, ratio="sequence mean", reduction=r),
    "cut": judged,
    "score": attempts,
    "steps": lambda p, q, m, row, r: process(p, torch.where(m.bool(), q.exp(), q), m, reduction=r),
}
REDUCTIONS = [PER_TOKEN, PER_SEQUENCE, SUM_PER_SEQUENCE]


@pytest.mark.parametrize("reduction", REDUCTIONS, ids=lambda r: r.over)
@pytest.mark.parametrize("name", LOSSES)
def test_padding_on_either_side_changes_nothing(name: str, reduction: Reduction) -> None:
    loss = LOSSES[name]
    plain = loss(LOGPROBS, OTHER, MASK, ROW, reduction)
    dirt = torch.full((3, 2), float("nan"), dtype=torch.float64)
    for side in ("left", "right"):
        wide = [
            torch.cat([filler, x] if side == "left" else [x, filler], dim=1)
            for x, filler in ((LOGPROBS, dirt), (OTHER, dirt), (MASK, torch.zeros(3, 2, dtype=torch.long)))
        ]
        policy = wide[0].requires_grad_()
        found = loss(policy, wide[1], wide[2], ROW, reduction)
        assert float(found.loss.detach()) == pytest.approx(float(plain.loss))
        assert dict(found.metrics) == pytest.approx(dict(plain.metrics))
        gradient = torch.autograd.grad(found.loss, policy)[0]
        assert gradient.isfinite().all()
        assert not gradient[wide[2] == 0].any()


@pytest.mark.parametrize("reduction", REDUCTIONS, ids=lambda r: r.over)
@pytest.mark.parametrize("name", LOSSES)
def test_the_order_of_the_rows_changes_nothing(name: str, reduction: Reduction) -> None:
    order = [2, 0, 1]
    plain = LOSSES[name](LOGPROBS, OTHER, MASK, ROW, reduction)
    turned = LOSSES[name](LOGPROBS[order], OTHER[order], MASK[order], ROW[order], reduction)
    assert float(turned.loss) == pytest.approx(float(plain.loss))
    assert dict(turned.metrics) == pytest.approx(dict(plain.metrics))


@pytest.mark.parametrize("reduction", REDUCTIONS, ids=lambda r: r.over)
@pytest.mark.parametrize("name", LOSSES)
def test_a_row_with_nothing_under_the_mask_is_counted_and_changes_nothing(
    name: str, reduction: Reduction
) -> None:
    plain = LOSSES[name](LOGPROBS, OTHER, MASK, ROW, reduction)
    extra = [torch.cat([x, x[:1]]) for x in (LOGPROBS, OTHER)]
    mask = torch.cat([MASK, torch.zeros_like(MASK[:1])])
    # The row's own number is the mean of the others, so that figures over rows stay.
    found = LOSSES[name](extra[0], extra[1], mask, torch.cat([ROW, ROW.mean()[None]]), reduction)
    assert float(found.loss) == pytest.approx(float(plain.loss))
    assert found.metrics["empty_sequences"] == 1


@pytest.mark.parametrize("name", LOSSES)
def test_nothing_under_the_mask_at_all_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="keeps no token"):
        LOSSES[name](LOGPROBS, OTHER, torch.zeros_like(MASK), ROW, PER_TOKEN)


@pytest.mark.parametrize("name", LOSSES)
def test_a_value_that_is_no_number_under_the_mask_is_refused_with_its_place(name: str) -> None:
    broken = LOGPROBS.clone()
    broken[1, 0] = float("nan")
    with pytest.raises(InputError, match=r"(logprobs|plain|scores) holds nan at \(1, 0\)"):
        LOSSES[name](broken, OTHER, MASK, ROW, PER_TOKEN)


@pytest.mark.parametrize("reduction", REDUCTIONS, ids=lambda r: r.over)
@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_those_of_finite_differences(name: str, reduction: Reduction) -> None:
    policy = LOGPROBS.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda p: LOSSES[name](p, OTHER, MASK, ROW, reduction).loss, (policy,))


@pytest.mark.parametrize("name", LOSSES)
def test_metrics_are_floats_without_a_graph(name: str) -> None:
    found = LOSSES[name](LOGPROBS.clone().requires_grad_(), OTHER, MASK, ROW, PER_TOKEN)
    assert found.loss.requires_grad
    assert found.loss.shape == ()
    assert {type(x) for x in found.metrics.values()} == {float}
    assert found.metrics["loss"] == pytest.approx(float(found.loss.detach()))
