"""A model in this process through torch: also scores a given continuation, and shows hidden states.

The library is transformers; any of its causal language models with a chat template works, as does
a GGUF file, which is converted once. Slower than llama.cpp, and the one that can say how likely
any text is. Requests in flight are grouped into batches; randomness is seeded by the request's
digest, so a request gets the same answer in any company, except where two tokens are so close
that the rounding of a larger batch swaps them.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from time import monotonic
from typing import Any, Protocol, TypeAlias, runtime_checkable

from gadfly.errors import InputError, ServerFailed, UnsupportedError
from gadfly.models.options import OptionReader
from gadfly.models.transformers_batch import Reading, Writing
from gadfly.models.transformers_engine import Engine, Job
from gadfly.models.transformers_weights import DTYPES, Loaded, Source, check_unchanged, locate, read
from gadfly.records import Completion, Request, Tokens, Usage
from gadfly.trace import elapsed

EXAMPLE = "transformers:org/name?dtype=bfloat16&batch=16"
SUPPORTS = ("chat", "logprobs", "prefix", "score")
NEEDS = ("torch", "transformers", "accelerate", "safetensors", "gguf")
INSTALL = 'pip install "gadfly[train]" --extra-index-url https://download.pytorch.org/whl/cpu'

States: TypeAlias = Any
"""A numpy array of float32, [tokens, width]."""


@runtime_checkable
class HiddenModel(Protocol):
    """A model that shows what it holds of a text, layer by layer."""

    @property
    def id(self) -> str:
        """Names the weights."""
        ...

    async def hidden(self, request: Request, text: str, /, *, layer: int = -1) -> States:
        """The states of the tokens of `text` as the assistant's next words."""
        ...


def load(target: str, options: Mapping[str, str]) -> "Transformers":
    """`transformers:` and a folder, a hub id or a GGUF file; nothing is the embedded model.

    Options: `dtype` (float32, bfloat16), `device` (auto, cpu, cuda, cuda:1, mps), `context` (tokens,
    answer included) and `batch` (requests run together).

    Raises:
        InputError: there is no such model, or an option cannot be used.
    """
    reader = OptionReader("transformers", options)
    dtype = reader.choice("dtype", tuple(DTYPES), "float32")
    device = reader.text("device", "auto") or "auto"
    context = reader.integer("context", 0)
    batch = reader.integer("batch", 16, minimum=1)
    reader.done()
    return Transformers(source=locate(target), dtype=dtype, device=device, context=context, batch=batch)


