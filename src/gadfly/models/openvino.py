"""OpenVINO GenAI in this process, on GGUF files: the fastest engine on a CPU.

Prompts are cached in blocks of 32 tokens that all requests share.

The engine misreads formats with a minimum per block (Q4_1: its likeliest next token was the
exact model's on 47 of 64 prompts, and on 64 of 64 after re-quantising), so a file with anything
but F32, F16 and Q8_0 is stored once as Q8_0 and run from there.
It reports the log-probabilities of chosen tokens but no alternatives. A request that runs alone
is computed by other routines than one that runs with others, so its greedy answer can differ; the
option `exact` makes them alike, at about half the speed.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from time import monotonic

from gadfly.errors import InputError, UnsupportedError
from gadfly.models.chat_template import ChatTemplate
from gadfly.models.gguf import (
    EXACT,
    Header,
    as_q8_0,
    available_cores,
    check_unchanged,
    read_header,
    weights_name,
)
from gadfly.models.openvino_engine import Engine, Generated, Job, Settings
from gadfly.models.options import OptionReader
from gadfly.records import Completion, Request, Tokens, Usage
from gadfly.trace import elapsed

EXAMPLE = "openvino:model.gguf?slots=32&context=4096"
SUPPORTS = ("chat", "logprobs", "json_schema", "prefix")
NEEDS = ("openvino_genai", "gguf")
INSTALL = "pip install openvino-genai gguf"

ARCHITECTURES = ("llama", "qwen2", "qwen3")
"""Model families that the engine reads from GGUF files."""


def load(target: str, options: Mapping[str, str]) -> "OpenVino":
    """The model `openvino:FILE.gguf` with its options.

    Options: `slots`, `context`, `cache`, `threads`, `exact`.

    Raises:
        InputError: no such file, not a GGUF file of a known architecture, or an option cannot be used.
    """
    if not target:
        raise InputError(f"openvino needs a model file, as in {EXAMPLE}")
    reader = OptionReader("openvino", options)
    slots = reader.integer("slots", 32, minimum=1)
    context = reader.integer("context", 0)
    cache = reader.integer("cache", 32768, minimum=1024)
    threads = reader.integer("threads", 0)
    exact = reader.flag("exact", False)
    reader.done()
    path = Path(target).expanduser()
    architecture = read_header(path).architecture
    if architecture not in ARCHITECTURES:
        raise InputError(
            f"openvino reads GGUF files of {', '.join(ARCHITECTURES)}, and {path.name} is "
            f"{architecture}; use llamacpp:{path}"
        )
    return OpenVino(path=path, slots=slots, context=context, cache=cache, threads=threads, exact=exact)


@dataclass(frozen=True, kw_only=True)
class OpenVino:
    """A GGUF model run by OpenVINO GenAI. The weights are read at the first request."""

    path: Path
    slots: int = 32
    """Requests decoded at once; more wait for their turn."""
    context: int = 0
    """Tokens a request may have, answer included; 0 is what the model allows, at most 4096."""
    cache: int = 32768
    """Tokens of all requests, running and remembered, that are held in memory."""
    threads: int = 0
    """0 is the number of cores this process may use."""
    exact: bool = False
    """No rounding to 8 bits between layers and in the cache: the answer does not depend on company."""
    _engine: Engine = field(default_factory=Engine, init=False, repr=False, compare=False)

    @property
    def id(self) -> str:
        """Engine, file and the first digits of the file's digest (the chat template is inside)."""
        return self._name

    @property
    def capacity(self) -> int:
        """Requests in flight that fill it."""
        return self.slots

    async def complete(self, request: Request, /) -> Completion:
        """Answer one request.

        `cached_input_tokens` counts whole blocks of 32 tokens that had been computed before; the
        engine does not say, so they are counted on this side. Where prompt and answer together
        outgrow the context, the answer ends there with `finish_reason` "length".

        Raises:
            ContextLengthError: the prompt alone fills the context.
            RequestRejected: the chat template or the JSON schema cannot be used.
            UnsupportedError: alternatives of tokens are wanted.
            ServerFailed: the engine failed on this request.
        """
        if request.sampling.logprobs:
            raise UnsupportedError(
                "openvino reports no alternatives of a token (logprobs 1 or more): use llamacpp: or "
                "embedded: with the same file, or logprobs 0 for the chosen tokens alone"
            )
        start = monotonic()
        loop = asyncio.get_running_loop()
        pieces = self._template.render(request.messages, request.prefix)
        job = Job(request=request, pieces=pieces, loop=loop, done=loop.create_future())
        self._engine.submit(job, self._settings)
        try:
            generated = await job.done
        except asyncio.CancelledError:
            self._engine.cancel(job)
            raise
        return _completion(generated, request, model=self.id, seconds=elapsed(start))

    async def close(self) -> None:
        """Free the weights. A later request would read them again."""
        await asyncio.to_thread(self._engine.close)

    @cached_property
    def _name(self) -> str:
        stored = "" if self._header.tensor_types <= EXACT else "/Q8_0"
        return f"openvino:{self._weights}{stored}{'/exact' if self.exact else ''}"

    @cached_property
    def _weights(self) -> str:
        return weights_name(self.path)

    @cached_property
    def _header(self) -> Header:
        return read_header(self.path)

    @cached_property
    def _template(self) -> ChatTemplate:
        return ChatTemplate(header=self._header)

    def _settings(self) -> Settings:
        check_unchanged(self.path, self._weights)
        header = self._header
        ends = {header.special("eos"), header.special("eot")}
        return Settings(
            path=as_q8_0(self.path),
            slots=self.slots,
            context=min(self.context or min(4096, header.context_length), self.cache),
            cache=self.cache,
            threads=self.threads or available_cores(),
            exact=self.exact,
            controls=header.controls,
            ends=frozenset(header.controls[text] for text in ends if text in header.controls),
        )


def _completion(generated: Generated, request: Request, *, model: str, seconds: float) -> Completion:
    """The answer up to where it stops. Every token that has a part in its text is kept."""
    text = "".join(generated.texts)
    ends = [at for at in (text.find(stop) for stop in request.sampling.stop) if at >= 0]
    text = text[: min(ends, default=len(text))]
    kept, length = 0, 0
    while length < len(text):
        length += len(generated.texts[kept])
        kept += 1
    tokens = Tokens(
        texts=generated.texts[:kept], logprobs=generated.logprobs[:kept], ids=generated.ids[:kept]
    )
    return Completion(
        text=text,
        model=model,
        finish_reason="length" if generated.cut and not ends else "stop",
        usage=Usage(
            calls=1,
            input_tokens=generated.prompt_tokens,
            cached_input_tokens=generated.cached_tokens,
            output_tokens=len(generated.ids),
            seconds=seconds,
        ),
        tokens=None if request.sampling.logprobs is None else tokens,
    )
