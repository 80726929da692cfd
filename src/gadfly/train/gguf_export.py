"""Trained weights back into the embedded engine: a folder of transformers becomes a GGUF file.

SmolLM2-135M takes 3.3 s of one core as Q8_0, 2.8 s as F16, and 230 MB (its embedding alone has
113 MB): a tensor is in memory only while it is written. The unchanged embedded model comes out bit
for bit as `as_q8_0` stores it.

What the engines then say, against torch in fp32 on the folder's weights: greedy answers of at most 24
tokens to 40 questions like "What is 7 * 12?", with the next token and its log-probability compared
along the engine's own answer. Three models: unchanged; after 20 steps of LoRA on additions; with
a random update of rank 8 that is 1 % of each matrix.

    kind   engine      same text         next token agrees       mean |difference|, nats
    Q8_0   llama.cpp   24, 33, 19 of 40  .974, .990, .967        .039, .012, .038
    Q8_0   OpenVINO    21, 35, 25        .967, .993, .978        .039, .008, .038
    F16    llama.cpp   40, 40, 37        1, 1, .998              .0013, .0003, .0014
    F16    OpenVINO    40, 40, 38        1, 1, .999              .0011, .0002, .0010

So a comparison of two checkpoints runs on Q8_0, and a policy whose samples torch scores afterwards is
better off with F16, at two thirds of OpenVINO's speed. Rounding to 8 bits does not swallow a small
update: those 20 steps moved the matrices by 0.5 % of their norm, rounding by 0.6 %, and of the
update 0.999 came through (0.990 to 1.015 by matrix), since rounding errors do not line up.
OpenVINO reads no F32 matrices; llama.cpp does.

Weights are merged before they are written, and that is deliberate. An adapter laid over a running
llama.cpp shares the engine's prompt cache with whatever ran there before, and answers then came from
the wrong adapter (3 of 36, llama.cpp issue 26207). A file of its own has an engine of its own: nothing
is computed with one set of weights and read with another. The file's digest is part of the model's id,
and so of every key of the completion cache; the metadata name what the weights were made from
(`gadfly.source`), and equal weights give an equal file, whichever relative served as `like`.
"""

import errno
import fcntl
import math
import os
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
from gguf import MODEL_ARCH, GGUFReader, LlamaFileType, get_tensor_name_map
from gguf import GGMLQuantizationType as Format

from gadfly.errors import InputError
from gadfly.models._gguf_convert import Planned, as_stored, in_form, q8_0_or_f16, shape_of, write_like
from gadfly.models.gguf import Header, Value, read_header
from gadfly.train.saved_weights import SavedWeights, open_weights

Kind = Literal["Q8_0", "F16", "F32"]

ARCHITECTURES = {"llama": MODEL_ARCH.LLAMA, "qwen2": MODEL_ARCH.QWEN2, "qwen3": MODEL_ARCH.QWEN3}
"""What can be written."""
_FILE_TYPES = {
    "Q8_0": LlamaFileType.MOSTLY_Q8_0,
    "F16": LlamaFileType.MOSTLY_F16,
    "F32": LlamaFileType.ALL_F32,
}
_LARGEST = {Format.F32: math.inf, Format.F16: 65504.0, Format.Q8_0: 65504.0 * 127}
_EMBEDDING, _OUTPUT = "token_embd.weight", "output.weight"
_COMPUTED = "rope_freqs.weight"
"""Follows from the configuration: a folder does not have it."""
_PASSED_OVER = ".rotary_emb.inv_freq"
"""Computed too, and saved by old versions of transformers."""
_SETTINGS = (
    ("num_hidden_layers", "block_count"),
    ("num_attention_heads", "attention.head_count"),
    ("num_key_value_heads", "attention.head_count_kv"),
    ("rms_norm_eps", "attention.layer_norm_rms_epsilon"),
    ("rope_theta", "rope.freq_base"),
)
"""What shapes do not show, and what would make other answers of the same weights."""
_NAME, _SOURCE = "general.name", "gadfly.source"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def export_gguf(folder: Path, *, like: Path, target: Path, kind: Kind = "Q8_0") -> Path:
    """Write a model saved by transformers as a GGUF file.

    Args:
        folder: `config.json` and safetensors in F32, F16 or BF16. Adapters have to be merged.
        like: A GGUF file of the same model, before or after other training: tokenizer, chat template
            and all other metadata come from it.
        target: The file to write. One that is there is replaced once the new one is whole.
        kind: How matrices are stored. Rows that are no multiple of 32 become F16 in a Q8_0 file;
            vectors stay F32.

    Returns:
        `target`.

    Raises:
        InputError: folder or `like` cannot be read; they differ in architecture, shapes or
            configuration; weights are missing or not finite; another process writes `target`, or the
            disk is full.
    """
    header, weights = read_header(like), open_weights(folder)
    _check_same_model(weights, header)
    if target.exists() and target.samefile(like):
        raise InputError(f"{target} is the file that the metadata comes from; give another name")
    try:
        reader = GGUFReader(like)
    except (ValueError, KeyError, IndexError) as error:
        raise InputError(f"{like} is not a whole GGUF model file ({error})") from error
    planned = _Plan(weights=weights, header=header, kind=Format[kind]).tensors(reader)
    source = weights.digest()
    stamps = {_NAME: _stamped(header, source), _SOURCE: f"sha256:{source}"}
    with _partial(target, sum(tensor.size for tensor in planned)) as draft:
        write_like(reader, draft, planned, file_type=_FILE_TYPES[kind], stamps=stamps)
    return target


