"""The OpenAI client against servers that fail: each fault has its name, and no message holds the key."""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import aiohttp
import anyio
import pytest
from aiohttp import web
from support import serving
from support.serving import Handler

from gadfly.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    ContentFiltered,
    ContextLengthError,
    MalformedResponse,
    ModelError,
    ModelTimeout,
    RateLimited,
    RequestRejected,
    ServerFailed,
    TransientModelError,
)
from gadfly.models import load_model, openai
from gadfly.models.load import load_backend
from gadfly.models.openai_errors import client_error, retry_after
from gadfly.protocols import Closing, Model
from gadfly.records import Message, Request

pytestmark = pytest.mark.anyio

QUESTION = Request(messages=(Message(role="user", content="2+2?"),))
KEY = "sk-very-secret-0123456789"


def asking(handler: Handler, options: str = "") -> AbstractAsyncContextManager[Model]:
    """A model with a key, whose server answers by `handler`."""
    return serving.asking(handler, f"?key_env=SECRET_KEY{options}")


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", KEY)


def refusing(status: int, body: object, headers: dict[str, str] | None = None) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status, headers=headers)

    return handler


async def failure(handler: Handler, options: str = "") -> ModelError:
    async with asking(handler, options) as model:
        with pytest.raises(ModelError) as caught:
            await model.complete(QUESTION)
    assert KEY not in str(caught.value)
    return caught.value


def openai_style(message: str, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "some_error", "code": code}}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, openai_style("no"), RequestRejected),
        (400, openai_style("sorry", "context_length_exceeded"), ContextLengthError),
        (400, openai_style("This model's maximum context length is 4096 tokens"), ContextLengthError),
        (400, {"object": "error", "message": "longer than the maximum context length"}, ContextLengthError),
        (
            400,
            {"error": {"code": 400, "message": "x", "type": "exceed_context_size_error"}},
            ContextLengthError,
        ),
        (422, {"detail": "prompt is too long"}, ContextLengthError),
        (400, openai_style("flagged", "content_filter"), ContentFiltered),
        (401, openai_style(f"Incorrect API key provided: {KEY}"), AuthenticationFailed),
        (403, openai_style("no"), AuthenticationFailed),
        (404, openai_style("no such model"), RequestRejected),
        (408, openai_style("slow"), ModelTimeout),
        (409, openai_style("conflict"), RequestRejected),
        (418, openai_style("teapot"), RequestRejected),
        (429, openai_style("slow down"), RateLimited),
        (429, openai_style("pay", "insufficient_quota"), RequestRejected),
        (500, openai_style("boom"), ServerFailed),
        (502, openai_style("bad gateway"), ServerFailed),
        (503, "not an object", ServerFailed),
        (504, openai_style("gateway timeout"), ModelTimeout),
        (599, openai_style("unheard of"), ServerFailed),
    ],
)
async def test_each_status_has_its_error(status: int, body: object, kind: type[ModelError]) -> None:
    error = await failure(refusing(status, body))
    assert type(error) is kind
    assert str(status) in str(error)
    assert "http://127.0.0.1:" in str(error)


async def test_what_the_server_said_is_quoted_short_on_one_line_and_without_the_key() -> None:
    error = await failure(refusing(400, openai_style(f"bad\nkey {KEY} " + "x" * 5000)))
    assert "bad key [key] xxx" in str(error)
    assert len(str(error)) < 700


async def test_a_page_of_html_is_quoted_like_a_message() -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(status=404, text="<html>nothing here</html>", content_type="text/html")

    error = await failure(handler)
    assert "nothing here" in str(error)
    assert "ends in /v1" in str(error)


async def test_a_refused_key_and_a_missing_key_are_told_apart() -> None:
    error = await failure(refusing(401, openai_style("no")))
    assert "sent and refused" in str(error)

    async with asking(refusing(401, openai_style("no"))) as model:
        bare = load_backend(model.id)
        with pytest.raises(AuthenticationFailed, match="key_env"):
            await bare.complete(QUESTION)
        assert isinstance(bare, Closing)
        await bare.close()


async def test_a_redirect_is_not_followed_as_it_would_carry_the_key_away() -> None:
    error = await failure(refusing(307, {}, {"Location": "http://elsewhere.example/v1"}))
    assert type(error) is RequestRejected
    assert "http://elsewhere.example/v1" in str(error)


