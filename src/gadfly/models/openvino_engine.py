"""The OpenVINO engine and the one thread that may touch it.

The thread steps the engine while anything runs and sleeps when nothing does. It starts a
request later when another that begins alike is being read, so that shared tokens are computed
once, and starts requests with a JSON schema one a step, since a bad one breaks the engine and
its sender has to be known.
"""

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Thread
from typing import Any, cast

import numpy as np

from gadfly.errors import (
    ContextLengthError,
    GadflyError,
    InputError,
    ModelError,
    RequestRejected,
    ServerFailed,
    boundary,
)
from gadfly.models.openvino_quiet import openvino, openvino_genai
from gadfly.models.prefix_blocks import BLOCK, PrefixBlocks, block_names
from gadfly.models.settling import settle
from gadfly.records import Request

_genai = cast(Any, openvino_genai)
_openvino = cast(Any, openvino)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the engine is started with."""

    path: Path
    """A file in formats that the engine reads exactly."""
    slots: int
    context: int
    """Tokens a request may have, answer included."""
    cache: int
    """Tokens held in memory."""
    threads: int
    exact: bool
    """Whether nothing between layers and in the cache is rounded to 8 bits."""
    controls: Mapping[str, int]
    ends: frozenset[int]
    """Tokens that end an answer."""


@dataclass(frozen=True, kw_only=True)
class Generated:
    """What came out of the engine for one request."""

    prompt_tokens: int
    cached_tokens: int
    ids: tuple[int, ...]
    """Generated tokens, one that ended the answer included."""
    logprobs: tuple[float, ...]
    """One for each of `ids`; zeros where they were not asked for."""
    texts: tuple[str, ...]
    """One for each of `ids`; control tokens have none."""
    cut: bool
    """Whether it was the token limit that ended it."""


@dataclass(eq=False, kw_only=True)
class Job:
    """A request on its way through the engine; the engine's thread fills it in."""

    request: Request
    pieces: tuple[str, ...]
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[Generated]"
    prompt: list[int] = field(default_factory=list[int])
    blocks: list[int] = field(default_factory=list[int])
    schema: str = ""
    cached: int = 0
    handle: Any = None
    reading: bool = True
    cancelled: bool = False

    def finish(self, result: Generated | Exception) -> None:
        """Tell whoever waits; safe from any thread."""
        if not settle(self.done, result):
            self.cancelled = True


