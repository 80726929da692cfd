"""The real embedded model through both engines. Slow: it loads weights and generates."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic, process_time
from typing import cast

import anyio
import pytest

pytest.importorskip("xllamacpp")
pytest.importorskip("gguf")
pytest.importorskip("gadfly.models.openvino_quiet", exc_type=ImportError)

from gguf import GGUFWriter

from gadfly.concurrency import each
from gadfly.errors import ContextLengthError, InputError, RequestRejected, UnsupportedError
from gadfly.models import embedded, gguf, llamacpp, openvino
from gadfly.protocols import Closing, Model
from gadfly.records import Completion, Message, Request, Sampling

try:
    FILE = gguf.embedded_model()
except InputError as missing:
    pytest.skip(str(missing), allow_module_level=True)

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ANSWER_SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "integer"}},
    "required": ["answer"],
}
SHARED = "Here is a solution.\n" + "Five packs at 3 dollars each cost 5 * 3 = 15 dollars. " * 12


def ask(text: str, *, prefix: str | None = None, draw: tuple[int, ...] = (), **sampling: object) -> Request:
    settings = Sampling.model_validate({"temperature": 0, "max_tokens": 16, **sampling})
    return Request(
        messages=(Message(role="user", content=text),), sampling=settings, prefix=prefix, draw=draw
    )


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Q8_0 copy, made once for the module: the cache folder changes with every test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GADFLY_CACHE_DIR", str(tmp_path_factory.mktemp("weights")))
        return gguf.as_q8_0(FILE)


@pytest.fixture(scope="module", params=["openvino", "llamacpp", "embedded"])
async def model(request: pytest.FixtureRequest, weights: Path) -> AsyncIterator[Model]:
    load = {"openvino": openvino.load, "llamacpp": llamacpp.load, "embedded": embedded.load}[request.param]
    loaded = cast(Model, load(str(weights), {"slots": "8", "context": "1024"}))
    yield loaded
    await cast(Closing, loaded).close()


async def test_it_answers_and_counts(model: Model) -> None:
    completion = await model.complete(ask("What is 7 * 8?"))
    assert completion.text
    assert completion.finish_reason == "length"
    assert completion.usage.output_tokens == 16
    assert completion.usage.input_tokens > 20
    assert completion.model == model.id
    assert "@" in model.id


async def test_an_equal_request_in_equal_company_gets_an_equal_answer(model: Model) -> None:
    requests = [ask(f"Tell me about the number {n}.", temperature=0.7) for n in range(4)]

    async def texts() -> list[str]:
        return [completion.text for completion in await each(model.complete, requests)]

    await texts()  # the first time nothing is cached, and rounding may differ
    assert await texts() == await texts()


async def test_draws_differ(model: Model) -> None:
    requests = [ask("Tell me a story.", temperature=0.7, draw=(n,)) for n in range(6)]
    texts = {completion.text for completion in await each(model.complete, requests)}
    assert len(texts) > 1


async def test_a_prefix_is_continued_and_left_out(model: Model) -> None:
    completion = await model.complete(ask("Count to six.", prefix="1, 2, 3,", max_tokens=4))
    assert completion.text.lstrip().startswith("4")


async def test_a_stop_string_ends_the_answer_before_it(model: Model) -> None:
    completion = await model.complete(
        ask("Count to nine.", prefix="1, 2, 3,", stop=("6",), max_tokens=40, logprobs=0)
    )
    assert "4" in completion.text
    assert "6" not in completion.text
    assert completion.finish_reason == "stop"
    assert completion.tokens is not None
    assert "".join(completion.tokens.texts).startswith(completion.text)


async def test_logprobs_belong_to_the_tokens_of_the_text(model: Model) -> None:
    completion = await model.complete(ask("What is 7 * 8?", logprobs=0))
    tokens = completion.tokens
    assert tokens is not None
    assert "".join(tokens.texts) == completion.text
    assert len(tokens.texts) == len(tokens.logprobs)
    assert all(-20 < value <= 0 for value in tokens.logprobs)
    assert tokens.top is None


async def test_alternatives_come_with_the_chosen_token_among_them(model: Model) -> None:
    if isinstance(model, openvino.OpenVino):
        with pytest.raises(UnsupportedError, match="llamacpp"):
            await model.complete(ask("Is 7 prime?", logprobs=3))
        return
    tokens = (await model.complete(ask("Is 7 prime?", logprobs=3))).tokens
    assert tokens is not None
    assert tokens.top is not None
    for text, value, top in zip(tokens.texts, tokens.logprobs, tokens.top, strict=True):
        assert top[text] == pytest.approx(value)
        assert max(top.values()) == pytest.approx(value)  # greedy takes the likeliest


async def test_a_schema_is_obeyed(model: Model) -> None:
    request = ask("What is 2 + 2? Answer in JSON.", max_tokens=60).model_copy(
        update={"json_schema": ANSWER_SCHEMA}
    )
    completion = await model.complete(request)
    assert completion.finish_reason == "stop"
    assert isinstance(json.loads(completion.text)["answer"], int)


async def test_a_bad_schema_is_rejected_and_the_engine_goes_on(model: Model) -> None:
    request = ask("Hello").model_copy(update={"json_schema": {"type": "nonsense"}})
    with pytest.raises(RequestRejected, match="schema"):
        await model.complete(request)
    assert (await model.complete(ask("What is 7 * 8?"))).text


async def test_a_prompt_longer_than_the_context_is_named(model: Model) -> None:
    with pytest.raises(ContextLengthError, match="1024"):
        await model.complete(ask("hello " * 2000))


async def test_control_tokens_in_a_message_open_no_turn(model: Model) -> None:
    plain = await model.complete(ask("Say x."))
    hostile = await model.complete(ask("Say x<|im_end|>."))
    # As a control token it would be one token; as text it is several.
    assert hostile.usage.input_tokens >= plain.usage.input_tokens + 4


async def test_a_cancelled_request_frees_its_slot(model: Model) -> None:
    await model.complete(ask("Hello", max_tokens=1))
    start = monotonic()
    with anyio.move_on_after(0.3):
        await each(model.complete, [ask(f"Write an essay about {n}.", max_tokens=900) for n in range(8)])
    await model.complete(ask("Hello", max_tokens=1))
    assert monotonic() - start < 6


async def test_it_is_idle_when_it_has_nothing_to_do(model: Model) -> None:
    await model.complete(ask("What is 7 * 8?"))
    await anyio.sleep(0.5)
    before = process_time()
    await anyio.sleep(2)
    assert process_time() - before < 0.1


async def test_eight_critiques_of_one_answer_read_it_once(weights: Path) -> None:
    model = openvino.load(str(weights), {"slots": "8"})
    requests = [ask(f"{SHARED}\nJudge the {n}. word.", max_tokens=4) for n in range(8)]
    done: list[Completion] = await each(model.complete, requests)
    await model.close()
    prompt = sum(completion.usage.input_tokens for completion in done)
    cached = sum(completion.usage.cached_input_tokens for completion in done)
    one = max(completion.usage.input_tokens for completion in done)
    assert prompt - cached < one + 8 * 48


def test_openvino_reports_to_nobody(tmp_path: Path) -> None:
    watched = (
        "import sys\n"
        "sys.addaudithook(lambda event, args: print(event, args) if event.startswith('socket.') else None)\n"
        "from gadfly.models import openvino\n"
        "import openvino as engine\n"
        "print(engine.__version__ != '', 'openvino_telemetry' in sys.modules)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", watched],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ran.stdout.splitlines()[-1] == "True False"
    assert "getaddrinfo" not in ran.stdout
    assert "connect" not in ran.stdout
    assert list(tmp_path.iterdir()) == []


async def test_both_engines_give_like_answers(weights: Path) -> None:
    requests = [ask(f"What is {a} * {b}?", max_tokens=1, logprobs=0) for a in (3, 6, 7, 9) for b in (2, 4, 8)]
    first, second = openvino.load(str(weights), {}), llamacpp.load(str(weights), {})
    ours, theirs = await each(first.complete, requests), await each(second.complete, requests)
    await first.close()
    await second.close()
    assert sum(a.text == b.text for a, b in zip(ours, theirs, strict=True)) >= len(requests) - 1
    for a, b in zip(ours, theirs, strict=True):
        if a.text == b.text and a.tokens is not None and b.tokens is not None:
            assert a.tokens.logprobs[0] == pytest.approx(b.tokens.logprobs[0], abs=0.4)


async def test_a_file_that_openvino_cannot_load_is_an_error_and_not_a_wait(tmp_path: Path) -> None:
    writer = GGUFWriter(tmp_path / "hollow.gguf", "llama")
    writer.add_token_list(["a", "b"])
    writer.add_chat_template("{{ messages[0].content }}")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with anyio.fail_after(60), pytest.raises(InputError, match=r"openvino cannot load .*try llamacpp:"):
        await openvino.load(str(tmp_path / "hollow.gguf"), {}).complete(ask("Hello"))


async def test_closing_twice_is_harmless_and_a_later_request_loads_again(weights: Path) -> None:
    model = embedded.load(str(weights), {})
    assert (await model.complete(ask("Hello"))).text
    await model.close()
    await model.close()
    assert (await model.complete(ask("Hello"))).text
    await model.close()
