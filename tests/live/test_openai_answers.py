"""The OpenAI client against a server in this process: what is sent, and what is made of answers."""

import json
from typing import Any

import anyio
import anyio.to_thread
import pytest
from aiohttp import web
from support.serving import Handler, asking

from gadfly.errors import ConnectionFailed, ContentFiltered, ModelError, ServerFailed, UnsupportedError
from gadfly.protocols import Closing
from gadfly.records import Message, Request, Sampling

pytestmark = pytest.mark.anyio

QUESTION = Request(
    messages=(Message(role="system", content="Be brief."), Message(role="user", content="2+2?"))
)


class Server:
    """Answers the same to everything and keeps what it was sent."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer
        self.posted: list[dict[str, Any]] = []
        self.routes: list[str] = []
        self.headers: list[dict[str, str]] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.posted.append(await request.json())
        self.routes.append(request.path)
        self.headers.append(dict(request.headers))
        return web.json_response(self.answer)


def said(text: str | None, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}} | more
    return {"choices": [choice], "usage": {"prompt_tokens": 12, "completion_tokens": 3}}


async def test_everything_that_decides_a_completion_is_sent() -> None:
    server = Server(said("4"))
    schema = {"type": "object"}
    sampling = Sampling(temperature=0.5, top_p=0.9, max_tokens=7, stop=("END",), logprobs=None)
    async with asking(server) as model:
        await model.complete(QUESTION.model_copy(update={"sampling": sampling, "json_schema": schema}))
    posted = server.posted[0]
    assert server.routes == ["/v1/chat/completions"]
    assert posted["model"] == "m"
    assert posted["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "2+2?"},
    ]
    assert (posted["temperature"], posted["top_p"], posted["max_tokens"]) == (0.5, 0.9, 7)
    assert posted["stop"] == ["END"]
    assert posted["response_format"]["json_schema"]["schema"] == schema


async def test_equal_requests_send_equal_seeds_and_other_draws_other_ones() -> None:
    server = Server(said("4"))
    async with asking(server) as model:
        for draw in ((), (), (1,)):
            await model.complete(QUESTION.model_copy(update={"draw": draw}))
    first, again, other = (posted["seed"] for posted in server.posted)
    assert first == again != other
    assert 0 <= first < 2**31


async def test_an_answer_becomes_a_completion_with_its_usage_and_latency() -> None:
    answer = said("4", finish_reason="length")
    answer["usage"]["prompt_tokens_details"] = {"cached_tokens": 8}
    answer["choices"][0]["message"]["reasoning_content"] = "two and two"
    async with asking(Server(answer)) as model:
        completion = await model.complete(QUESTION)
        assert completion.model == model.id
    assert (completion.text, completion.reasoning, completion.finish_reason) == ("4", "two and two", "length")
    usage = completion.usage
    assert (usage.calls, usage.input_tokens, usage.cached_input_tokens, usage.output_tokens) == (1, 12, 8, 3)
    assert usage.cost is None, "a server of one's own has no list price"
    assert usage.seconds > 0


async def test_where_no_usage_is_reported_tokens_are_counted_roughly_and_the_cost_is_unknown() -> None:
    answer = said("four and nothing else")
    del answer["usage"]
    async with asking(Server(answer)) as model:
        usage = (await model.complete(QUESTION)).usage
    assert (usage.input_tokens, usage.output_tokens, usage.cost) == (4, 6, None)


@pytest.mark.parametrize("text", ["", None, "\x00\x1b[2J\u202e", "x" * 3_000_000])
async def test_any_text_is_taken_as_it_is(text: str | None) -> None:
    async with asking(Server(said(text))) as model:
        assert (await model.complete(QUESTION)).text == (text or "")


async def test_a_lone_surrogate_in_an_answer_becomes_a_question_mark() -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        body = json.dumps(said("SURROGATE")).replace("SURROGATE", "a\\ud800b")
        return web.Response(text=body, content_type="application/json")

    async with asking(answer) as model:
        assert (await model.complete(QUESTION)).text == "a?b"


async def test_log_probabilities_come_with_the_likeliest_alternatives() -> None:
    tops = [{"token": "4", "logprob": -0.1}, {"token": "5", "logprob": -9999.0}]
    logprobs = {"content": [{"token": "4", "logprob": -0.1, "top_logprobs": tops}]}
    server = Server(said("4", logprobs=logprobs))
    request = QUESTION.model_copy(update={"sampling": Sampling(logprobs=2)})
    async with asking(server) as model:
        tokens = (await model.complete(request)).tokens
    assert (server.posted[0]["logprobs"], server.posted[0]["top_logprobs"]) == (True, 2)
    assert tokens is not None
    assert (tokens.texts, tokens.logprobs, tokens.top) == (("4",), (-0.1,), ({"4": -0.1, "5": -9999.0},))


async def test_missing_log_probabilities_are_refused_and_not_made_up() -> None:
    async with asking(Server(said("4"))) as model:
        with pytest.raises(UnsupportedError, match=r"no log-probabilities.*llamacpp"):
            await model.complete(QUESTION.model_copy(update={"sampling": Sampling(logprobs=0)}))


async def test_the_completions_route_sends_plain_text_and_reads_parallel_lists() -> None:
    listed = {"tokens": ["4", "."], "token_logprobs": [-0.5, -1.0], "top_logprobs": [{"4": -0.5}, None]}
    choice = {"text": "4.", "finish_reason": "stop", "logprobs": listed}
    server = Server({"choices": [choice], "usage": {"prompt_tokens": 5, "completion_tokens": 2}})
    request = QUESTION.model_copy(update={"sampling": Sampling(logprobs=1), "prefix": "It is "})
    async with asking(server, "?api=completions") as model:
        completion = await model.complete(request)
        assert model.id.endswith("/v1?api=completions")
    assert server.routes == ["/v1/completions"]
    assert server.posted[0]["prompt"] == "Be brief.\n\n2+2?It is "
    assert completion.text == "4."
    assert completion.tokens is not None
    assert completion.tokens.logprobs == (-0.5, -1.0)
    assert completion.tokens.top == ({"4": -0.5}, {})


@pytest.mark.parametrize(
    ("option", "fields", "marked", "answer"),
    [
        ("?prefix=vllm", {"continue_final_message": True, "add_generation_prompt": False}, False, " 4"),
        ("?prefix=deepseek", {}, True, " 4"),
        ("?prefix=mistral", {}, True, "It is 4"),
    ],
)
async def test_a_begun_answer_is_continued_in_the_servers_own_way(
    option: str, fields: dict[str, bool], marked: bool, answer: str
) -> None:
    server = Server(said(answer))
    async with asking(server, option) as model:
        completion = await model.complete(QUESTION.model_copy(update={"prefix": "It is"}))
    last = server.posted[0]["messages"][-1]
    assert (last["role"], last["content"], last.get("prefix", False)) == ("assistant", "It is", marked)
    assert fields.items() <= server.posted[0].items()
    assert completion.text == " 4"


async def test_a_begun_answer_is_refused_where_the_server_has_no_way_to_continue_it() -> None:
    server = Server(said("4"))
    async with asking(server) as model:
        with pytest.raises(UnsupportedError, match="prefix=vllm"):
            await model.complete(QUESTION.model_copy(update={"prefix": "It is"}))
    assert server.posted == []


async def test_fields_that_a_server_refuses_can_be_left_out() -> None:
    server = Server(said("4"))
    async with asking(server, "?omit=seed,top_p") as model:
        await model.complete(QUESTION)
    assert not {"seed", "top_p"} & set(server.posted[0])


async def test_the_hosted_services_key_is_not_sent_to_a_server_of_ones_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hosted")
    monkeypatch.setenv("MY_KEY", "sk-mine")
    server = Server(said("4"))
    async with asking(server) as model:
        await model.complete(QUESTION)
    async with asking(server, "?key_env=MY_KEY") as model:
        await model.complete(QUESTION)
        assert "sk-mine" not in f"{model!r} {model.id} {vars(model)}"
    without, with_key = server.headers
    assert "Authorization" not in without
    assert with_key["Authorization"] == "Bearer sk-mine"


def events(*data: object, done: bool = True, cut: bool = False) -> Handler:
    """A server that answers in server-sent events, some of them split over two packets."""

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for one in data:
            line = f": a comment\r\ndata: {json.dumps(one)}\r\n\r\n".encode()
            await response.write(line[:20])
            await response.write(line[20:])
        if cut:
            assert request.transport is not None
            request.transport.close()
        elif done:
            await response.write(b"data: [DONE]\n\n")
        return response

    return handler


def delta(text: str, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}


USED: dict[str, Any] = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}


@pytest.mark.parametrize("done", [True, False])
async def test_a_stream_is_put_together(done: bool) -> None:
    handler = events(delta("fo"), delta("ur"), delta("", "stop"), USED, done=done)
    async with asking(handler, "?stream=true") as model:
        completion = await model.complete(QUESTION)
    assert completion.text == "four"
    assert (completion.usage.input_tokens, completion.usage.output_tokens) == (9, 2)


@pytest.mark.parametrize("cut", [True, False])
async def test_a_cut_stream_is_a_broken_connection_and_says_how_far_it_came(cut: bool) -> None:
    async with asking(events(delta("four"), done=False, cut=cut), "?stream=true") as model:
        with pytest.raises(ConnectionFailed, match="cut after 4 characters"):
            await model.complete(QUESTION)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "engine died", "code": 500}, ServerFailed),
        ({"message": "flagged", "code": "400 content_filter"}, ContentFiltered),
        ("engine died", ServerFailed),
    ],
)
async def test_an_error_inside_a_stream_is_named(error: object, kind: type[ModelError]) -> None:
    async with asking(events(delta("fo"), {"error": error}), "?stream=true") as model:
        with pytest.raises(kind):
            await model.complete(QUESTION)


async def test_one_model_may_be_used_on_several_event_loops_one_after_the_other() -> None:
    server = Server(said("4"))
    async with asking(server) as model:

        async def once() -> str:
            text = (await model.complete(QUESTION)).text
            assert isinstance(model, Closing)
            await model.close()
            return text

        for _ in range(2):
            assert await anyio.to_thread.run_sync(anyio.run, once) == "4"
        assert (await model.complete(QUESTION)).text == "4"
