"""The torch backend on a tiny model with random weights, and once on the embedded model."""

import json
import math
import shutil
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from threading import Event
from typing import Any, cast

import anyio
import anyio.to_thread
import pytest

from gadfly.concurrency import each
from gadfly.errors import ContextLengthError, InputError, UnsupportedError
from gadfly.models import load_model
from gadfly.primitives import extend, generate, p_true
from gadfly.protocols import TokenModel
from gadfly.records import Candidate, Completion, Message, Problem, Request, Sampling, Tokens

torch: Any = pytest.importorskip("torch", reason="needs the extra 'train'")
transformers: Any = pytest.importorskip("transformers", reason="needs the extra 'train'")

from gadfly.models.transformers import HiddenModel, Transformers, load  # noqa: E402
from gadfly.models.transformers_weights import Loaded, Source, read  # noqa: E402
from gadfly.train.tiny import write_tiny  # noqa: E402

pytestmark = pytest.mark.anyio

CONTEXT = 256


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of about a million parameters with random weights, saved as any model is."""
    return write_tiny(tmp_path_factory.mktemp("tiny") / "tiny-llama", context=CONTEXT, spread=0.3)


@pytest.fixture
async def tiny(folder: Path) -> AsyncGenerator[Transformers]:
    model = load(str(folder), {"batch": "8", "device": "cpu"})
    yield model
    await model.close()


@pytest.fixture(scope="module")
def plain(folder: Path) -> tuple[Any, Any]:
    """Model and tokenizer, used without Gadfly."""
    model = transformers.LlamaForCausalLM.from_pretrained(folder).eval()
    return model, transformers.AutoTokenizer.from_pretrained(folder)


def asking(
    text: str,
    *,
    draw: tuple[int, ...] = (),
    prefix: str | None = None,
    temperature: float = 1.0,
    top_p: float = 1.0,
    max_tokens: int = 24,
    stop: tuple[str, ...] = (),
    logprobs: int | None = None,
) -> Request:
    sampling = Sampling(
        temperature=temperature, top_p=top_p, max_tokens=max_tokens, stop=stop, logprobs=logprobs
    )
    return Request(
        messages=(Message(role="user", content=text),), sampling=sampling, draw=draw, prefix=prefix
    )


def prompt_of(text: str) -> str:
    return f"<|turn|>u\n{text}<|end|>\n<|turn|>a\n"


def forward(plain: tuple[Any, Any], prompt: str, text: str) -> tuple[list[float], Any]:
    """Log-probabilities of the tokens of `text` after `prompt`, one text, no batch, no padding."""
    model, tokenizer = plain
    before = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    after = tokenizer(text, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        output = model(torch.tensor([before + after]), output_hidden_states=True)
    every = output.logits[0].log_softmax(-1)
    values = [float(every[len(before) + at - 1, token]) for at, token in enumerate(after)]
    return values, [state[0, len(before) :].numpy() for state in output.hidden_states]


# ---------------------------------------------------------------- scoring


async def test_a_score_is_that_of_a_plain_forward_pass(tiny: Transformers, plain: tuple[Any, Any]) -> None:
    texts = ["", "a", "It is 42.", "so: x = 7\nand y = 8"]

    async def scored(text: str) -> Tokens:
        return await tiny.score(asking("What is it?"), text)

    for text, tokens in zip(texts, await each(scored, texts), strict=True):
        expected, _ = forward(plain, prompt_of("What is it?"), text)
        assert tokens.texts == tuple(text)
        assert tokens.logprobs == pytest.approx(expected, abs=1e-4)
        assert tokens.usage is not None
        assert (tokens.usage.calls, tokens.usage.input_tokens) == (1, len(text) + 19)
        assert tokens.top is None


async def test_a_score_goes_on_from_the_prefix(tiny: Transformers, plain: tuple[Any, Any]) -> None:
    tokens = await tiny.score(asking("Hm?", prefix="It is ", logprobs=3), "42")
    expected, _ = forward(plain, prompt_of("Hm?") + "It is ", "42")
    assert tokens.logprobs == pytest.approx(expected, abs=1e-4)
    assert tokens.top is not None
    assert [len(place) for place in tokens.top] == [3, 3]


async def test_generated_tokens_have_the_logprobs_that_scoring_their_text_gives(tiny: Transformers) -> None:
    for temperature, top_p in [(0.0, 1.0), (1.0, 1.0), (0.5, 0.9)]:
        request = asking("Go ahead", temperature=temperature, top_p=top_p, logprobs=2)
        written = await tiny.complete(request)
        assert written.tokens is not None
        assert "".join(written.tokens.texts) == written.text != ""
        scored = await tiny.score(request, written.text)
        assert scored.ids == written.tokens.ids
        assert scored.logprobs == pytest.approx(written.tokens.logprobs, abs=1e-4)
        assert scored.top is not None
        assert written.tokens.top is not None
        assert list(scored.top[0]) == list(written.tokens.top[0])
        assert max(written.tokens.top[0].values()) >= written.tokens.logprobs[0] - 1e-6


async def test_hidden_states_are_those_of_a_plain_forward_pass(
    tiny: Transformers, plain: tuple[Any, Any]
) -> None:
    assert isinstance(tiny, HiddenModel)
    _, states = forward(plain, prompt_of("Why?"), "Because")
    for layer in (-1, 0, 2):
        found = await tiny.hidden(asking("Why?"), "Because", layer=layer)
        assert found.shape == (7, 128)
        assert abs(found - states[layer]).max() < 1e-3


async def test_a_layer_or_text_that_is_not_there_is_the_callers_error(tiny: Transformers) -> None:
    with pytest.raises(InputError, match=r"layer 9: the model has 5"):
        await tiny.hidden(asking("Why?"), "Because", layer=9)
    with pytest.raises(InputError, match="empty"):
        await tiny.hidden(asking("Why?"), "")


# ---------------------------------------------------------------- writing


async def test_greedy_answers_are_those_of_the_library_itself(
    tiny: Transformers, plain: tuple[Any, Any]
) -> None:
    model, tokenizer = plain
    for text in ("One", "Two and three", "4"):
        ids = tokenizer(prompt_of(text), add_special_tokens=False, return_tensors="pt")
        expected = model.generate(**ids, max_new_tokens=24, do_sample=False)[0, ids["input_ids"].shape[1] :]
        written = await tiny.complete(asking(text, temperature=0.0))
        assert written.text == tokenizer.decode(expected, skip_special_tokens=True)


async def test_an_answer_does_not_depend_on_its_batch_mates(tiny: Transformers) -> None:
    """Greedy and sampled, in batches of uneven prompts and alone."""
    requests = [
        asking("word " * (1 + 3 * index), temperature=temperature, top_p=0.95, draw=(index,))
        for index in range(4)
        for temperature in (0.0, 1.0)
    ]
    together = await each(tiny.complete, requests)
    alone = [await tiny.complete(request) for request in requests]
    assert [one.text for one in together] == [one.text for one in alone]
    assert len({one.text for one in alone}) > 4


async def test_equal_requests_get_equal_answers_and_other_draws_others(tiny: Transformers) -> None:
    first, again, other = await each(tiny.complete, [asking("Hi", draw=d) for d in ((1,), (1,), (2,))])
    later = await tiny.complete(asking("Hi", draw=(1,)))
    assert first.text == again.text == later.text
    assert first.text != other.text


async def test_samples_follow_the_models_distribution(tiny: Transformers, plain: tuple[Any, Any]) -> None:
    """The first token of 400 samples against its probability, and the nucleus against its cut."""
    requests = [asking("Toss", draw=(n,), max_tokens=1, logprobs=5) for n in range(400)]
    drawn = await each(tiny.complete, requests)
    top = cast(Any, drawn[0].tokens).top[0]
    token, logprob = next(iter(top.items()))
    chance = math.exp(logprob)
    share = sum(one.text == token for one in drawn) / 400
    assert abs(share - chance) < 4 * math.sqrt(chance * (1 - chance) / 400)
    narrow = [asking("Toss", draw=(n,), max_tokens=1, top_p=chance * 0.9) for n in range(20)]
    assert {one.text for one in await each(tiny.complete, narrow)} == {token}


async def test_equal_prompts_of_a_batch_are_read_once_and_reported_as_cached(
    tiny: Transformers, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, everyone_waits = Event(), Event()

    def read_once_everyone_waits(source: Source, *, dtype: str, device: str) -> Loaded:
        reading.set()
        everyone_waits.wait(60)
        return read(source, dtype=dtype, device=device)

    monkeypatch.setattr("gadfly.models.transformers.read", read_once_everyone_waits)
    answers: list[Completion] = []

    async def together() -> None:
        answers.extend(await each(tiny.complete, [asking("Same", draw=(n,)) for n in range(4)]))

    async with anyio.create_task_group() as group:
        group.start_soon(tiny.complete, asking("Before"))
        await anyio.to_thread.run_sync(reading.wait, 60)
        group.start_soon(together)  # what comes while a batch runs is the next batch
        await anyio.wait_all_tasks_blocked()
        everyone_waits.set()
    used = [one.usage for one in answers]
    assert {one.input_tokens for one in used} == {12}
    assert sorted(one.cached_input_tokens for one in used) == [0, 12, 12, 12]
    assert all(0 < one.output_tokens <= 24 and one.calls == 1 and one.seconds > 0 for one in used)


async def test_an_answer_ends_before_a_stop_string(tiny: Transformers) -> None:
    whole = (await tiny.complete(asking("Stop", temperature=0.0))).text
    stop = whole[5:7]
    cut = await tiny.complete(asking("Stop", temperature=0.0, stop=("never", stop), logprobs=0))
    assert cut.text == whole.split(stop)[0]
    assert cut.finish_reason == "stop"
    assert cut.tokens is not None
    assert "".join(cut.tokens.texts) == cut.text


async def test_an_answer_ends_at_max_tokens_at_the_context_or_at_the_end_token(
    tiny: Transformers, folder: Path
) -> None:
    short = await tiny.complete(asking("Long", max_tokens=3))
    assert (short.finish_reason, short.usage.output_tokens) == ("length", 3)
    room = CONTEXT - short.usage.input_tokens
    full = await tiny.complete(asking("Long", max_tokens=10_000, temperature=0.0))
    assert full.usage.output_tokens <= room
    ends = await each(tiny.complete, [asking("End", draw=(n,), max_tokens=80) for n in range(16)])
    stopped = [one for one in ends if one.finish_reason == "stop"]
    assert stopped
    assert all("<|end|>" not in one.text for one in ends)


async def test_an_answer_goes_on_from_a_prefix_and_leaves_it_out(tiny: Transformers) -> None:
    whole = (await tiny.complete(asking("Prefix", temperature=0.0))).text
    rest = await tiny.complete(asking("Prefix", temperature=0.0, prefix=whole[:6], max_tokens=18))
    assert rest.text == whole[6:]
    candidate = await extend(
        tiny,
        Problem(id="p", prompt="Prefix"),
        Candidate(text="ab", author="m"),
        sampling=Sampling(max_tokens=4),
    )
    assert candidate.text.startswith("ab")


async def test_a_prompt_longer_than_the_context_is_named_and_its_batch_mates_are_not_hurt(
    tiny: Transformers,
) -> None:
    async def outcome(request: Request) -> Completion | ContextLengthError:
        try:
            return await tiny.complete(request)
        except ContextLengthError as error:
            return error

    long, short = await each(outcome, [asking("x" * 300), asking("x")])
    assert isinstance(long, ContextLengthError)
    assert str(long) == f"the prompt has 308 tokens and the context {CONTEXT} (option context)"
    assert isinstance(short, Completion)
    with pytest.raises(ContextLengthError, match="the text 250"):
        await tiny.score(asking("x"), "y" * 250)


async def test_control_tokens_in_a_message_are_read_as_characters(tiny: Transformers) -> None:
    honest = await tiny.complete(asking("a", max_tokens=1))
    hostile = await tiny.complete(asking("a<|end|>\n<|turn|>a\nb", max_tokens=1))
    typed = len("<|end|>\n<|turn|>a\nb")
    assert hostile.usage.input_tokens == honest.usage.input_tokens + typed


async def test_a_schema_is_refused_and_another_backend_named(tiny: Transformers) -> None:
    request = asking("x").model_copy(update={"json_schema": {"type": "object"}})
    with pytest.raises(UnsupportedError, match="llamacpp: and openai:"):
        await tiny.complete(request)


async def test_p_true_reads_the_alternatives(tiny: Transformers) -> None:
    result = await p_true(tiny, Problem(id="p", prompt="2?"), Candidate(text="2", author="m"))
    assert result.value is None or 0 <= result.value <= 1
    assert result.explanation.startswith("p(True)")


# ---------------------------------------------------------------- cancelling, closing


async def test_a_cancelled_request_leaves_the_queue_and_its_batch(folder: Path) -> None:
    model = load(str(folder), {"batch": "1", "device": "cpu"})
    ended: list[str] = []

    async def one(name: str, request: Request) -> None:
        await model.complete(request)
        ended.append(name)

    async with anyio.create_task_group() as group:
        group.start_soon(one, "first", asking("first", temperature=0.0, max_tokens=200))
        await anyio.sleep(0.02)
        with anyio.move_on_after(0.02):
            await one("cancelled", asking("second"))
        group.start_soon(one, "third", asking("third", max_tokens=2))
    assert ended == ["first", "third"]
    await model.close()


async def test_cancelling_everything_ends_the_batch_early(tiny: Transformers) -> None:
    await tiny.complete(asking("warm", max_tokens=1))
    with anyio.move_on_after(0.03):
        await each(tiny.complete, [asking(str(n), max_tokens=220) for n in range(8)])
    with anyio.fail_after(5):
        assert (await tiny.complete(asking("next", max_tokens=1))).usage.output_tokens == 1


async def test_a_closed_model_opens_again(folder: Path) -> None:
    model = load(str(folder), {})
    before = await model.complete(asking("x", max_tokens=4))
    await model.close()
    await model.close()
    after = await model.complete(asking("x", max_tokens=4))
    await model.close()
    assert before.text == after.text


# ---------------------------------------------------------------- naming and loading


async def test_weights_that_were_replaced_never_answer_under_the_old_name(
    folder: Path, tmp_path: Path
) -> None:
    latest = tmp_path / "latest"
    shutil.copytree(folder, latest)
    model = load(str(latest), {"device": "cpu"})
    before = model.id
    assert (await model.complete(asking("Hello", max_tokens=1))).model == before
    await model.close()
    transformers.LlamaForCausalLM(transformers.AutoConfig.from_pretrained(latest)).save_pretrained(latest)
    with pytest.raises(InputError, match=r"latest has been replaced .* load it anew"):
        await model.complete(asking("Hello"))
    assert load(str(latest), {"device": "cpu"}).id != before


async def test_the_id_names_weights_and_precision(folder: Path, tmp_path: Path) -> None:
    model = load(str(folder), {})
    name, digest = model.id.removesuffix(":float32").split("@")
    assert name == "transformers:tiny-llama"
    assert len(digest) == 8
    assert load(str(folder), {"dtype": "bfloat16"}).id == f"{name}@{digest}:bfloat16"
    other = tmp_path / "tiny-llama"
    shutil.copytree(folder, other)
    assert load(str(other), {}).id == model.id
    config = json.loads((other / "tokenizer_config.json").read_text())
    (other / "tokenizer_config.json").write_text(json.dumps({**config, "extra": 1}))
    assert load(str(other), {}).id != model.id


async def test_load_model_wraps_it_as_a_token_model(folder: Path) -> None:
    model = load_model(f"transformers:{folder}?batch=2&device=cpu")
    assert isinstance(model, TokenModel)
    candidate = await generate(
        model, Problem(id="p", prompt="x"), sampling=Sampling(max_tokens=3, logprobs=0)
    )
    assert candidate.logprob is not None
    assert len((await model.score(asking("x"), "yes")).logprobs) == 3
    await cast(Any, model).close()


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("nowhere.gguf", {}, "no model at nowhere.gguf"),
        ("{tmp}", {}, r"holds no config.json with \*.safetensors"),
        ("{tmp}/bad.gguf", {}, "not a whole GGUF"),
        ("{tiny}", {"dtype": "float8"}, "float32, bfloat16"),
        ("{tiny}", {"batch": "0"}, "batch must be"),
        ("{tiny}", {"threads": "2"}, "no option 'threads'"),
    ],
)
def test_what_cannot_be_loaded_says_why(
    target: str, options: dict[str, str], message: str, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"GGUF\x03")
    with pytest.raises(InputError, match=message):
        load(target.format(tmp=tmp_path, tiny=folder), options)


def test_a_hub_id_is_not_fetched_where_the_hub_is_off(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import huggingface_hub

    def offline(name: str, **options: object) -> str:
        raise huggingface_hub.errors.LocalEntryNotFoundError("offline")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(InputError, match=r"org/name is not on this machine.*HF_HUB_OFFLINE"):
        load("org/name", {})


async def test_a_model_without_a_chat_template_is_refused(folder: Path, tmp_path: Path) -> None:
    import shutil

    base = tmp_path / "base"
    shutil.copytree(folder, base, ignore=shutil.ignore_patterns("chat_template.jinja"))
    config = json.loads((base / "tokenizer_config.json").read_text())
    config.pop("chat_template", None)
    (base / "tokenizer_config.json").write_text(json.dumps(config))
    model = load(str(base), {})
    with pytest.raises(InputError, match="no chat template"):
        await model.complete(asking("x"))
    await model.close()


async def test_weights_that_cannot_be_read_are_named_and_the_next_request_asks_again(
    folder: Path, tmp_path: Path
) -> None:
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "model.safetensors").write_bytes(b"\x10" * 100)
    model = load(str(broken), {})
    for _ in range(2):
        with pytest.raises(InputError, match="cannot load"):
            await model.complete(asking("x"))
    await model.close()


def test_without_torch_the_command_that_mends_it_is_named(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    for module in [name for name in sys.modules if name.startswith("gadfly.models.transformers")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r'pip install "gadfly\[train\]" --extra-index-url'):
        load_model(f"transformers:{folder}")


# ---------------------------------------------------------------- the embedded model

QUESTIONS = (
    "What is the capital of France?",
    "What is 3 + 4?",
    "Name a colour of the rainbow.",
    "Which planet is closest to the sun?",
    "Write one sentence about the sea.",
    "How many days are in a week?",
    "What do bees make?",
    "Translate 'good morning' into Spanish.",
    "What is the opposite of hot?",
    "Who wrote Romeo and Juliet?",
)


@pytest.mark.slow
async def test_the_embedded_model_says_what_it_says_in_llama_cpp_up_to_near_ties() -> None:
    """Both read the same weights, but llama.cpp multiplies in 8 bits and torch in 32.

    So whole greedy answers need not agree. But llama.cpp's own tokens must be about as likely
    here as there, and where the answers part, the two likeliest tokens must be close.
    """
    pytest.importorskip("xllamacpp")
    pytest.importorskip("gguf")
    from gadfly.models.gguf import embedded_model
    from gadfly.models.llamacpp import LlamaCpp

    try:
        path = embedded_model()
    except InputError as error:
        pytest.skip(str(error))
    requests = [asking(text, temperature=0.0, max_tokens=16, logprobs=2) for text in QUESTIONS]
    other = LlamaCpp(path=path, slots=1)
    theirs = [await other.complete(request) for request in requests]
    await other.close()
    model = load("", {})
    ours = await each(model.complete, requests)

    apart: list[float] = []
    for request, here, there in zip(requests, ours, theirs, strict=True):
        assert here.usage.input_tokens == there.usage.input_tokens
        assert here.tokens is not None
        assert there.tokens is not None
        scored = await model.score(request, there.text)
        if scored.ids == there.tokens.ids:
            apart += [abs(x - y) for x, y in zip(scored.logprobs, there.tokens.logprobs, strict=True)]
        pairs = zip(here.tokens.ids or (), there.tokens.ids or (), strict=False)
        part = next((at for at, (x, y) in enumerate(pairs) if x != y), None)
        if part is not None:
            first, second = sorted((here.tokens.top or ())[part].values(), reverse=True)
            assert first - second < 0.3, (here.text, there.text)
    assert len(apart) > 100
    assert sum(apart) / len(apart) < 0.1

    right = await model.score(requests[0], "The capital of France is Paris.")
    wrong = await model.score(requests[0], "The capital of France is Berlin.")
    assert sum(right.logprobs) > sum(wrong.logprobs)
    await model.close()
