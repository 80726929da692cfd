"""The weights under training as a model: any solver can run on them, and their tokens are kept.

A policy gradient needs the very tokens that were drawn, so every request's prompt and output are
remembered as ids, by the request's digest, until they are taken.
"""

import asyncio
from dataclasses import dataclass, field
from functools import cached_property
from time import monotonic

from gadfly.errors import ServerFailed, UnsupportedError
from gadfly.models.transformers import completion_of
from gadfly.models.transformers_batch import Writing
from gadfly.models.transformers_engine import Engine, Job
from gadfly.models.transformers_weights import Loaded
from gadfly.records import Completion, Request


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One call's tokens."""

    prompt: tuple[int, ...]
    output: tuple[int, ...]
    """The token that ended it included."""


@dataclass(frozen=True, kw_only=True)
class PolicyModel:
    """A `Model` over weights in memory. Close it before the weights change."""

    name: str
    """Names the weights as they are now; answers are not to be cached beyond them."""
    loaded: Loaded
    batch: int = 32
    """Requests run together."""
    context: int = 0
    drawn: dict[str, Drawn] = field(default_factory=dict[str, Drawn], init=False, repr=False)
    """By the request's digest."""

    @property
    def id(self) -> str:
        """The name it was given."""
        return self.name

    async def complete(self, request: Request, /) -> Completion:
        """Answer one request.

        Raises:
            ModelError: as `models.transformers` raises it.
        """
        if request.json_schema is not None:
            raise UnsupportedError("weights under training cannot hold an answer to a JSON schema")
        start = monotonic()
        job = Job(request=request, loop=asyncio.get_running_loop())
        loaded = await self._engine.run(job)
        if not isinstance(job.work, Writing):
            raise ServerFailed("the engine gave no answer")
        self.drawn[request.digest] = Drawn(prompt=job.work.prompt, output=tuple(job.work.output))
        return completion_of(loaded, job.work, model=self.name, start=start)

    async def close(self) -> None:
        """End the engine's thread; the weights stay."""
        await asyncio.to_thread(self._engine.close)

    @cached_property
    def _engine(self) -> Engine:
        return Engine(lambda: self.loaded, size=self.batch, context=self.context)
