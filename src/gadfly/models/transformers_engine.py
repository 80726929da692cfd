"""The thread that owns a torch model: it gathers what is waiting and runs it as batches."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Condition, Lock, Thread

from gadfly.errors import ContextLengthError, GadflyError, InputError, ServerFailed, boundary
from gadfly.models import transformers_batch as batch
from gadfly.models.settling import settle
from gadfly.models.transformers_batch import Reading, Writing
from gadfly.models.transformers_weights import Loaded
from gadfly.records import Request

_GATHER = 0.01
"""Seconds an idle engine waits for company: requests that belong together come within less."""


@dataclass(eq=False, kw_only=True)
class Job:
    """One request on its way; the engine's thread fills in `work`."""

    request: Request
    text: str | None = None
    """What to read after the prompt; None: write."""
    layer: int | None = None
    """Which layer's states are wanted; None: log-probabilities."""
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[Loaded]" = field(init=False)
    work: Writing | Reading | None = None
    cancelled: bool = False

    def __post_init__(self) -> None:
        self.done = self.loop.create_future()

    def finish(self, result: Loaded | Exception) -> None:
        """Tell whoever waits, from any thread."""
        settle(self.done, result)


class Engine:
    """Queue and thread. The model is loaded on the thread when the first job comes."""

    def __init__(self, load: Callable[[], Loaded], *, size: int, context: int) -> None:
        self._load = load
        self._size = size
        self._context = context
        self._waking = Condition(Lock())
        self._pending: list[Job] = []
        self._thread: Thread | None = None
        self._closing = False

    async def run(self, job: Job) -> Loaded:
        """Run a job. Cancelling takes it out of the queue, or out of its batch at the next token."""
        with self._waking:
            self._pending.append(job)
            if self._thread is None:
                self._closing = False
                self._thread = Thread(target=self._serve, name="gadfly-transformers", daemon=True)
                self._thread.start()
            self._waking.notify_all()
        try:
            return await job.done
        except asyncio.CancelledError:
            with self._waking:
                job.cancelled = True
                if job.work is not None:
                    job.work.dropped = True
                if job in self._pending:
                    self._pending.remove(job)
            raise

    def close(self) -> None:
        """End the thread after its batch, and free the weights."""
        with self._waking:
            thread, self._thread = self._thread, None
            self._closing = True
            self._waking.notify_all()
        if thread is not None:
            thread.join()

    def _serve(self) -> None:
        loaded: Loaded | None = None
        while True:
            jobs = self._next()
            if jobs is None:
                break
            try:
                with boundary("model"):
                    loaded = loaded or self._load()
                    self._run(loaded, jobs)
            except GadflyError as error:
                _fail(jobs, error)
        with self._waking:
            left, self._pending = self._pending, []
        _fail(left, ServerFailed("the model was closed"))

    def _next(self) -> list[Job] | None:
        """The jobs of the next batch, all of one kind; None: no more are wanted."""
        with self._waking:
            while not self._pending and not self._closing:
                self._waking.wait()
                seen = 0
                while seen < len(self._pending) < self._size and not self._closing:
                    seen = len(self._pending)
                    self._waking.wait(_GATHER)
            if self._closing:
                return None
            kind = self._pending[0].text is None
            jobs = [job for job in self._pending if (job.text is None) is kind][: self._size]
            self._pending = [job for job in self._pending if job not in jobs]
            return jobs

    def _run(self, loaded: Loaded, jobs: list[Job]) -> None:
        ready: list[Job] = []
        for job in jobs:
            try:
                self._prepare(loaded, job)
            except GadflyError as error:
                job.finish(error)
            else:
                ready.append(job)
        work = [job.work for job in ready]
        writing = [one for one in work if isinstance(one, Writing)]
        reading = [one for one in work if isinstance(one, Reading)]
        if writing:
            batch.write(loaded, writing)
        if reading:
            batch.read(loaded, reading)
        for job in ready:
            job.finish(loaded)

    def _prepare(self, loaded: Loaded, job: Job) -> None:
        request = job.request
        pieces = loaded.template.render(request.messages, request.prefix)
        prompt = tuple(token for piece in pieces for token in loaded.encode(piece))
        text = tuple(loaded.encode(job.text or ""))
        limit = self._context or min(4096, loaded.context)
        room = limit - len(prompt) - len(text)
        if not prompt or room < (1 if job.text is None else 0):
            raise ContextLengthError(
                f"the prompt has {len(prompt)} tokens"
                + (f", the text {len(text)}" if job.text is not None else "")
                + f" and the context {limit} (option context)"
            )
        if job.layer is not None and not -loaded.layers <= job.layer < loaded.layers:
            raise InputError(f"there is no layer {job.layer}: the model has {loaded.layers}, from 0")
        sampling = request.sampling
        with self._waking:
            if job.text is None:
                job.work = Writing(
                    prompt=prompt,
                    sampling=sampling,
                    seed=int(request.digest[:15], 16),
                    room=min(sampling.max_tokens, room),
                )
            else:
                job.work = Reading(prompt=prompt, text=text, top_k=sampling.logprobs or 0, layer=job.layer)
            job.work.dropped = job.cancelled


def _fail(jobs: list[Job], error: Exception) -> None:
    for job in jobs:
        job.finish(error)
