# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownVariableType=false
"""What all losses share, each figure worked out by hand."""

import math

import pytest

pytest.importorskip("torch")
import torch

from gadfly.errors import InputError
from gadfly.train.losses.logprobs import log1mexp, mean_logprobs, sequence_logprobs, token_logprobs
from gadfly.train.losses.reduction import (
    PER_SEQUENCE,
    PER_TOKEN,
    SUM_PER_SEQUENCE,
    Reduction,
    finished,
    kept,
    logs,
    mean,
    reduced,
)

VALUES = torch.tensor([[1.0, 2.0, 6.0], [10.0, 0.0, 0.0]], dtype=torch.float64)
MASK = torch.tensor([[True, True, True], [True, False, False]])
WEIGHTS = torch.tensor([[1.0, 2.0, 0.5], [4.0, 0.0, 0.0]], dtype=torch.float64)
ROWS = torch.tensor([3.0, 1.0], dtype=torch.float64)


@pytest.mark.parametrize(
    ("reduction", "expected"),
    [
        (PER_TOKEN, (1 + 2 + 6 + 10) / 4),
        (PER_SEQUENCE, (3 + 10) / 2),
        (SUM_PER_SEQUENCE, (9 + 10) / 2),
        (Reduction(over="fixed length", length=5), 19 / 10),
        (Reduction(total=8), 19 / 8),
        (Reduction(over="sequences", total=4), 13 / 4),
    ],
)
def test_values_become_one_number_as_the_reduction_says(reduction: Reduction, expected: float) -> None:
    assert float(reduced(VALUES, MASK, reduction)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("reduction", "expected"),
    [
        (PER_TOKEN, (3 * (1 + 4 + 3) + 40) / 4),
        (Reduction(divide_by="weight"), (3 * (1 + 4 + 3) + 40) / (3 * 3.5 + 4)),
        (PER_SEQUENCE, (3 * 8 / 3 + 40) / 2),
        (Reduction(over="sequences", divide_by="weight"), (3 * 8 / 3.5 + 10) / 4),
        (SUM_PER_SEQUENCE, (3 * 8 + 40) / 2),
        (Reduction(over="sequence sums", divide_by="weight"), (3 * 8 + 40) / 4),
    ],
)
def test_weights_of_tokens_and_sequences_multiply(reduction: Reduction, expected: float) -> None:
    assert float(reduced(VALUES, MASK, reduction, WEIGHTS, ROWS)) == pytest.approx(expected)


def test_doubled_weights_double_a_mean_by_count_and_leave_a_mean_by_weight() -> None:
    for over in ("tokens", "sequences"):
        count, weight = Reduction(over=over), Reduction(over=over, divide_by="weight")
        once = float(reduced(VALUES, MASK, count, WEIGHTS, ROWS))
        assert float(reduced(VALUES, MASK, count, 2 * WEIGHTS, ROWS)) == pytest.approx(2 * once)
        once = float(reduced(VALUES, MASK, weight, WEIGHTS, ROWS))
        assert float(reduced(VALUES, MASK, weight, 5 * WEIGHTS, 7 * ROWS)) == pytest.approx(once)


def test_slices_of_a_batch_add_up_to_the_batch() -> None:
    for reduction, total in ((PER_TOKEN, 4.0), (PER_SEQUENCE, 2.0), (SUM_PER_SEQUENCE, 2.0)):
        slices = Reduction(over=reduction.over, total=total)
        parts = [reduced(VALUES[i : i + 1], MASK[i : i + 1], slices) for i in (0, 1)]
        assert float(sum(parts)) == pytest.approx(float(reduced(VALUES, MASK, reduction)))


def test_an_empty_sequence_is_left_out_of_the_mean_over_sequences() -> None:
    mask = MASK.clone()
    mask[1] = False
    assert float(reduced(VALUES, mask, PER_SEQUENCE)) == pytest.approx(3)
    assert float(reduced(VALUES, mask, Reduction(over="sequences", divide_by="weight"))) == pytest.approx(3)


def test_an_empty_batch_is_refused_unless_it_is_a_slice_of_a_larger_one() -> None:
    nothing = torch.zeros_like(MASK)
    with pytest.raises(InputError, match="keeps no token"):
        reduced(VALUES, nothing, PER_TOKEN)
    values = VALUES.clone().requires_grad_()
    loss = reduced(values, nothing, Reduction(total=7))
    loss.backward()
    assert float(loss.detach()) == 0
    assert values.grad is not None
    assert not values.grad.any()


