"""Weights under training, with four verbs: forward_backward, optim_step, sample, save_state.

A server that trains by the same verbs can take its place. LoRA by default (Hu et al. 2021,
arXiv:2106.09685) on every linear layer but the output; whole weights by setting. Weights are float32 and
the forward pass may be autocast to bfloat16: bfloat16 weights do not learn at small rates.

On several devices, started by `accelerate launch` or `torchrun`, every process holds the weights and takes
its share of each batch; gradients are summed, parts weighted by what they count for, so that the step is
the one that one device would have made.
"""
# pyright: reportUnknownMemberType=false
# (torch and accelerate leave arguments untyped.)

import os
import pickle
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import peft
import torch
from accelerate import Accelerator
from peft.tuners.lora import LoraLayer
from pydantic import Field
from torch import Tensor

from gadfly.errors import InputError
from gadfly.models.transformers_weights import Loaded, Source, locate, quiet, read
from gadfly.records import Record
from gadfly.train.codec import Codec
from gadfly.train.objective import Objective
from gadfly.train.policy import Policy, safe_attention
from gadfly.train.sampling import PolicyModel

E = TypeVar("E")
_STATE = "state.pt"


class Lora(Record):
    """A low-rank adapter."""

    rank: int = Field(default=16, ge=1)
    alpha: float = Field(default=32.0, gt=0)
    """The adapter is scaled by alpha / rank."""
    dropout: float = Field(default=0.0, ge=0, lt=1)


class Tuning(Record):
    """How weights are trained, whatever the objective."""

    lora: Lora | None = Lora()
    """None: all weights learn."""
    precision: Literal["bf16", "float32"] = "bf16"
    """Of the forward pass; weights and optimiser are float32."""
    limit: int = Field(default=1024, ge=2)
    """Most tokens of a row; longer ones are left out and counted."""
    part: int = Field(default=8, ge=1)
    """Most rows in one forward pass: a batch is worked through in parts (gradient accumulation)."""
    checkpointing: bool = False
    """Compute activations twice instead of keeping them: less memory, a third more time."""
    weight_decay: float = Field(default=0.0, ge=0)
    clip: float = Field(default=1.0, gt=0)
    """Most the norm of the gradient may be."""
    seed: int = 0


