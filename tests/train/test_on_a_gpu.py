"""A GPU learns and answers what the CPU does. Skipped where there is none."""
# pyright: reportUnknownMemberType=false

from pathlib import Path
from typing import Any

import anyio
import pytest
import torch
from support.training import PAIRS, TOLD, TUNING, WHOLE, Killed, gradients, killing, stirred, told_figures

from gadfly.models.transformers import Transformers
from gadfly.models.transformers_weights import locate
from gadfly.records import Completion, Message, Request, Sampling
from gadfly.train.fit import examples_of
from gadfly.train.folder import MODEL
from gadfly.train.learner import Tuning, open_learner
from gadfly.train.masks import MaskedRow
from gadfly.train.objectives.preference import PreferencePairs
from gadfly.train.objectives.supervised import Supervised
from gadfly.train.plan import Plan
from gadfly.train.saved_weights import open_weights
from gadfly.train.tiny import write_tiny
from gadfly.train.training import LocalTrainer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")

PLAN = Plan(steps=8, batch=4, rate=1e-3, save_every=2)


@pytest.mark.parametrize("tuning", [TUNING, WHOLE], ids=["adapter", "whole"])
@pytest.mark.parametrize(("objective", "rows"), [(Supervised(), TOLD), (PreferencePairs(), PAIRS)])
def test_the_gradient_on_a_gpu_is_that_on_the_cpu(
    objective: Any,  # noqa: ANN401
    rows: Any,  # noqa: ANN401
    tuning: Tuning,
    tiny: Path,
) -> None:
    found: list[dict[str, torch.Tensor]] = []
    for device in ("cpu", "cuda"):
        learner = open_learner(str(tiny), tuning=tuning, device="cpu", reference=objective.needs_reference)
        moved = {name: weight.detach().clone() for name, weight in stirred(learner).trained.items()}
        there = open_learner(str(tiny), tuning=tuning, device=device, reference=objective.needs_reference)
        with torch.no_grad():
            for name, weight in there.trained.items():
                weight.copy_(moved[name])
        batch = examples_of(rows, objective, there.policy.codec, Plan()).kept
        there.forward_backward(batch, objective)
        found.append({name: gradient.cpu() for name, gradient in gradients(there).items()})
    on_cpu, on_gpu = found
    assert max(float(gradient.abs().max()) for gradient in on_cpu.values()) > 1e-3
    for name, gradient in on_gpu.items():
        torch.testing.assert_close(gradient, on_cpu[name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_training_on_a_gpu_ends_near_that_on_the_cpu(precision: str, tiny: Path, tmp_path: Path) -> None:
    tuning = TUNING.model_copy(update={"precision": precision})
    losses: list[list[float]] = []
    for device in ("cpu", "cuda"):
        out = tmp_path / device
        LocalTrainer(tuning=tuning, device=device).learn(str(tiny), TOLD, Supervised(), PLAN, out)
        losses.append([figures["loss"] for _, figures in told_figures(out)])
    assert losses[1] == pytest.approx(losses[0], rel=1e-3 if precision == "float32" else 2e-2)
    if precision == "float32":
        on_cpu, on_gpu = (open_weights(tmp_path / device / MODEL) for device in ("cpu", "cuda"))
        for name in on_cpu.shapes:
            there, here = torch.from_numpy(on_gpu.read(name)), torch.from_numpy(on_cpu.read(name))
            torch.testing.assert_close(there, here, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("length", [64, 192, 320])
def test_a_gradient_in_bfloat16_is_finite_at_the_lengths_where_cudnn_gives_nan(
    length: int, tmp_path: Path
) -> None:
    folder = write_tiny(tmp_path / "tiny", layers=2, context=400, spread=0.3)
    tuning = TUNING.model_copy(update={"precision": "bf16"})
    learner = open_learner(str(folder), tuning=tuning, device="cuda")
    rows = [
        MaskedRow(
            ids=tuple(3 + (place * n) % 90 for place in range(size)), mask=(0,) * 20 + (1,) * (size - 20)
        )
        for n, size in enumerate((length, length - 30, length - 1), start=1)
    ]
    learner.policy.logprobs(rows).sums.logprobs.sum().backward()
    for name, gradient in gradients(learner).items():
        assert bool(gradient.isfinite().all()), name


def test_a_killed_training_on_a_gpu_goes_on_where_it_was(tiny: Path, tmp_path: Path) -> None:
    def learn(out: Path, **settings: Any) -> None:  # noqa: ANN401
        trainer = LocalTrainer(tuning=TUNING, device="cuda", **settings)
        trainer.learn(str(tiny), TOLD, Supervised(), PLAN, out)

    learn(tmp_path / "unbroken")
    with pytest.raises(Killed):
        learn(tmp_path / "killed", on_step=killing(5))
    learn(tmp_path / "killed")
    unbroken, killed = (told_figures(tmp_path / name) for name in ("unbroken", "killed"))
    assert [step for step, _ in killed] == list(range(1, 9))
    for (_, there), (_, here) in zip(killed, unbroken, strict=True):
        assert there["loss"] == pytest.approx(here["loss"], rel=1e-4)


def test_a_gpu_answers_as_the_cpu_does(tiny: Path) -> None:
    asked = [
        Request(
            messages=(Message(role="user", content=f"{n} and {n}?"),),
            sampling=Sampling(temperature=heat, max_tokens=12, logprobs=0),
        )
        for n in range(12)
        for heat in (0.0, 1.0)
    ]

    async def answers(device: str) -> list[Completion]:
        model = Transformers(source=locate(str(tiny)), device=device, batch=8)
        said: dict[int, Completion] = {}

        async def ask(place: int) -> None:
            said[place] = await model.complete(asked[place])

        async with anyio.create_task_group() as group:
            for place in range(len(asked)):
                group.start_soon(ask, place)
        await model.close()
        return [said[place] for place in range(len(asked))]

    on_cpu, on_gpu = anyio.run(answers, "cpu"), anyio.run(answers, "cuda")
    assert len({one.text for one in on_cpu}) > 6
    assert [one.text for one in on_gpu] == [one.text for one in on_cpu]
    for there, here in zip(on_gpu, on_cpu, strict=True):
        assert there.tokens is not None
        assert here.tokens is not None
        assert there.tokens.logprobs == pytest.approx(here.tokens.logprobs, abs=1e-3)
