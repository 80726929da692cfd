"""Flags of every training: what is trained, how fast and how long, and where it is kept."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter
from pydantic import ValidationError

from gadfly.errors import InputError
from gadfly.train.learner import Lora, Tuning
from gadfly.train.plan import Plan
from gadfly.train.weights import trainable

OBJECTIVE = Group("The objective's settings", sort_key=1)
WEIGHTS = Group("Weights", sort_key=3)
COURSE = Group("Course", sort_key=4)
_LORA_RATE, _WHOLE_RATE = 2e-4, 2e-5


def _weights(help: str, name: str | None = None) -> Parameter:
    return Parameter(name=name, group=WEIGHTS, negative="", help=help)


def _course(help: str, *, show_default: bool | None = None) -> Parameter:
    return Parameter(group=COURSE, negative="", show_default=show_default, help=help)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Teaching:
    """Whose weights learn, and how fast and how long."""

    model: Annotated[
        str,
        _weights("What is trained: embedded, a .gguf file, a transformers folder, transformers:ORG/NAME."),
    ] = "embedded"
    full: Annotated[bool, _weights("Train all weights instead of a LoRA adapter.")] = False
    rank: Annotated[int, _weights("Of the adapter; it is scaled by 2.")] = 16
    precision: Annotated[
        Literal["bf16", "float32"], _weights("Of the forward pass. Weights and optimiser are float32.")
    ] = "bf16"
    device: Annotated[str, _weights("auto, cpu, cuda, ...; `accelerate launch` gives each process one.")] = (
        "auto"
    )
    part: Annotated[
        int, _weights("Most rows in one forward pass; smaller takes less memory and gives the same result.")
    ] = 8
    row_tokens: Annotated[int, _weights("Most tokens of a row; longer ones are left out and counted.")] = 1024
    checkpointing: Annotated[
        bool, _weights("Compute activations twice instead of keeping them: less memory, more time.")
    ] = False
    rate: Annotated[
        float | None, _course("Highest learning rate; by default 2e-4, and 2e-5 for all weights (--full).")
    ] = None
    steps: Annotated[
        int | None, _course("Optimiser steps; by default so many --epochs, or one pass over the problems.")
    ] = None
    batch: Annotated[int, _course("Rows (or problems, where the policy samples) a step.")] = 16
    schedule: Annotated[
        Literal["constant", "linear", "cosine"], _course("How the rate falls after the warm-up, to a tenth.")
    ] = "linear"
    warmup: Annotated[float, _course("Share of the steps in which the rate rises.")] = 0.05
    weight_decay: Annotated[float, _course("Of AdamW.")] = 0.0
    save_every: Annotated[
        int, _course("Steps between checkpoints, from which a killed training goes on.")
    ] = 50
    seed: Annotated[int, _course("Of the adapter, the order of rows, and dropout.")] = 0

    @property
    def start(self) -> str:
        """Where the weights are, as `open_learner` takes them.

        Raises:
            InputError: the model has no weights at hand.
        """
        path = Path(self.model).expanduser()
        if path.is_dir() or path.suffix == ".gguf":
            return str(path)
        if path.exists():
            raise InputError(f"{path} is no .gguf file and no folder of transformers")
        if "/" in self.model.partition(":")[0]:
            raise InputError(f"there is no model at {path}")
        return trainable(self.model).start

    @property
    def spec(self) -> str:
        """The model as `gadfly compare` takes it."""
        path = Path(self.model).expanduser()
        if path.is_dir():
            return f"transformers:{path}"
        return f"embedded:{path}" if path.suffix == ".gguf" and path.is_file() else self.model

    def tuning(self) -> Tuning:
        """The flags as a `Tuning`.

        Raises:
            InputError: a value cannot be used.
        """
        try:
            return Tuning(
                lora=None if self.full else Lora(rank=self.rank, alpha=2.0 * self.rank),
                precision=self.precision,
                limit=self.row_tokens,
                part=self.part,
                checkpointing=self.checkpointing,
                weight_decay=self.weight_decay,
                seed=self.seed,
            )
        except ValidationError as error:
            raise _refused(error, {"limit": "row-tokens"}) from None

    def plan(self, *, epochs: float = 1.0, passes: int = 1) -> Plan:
        """The flags as a `Plan`.

        Raises:
            InputError: a value cannot be used.
        """
        try:
            return Plan(
                steps=self.steps,
                epochs=epochs,
                batch=self.batch,
                passes=passes,
                rate=self.rate if self.rate is not None else _WHOLE_RATE if self.full else _LORA_RATE,
                schedule=self.schedule,
                warmup=self.warmup,
                save_every=self.save_every,
                seed=self.seed,
            )
        except ValidationError as error:
            raise _refused(error, {}) from None


USUAL_TEACHING = Teaching()


def _refused(error: ValidationError, flags: dict[str, str]) -> InputError:
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][-1])
    return InputError(f"--{flags.get(name, name.replace('_', '-'))} {first['input']}: {first['msg'].lower()}")
