"""Weights on their way back to the embedded engine, on models of a few thousand parameters."""

import fcntl
import json
import resource
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest

torch: Any = pytest.importorskip("torch", reason="needs the extra 'train'")
transformers: Any = pytest.importorskip("transformers", reason="needs the extra 'train'")
safetensors: Any = pytest.importorskip("safetensors.torch", reason="needs the extra 'train'")

from gguf import GGUFReader, GGUFWriter, LlamaFileType  # noqa: E402
from gguf.quants import dequantize  # noqa: E402

from gadfly.errors import InputError  # noqa: E402
from gadfly.models.gguf import read_header, weights_name  # noqa: E402
from gadfly.train.gguf_export import export_gguf, interleaved  # noqa: E402

WIDTH, INNER, LAYERS, HEADS, KV_HEADS, VOCABULARY = 64, 96, 2, 4, 2, 40
SHAPES = {
    "hidden_size": WIDTH,
    "intermediate_size": INNER,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 128,
    "tie_word_embeddings": True,
    "initializer_range": 0.5,
}
ROPES = np.linspace(1, 8, WIDTH // HEADS // 2, dtype=np.float32)
CONFIGURATIONS = {"llama": "LlamaConfig", "qwen2": "Qwen2Config", "qwen3": "Qwen3Config"}


def save_model(folder: Path, architecture: str = "llama", *, seed: int = 0, **changed: object) -> Path:
    torch.manual_seed(seed)
    if architecture == "qwen3":
        changed = {"head_dim": 128, **changed}
    config = getattr(transformers, CONFIGURATIONS[architecture])(**{**SHAPES, **changed})
    model = transformers.AutoModelForCausalLM.from_config(config)
    for name, weight in model.named_parameters():
        if weight.ndim == 1:  # biases begin as zeros and norms as ones: nothing to tell them apart by
            torch.nn.init.normal_(weight, mean=float("norm" in name), std=0.5)
    model.save_pretrained(folder)
    return folder


def write_like(
    path: Path,
    architecture: str = "llama",
    *,
    inner: int = INNER,
    output: bool = False,
    parts: int = 1,
    ropes: bool = False,
) -> Path:
    """A GGUF file of the same shapes, all zeros, with names and sizes written out by hand."""
    writer = GGUFWriter(path, architecture)
    writer.add_name("Tiny")
    writer.add_custom_alignment(64)
    counts = {
        "context_length": 128,
        "embedding_length": WIDTH,
        "feed_forward_length": inner,
        "block_count": LAYERS,
        "attention.head_count": HEADS,
        "attention.head_count_kv": KV_HEADS,
    }
    if architecture == "qwen3":
        counts |= {"attention.key_length": 128, "attention.value_length": 128}
    for name, value in counts.items():
        writer.add_uint32(f"{architecture}.{name}", value)
    writer.add_float32(f"{architecture}.attention.layer_norm_rms_epsilon", 1e-6)
    writer.add_float32(f"{architecture}.rope.freq_base", 10000.0)
    if parts > 1:
        writer.add_uint16("split.count", parts)
    writer.add_vocab_size(VOCABULARY)
    writer.add_token_list([f"t{n}" for n in range(VOCABULARY)])
    writer.add_token_types([3] * 2 + [1] * (VOCABULARY - 2))
    writer.add_chat_template("{{ messages[0].content }}")
    head = 128 if architecture == "qwen3" else WIDTH // HEADS
    rows, group = head * HEADS, head * KV_HEADS
    block: dict[str, tuple[int, ...]] = {
        "attn_norm.weight": (WIDTH,),
        "ffn_norm.weight": (WIDTH,),
        "attn_q.weight": (rows, WIDTH),
        "attn_k.weight": (group, WIDTH),
        "attn_v.weight": (group, WIDTH),
        "attn_output.weight": (WIDTH, rows),
        "ffn_gate.weight": (inner, WIDTH),
        "ffn_up.weight": (inner, WIDTH),
        "ffn_down.weight": (WIDTH, inner),
    }
    if architecture == "qwen2":
        block |= {"attn_q.bias": (rows,), "attn_k.bias": (group,), "attn_v.bias": (group,)}
    if architecture == "qwen3":
        block |= {"attn_q_norm.weight": (head,), "attn_k_norm.weight": (head,)}
    shapes = {"token_embd.weight": (VOCABULARY, WIDTH), "output_norm.weight": (WIDTH,)}
    shapes |= {f"blk.{n}.{name}": shape for n in range(LAYERS) for name, shape in block.items()}
    if output:
        shapes["output.weight"] = (VOCABULARY, WIDTH)
    for name, shape in shapes.items():
        writer.add_tensor(name, np.zeros(shape, dtype=np.float32))
    if ropes:
        writer.add_tensor("rope_freqs.weight", ROPES)
    writer.add_file_type(LlamaFileType.ALL_F32)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def values(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    return {t.name: dequantize(t.data, t.tensor_type) for t in GGUFReader(path).tensors}


def forms(path: Path) -> dict[str, str]:
    return {t.name: t.tensor_type.name for t in GGUFReader(path).tensors}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_model(tmp_path / "trained")


@pytest.fixture
def like(tmp_path: Path) -> Path:
    return write_like(tmp_path / "like.gguf")


def weights_of(folder: Path) -> dict[str, Any]:
    return safetensors.load_file(folder / "model.safetensors")


def resave(folder: Path, weights: dict[str, Any]) -> None:
    safetensors.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def rotate_halves(vector: npt.NDArray[Any], angles: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """As transformers turns a query: the first half of a head against the second."""
    first, second = np.split(vector, 2)
    turned = (
        first * np.cos(angles) - second * np.sin(angles),
        second * np.cos(angles) + first * np.sin(angles),
    )
    return np.concatenate(turned)


def rotate_neighbours(vector: npt.NDArray[Any], angles: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """As llama.cpp turns it: pairs of neighbours."""
    pairs = (vector[0::2] + 1j * vector[1::2]) * np.exp(1j * angles)
    return np.stack([pairs.real, pairs.imag], axis=1).reshape(-1)


def test_in_the_order_of_llama_cpp_every_attention_score_is_what_it_was() -> None:
    dice = np.random.default_rng(0)
    heads, size, width = 3, 8, 5
    query, key = (dice.normal(size=(heads * size, width)).astype(np.float32) for _ in range(2))
    here, there = dice.normal(size=(2, width))
    far, near = (position / 100 ** (np.arange(size // 2) / size) for position in (7, 2))
    for head in range(heads):
        rows = slice(head * size, (head + 1) * size)
        expected = rotate_halves(query[rows] @ here, far) @ rotate_halves(key[rows] @ there, near)
        turned_query, turned_key = interleaved(query, heads)[rows], interleaved(key, heads)[rows]
        found = rotate_neighbours(turned_query @ here, far) @ rotate_neighbours(turned_key @ there, near)
        assert found == pytest.approx(expected, rel=1e-5)
        assert found != pytest.approx(
            rotate_neighbours(query[rows] @ here, far) @ rotate_neighbours(key[rows] @ there, near), rel=1e-2
        )


@pytest.mark.parametrize("architecture", CONFIGURATIONS)
def test_transformers_reads_the_file_as_the_model_that_was_saved(tmp_path: Path, architecture: str) -> None:
    folder = save_model(tmp_path / "trained", architecture)
    like = write_like(tmp_path / "like.gguf", architecture)
    path = export_gguf(folder, like=like, target=tmp_path / "out.gguf", kind="F32")
    back = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path,
        gguf_file=path.name,
        dtype=torch.float32,
        quantization_config=transformers.GgufConfig(dequantize=True),
    ).state_dict()
    saved = weights_of(folder)
    assert len(saved) == {"llama": 20, "qwen2": 26, "qwen3": 24}[architecture]
    for name, weight in saved.items():
        assert torch.equal(back[name], weight), name


def test_matrices_are_rounded_and_vectors_are_not(tmp_path: Path, folder: Path, like: Path) -> None:
    whole = values(export_gguf(folder, like=like, target=tmp_path / "whole.gguf", kind="F32"))
    for kind, bound in (("Q8_0", 1 / 225), ("F16", 1 / 2048)):
        path = export_gguf(folder, like=like, target=tmp_path / f"{kind}.gguf", kind=cast(Any, kind))
        rounded, stored = values(path), forms(path)
        assert rounded.keys() == whole.keys()
        for name, weight in whole.items():
            assert stored[name] == (kind if weight.ndim > 1 else "F32")
            most = np.abs(weight - rounded[name]).max()
            assert 0 < most <= np.abs(weight).max() * bound if weight.ndim > 1 else most == 0


def test_rows_that_are_no_whole_blocks_are_kept_in_16_bits(tmp_path: Path) -> None:
    folder = save_model(tmp_path / "trained", intermediate_size=80)
    like = write_like(tmp_path / "like.gguf", inner=80)
    stored = forms(export_gguf(folder, like=like, target=tmp_path / "out.gguf"))
    assert stored["blk.0.ffn_down.weight"] == "F16"
    assert stored["blk.0.ffn_up.weight"] == "Q8_0"


def test_metadata_come_from_the_other_file_and_say_what_the_weights_are(
    tmp_path: Path, folder: Path, like: Path
) -> None:
    path = export_gguf(folder, like=like, target=tmp_path / "new" / "out.gguf")
    before, after = read_header(like), read_header(path)
    source = str(after.fields["gadfly.source"])
    assert len(source.removeprefix("sha256:")) == 64
    assert after.fields["general.name"] == f"Tiny@{source[7:15]}"
    changed = {"gadfly.source", "general.name", "general.file_type", "general.quantization_version"}
    assert {name: value for name, value in after.fields.items() if name not in changed} == {
        name: value for name, value in before.fields.items() if name not in changed
    }
    assert after.controls == before.controls == {"t0": 0, "t1": 1}
    assert after.fields["general.file_type"] == LlamaFileType.MOSTLY_Q8_0
    assert [entry.name for entry in path.parent.iterdir()] == ["out.gguf"]


def test_equal_weights_give_equal_files_whichever_relative_the_metadata_come_from(
    tmp_path: Path, folder: Path, like: Path
) -> None:
    first = export_gguf(folder, like=like, target=tmp_path / "a" / "model.gguf")
    other = export_gguf(
        save_model(tmp_path / "more", seed=1), like=like, target=tmp_path / "b" / "model.gguf"
    )
    again = export_gguf(folder, like=other, target=tmp_path / "c" / "model.gguf")
    assert first.read_bytes() == again.read_bytes()
    assert weights_name(first) == weights_name(again)
    assert weights_name(first) != weights_name(other)


def test_several_files_and_bf16_hold_the_same_model_as_one_file_in_fp32(
    tmp_path: Path, folder: Path, like: Path
) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).to(torch.bfloat16)
    model.save_pretrained(tmp_path / "halves", max_shard_size="40KB")
    assert len(list((tmp_path / "halves").glob("*.safetensors"))) > 1
    model.to(torch.float32).save_pretrained(tmp_path / "whole")
    halves, whole = (
        export_gguf(tmp_path / name, like=like, target=tmp_path / f"{name}.gguf")
        for name in ("halves", "whole")
    )
    found, expected = values(halves), values(whole)
    assert all(np.array_equal(found[name], weight) for name, weight in expected.items())


def test_a_tied_embedding_is_written_where_the_other_file_has_an_output(tmp_path: Path, folder: Path) -> None:
    like = write_like(tmp_path / "like.gguf", output=True)
    found = values(export_gguf(folder, like=like, target=tmp_path / "out.gguf", kind="F32"))
    assert np.array_equal(found["output.weight"], found["token_embd.weight"])
    assert found["output.weight"].any()


def test_an_output_that_was_trained_apart_from_the_embedding_is_added(tmp_path: Path, like: Path) -> None:
    folder = save_model(tmp_path / "untied", tie_word_embeddings=False)
    weights = weights_of(folder)
    found = values(export_gguf(folder, like=like, target=tmp_path / "out.gguf", kind="F32"))
    assert np.array_equal(found["output.weight"], weights["lm_head.weight"].numpy())
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()
    resave(folder, weights)
    found = values(export_gguf(folder, like=like, target=tmp_path / "same.gguf", kind="F32"))
    assert "output.weight" not in found


def test_an_output_that_is_lost_is_not_made_up(tmp_path: Path) -> None:
    folder = save_model(tmp_path / "untied", tie_word_embeddings=False)
    weights = weights_of(folder)
    del weights["lm_head.weight"]
    resave(folder, weights)
    with pytest.raises(InputError, match=r"lacks the weights that like\.gguf calls output\.weight"):
        export_gguf(
            folder, like=write_like(tmp_path / "like.gguf", output=True), target=tmp_path / "out.gguf"
        )


def test_what_follows_from_the_configuration_comes_from_the_other_file(tmp_path: Path, folder: Path) -> None:
    weights = weights_of(folder)
    weights["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(8)
    resave(folder, weights)
    like = write_like(tmp_path / "like.gguf", ropes=True)
    found = values(export_gguf(folder, like=like, target=tmp_path / "out.gguf"))
    assert np.array_equal(found["rope_freqs.weight"], ROPES)
    assert found.keys() == values(like).keys()


QUERY = "model.layers.1.self_attn.q_proj.weight"


def _without_query(weights: dict[str, Any]) -> None:
    del weights[QUERY]


def _without_embedding(weights: dict[str, Any]) -> None:
    del weights["model.embed_tokens.weight"]


def _narrow_query(weights: dict[str, Any]) -> None:
    weights[QUERY] = weights[QUERY][:32].clone()


def _more_tokens(weights: dict[str, Any]) -> None:
    name = "model.embed_tokens.weight"
    weights[name] = torch.cat([weights[name], weights[name][:1]])


def _with_adapter(weights: dict[str, Any]) -> None:
    weights["base_model.model.lora_A.weight"] = torch.zeros(8, WIDTH)


def _with_bias(weights: dict[str, Any]) -> None:
    weights["model.layers.0.self_attn.q_proj.bias"] = torch.zeros(WIDTH)


def _with_nan(weights: dict[str, Any]) -> None:
    weights[QUERY][3, 3] = float("nan")


def _with_infinity(weights: dict[str, Any]) -> None:
    weights[QUERY][3, 3] = float("-inf")


def _huge(weights: dict[str, Any]) -> None:
    weights[QUERY][3, 3] = 1e8


def _in_8_bits(weights: dict[str, Any]) -> None:
    weights[QUERY] = weights[QUERY].to(torch.int8)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_without_query, r"lacks the weights that like\.gguf calls blk\.1\.attn_q\.weight"),
        (_without_embedding, r"calls token_embd\.weight"),
        (_narrow_query, r"q_proj\.weight has the shape \[32, 64\] in .*attn_q\.weight has \[64, 64\]"),
        (_more_tokens, r"\[41, 64\].*the tokenizer was changed"),
        (_with_adapter, "no place; merge the adapter first"),
        (_with_bias, r"has no blk\.0\.attn_q\.bias, where .*q_proj\.bias would go"),
        (_with_nan, "not finite.*earlier checkpoint"),
        (_with_infinity, "not finite"),
        (_huge, r"1e\+08, too large for Q8_0; use kind F32"),
        (_in_8_bits, "is I8, and weights are read from F32, F16, BF16"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_weights_that_do_not_belong_are_refused_and_nothing_is_left(
    tmp_path: Path, folder: Path, like: Path, spoil: Callable[[dict[str, Any]], None], message: str
) -> None:
    weights = weights_of(folder)
    spoil(weights)
    resave(folder, weights)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=message):
        export_gguf(folder, like=like, target=tmp_path / "out.gguf")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"model_type": "qwen2"}, r"holds a model of type qwen2, and like\.gguf is llama"),
        ({"num_attention_heads": 8}, r"num_attention_heads=8, and like\.gguf has 4"),
        ({"rope_parameters": {"rope_theta": 500000.0}}, "rope_theta=500000, and"),
        ({"rope_parameters": None, "rope_theta": 500000.0}, "rope_theta=500000, and"),
        ({"rms_norm_eps": 1e-5}, "rms_norm_eps=1e-05, and"),
    ],
)
def test_another_configuration_is_refused_though_all_shapes_agree(
    tmp_path: Path, folder: Path, like: Path, changed: dict[str, object], message: str
) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changed}))
    with pytest.raises(InputError, match=message):
        export_gguf(folder, like=like, target=tmp_path / "out.gguf")