USUAL = Tuning()
"""LoRA of rank 16, bfloat16 forward."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Learner:
    """A policy with its optimiser."""

    policy: Policy
    tuning: Tuning
    source: Source
    accelerator: Accelerator
    optimizer: torch.optim.Optimizer
    trained: Mapping[str, Tensor]
    """What learns, by name."""

    def forward_backward(self, batch: Sequence[E], objective: Objective[E]) -> dict[str, float]:
        """Add the gradient of a batch's mean loss; its figures, averaged over the batch.

        Every process is given the whole batch and takes its share.

        Raises:
            InputError: the batch is empty, a loss is not finite, or memory is short.
        """
        total = sum(objective.size(example) for example in batch)
        if not total > 0:
            raise InputError("the batch has nothing to learn from")
        sums: dict[str, float] = {}
        self.policy.loaded.model.train()
        try:
            for part in self._parts(batch, objective):
                share = sum(objective.size(example) for example in part) / total
                with _memory():
                    found = objective.loss(self.policy, part)
                    (found.loss * share).backward()
                _add(sums, found.metrics, share)
        except InputError:
            self.optimizer.zero_grad(set_to_none=True)
            raise
        finally:
            self.policy.loaded.model.eval()
        return self._everywhere(sums)

    @torch.no_grad()
    def evaluate(self, examples: Sequence[E], objective: Objective[E]) -> dict[str, float]:
        """The figures of examples that are not learned from, averaged over them.

        Raises:
            InputError: a loss is not finite, or memory is short.
        """
        total = sum(objective.size(example) for example in examples)
        sums: dict[str, float] = {}
        self.policy.loaded.model.eval()
        for part in self._parts(examples, objective):
            share = sum(objective.size(example) for example in part) / total
            with _memory():
                _add(sums, objective.loss(self.policy, part).metrics, share)
        return self._everywhere(sums)

    def seed(self, step: int) -> None:
        """Fix the chance of a step (dropout), so that a resumed training is the unbroken one."""
        torch.manual_seed(self.tuning.seed * 1_000_003 + step)

    def optim_step(self, rate: float) -> dict[str, float]:
        """Step along the gradient that was added up, and forget it.

        Args:
            rate: the learning rate.

        Raises:
            InputError: the gradient is not finite.
        """
        held = [weight for weight in self.trained.values() if weight.grad is not None]
        if self.accelerator.num_processes > 1:
            for weight in self.trained.values():
                given = weight.grad if weight.grad is not None else torch.zeros_like(weight)
                weight.grad = cast(Tensor, self.accelerator.reduce(given, "sum"))
            held = list(self.trained.values())
        norm = torch.nn.utils.clip_grad_norm_(held, self.tuning.clip)
        if not bool(torch.isfinite(norm)):
            self.optimizer.zero_grad(set_to_none=True)
            raise InputError(
                "the gradient is not finite (NaN or infinite): lower the learning rate, or look for rows "
                "with extreme weights"
            )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return {"grad_norm": float(norm), "learning_rate": rate}

    def sample(self, name: str, *, batch: int = 32) -> PolicyModel:
        """The weights as they are now, as a model that any solver can use; close it before the next step."""
        self.policy.loaded.model.eval()
        return PolicyModel(name=name, loaded=self.policy.loaded, batch=batch)

    def save_state(self, folder: Path) -> None:
        """Write what training goes on from, what learns and the optimiser: whole or not at all."""
        if not self.leads:
            return
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{_STATE}.partial"
        state = {
            "weights": {name: weight.detach() for name, weight in self.trained.items()},
            "optimizer": self.optimizer.state_dict(),
        }
        try:
            with draft.open("wb") as target:
                torch.save(state, target)
                target.flush()
                os.fsync(target.fileno())
            draft.replace(folder / _STATE)
        except (OSError, RuntimeError) as error:
            draft.unlink(missing_ok=True)
            raise InputError(f"cannot write the checkpoint to {folder}: {error}") from error

    def load_state(self, folder: Path) -> None:
        """Go on from what `save_state` wrote.

        Raises:
            InputError: it is not whole, or of other weights.
        """
        try:
            state = torch.load(folder / _STATE, map_location=self.policy.loaded.device, weights_only=True)
            saved: dict[str, Tensor] = state["weights"]
            if saved.keys() != self.trained.keys():
                raise InputError(f"the checkpoint in {folder} is of other weights; take it away")
            with torch.no_grad():
                for name, weight in self.trained.items():
                    weight.copy_(saved[name])
            self.optimizer.load_state_dict(state["optimizer"])
        except (OSError, RuntimeError, KeyError, EOFError, pickle.UnpicklingError) as error:
            raise InputError(
                f"the checkpoint in {folder} cannot be read ({error}); take it away to start anew"
            ) from error

    def save_adapter(self, folder: Path) -> None:
        """Write the adapter in PEFT's format; nothing where all weights learned."""
        if self.policy.adapted and self.leads:
            self.policy.loaded.model.save_pretrained(folder)

    def save_merged(self, folder: Path) -> None:
        """Write the model as transformers reads it, the adapter merged in, float32, with its tokenizer.

        The weights in memory stay as they are, to the last bit: merging in place and taking it back rounds.
        """
        if not self.leads:
            return
        model = self.policy.loaded.model
        inner: Any = model.get_base_model() if self.policy.adapted else model
        with quiet(), _deprecations():
            inner.save_pretrained(folder, state_dict=_merged(inner))
        self.policy.loaded.tokenizer.save_pretrained(folder)
        if self.policy.head is not None:
            torch.save(self.policy.head.state_dict(), folder / "head.pt")

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.accelerator.is_main_process

    def wait(self) -> None:
        """Until every process is here."""
        self.accelerator.wait_for_everyone()

    def share(self, items: Sequence[E]) -> Sequence[E]:
        """What this process does of work that is divided among all: every n-th item."""
        return items[self.accelerator.process_index :: self.accelerator.num_processes]

    def together(self, mine: Sequence[E]) -> list[E]:
        """What all processes made of their shares, in the order of the items."""
        if self.accelerator.num_processes == 1:
            return list(mine)
        shares = cast(list[Sequence[E]], _gather(mine))
        return [share[place] for place in range(len(shares[0])) for share in shares if place < len(share)]

    def _parts(self, examples: Sequence[E], objective: Objective[E]) -> list[Sequence[E]]:
        """This process's share, those of like length together."""
        mine = self.share(sorted(examples, key=objective.length))
        return [mine[start : start + self.tuning.part] for start in range(0, len(mine), self.tuning.part)]

    def _everywhere(self, sums: dict[str, float]) -> dict[str, float]:
        """Sums over all processes."""
        if self.accelerator.num_processes == 1:
            return sums
        gathered = cast(list[dict[str, float]], _gather(sums))
        names = {name: None for one in gathered for name in one}
        return {name: sum(one.get(name, 0.0) for one in gathered) for name in names}


