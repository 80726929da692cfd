"""Gradients, references, merged weights and checkpoints of the four verbs, on a tiny model."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
import torch
import transformers
from support.training import (
    PAIRS,
    TOLD,
    TUNING,
    WHOLE,
    gradients,
    learner_of,
    same,
    stirred,
    told,
    weights,
)

from gadfly.errors import InputError
from gadfly.records import Message, Request, Sampling
from gadfly.train.fit import examples_of
from gadfly.train.learner import Learner, Tuning
from gadfly.train.losses.reduction import Loss
from gadfly.train.objectives.policy_gradient import PolicyGradient, Sampled
from gadfly.train.objectives.preference import PreferencePairs
from gadfly.train.objectives.supervised import Supervised
from gadfly.train.plan import Plan
from gadfly.train.policy import Policy

WEIGHTED = [told(f"{n}?", f"{n}." * (1 + n % 4), weight=0.5 + n) for n in range(6)]
PARTS = (1, 2, 5, 64)


def sampled(learner: Learner) -> list[Sampled]:
    codec = learner.policy.codec
    rows = [codec.completion(row.prompt, row.completion) for row in TOLD]
    return [Sampled(row=row, advantage=n - 2.5) for n, row in enumerate(rows) if row is not None]


CASES: dict[str, Any] = {
    "sft": (Supervised(), TOLD),
    "sft, every row alike": (Supervised(per_sequence=True), WEIGHTED),
    "sft, weighted": (Supervised(), WEIGHTED),
    "dpo": (PreferencePairs(), PAIRS),
    "simpo": (PreferencePairs(loss_type="simpo", beta=2.0), PAIRS),
    "orpo": (PreferencePairs(loss_type="orpo"), PAIRS),
    "grpo": (PolicyGradient(kl=0.04), None),
    "grpo over tokens": (PolicyGradient(mean_over="token"), None),
    "reinforce": (PolicyGradient(mean_over="sum", clipped=False), None),
}


def examples(learner: Learner, name: str) -> tuple[Any, Sequence[Any]]:
    objective, rows = CASES[name]
    if rows is None:
        return objective, sampled(learner)
    return objective, examples_of(rows, objective, learner.policy.codec, Plan()).kept


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_is_that_of_the_unsplit_batch_whatever_the_parts(name: str, tiny: Path) -> None:
    learner = stirred(learner_of(tiny))
    objective, batch = examples(learner, name)
    loss = objective.loss(learner.policy, batch).loss
    loss.backward()
    whole = gradients(learner)
    largest = max(float(gradient.abs().max()) for gradient in whole.values())
    assert largest > 1e-3
    for part in PARTS:
        split = stirred(learner_of(tiny, TUNING.model_copy(update={"part": part})))
        figures = split.forward_backward(batch, objective)
        for gradient, expected in zip(gradients(split).values(), whole.values(), strict=True):
            torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-5 * largest)
        assert figures["loss"] == pytest.approx(float(loss.detach()), rel=1e-4)


@pytest.mark.parametrize("name", ["sft, weighted", "dpo", "grpo"])
def test_the_gradient_is_the_slope_of_the_loss(name: str, tiny: Path) -> None:
    learner = stirred(learner_of(tiny))
    objective, batch = examples(learner, name)
    learner.forward_backward(batch, objective)
    slope = gradients(learner)
    length = float(torch.sqrt(sum((g**2).sum() for g in slope.values())))  # pyright: ignore[reportArgumentType]

    def at(distance: float) -> float:
        with torch.no_grad():
            for name, weight in learner.trained.items():
                weight.add_(slope[name], alpha=distance / length)
            value = float(objective.loss(learner.policy, batch).loss)
            for name, weight in learner.trained.items():
                weight.sub_(slope[name], alpha=distance / length)
        return value

    step = 0.002
    if name == "grpo":
        # What was sampled stays what it was: the ratio's denominator does not move with the weights.
        before = learner.policy.logprobs([one.row for one in batch])
        batch = [
            Sampled(
                row=one.row,
                advantage=one.advantage,
                old=tuple(before.values[place][before.mask[place].bool()].detach().tolist()),
            )
            for place, one in enumerate(batch)
        ]
    assert (at(step) - at(-step)) / (2 * step) == pytest.approx(length, rel=0.01)


@pytest.mark.parametrize("tuning", [TUNING, WHOLE], ids=["adapter", "whole weights"])
def test_the_reference_is_the_weights_that_training_began_with_before_and_after_steps(
    tuning: Tuning, tiny: Path
) -> None:
    learner = learner_of(tiny, tuning, reference=True)
    rows = [one.row for one in sampled(learner)]
    base = learner_of(tiny, WHOLE).policy.logprobs(rows).values.detach()
    assert torch.equal(learner.policy.reference_logprobs(rows).values, base)
    _, batch = examples(learner, "sft")
    for _ in range(3):
        learner.forward_backward(batch, Supervised())
        learner.optim_step(1e-2)
    assert torch.equal(learner.policy.reference_logprobs(rows).values, base)
    assert not torch.allclose(learner.policy.logprobs(rows).values, base, atol=1e-2)


def test_whole_weights_have_no_reference_unless_one_was_kept(tiny: Path) -> None:
    learner = learner_of(tiny, WHOLE)
    rows = [one.row for one in sampled(learner)]
    with pytest.raises(InputError, match="call keep_reference before training starts"):
        learner.policy.reference_logprobs(rows)


def test_merged_weights_say_what_the_adapter_says_and_merging_changes_nothing(
    tiny: Path, tmp_path: Path
) -> None:
    learner = stirred(learner_of(tiny))
    rows = [one.row for one in sampled(learner)]
    adapted = learner.policy.logprobs(rows)
    before = {name: value.clone() for name, value in learner.policy.loaded.model.state_dict().items()}
    learner.save_merged(tmp_path / "merged")
    assert same(before, learner.policy.loaded.model.state_dict())
    merged = learner_of(tmp_path / "merged", WHOLE)
    again = merged.policy.logprobs(rows)
    torch.testing.assert_close(again.values, adapted.values, rtol=0, atol=1e-5)
    base = learner.policy.reference_logprobs(rows)
    assert float((adapted.values - base.values).detach().abs().max()) > 1e-2
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    assert not any("lora" in name for name in model.state_dict())


def test_a_saved_adapter_on_the_base_is_the_learner(tiny: Path, tmp_path: Path) -> None:
    import peft

    learner = stirred(learner_of(tiny))
    learner.save_adapter(tmp_path / "adapter")
    base: Any = transformers.AutoModelForCausalLM.from_pretrained(tiny)
    with pytest.warns(FutureWarning):
        again: Any = peft.PeftModel.from_pretrained(base, str(tmp_path / "adapter"))
    ids = torch.tensor([[5, 6, 7, 8]])
    torch.testing.assert_close(again(ids).logits, learner.policy.loaded.model(ids).logits)


def test_an_adapter_learns_alone_and_whole_weights_learn_all(tiny: Path) -> None:
    adapter, whole = learner_of(tiny), learner_of(tiny, WHOLE)
    assert all(".lora_" in name for name in adapter.trained)
    assert not any("lm_head" in name for name in adapter.trained)
    for learner in (adapter, whole):
        _, batch = examples(learner, "sft")
        start = {name: value.clone() for name, value in learner.policy.loaded.model.state_dict().items()}
        for _ in range(2):
            learner.forward_backward(batch, Supervised())
            learner.optim_step(1e-3)
        moved = {
            name
            for name, value in learner.policy.loaded.model.state_dict().items()
            if not torch.equal(value, start[name])
        }
        assert moved == set(learner.trained)


def test_steps_make_told_answers_likelier(tiny: Path) -> None:
    learner = learner_of(tiny)
    _, batch = examples(learner, "sft")
    figures = [learner.forward_backward(batch, Supervised()) | learner.optim_step(1e-2) for _ in range(12)]
    assert figures[-1]["loss"] < 0.8 * figures[0]["loss"]
    assert learner.evaluate(batch, Supervised())["loss"] < figures[-1]["loss"]


def test_a_checkpoint_brings_back_weights_and_optimiser_to_the_last_bit(tiny: Path, tmp_path: Path) -> None:
    learner = learner_of(tiny)
    _, batch = examples(learner, "sft")

    def step(learner: Learner) -> None:
        learner.forward_backward(batch, Supervised())
        learner.optim_step(1e-2)

    step(learner)
    learner.save_state(tmp_path)
    step(learner)
    other = stirred(learner_of(tiny))
    other.load_state(tmp_path)
    step(other)
    assert same(weights(learner), weights(other))


def test_a_checkpoint_that_is_torn_or_of_other_weights_is_refused(tiny: Path, tmp_path: Path) -> None:
    learner = learner_of(tiny)
    learner.save_state(tmp_path)
    with pytest.raises(InputError, match="of other weights"):
        learner_of(tiny, WHOLE).load_state(tmp_path)
    whole = (tmp_path / "state.pt").read_bytes()
    for torn in (whole[: len(whole) // 2], b"", b"no checkpoint"):
        (tmp_path / "state.pt").write_bytes(torn)
        with pytest.raises(InputError, match="cannot be read"):
            learner.load_state(tmp_path)


class Poisoned(Supervised):
    """Its loss breaks off in the second part of a batch."""

    def loss(self, policy: Policy, examples: Sequence[Any], /) -> Loss:
        found = super().loss(policy, examples)
        if examples[0].row.learned > 12:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return found


def test_a_batch_that_breaks_off_says_why_and_leaves_no_gradient(tiny: Path) -> None:
    learner = learner_of(tiny, TUNING.model_copy(update={"part": 2}))
    _, batch = examples(learner, "sft")
    with pytest.raises(InputError, match="memory is short: make parts smaller"):
        learner.forward_backward(batch, Poisoned())
    assert all(weight.grad is None for weight in learner.trained.values())


def test_weights_that_are_not_finite_stop_the_step(tiny: Path) -> None:
    learner = learner_of(tiny)
    _, batch = examples(learner, "sft")
    learner.forward_backward(batch, Supervised())
    before = weights(learner)
    next(iter(learner.trained.values())).grad.fill_(float("inf"))  # pyright: ignore[reportOptionalMemberAccess]
    with pytest.raises(InputError, match="the gradient is not finite"):
        learner.optim_step(1e-2)
    assert same(weights(learner), before)
    with pytest.raises(InputError, match="nothing to learn from"):
        learner.forward_backward([], Supervised())


def test_the_gradient_is_clipped(tiny: Path) -> None:
    tight = learner_of(tiny, TUNING.model_copy(update={"clip": 1e-3}))
    _, batch = examples(tight, "sft")
    tight.forward_backward(batch, Supervised())
    assert tight.optim_step(1e-3)["grad_norm"] > 1e-2
    assert all(weight.grad is None for weight in tight.trained.values())


def test_activations_computed_twice_give_the_same_gradient(tiny: Path) -> None:
    plain = stirred(learner_of(tiny))
    twice = stirred(learner_of(tiny, TUNING.model_copy(update={"checkpointing": True})))
    _, batch = examples(plain, "sft")
    for learner in (plain, twice):
        learner.forward_backward(batch, Supervised())
    for one, other in zip(gradients(plain).values(), gradients(twice).values(), strict=True):
        torch.testing.assert_close(one, other)


def test_bfloat16_is_near_float32_and_the_weights_stay_float32(tiny: Path) -> None:
    half = stirred(learner_of(tiny, TUNING.model_copy(update={"precision": "bf16"})))
    rows = [one.row for one in sampled(half)]
    exact = stirred(learner_of(tiny)).policy.logprobs(rows)
    found = half.policy.logprobs(rows)
    assert found.values.dtype == torch.float32
    assert 0 < float((found.values - exact.values).detach().abs().max()) < 0.3
    assert {value.dtype for value in half.trained.values()} == {torch.float32}


def test_weights_under_training_answer_like_any_model(tiny: Path) -> None:
    learner = learner_of(tiny)
    request = Request(
        messages=(Message(role="user", content="1 and 1?"),), sampling=Sampling(max_tokens=8), draw=(1,)
    )

    async def ask() -> tuple[str, str]:
        model = learner.sample("tiny+0")
        try:
            said = await model.complete(request)
        finally:
            await model.close()
        return said.model, said.text

    name, text = anyio.run(ask)
    assert name == "tiny+0"
    assert text == anyio.run(ask)[1]
    stirred(learner, by=0.5)
    assert anyio.run(ask)[1] != text


def test_a_head_starts_at_zero_and_learns(tiny: Path, tmp_path: Path) -> None:
    learner = learner_of(tiny, head=True)
    rows = [one.row for one in sampled(learner)]
    assert torch.equal(learner.policy.rewards(rows), torch.zeros(len(rows)))
    assert {"head.weight", "head.bias"} <= set(learner.trained)
    (learner.policy.rewards(rows).mean() - 1).square().backward()
    learner.optim_step(0.1)
    assert float(learner.policy.rewards(rows).detach().min()) > 0
    learner.save_merged(tmp_path)
    assert (tmp_path / "head.pt").is_file()
    with pytest.raises(InputError, match="open the learner with head=True"):
        learner_of(tiny).policy.rewards(rows)