def test_an_architecture_that_cannot_be_written_is_named(tmp_path: Path, folder: Path) -> None:
    like = write_like(tmp_path / "like.gguf", "gemma3")
    with pytest.raises(
        InputError, match=r"like\.gguf is gemma3; weights are exported for llama, qwen2, qwen3"
    ):
        export_gguf(folder, like=like, target=tmp_path / "out.gguf")


def test_one_part_of_a_split_model_is_refused(tmp_path: Path, folder: Path) -> None:
    like = write_like(tmp_path / "like.gguf", parts=3)
    with pytest.raises(InputError, match="one of 3 parts"):
        export_gguf(folder, like=like, target=tmp_path / "out.gguf")


def test_a_folder_that_is_no_saved_model_says_what_is_missing(
    tmp_path: Path, folder: Path, like: Path
) -> None:
    def refused(match: str) -> None:
        with pytest.raises(InputError, match=match):
            export_gguf(folder, like=like, target=tmp_path / "out.gguf")

    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    refused(r"model\.safetensors is not a whole safetensors file")
    weights.unlink()
    refused("holds neither .*pickled weights are not read")
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-1.safetensors"}}')
    refused(r"model-1\.safetensors is missing")
    (folder / "config.json").write_text("[]")
    refused(r"config\.json holds no JSON object")
    (folder / "config.json").write_text("{")
    refused(r"cannot read .*config\.json")
    (folder / "config.json").unlink()
    refused(r"config\.json is missing; give a folder that save_pretrained has written")
    (folder / "adapter_config.json").write_text("{}")
    refused("holds an adapter: merge it")


