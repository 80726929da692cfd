"""llama.cpp in this process, on any GGUF file: logprobs, JSON schema, prompt-prefix cache.

The engine is the wheel `xllamacpp`. Requests share its slots and are decoded as one batch; a
prompt that begins like an earlier one in the same slot is computed from where they part.
Calls stream, which costs nothing measurable and lets a cancelled request free its slot at
the next token. Randomness is seeded by the request's digest.

A character that is made of several tokens (an emoji) is reported as one token, with the
log-probability of its last: llama.cpp does not tell the others.
"""

import asyncio
import json
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Event, Lock
from time import monotonic
from typing import Any, Protocol, TypedDict, cast

import xllamacpp  # pyright: ignore[reportMissingImports]

from gadfly.errors import (
    ContextLengthError,
    InputError,
    MalformedResponse,
    ModelError,
    RequestRejected,
    ServerFailed,
)
from gadfly.models.chat_template import ChatTemplate
from gadfly.models.gguf import Header, available_cores, check_unchanged, read_header, weights_name
from gadfly.models.options import OptionReader
from gadfly.records import Completion, Request, Tokens, Usage
from gadfly.trace import elapsed

EXAMPLE = "llamacpp:model.gguf?slots=8&context=4096"
SUPPORTS = ("chat", "logprobs", "json_schema", "prefix")
NEEDS = ("xllamacpp",)
INSTALL = "pip install xllamacpp"


class _Likely(TypedDict):
    id: int
    token: str
    logprob: float


class _Token(_Likely):
    bytes: list[int]
    top_logprobs: list[_Likely]


class _Logprobs(TypedDict):
    content: list[_Token]


class _Choice(TypedDict):
    text: str
    logprobs: _Logprobs | None
    finish_reason: str | None


class _Cached(TypedDict):
    cached_tokens: int


class _Usage(TypedDict):
    prompt_tokens: int
    completion_tokens: int
    prompt_tokens_details: _Cached


class _Error(TypedDict):
    code: int
    message: str
    type: str


class _Chunk(TypedDict, total=False):
    """One piece of a streamed answer; the last has the usage."""

    choices: list[_Choice]
    usage: _Usage
    error: _Error


class _Server(Protocol):
    """The part of `xllamacpp.Server` used here; a true return of the callback ends the call."""

    def handle_completions(
        self, body: dict[str, object], callback: Callable[[_Chunk], bool], /
    ) -> object: ...


def load(target: str, options: Mapping[str, str]) -> "LlamaCpp":
    """The model `llamacpp:FILE.gguf` with its options `slots`, `context` and `threads`.

    Raises:
        InputError: no such file, not a GGUF file, or an option cannot be used.
    """
    if not target:
        raise InputError(f"llamacpp needs a model file, as in {EXAMPLE}")
    reader = OptionReader("llamacpp", options)
    slots = reader.integer("slots", 8, minimum=1)
    context = reader.integer("context", 0)
    threads = reader.integer("threads", 0)
    reader.done()
    path = Path(target).expanduser()
    read_header(path)
    return LlamaCpp(path=path, slots=slots, context=context, threads=threads)