@dataclass(frozen=True, kw_only=True)
class Transformers:
    """A torch model. The weights are read at the first request. Satisfies `TokenModel`.

    Prompt and continuation are tokenized apart, so `score` is exact for text that begins where a
    token begins, as all text does after a chat template.
    """

    source: Source
    dtype: str = "float32"
    device: str = "auto"
    context: int = 0
    """Tokens a request may have, answer included; 0 is what the model allows, at most 4096."""
    batch: int = 16
    """Requests run together; more wait for the next batch."""

    @property
    def id(self) -> str:
        """Backend, weights (name and first digits of their digest) and the precision they run in."""
        return self._id

    @property
    def capacity(self) -> int:
        """Requests in flight that fill it: the next batch waits while one runs."""
        return 2 * self.batch

    async def complete(self, request: Request, /) -> Completion:
        """Answer one request.

        Where prompt and answer together outgrow the context, the answer ends there with
        `finish_reason` "length".

        Raises:
            ContextLengthError: the prompt alone fills the context.
            RequestRejected: the chat template refuses the messages.
            ModelError: torch failed, as when memory is short.
            UnsupportedError: a JSON schema is given.
        """
        if request.json_schema is not None:
            raise UnsupportedError(
                "transformers: cannot hold an answer to a JSON schema; llamacpp: and openai: can"
            )
        start = monotonic()
        job = Job(request=request, loop=asyncio.get_running_loop())
        loaded = await self._engine.run(job)
        if not isinstance(job.work, Writing):
            raise ServerFailed("the engine gave no answer")
        return completion_of(loaded, job.work, model=self.id, start=start)

    async def score(self, prefix: Request, continuation: str, /) -> Tokens:
        """Log-probabilities of `continuation` as the assistant's next words, under the raw model.

        The messages and `prefix.prefix` come before it. With `prefix.sampling.logprobs` of n, also
        the n likeliest tokens at each position.

        Raises:
            ContextLengthError: prompt and continuation do not fit the context.
            RequestRejected: the chat template refuses the messages.
            ModelError: torch failed, as when memory is short.
        """
        start = monotonic()
        loaded, work = await self._read(prefix, continuation, layer=None)
        return Tokens(
            texts=tuple(loaded.spell(list(work.text))),
            logprobs=tuple(min(0.0, value) for value in work.logprobs),
            ids=work.text,
            top=_tops(loaded, work.top) if work.top_k else None,
            usage=Usage(calls=1, input_tokens=len(work.prompt) + len(work.text), seconds=elapsed(start)),
        )

    async def hidden(self, request: Request, text: str, /, *, layer: int = -1) -> States:
        """The states of the tokens of `text` as the assistant's next words: float32, [tokens, width].

        Layer 0 is the embedding, -1 the last one, after its norm.

        Raises:
            InputError: there is no such layer, or `text` has no tokens.
            ContextLengthError: prompt and text do not fit the context.
        """
        if not text:
            raise InputError("hidden states are those of a text; this one is empty")
        _, work = await self._read(request, text, layer=layer)
        return work.states

    async def close(self) -> None:
        """Free the weights. A later request would read them again."""
        await asyncio.to_thread(self._engine.close)

    async def _read(self, request: Request, text: str, *, layer: int | None) -> tuple[Loaded, Reading]:
        job = Job(request=request, text=text, layer=layer, loop=asyncio.get_running_loop())
        loaded = await self._engine.run(job)
        if not isinstance(job.work, Reading):
            raise ServerFailed("the engine gave no answer")
        return loaded, job.work

    @cached_property
    def _id(self) -> str:
        return f"transformers:{self._weights}:{self.dtype}"

    @cached_property
    def _weights(self) -> str:
        return self.source.name

    @cached_property
    def _engine(self) -> Engine:
        def start() -> Loaded:
            check_unchanged(self.source, self._weights)
            return read(self.source, dtype=self.dtype, device=self.device)

        return Engine(start, size=self.batch, context=self.context)


def completion_of(loaded: Loaded, work: Writing, *, model: str, start: float) -> Completion:
    """What an engine wrote, as a completion; `start` is the clock when it was asked."""
    ids = work.output[:-1] if work.output[-1] in loaded.ends else work.output
    texts = loaded.spell(ids)
    text = "".join(texts)
    found = [at for at in (text.find(stop) for stop in work.sampling.stop) if at >= 0]
    kept = len(ids)
    if found:
        text = text[: min(found)]
        kept, length = 0, 0
        while length < len(text):
            length += len(texts[kept])
            kept += 1
    wanted = work.sampling.logprobs
    return Completion(
        text=text,
        model=model,
        finish_reason=work.finish or "stop",
        usage=Usage(
            calls=1,
            input_tokens=len(work.prompt),
            cached_input_tokens=work.shared,
            output_tokens=len(work.output),
            seconds=elapsed(start),
        ),
        tokens=None
        if wanted is None
        else Tokens(
            texts=tuple(texts[:kept]),
            logprobs=tuple(min(0.0, value) for value in work.logprobs[:kept]),
            ids=tuple(ids[:kept]),
            top=_tops(loaded, work.top[:kept]) if wanted else None,
        ),
    )


def _tops(loaded: Loaded, places: list[dict[int, float]]) -> tuple[Mapping[str, float], ...]:
    """Token ids as texts, the likeliest first; where two read the same, the likelier is kept."""
    told: list[Mapping[str, float]] = []
    for place in places:
        texts: dict[str, float] = {}
        for token, value in place.items():
            texts.setdefault(loaded.decode([token]), min(0.0, value))
        told.append(texts)
    return tuple(told)