def test_the_file_the_metadata_come_from_is_never_overwritten(folder: Path, like: Path) -> None:
    before = like.read_bytes()
    with pytest.raises(InputError, match="give another name"):
        export_gguf(folder, like=like, target=like.parent / "trained" / ".." / like.name)
    assert like.read_bytes() == before


@contextmanager
def files_of_at_most(size: int) -> Generator[None]:
    """Writing more than this to a file fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [100, 6000, 20_000, 60_000])
def test_a_disk_that_fills_up_leaves_the_old_file_and_no_draft(
    tmp_path: Path, folder: Path, like: Path, size: int
) -> None:
    target = tmp_path / "out" / "model.gguf"
    export_gguf(folder, like=like, target=target, kind="F32")
    before = target.read_bytes()
    assert len(before) > 200_000
    with (
        files_of_at_most(size),
        pytest.raises(InputError, match=r"no space left to write .*Nothing of it is kept"),
    ):
        export_gguf(folder, like=like, target=target, kind="F32")
    assert target.read_bytes() == before
    assert [entry.name for entry in target.parent.iterdir()] == ["model.gguf"]


def test_a_disk_without_room_is_told_before_anything_is_written(
    tmp_path: Path, folder: Path, like: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    with pytest.raises(InputError, match=r"no space left .*it takes 0 MiB"):
        export_gguf(folder, like=like, target=tmp_path / "out.gguf")
    assert not list(tmp_path.glob("*out.gguf*"))


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, folder: Path, like: Path) -> None:
    with pytest.raises(InputError, match="cannot write"):
        export_gguf(folder, like=like, target=like / "out.gguf")


def test_a_file_that_another_process_writes_is_left_to_it(tmp_path: Path, folder: Path, like: Path) -> None:
    target = tmp_path / "out.gguf"
    with (tmp_path / ".out.gguf.partial").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another process is writing"):
            export_gguf(folder, like=like, target=target)
    # Whoever was killed left a draft and no lock.
    assert export_gguf(folder, like=like, target=target) == target
    assert not (tmp_path / ".out.gguf.partial").exists()