def open_learner(
    target: str,
    *,
    tuning: Tuning = USUAL,
    device: str = "auto",
    head: bool = False,
    reference: bool = False,
) -> Learner:
    """Weights to train: a folder, a hub id or a GGUF file; nothing is the embedded model.

    Args:
        target: as after `transformers:`.
        tuning: how they are trained.
        device: 'auto', 'cpu', 'cuda', ...; under `accelerate launch` each process has its own.
        head: whether to add a head that gives a number.
        reference: whether to keep the weights as they are now beside those that learn; for an adapter that
            costs nothing.

    Raises:
        InputError: the weights cannot be had, or do not fit the memory.
    """
    source = locate(target)
    torch.manual_seed(tuning.seed)
    accelerator = Accelerator(cpu=device == "cpu")
    where = str(accelerator.device) if device in ("auto", accelerator.device.type) else device
    with _memory():
        loaded = read(source, dtype="float32", device=where)
        policy, trained = _prepared(loaded, tuning, head=head)
        if reference:
            policy.keep_reference()
    optimizer = torch.optim.AdamW(
        list(trained.values()), lr=0.0, betas=(0.9, 0.95), weight_decay=tuning.weight_decay
    )
    return Learner(
        policy=policy,
        tuning=tuning,
        source=source,
        accelerator=accelerator,
        optimizer=optimizer,
        trained=trained,
    )


def _prepared(loaded: Loaded, tuning: Tuning, *, head: bool) -> tuple[Policy, dict[str, Tensor]]:
    model: Any = loaded.model
    if tuning.checkpointing:
        with _deprecations():
            model.gradient_checkpointing_enable(
                gradient_checkpointing_kwargs={
                    "use_reentrant": False,
                    "context_fn": lambda: (nullcontext(), safe_attention()),
                }
            )
        model.enable_input_require_grads()
    if tuning.lora is not None:
        model.requires_grad_(False)
        adapter = peft.LoraConfig(
            r=tuning.lora.rank,
            lora_alpha=cast(int, tuning.lora.alpha),
            lora_dropout=tuning.lora.dropout,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )
        with _deprecations():
            model = peft.get_peft_model(model, adapter)
    number = None
    if head:
        width = int(loaded.model.config.get_text_config().hidden_size)
        number = torch.nn.Linear(width, 1, device=loaded.device)
        torch.nn.init.zeros_(number.weight)
        torch.nn.init.zeros_(number.bias)
    policy = Policy(
        loaded=replace(loaded, model=model),
        codec=Codec(tokenizer=loaded.tokenizer, limit=tuning.limit),
        adapted=tuning.lora is not None,
        bf16=tuning.precision == "bf16",
        head=number,
    )
    trained: dict[str, Tensor] = {
        name: weight for name, weight in model.named_parameters() if weight.requires_grad
    }
    if number is not None:
        trained.update({f"head.{name}": weight for name, weight in number.named_parameters()})
    return policy, trained


@torch.no_grad()
def _merged(model: Any) -> dict[str, Tensor]:  # noqa: ANN401 (transformers' classes are untyped)
    """The weights of a model by the names that it had before it got an adapter, the adapter added."""
    merged: dict[str, Tensor] = {
        name.replace(".base_layer.", "."): weight
        for name, weight in model.state_dict().items()
        if ".lora_" not in name
    }
    for place, module in model.named_modules():
        if isinstance(module, LoraLayer):
            layer: Any = module
            for adapter in layer.active_adapters:
                merged[f"{place}.weight"] = merged[f"{place}.weight"] + layer.get_delta_weight(adapter)
    return merged


@contextmanager
def _deprecations() -> Generator[None]:
    """Without what the libraries tell one another about names that will change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


@contextmanager
def _memory() -> Generator[None]:
    """Turn running out of memory into words."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise InputError(_SHORT) from error
    except RuntimeError as error:
        if "memory" not in str(error):
            raise
        raise InputError(_SHORT) from error


_SHORT = (
    "memory is short: make parts smaller (--part), rows shorter (--row-tokens), keep LoRA, "
    "or add --checkpointing"
)


def _add(sums: dict[str, float], metrics: Mapping[str, float], share: float) -> None:
    for name, value in metrics.items():
        sums[name] = sums.get(name, 0.0) + share * value


def _gather(value: object) -> list[object]:
    found: list[object] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(found, value)
    return found