async def test_the_pause_a_server_asks_for_is_kept() -> None:
    error = await failure(refusing(429, openai_style("slow down"), {"Retry-After": "2.5"}))
    assert isinstance(error, RateLimited)
    assert error.retry_after == 2.5


def test_retry_after_reads_seconds_and_dates_and_nothing_else() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    read = retry_after(later)
    assert read is not None
    assert 25 < read <= 30
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert [retry_after(value) for value in (None, "soon", "nan", "inf", "3", "-1")] == [
        None,
        None,
        None,
        None,
        3.0,
        0.0,
    ]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON|not of the OpenAI form"),
        (b'{"choices": [', "not JSON"),
        (b"[]", "not of the OpenAI form"),
        (b"{}", "no choices"),
        (b'{"choices": []}', "no choices"),
        (b'{"choices": [{"index": 0}]}', "neither a message nor a text"),
        (b'{"choices": [{"message": {"content": 5}}]}', "choices.0.message.content"),
    ],
)
async def test_a_body_that_is_not_what_it_should_be_is_malformed(body: bytes, said: str) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, content_type="application/json")

    async with asking(handler) as model:
        with pytest.raises(MalformedResponse, match=said):
            await model.complete(QUESTION)


@pytest.mark.parametrize(("reason", "kind"), [("content_filter", ContentFiltered), ("abort", ServerFailed)])
async def test_an_answer_that_ended_badly_is_an_error(reason: str, kind: type[ModelError]) -> None:
    choice = {"finish_reason": reason, "message": {"content": "half a"}}
    assert type(await failure(refusing(200, {"choices": [choice]}))) is kind


@pytest.mark.parametrize("options", ["", "&stream=true"])
async def test_an_answer_of_endless_size_is_given_up(monkeypatch: pytest.MonkeyPatch, options: str) -> None:
    monkeypatch.setattr(openai, "_LARGEST", 1000)

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(text="data: x" * 1000)

    error = await failure(handler, options)
    assert type(error) is MalformedResponse
    assert "larger than" in str(error)


async def test_a_slow_answer_is_a_timeout_that_says_what_to_raise() -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        await anyio.sleep(5)
        return web.json_response({})

    error = await failure(handler, "&timeout=0.1")
    assert type(error) is ModelTimeout
    assert "timeout=SECONDS" in str(error)


async def test_a_connection_that_breaks_in_the_middle_is_named() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"choices"')
        assert request.transport is not None
        request.transport.close()
        return response

    error = await failure(handler)
    assert type(error) is ConnectionFailed
    assert "broke off" in str(error)


async def test_a_dead_endpoint_fails_soon_and_says_what_to_check() -> None:
    model = load_model("openai:m@http://127.0.0.1:9/v1", cache=None, attempts=2)
    with (
        anyio.fail_after(5),
        pytest.raises(ConnectionFailed, match=r":9/v1.*running.*2 attempts"),
    ):
        await model.complete(QUESTION)
    assert isinstance(model, Closing)
    await model.close()


async def test_a_key_that_vanished_from_the_environment_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with asking(refusing(200, {})) as model:
        monkeypatch.delenv("SECRET_KEY")
        with pytest.raises(AuthenticationFailed, match="SECRET_KEY"):
            await model.complete(QUESTION)


async def test_cancelling_a_call_lets_go_of_its_connection() -> None:
    gone = anyio.Event()

    async def handler(_: web.Request) -> web.StreamResponse:
        try:
            await anyio.sleep_forever()
        finally:
            gone.set()
        raise AssertionError("never reached")

    async with asking(handler) as model:
        with anyio.move_on_after(0.1) as scope:
            await model.complete(QUESTION)
        assert scope.cancelled_caught
        with anyio.fail_after(2):
            await gone.wait()


def subclasses(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    yield kind
    for below in kind.__subclasses__():
        yield from subclasses(below)


CLIENT_ERRORS = {kind.__name__: kind for kind in subclasses(aiohttp.ClientError)}


@pytest.mark.parametrize("name", sorted(CLIENT_ERRORS))
def test_every_error_of_the_http_library_is_mapped(name: str) -> None:
    kind = CLIENT_ERRORS[name]
    quiet = type(name, (kind,), {"__init__": lambda self: None, "__str__": lambda self: "cause"})  # pyright: ignore
    mapped = client_error(quiet(), "http://host/v1")
    assert isinstance(mapped, TransientModelError | RequestRejected)
    assert str(mapped).startswith("http://host/v1: ")