class Engine:
    """Starts the thread with the first job, and ends it when closed."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._arrived: list[Job] = []
        self._thread: Thread | None = None
        self._closing = False

    def submit(self, job: Job, settings: Callable[[], Settings]) -> None:
        """Queue a job; `settings` is called on the engine's thread when it has to be loaded."""
        with self._changed:
            self._arrived.append(job)
            if self._thread is None:
                self._closing = False
                self._thread = Thread(
                    target=self._serve, args=(settings,), name="gadfly-openvino", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()

    def cancel(self, job: Job) -> None:
        """Nobody waits for this job any more."""
        with self._changed:
            job.cancelled = True
            self._changed.notify_all()

    def close(self) -> None:
        """End the thread and free the weights; waits until both are done."""
        with self._changed:
            thread, self._thread = self._thread, None
            self._closing = True
            self._changed.notify_all()
        if thread is not None:
            thread.join()

    def _serve(self, settings: Callable[[], Settings]) -> None:
        pipeline: _Pipeline | None = None
        while True:
            with self._changed:
                while not (self._arrived or self._closing or (pipeline is not None and pipeline.busy)):
                    self._changed.wait()
                jobs, self._arrived = self._arrived, []
                if self._closing:
                    break
            try:
                with boundary("model"):
                    pipeline = pipeline or _Pipeline(settings())
            except GadflyError as error:
                for job in jobs:
                    job.finish(error)
                continue
            pipeline.admit(jobs)
            if not pipeline.step():
                pipeline = None
        closed = ServerFailed("openvino was closed while this request was under way")
        for job in [*jobs, *(pipeline.everything if pipeline else ())]:
            job.finish(closed)


class _Pipeline:
    """The engine with its weights. Everything here runs on the engine's thread."""

    def __init__(self, settings: Settings) -> None:
        scheduling = _genai.SchedulerConfig()
        scheduling.enable_prefix_caching = True
        scheduling.num_kv_blocks = settings.cache // BLOCK
        scheduling.max_num_batched_tokens = max(512, settings.slots)
        scheduling.max_num_seqs = settings.slots
        properties = {
            # bf16, the default where the processor has it, gives other answers on other machines.
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": settings.threads,
        }
        if settings.exact:
            properties |= {"DYNAMIC_QUANTIZATION_GROUP_SIZE": "0", "KV_CACHE_PRECISION": "f32"}
        try:
            self._engine = _genai.ContinuousBatchingPipeline(
                str(settings.path), scheduling, "CPU", properties
            )
        except (RuntimeError, IndexError, ValueError, MemoryError) as error:
            raise InputError(
                f"openvino cannot load {settings.path}: {_cause(error)}; try llamacpp:{settings.path}"
            ) from error
        self._settings = settings
        self._tokenizer = self._engine.get_tokenizer()
        self._spelling = _spelling(self._tokenizer.get_vocab(), settings.controls)
        self._blocks = PrefixBlocks(capacity=settings.cache // BLOCK)
        self._waiting: list[Job] = []
        self._running: list[Job] = []
        self._refused: dict[str, str] = {}
        self._suspect: Job | None = None
        self._count = 0

    @property
    def busy(self) -> bool:
        """Whether stepping is of use."""
        return bool(self._waiting or self._running)

    @property
    def everything(self) -> tuple[Job, ...]:
        """Jobs that are not finished."""
        return (*self._waiting, *self._running)

    def admit(self, jobs: list[Job]) -> None:
        """Take new jobs in and start those that can start now."""
        for job in jobs:
            try:
                self._prepare(job)
            except ModelError as error:
                job.finish(error)
            except RuntimeError as error:
                job.finish(ServerFailed(f"openvino cannot tokenize this prompt: {_cause(error)}"))
            else:
                self._waiting.append(job)
        self._suspect = None
        still: list[Job] = []
        for job in self._waiting:
            full = len(self._running) >= self._settings.slots
            unsure = bool(job.schema) and self._suspect is not None
            if job.cancelled:
                continue
            if full or unsure or self._blocks.being_read(job.blocks):
                still.append(job)
            else:
                self._start(job)
        self._waiting = still

    def step(self) -> bool:
        """Generate one token for everything that runs; False where the engine broke."""
        for job in self._running:
            if job.cancelled:
                job.handle.cancel()
        if not self._running:
            return True
        try:
            self._engine.step()
        except RuntimeError as error:
            self._give_up(_cause(error))
            return False
        self._running = [job for job in self._running if not self._ended(job)]
        return True

    def _prepare(self, job: Job) -> None:
        if job.request.json_schema is not None:
            job.schema = json.dumps(job.request.json_schema, sort_keys=True)
        for piece in job.pieces:
            ids = self._tokenizer.encode(piece, add_special_tokens=False).input_ids
            job.prompt.extend(cast(list[int], ids.data[0].tolist()))
        # The tokenizer itself cuts at the length the model was trained on, hence "at least".
        if len(job.prompt) >= self._settings.context:
            raise ContextLengthError(
                f"the prompt has at least {len(job.prompt)} tokens, and prompt and answer together may "
                f"have {self._settings.context} (option context)"
            )
        job.blocks = block_names(job.prompt)

    def _start(self, job: Job) -> None:
        if job.schema:
            self._suspect = job
        self._count += 1
        # The engine always computes the last token: its answer is the first thing wanted.
        job.cached = min(self._blocks.begin(job.blocks) * BLOCK, len(job.prompt) - 1)
        ids = _openvino.Tensor(np.array([job.prompt], dtype=np.int64))
        job.handle = self._engine.add_request(self._count, ids, self._config(job))
        self._running.append(job)

    def _config(self, job: Job) -> object:
        sampling = job.request.sampling
        config = _genai.GenerationConfig(
            max_new_tokens=min(sampling.max_tokens, self._settings.context - len(job.prompt)),
            apply_chat_template=False,
            stop_strings=set(sampling.stop),
            include_stop_str_in_output=True,
            stop_token_ids=set(self._settings.ends),
            logprobs=0 if sampling.logprobs is None else 1,
        )
        if sampling.temperature > 0:
            config.do_sample = True
            config.temperature = sampling.temperature
            config.top_p = sampling.top_p
            config.rng_seed = int(job.request.digest[:7], 16)
        if job.schema:
            config.structured_output_config = _genai.StructuredOutputConfig(json_schema=job.schema)
        return config

    def _ended(self, job: Job) -> bool:
        status, states = job.handle.get_status(), _genai.GenerationStatus
        running = status == states.RUNNING
        if job.reading and (job.handle.can_read() or not running):
            job.reading = False
            if job.cancelled:
                self._blocks.abandoned(job.blocks)
            else:
                self._blocks.finished(job.blocks)
        if running:
            return False
        if status == states.FINISHED:
            job.finish(self._generated(job))
        else:  # cancelled, or out of cache; a cancelled job has nobody to tell
            job.finish(ServerFailed("openvino's cache has no room for this request (option cache)"))
        job.handle = None
        return True

    def _generated(self, job: Job) -> Generated:
        (output,) = job.handle.read_all()
        ids = tuple(cast(list[int], output.generated_ids))
        self._blocks.remember(block_names([*job.prompt, *ids]))
        return Generated(
            prompt_tokens=len(job.prompt),
            cached_tokens=job.cached,
            ids=ids,
            logprobs=tuple(min(0.0, p) for p in output.generated_log_probs),
            texts=spell(ids, self._spelling),
            cut=output.finish_reason == _genai.GenerationFinishReason.LENGTH,
        )

    def _give_up(self, cause: str) -> None:
        """The engine cannot go on after an error. A schema it had just been given is the cause."""
        for job in self.everything:
            if job is self._suspect:
                job.finish(RequestRejected(f"openvino cannot use this JSON schema: {cause}"))
            else:
                job.finish(ServerFailed(f"openvino failed and starts anew: {cause}"))


def spell(ids: tuple[int, ...], spelling: list[bytes]) -> tuple[str, ...]:
    """The text of each token. Bytes of one character may come in several tokens: the last has it."""
    texts: list[str] = []
    rest = b""
    for index in ids:
        rest += spelling[index]
        try:
            texts.append(rest.decode())
        except UnicodeDecodeError as error:
            if error.reason == "unexpected end of data":
                texts.append("")
                continue
            texts.append(rest.decode(errors="replace"))
        rest = b""
    if rest:
        texts[-1] += rest.decode(errors="replace")
    return tuple(texts)


def _spelling(vocabulary: Mapping[bytes, int], controls: Mapping[str, int]) -> list[bytes]:
    spelling = [b""] * (max([*vocabulary.values(), *controls.values()]) + 1)
    for text, index in vocabulary.items():
        spelling[index] = text
    for index in controls.values():
        spelling[index] = b""
    return spelling


def _cause(error: Exception) -> str:
    """An engine's message without the place in its source code."""
    lines = [re.sub(r"^.*\.(?:cc|cpp|h|hpp):\d+:?\s*", "", line).strip() for line in str(error).splitlines()]
    return next(filter(None, lines), "no reason given")