@dataclass(frozen=True, kw_only=True)
class LlamaCpp:
    """A GGUF model run by llama.cpp. The weights are read at the first request."""

    path: Path
    slots: int = 8
    """Requests decoded at once; more wait for their turn."""
    context: int = 0
    """Tokens a request may have, answer included; 0 is what the model allows, at most 4096."""
    threads: int = 0
    """0 is the number of cores this process may use."""
    _engine: "_Engine" = field(default_factory=lambda: _Engine(), init=False, repr=False, compare=False)

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

        Where prompt and answer together outgrow the context, the answer ends there with
        `finish_reason` "length".

        Raises:
            ContextLengthError: the prompt alone fills the context.
            RequestRejected: the chat template or the JSON schema cannot be used.
            ServerFailed: the engine failed on this request.
        """
        start = monotonic()
        body = self._body(request)
        gave_up = Event()
        chunks: list[_Chunk] = []

        def take(chunk: _Chunk) -> bool:
            chunks.append(chunk)
            return gave_up.is_set()

        def run() -> None:
            if not gave_up.is_set():
                self._engine.server(self).handle_completions(body, take)

        try:
            await asyncio.get_running_loop().run_in_executor(self._engine.pool(self.slots), run)
        except asyncio.CancelledError:
            gave_up.set()
            raise
        except (RuntimeError, ValueError) as error:
            raise ServerFailed(f"llama.cpp failed: {error}") from error
        return _completion(chunks, request, model=self.id, seconds=elapsed(start))

    async def close(self) -> None:
        """Free the weights. A later request would read them again."""
        await asyncio.to_thread(self._engine.close)

    @cached_property
    def weights(self) -> str:
        """Names the weights: file and digest."""
        return weights_name(self.path)

    @cached_property
    def header(self) -> Header:
        """What the file says of itself."""
        return read_header(self.path)

    @cached_property
    def _name(self) -> str:
        return f"llamacpp:{self.weights}"

    @cached_property
    def _template(self) -> ChatTemplate:
        return ChatTemplate(header=self.header)

    def _body(self, request: Request) -> dict[str, object]:
        sampling = request.sampling
        body: dict[str, object] = {
            "prompt": _mixed(self._template.render(request.messages, request.prefix), self.header.controls),
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            # Temperature first, as in other engines: llama.cpp's own order cuts before it.
            "samplers": ["temperature", "top_p"],
            "seed": int(request.digest[:7], 16),
            "stop": list(sampling.stop),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if sampling.logprobs is not None:
            body["logprobs"] = max(1, sampling.logprobs)
        if request.json_schema is not None:
            # Without this the grammar lets a small model emit white space until its tokens are spent.
            schema = cast(dict[str, object], _closed(dict(request.json_schema)))
            body["json_schema"] = {**schema, "x-guidance": {"whitespace_flexible": False}}
        return body


class _Engine:
    """The loaded weights and the threads that wait on them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._server: _Server | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def pool(self, slots: int) -> ThreadPoolExecutor:
        """One waiting thread a slot: what does not fit waits here, where cancelling is free."""
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(slots, thread_name_prefix="gadfly-llamacpp")
            return self._pool

    def server(self, model: LlamaCpp) -> _Server:
        with self._lock:
            if self._server is None:
                self._server = self._start(model)
            return self._server

    def close(self) -> None:
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)
        with self._lock:
            self._server = None
            folder, self._folder = self._folder, None
        if folder is not None:
            folder.cleanup()

    def _start(self, model: LlamaCpp) -> _Server:
        check_unchanged(model.path, model.weights)
        context = model.context or min(4096, model.header.context_length)
        threads = model.threads or available_cores()
        params = cast(Any, xllamacpp).CommonParams()
        params.model.path = str(model.path)
        params.n_parallel = model.slots
        params.n_ctx = context * model.slots
        params.cpuparams.n_threads = threads
        params.cpuparams_batch.n_threads = threads
        params.cache_ram_mib = 256
        params.verbosity = -1
        params.ui = False
        # The engine always opens its HTTP server too: a socket in a private folder is no port.
        self._folder = tempfile.TemporaryDirectory(prefix="gadfly-", ignore_cleanup_errors=True)
        params.hostnames = [str(Path(self._folder.name) / "llama.sock")]
        try:
            return cast(_Server, cast(Any, xllamacpp).Server(params))
        except RuntimeError as error:
            raise InputError(
                f"llama.cpp cannot load {model.path} ({error}): the file is damaged, its architecture "
                f"({model.header.architecture}) is unknown to it, or memory is short (try fewer slots)"
            ) from error


def _mixed(pieces: tuple[str, ...], controls: Mapping[str, int]) -> str | list[str | int]:
    """Pieces of a prompt in llama.cpp's own form: strings and token ids in one list.

    A list that begins with an id gets no second begin-of-text token; a list without any id
    would be read as several prompts.
    """
    first = next((text for text in controls if text and pieces[0].startswith(text)), None)
    if first is not None:
        return [controls[first], pieces[0].removeprefix(first), *pieces[1:]]
    # A template without a control token in front: a space keeps foreign ones apart instead.
    return " ".join(pieces)