def _check_same_model(weights: SavedWeights, header: Header) -> None:
    """Raise where the weights belong to another model than the metadata, as far as shapes do not tell."""
    name, architecture, given = header.path.name, header.architecture, weights.config.get("model_type")
    if architecture not in ARCHITECTURES:
        raise InputError(f"{name} is {architecture}; weights are exported for {', '.join(ARCHITECTURES)}")
    if given != architecture:
        raise InputError(
            f"{weights.folder} holds a model of type {given}, and {name} is {architecture}: give the GGUF "
            "file that the training began from"
        )
    parts = header.fields.get("split.count")
    if isinstance(parts, int) and parts > 1:
        raise InputError(f"{name} is one of {parts} parts; join them with: llama-gguf-split --merge")
    for ours, theirs in _SETTINGS:
        here, there = _setting(weights.config, ours), header.fields.get(f"{architecture}.{theirs}")
        if not isinstance(here, int | float) or not isinstance(there, int | float):
            continue
        if not math.isclose(here, there, rel_tol=1e-4):
            raise InputError(
                f"{weights.folder} has {ours}={here:g}, and {name} has {there:g}: they are not the same model"
            )


def _setting(config: Mapping[str, Any], name: str) -> object:
    """A setting, wherever this version or that of transformers writes it."""
    ropes = config.get("rope_parameters")
    if name == "rope_theta" and isinstance(ropes, dict):
        config = cast(dict[str, Any], ropes)
    return config.get(name)


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """Which of the folder's tensors goes where, and in what form."""

    weights: SavedWeights
    header: Header
    kind: Format

    def tensors(self, reader: GGUFReader) -> list[Planned]:
        """Those of the other file, in its order, with the folder's values."""
        named = self._named()
        embedding = named.get(_EMBEDDING)
        if embedding is None:
            raise self._lacking(_EMBEDDING)
        planned: list[Planned] = []
        for tensor in reader.tensors:
            place, shape = tensor.name, shape_of(tensor)
            source = named.pop(place, None)
            if source is None and place == _OUTPUT and self.weights.config.get("tie_word_embeddings"):
                source = embedding
            if source is not None:
                planned.append(self._from_folder(source, place, shape))
            elif place == _COMPUTED:
                form, stored = Format(tensor.tensor_type), partial(as_stored, tensor)
                planned.append(Planned(name=place, shape=shape, form=form, stored=stored))
            else:
                raise self._lacking(place)
        output = named.pop(_OUTPUT, None)
        if output is not None and not self._equal(output, embedding):
            # It was tied to the embedding in the other file and has been trained apart since.
            planned.append(self._from_folder(output, _OUTPUT, self.weights.shapes[embedding]))
        for place, source in named.items():
            raise InputError(f"{self.header.path.name} has no {place}, where {source} would go")
        return planned

    def _lacking(self, place: str) -> InputError:
        return InputError(
            f"{self.weights.folder} lacks the weights that {self.header.path.name} calls {place}"
        )

    def _named(self) -> dict[str, str]:
        """The folder's tensors by their names in a GGUF file."""
        architecture, blocks = self.header.architecture, self._count("block_count")
        names = get_tensor_name_map(ARCHITECTURES[architecture], blocks)
        named: dict[str, str] = {}
        for source in self.weights.shapes:
            if source.endswith(_PASSED_OVER):
                continue
            place = names.get_name(source, try_suffixes=(".weight", ".bias"))
            if place is None:
                adapter = "lora_" in source or source.startswith("base_model.")
                mend = "; merge the adapter first (merge_and_unload)" if adapter else ""
                raise InputError(
                    f"{self.weights.folder} has {source}, for which {architecture} has no place{mend}"
                )
            named[place] = source
        return named

    def _from_folder(self, source: str, place: str, shape: tuple[int, ...]) -> Planned:
        given = self.weights.shapes[source]
        if given != shape:
            why = "; the tokenizer was changed in training" if place in (_EMBEDDING, _OUTPUT) else ""
            raise InputError(
                f"{source} has the shape {list(given)} in {self.weights.folder}, and {place} has "
                f"{list(shape)} in {self.header.path.name}{why}"
            )
        form = Format.F32 if len(shape) == 1 else self.kind
        if form is Format.Q8_0:
            form = q8_0_or_f16(shape)
        return Planned(name=place, shape=shape, form=form, stored=partial(self._stored, source, place, form))

    def _stored(self, source: str, place: str, form: Format) -> npt.NDArray[Any]:
        values = self.weights.read(source)
        largest = max(float(values.max()), -float(values.min()))
        if not math.isfinite(largest):
            raise InputError(
                f"{source} in {self.weights.folder} has values that are not finite: the training went "
                "astray; take an earlier checkpoint"
            )
        if largest > _LARGEST[form]:
            raise InputError(f"{source} has a value of {largest:g}, too large for {form.name}; use kind F32")
        if self.header.architecture == "llama" and ".attn_q." in place:
            values = interleaved(values, self._count("attention.head_count"))
        if self.header.architecture == "llama" and ".attn_k." in place:
            values = interleaved(values, self._count("attention.head_count_kv", "attention.head_count"))
        return in_form(values, form)

    def _equal(self, source: str, other: str) -> bool:
        return np.array_equal(self.weights.read(source), self.weights.read(other))

    def _count(self, *names: str) -> int:
        """The first of these settings that the other file has."""
        found: list[Value] = [
            value
            for name in names
            if (value := self.header.fields.get(f"{self.header.architecture}.{name}")) is not None
        ]
        if not found or not isinstance(found[0], int):
            raise InputError(f"{self.header.path.name} does not say its {names[0]}")
        return found[0]


