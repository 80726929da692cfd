"""How long and how fast to train: steps, batch, learning rate and its schedule. Pure numbers."""

import math
import random
from functools import lru_cache
from typing import Literal

from pydantic import Field

from gadfly.records import Record


class Plan(Record):
    """The course of a training."""

    steps: int | None = Field(default=None, ge=1)
    """Optimiser steps; None: what `epochs` make."""
    epochs: float = Field(default=3.0, gt=0)
    """Passes over the rows, where no steps are given."""
    batch: int = Field(default=16, ge=1)
    """Rows a step, over all devices."""
    passes: int = Field(default=1, ge=1)
    """Gradient steps on each batch; more than one only where batches are sampled by the policy."""
    rate: float = Field(default=2e-4, gt=0)
    """Highest learning rate. LoRA takes about ten times what whole weights take."""
    schedule: Literal["constant", "linear", "cosine"] = "linear"
    """How the rate falls after the warm-up, to a tenth."""
    warmup: float = Field(default=0.05, ge=0, lt=1)
    """Share of the steps in which the rate rises."""
    save_every: int = Field(default=50, ge=1)
    """Steps between checkpoints."""
    seed: int = 0
    """Of the order of the rows."""

    def length(self, rows: int) -> int:
        """Optimiser steps for so many rows."""
        return self.steps or max(1, math.ceil(self.epochs * rows / self.batch))

    def rate_at(self, step: int, steps: int) -> float:
        """The learning rate of step `step`, counted from 0, of `steps`."""
        rising = math.ceil(self.warmup * steps)
        if step < rising:
            return self.rate * (step + 1) / rising
        share = (step - rising) / max(1, steps - rising)
        if self.schedule == "linear":
            return self.rate * (1 - 0.9 * share)
        if self.schedule == "cosine":
            return self.rate * (0.1 + 0.45 * (1 + math.cos(math.pi * share)))
        return self.rate

    def places(self, step: int, rows: int) -> list[int]:
        """Which rows a step learns from: every row once an epoch, each epoch in an order of its own."""
        counts = range(step * self.batch, (step + 1) * self.batch)
        places = (divmod(count, rows) for count in counts)
        return [_order(self.seed, epoch, rows)[place] for epoch, place in places]


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, rows: int) -> tuple[int, ...]:
    order = list(range(rows))
    random.Random(f"{seed}/{epoch}").shuffle(order)
    return tuple(order)