def _completion(chunks: list[_Chunk], request: Request, *, model: str, seconds: float) -> Completion:
    texts: list[str] = []
    details: list[_Token] = []
    finish: str | None = None
    usage: _Usage | None = None
    for chunk in chunks:
        if "error" in chunk:
            raise _error(chunk["error"])
        for choice in chunk.get("choices", ()):
            texts.append(choice["text"])
            logprobs = choice.get("logprobs")
            details.extend(logprobs["content"] if logprobs else ())
            finish = choice["finish_reason"] or finish
        usage = chunk.get("usage", usage)
    if finish is None or usage is None:
        raise MalformedResponse("llama.cpp ended its answer without saying why")
    text = "".join(texts)
    if request.json_schema is not None:
        _check_json(text, whole=finish != "length")
    wanted = request.sampling.logprobs
    return Completion(
        text=text,
        model=model,
        finish_reason="length" if finish == "length" else "stop",
        usage=Usage(
            calls=1,
            input_tokens=usage["prompt_tokens"],
            cached_input_tokens=usage["prompt_tokens_details"]["cached_tokens"],
            output_tokens=usage["completion_tokens"],
            seconds=seconds,
        ),
        tokens=None if wanted is None else _tokens(details, text, top=wanted > 0),
    )


def _closed(schema: object) -> object:
    """A schema whose objects have the properties it names and no others, where it does not say.

    Left open, a small model goes on inventing keys. Parts of an `allOf` stay as they are: closed,
    they would exclude one another.
    """
    if isinstance(schema, list):
        return [_closed(part) for part in cast(list[object], schema)]
    if not isinstance(schema, dict):
        return schema
    parts = cast(dict[str, object], schema)
    closed = {
        key: part if key in ("allOf", "enum", "const") else _closed(part) for key, part in parts.items()
    }
    if isinstance(parts.get("properties"), dict) and "allOf" not in parts:
        closed.setdefault("additionalProperties", False)
    return closed


def _check_json(text: str, *, whole: bool) -> None:
    """Where llama.cpp cannot use a schema it goes on without one; that must not pass for an answer."""
    try:
        if whole:
            json.loads(text)
        elif not text.lstrip().startswith(("{", "[", '"', "-", *"0123456789", "t", "f", "n")):
            raise ValueError
    except ValueError as error:
        raise RequestRejected(
            "llama.cpp cannot use this JSON schema: it answered with something else"
        ) from error


def _tokens(details: list[_Token], text: str, *, top: bool) -> Tokens:
    """The tokens of `text`, without those that belong to a stop string behind it."""
    texts: list[str] = []
    length = 0
    for detail in details:
        if length >= len(text):
            break
        texts.append(bytes(detail["bytes"]).decode(errors="replace"))
        length += len(texts[-1])
    kept = details[: len(texts)]
    return Tokens(
        texts=tuple(texts),
        logprobs=tuple(min(0.0, detail["logprob"]) for detail in kept),
        ids=tuple(detail["id"] for detail in kept),
        top=tuple(_top(detail) for detail in kept) if top else None,
    )


def _top(detail: _Token) -> dict[str, float]:
    """The likeliest first. Several may have no text of their own; the likeliest of them is kept."""
    top: dict[str, float] = {}
    for one in detail["top_logprobs"]:
        text = detail["token"] if one["id"] == detail["id"] else one["token"]
        top.setdefault(text, min(0.0, one["logprob"]))
    return top


def _error(error: _Error) -> ModelError:
    if error["type"] == "exceed_context_size_error":
        return ContextLengthError(f"{error['message']} (option context)")
    if error["code"] == 400:
        return RequestRejected(f"llama.cpp: {error['message']}")
    return ServerFailed(f"llama.cpp: {error['message']}")