def interleaved(values: npt.NDArray[np.float32], heads: int) -> npt.NDArray[np.float32]:
    """Rows of the query or key weights in the order in which llama.cpp rotates them.

    Transformers rotates row i of a head together with row i + half; llama.cpp rotates neighbours.
    """
    halves = values.reshape(heads, 2, -1, *values.shape[1:])
    return halves.swapaxes(1, 2).reshape(values.shape)


def _stamped(header: Header, source: str) -> str:
    """The model's name and the first digits of its weights' digest, in place of those it had."""
    name, earlier = str(header.fields.get(_NAME, "model")), str(header.fields.get(_SOURCE, ""))
    if earlier:
        name = name.removesuffix(f"@{earlier.removeprefix('sha256:')[:8]}")
    return f"{name}@{source[:8]}"


@contextmanager
def _partial(target: Path, size: int) -> Generator[Path]:
    """The hidden file that is written first; it takes the target's name once it is whole and on the disk."""
    draft = target.with_name(f".{target.name}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = draft.open("ab")
    except OSError as error:
        raise _refused(target, size, error) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"another process is writing {target}. Wait until it ends, or give another name"
            ) from None
        try:
            if shutil.disk_usage(target.parent).free < size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            yield draft
            os.fsync(lock.fileno())
            draft.replace(target)
        except OSError as error:
            raise _refused(target, size, error) from error
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)


def _refused(target: Path, size: int, error: OSError) -> InputError:
    # numpy reports a full disk as a write that fell short, without a number.
    if error.errno in _FULL or "requested" in str(error):
        return InputError(
            f"no space left to write {target}: it takes {size / 2**20:.0f} MiB. Nothing of it is kept"
        )
    return InputError(f"cannot write {target}: {error.strerror or error}")