def test_weights_that_sum_to_nothing_cannot_divide() -> None:
    with pytest.raises(InputError, match="sum to more than 0"):
        reduced(VALUES, MASK, Reduction(divide_by="weight"), torch.zeros_like(WEIGHTS))
    with pytest.raises(InputError, match="sum to more than 0"):
        reduced(VALUES, MASK, Reduction(over="sequences", divide_by="weight"), -WEIGHTS)


def test_a_reduction_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(InputError, match="fixed length"):
        Reduction(length=3)
    with pytest.raises(InputError, match="fixed length"):
        Reduction(over="fixed length")
    with pytest.raises(InputError, match="nothing else"):
        Reduction(over="fixed length", length=3, total=2)
    with pytest.raises(InputError, match="total"):
        Reduction(total=0)


def test_a_value_that_is_no_number_is_named_with_its_place() -> None:
    bad = torch.tensor([[-1.0, float("nan")]])
    with pytest.raises(InputError, match=r"old holds nan at \(0, 1\)"):
        logs("old", bad, torch.ones_like(bad, dtype=torch.bool))
    with pytest.raises(InputError, match="old holds -inf"):
        logs("old", torch.tensor([-math.inf]))
    assert logs("old", bad, torch.tensor([[True, False]])).tolist() == [[-1.0, 0.0]]


def test_probabilities_given_for_their_logarithms_are_refused() -> None:
    with pytest.raises(InputError, match=r"holds 0\.7.*never above 0"):
        logs("logprobs", torch.tensor([0.7]))


def test_a_mask_of_weights_is_refused_and_shapes_are_named() -> None:
    with pytest.raises(InputError, match="other than 0 and 1"):
        kept(torch.tensor([0.5]), (1,))
    with pytest.raises(InputError, match=r"\(1,\); expected \(2,\)"):
        kept(torch.tensor([1.0]), (2,))
    with pytest.raises(InputError, match="batch is empty"):
        mean(torch.zeros(0))


def test_half_precision_is_raised_before_it_is_summed() -> None:
    values = torch.full((1, 4096), -1.001, dtype=torch.bfloat16)
    assert logs("logprobs", values, torch.ones(1, 4096, dtype=torch.bool)).dtype == torch.float32


def test_a_loss_that_overflows_says_so() -> None:
    with pytest.raises(InputError, match="overflowed"):
        finished(torch.tensor(math.inf), {})


def test_token_log_probabilities_are_those_of_the_next_token() -> None:
    probabilities = torch.tensor([[[0.5, 0.25, 0.25], [0.1, 0.2, 0.7], [0.3, 0.3, 0.4]]])
    found = token_logprobs(probabilities.log() + 3, torch.tensor([[2, 1, 0]]))
    assert found.tolist() == [pytest.approx([math.log(0.25), math.log(0.1)])]
    flat = mean_logprobs(probabilities.log())[0, 0]
    assert float(flat) == pytest.approx((math.log(0.5) + 2 * math.log(0.25)) / 3)
    with pytest.raises(InputError, match="do not fit"):
        token_logprobs(probabilities, torch.tensor([[1]]))
    with pytest.raises(InputError, match="temperature"):
        token_logprobs(probabilities, torch.tensor([[2, 1, 0]]), temperature=0)


def test_a_temperature_divides_the_logits() -> None:
    logits = torch.tensor([[[2.0, 0.0], [0.0, 0.0]]])
    found = token_logprobs(logits, torch.tensor([[0, 0]]), temperature=2.0)
    assert float(found) == pytest.approx(math.log(math.e / (math.e + 1)))


def test_a_sequence_is_the_sum_of_its_tokens_and_none_is_empty() -> None:
    values = torch.tensor([[-1.0, -2.0, float("nan")]])
    found = sequence_logprobs(values, torch.tensor([[1, 1, 0]]))
    assert (found.logprobs.tolist(), found.lengths.tolist()) == ([-3.0], [2.0])
    with pytest.raises(InputError, match="sequence 0 keeps no token"):
        sequence_logprobs(values, torch.zeros(1, 3))


def test_one_minus_a_probability_keeps_its_digits_at_both_ends() -> None:
    for p in (1e-30, 1e-9, 0.3, 0.5, 0.9, 1 - 1e-9):
        value = torch.tensor(math.log(p), dtype=torch.float64, requires_grad=True)
        found = log1mexp(value)
        assert float(found.detach()) == pytest.approx(math.log1p(-p), rel=1e-6)
        assert torch.autograd.grad(found, value)[0] == pytest.approx(-p / (1 - p), rel=1e-6)
    certain = torch.zeros((), requires_grad=True)
    floored = log1mexp(certain, floor=1e-5)
    assert float(floored.detach()) == pytest.approx(math.log(1e-5), rel=1e-3)
    assert float(torch.autograd.grad(floored, certain)[0]) == 0
