"""Weights by the model that answers with them and where training starts; what a training is and came to.

Torch is not loaded here: loops and their ledgers need no more than these.
"""

from collections.abc import Mapping

from pydantic import Field, JsonValue

from gadfly.errors import InputError
from gadfly.parsing.spec import read_spec
from gadfly.records import Record
from gadfly.run.improvement import PhaseCost
from gadfly.train.plan import Plan

_TRAINABLE = ("embedded", "llamacpp", "openvino", "transformers")


class Weights(Record):
    """Weights of one role: how they answer, and where training them starts from."""

    model: str
    """Specification of the model that answers, such as `embedded:round-1.gguf`."""
    start: str
    """A folder, a GGUF file or a hub id; empty: the embedded model."""


class Lesson(Record):
    """What is learned from rows, and how long: an objective by its name, so that a loop needs no torch."""

    objective: str
    """As `gadfly train` names it, such as sft or dpo."""
    settings: Mapping[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    """Fields of the objective."""
    plan: Plan


class Trained(Record):
    """What a training came to."""

    weights: Weights
    steps: int
    tokens: int
    """On which a gradient was taken."""
    rows: int
    seconds: float
    figures: Mapping[str, float]
    """Of the last step."""
    drawn: PhaseCost | None = None
    """What the weights' own answers took, where it was those they learned from; `seconds` are without it."""


def trainable(model: str) -> Weights:
    """The weights behind a model's specification.

    Raises:
        InputError: the model is a server's, or another whose weights are not at hand.
    """
    spec = read_spec(model)
    if spec.name not in _TRAINABLE:
        raise InputError(
            f"{spec.name} gives answers and no weights; train embedded, transformers:FOLDER or a .gguf file"
        )
    return Weights(model=model, start=spec.target)


def answering_like(base: Weights, trained: Weights) -> Weights:
    """Trained weights that answer as the base does: by its engine, with its options, where they can.

    A round by another engine than the base would be compared for its arithmetic as well.
    """
    spec, made = read_spec(base.model), read_spec(trained.model)
    if spec.name == "transformers":
        target = trained.start
    elif spec.name in _TRAINABLE and made.name == "embedded":
        target = made.target
    else:
        return trained
    _, mark, options = base.model.partition("?")
    return trained.model_copy(update={"model": f"{spec.name}:{target}{mark}{options}"})
