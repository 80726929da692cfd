"""Weights and tokenizer for the torch backend: found, converted from GGUF once, read.

GGUF files are converted to safetensors in `$GADFLY_CACHE_DIR/models` or `~/.cache/gadfly/models`,
since reading them through transformers takes 15 to 20 s and reading the copy 0.1 s.
"""

import hashlib
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

# Read by the hub's library when it is imported; whoever wants its telemetry sets it to 0.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import huggingface_hub
import torch
import transformers
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError
from transformers.utils import logging as transformers_logging

from gadfly.errors import InputError
from gadfly.models.chat_template import ChatTemplate
from gadfly.models.gguf import (
    Header,
    Value,
    cache_dir,
    embedded_model,
    file_digest,
    read_header,
    weights_name,
)

DTYPES: Mapping[str, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16}

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_WANTED = ("*.safetensors", "*.json", "*.jinja", "tokenizer.model", "*.txt")
_NAMING = (
    "*.safetensors",
    "config.json",
    "generation_config.json",
    "token*.json",
    "*.jinja",
    "tokenizer.model",
)
_TEXT_CONTROL = 3
"""How a GGUF file marks a token that steers the model and stands for no text."""

_log = logging.getLogger(__name__)


class _Tokenizer(Protocol):
    """The part of a tokenizer that says which tokens steer the model."""

    added_tokens_decoder: Mapping[int, object]
    chat_template: object


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where weights come from: a folder in the layout of transformers, or a GGUF file."""

    path: Path
    label: str

    @property
    def name(self) -> str:
        """A label and the first digits of a digest over weights, configuration and tokenizer."""
        if self.path.is_file():
            return weights_name(self.path)
        files = sorted({file for pattern in _NAMING for file in self.path.glob(pattern)})
        told = "".join(f"{file.name} {file_digest(file)}\n" for file in files)
        return f"{self.label}@{hashlib.sha256(told.encode()).hexdigest()[:8]}"

    def folder(self) -> Path:
        """The folder to read; a GGUF file is converted first, if that was not done before.

        Raises:
            InputError: the file cannot be converted, or the copy cannot be written.
        """
        if self.path.is_dir():
            return self.path
        target = cache_dir() / "models" / f"{self.path.stem}-torch-{file_digest(self.path)[:8]}"
        if not target.is_dir():
            _convert(self.path, target)
        return target


def locate(target: str) -> Source:
    """A GGUF file, a folder or a hub id as a source; nothing is the embedded model.

    Only a hub id may reach the network, and not where `HF_HUB_OFFLINE` is set.

    Raises:
        InputError: there is no such thing, or it holds no safetensors.
    """
    path = embedded_model() if not target else Path(target).expanduser()
    if path.is_file():
        read_header(path)
        return Source(path=path, label=path.stem)
    if path.is_dir():
        folder, label = path, path.resolve().name
    elif _HUB_ID.fullmatch(target):
        folder, label = _fetch(target), target.partition("/")[2]
    else:
        raise InputError(
            f"no model at {target}: give a folder with safetensors, a .gguf file, or a hub id like org/name"
        )
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise InputError(f"{folder} holds no config.json with *.safetensors; pickled weights are not read")
    return Source(path=folder, label=label.replace(".", "-"))


def check_unchanged(source: Source, name: str) -> None:
    """Weights are about to be read: see `gadfly.models.gguf.check_unchanged`.

    Raises:
        InputError: training has written other weights there since they were named.
    """
    if source.name != name:
        raise InputError(f"{source.path} has been replaced since this model was named ({name}): load it anew")


def _fetch(name: str) -> Path:
    try:
        return Path(cast(Any, huggingface_hub).snapshot_download(name, allow_patterns=list(_WANTED)))
    except LocalEntryNotFoundError as error:
        raise InputError(
            f"the model {name} is not on this machine, and the hub is out of reach (HF_HUB_OFFLINE may be "
            "set); for a local model give the path of a folder or .gguf file that exists"
        ) from error
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise InputError(f"the model {name} cannot be fetched from the hub: {error}") from error


def _convert(path: Path, target: Path) -> None:
    _log.info("converting %s once to safetensors in %s; this takes about 20 s", path.name, target)
    exact: Any = transformers.GgufConfig(dequantize=True)
    where: dict[str, Any] = {"gguf_file": path.name, "local_files_only": True}
    try:
        with quiet():
            tokenizer: Any = cast(Any, transformers.AutoTokenizer).from_pretrained(path.parent, **where)
            model: Any = cast(Any, transformers.AutoModelForCausalLM).from_pretrained(
                path.parent, quantization_config=exact, dtype=torch.float32, **where
            )
    except (ValueError, KeyError, NotImplementedError, ImportError, RuntimeError) as error:
        raise InputError(f"transformers cannot read {path}: {error}; try llamacpp:{path}") from error
    draft: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
        tokenizer.save_pretrained(draft)
        with quiet():
            model.save_pretrained(draft)
        with suppress(FileExistsError):  # another process was first, with the same result
            _rename(draft, target)
    except OSError as error:
        raise InputError(
            f"cannot write {target}: {error}; set GADFLY_CACHE_DIR to a folder with room"
        ) from error
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)


def _rename(draft: Path, target: Path) -> None:
    try:
        draft.rename(target)
    except OSError as error:
        if target.is_dir():
            raise FileExistsError(target) from error
        raise


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A model ready to run. Touched by one thread only."""

    model: Any
    tokenizer: Any
    template: ChatTemplate
    device: torch.device
    ends: frozenset[int]
    """Tokens that end an answer."""
    context: int
    """Tokens the model was trained to attend to."""

    @property
    def layers(self) -> int:
        """Layers that have hidden states, the embedding included."""
        return int(self.model.config.get_text_config().num_hidden_layers) + 1

    def encode(self, text: str) -> list[int]:
        """Token ids, with nothing added in front or behind."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def decode(self, ids: list[int]) -> str:
        """The text of tokens; those that steer the model have none."""
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def spell(self, ids: list[int]) -> list[str]:
        """The text of each token; joined they are the text of all.

        Bytes of one character may come in several tokens; the last has it.
        """
        texts: list[str] = []
        start = done = 0  # tokens from `start` are decoded together; those before `done` are told
        for end in range(1, len(ids) + 1):
            told, now = self.decode(ids[start:done]), self.decode(ids[start:end])
            if now.endswith("\ufffd") and end < len(ids):
                texts.append("")
                continue
            texts.append(now[len(told) :])
            start, done = done, end
        return texts


def read(source: Source, *, dtype: str, device: str) -> Loaded:
    """Read weights and tokenizer.

    Raises:
        InputError: they cannot be read, do not fit the memory, or have no chat template.
    """
    folder = source.folder()
    where = _device(device)
    try:
        with quiet():
            tokenizer: Any = cast(Any, transformers.AutoTokenizer).from_pretrained(
                folder, local_files_only=True
            )
            model: Any = cast(Any, transformers.AutoModelForCausalLM).from_pretrained(
                folder, dtype=DTYPES[dtype], local_files_only=True
            )
        model = model.to(where).eval()
    except (SafetensorError, ValueError, KeyError, OSError, ImportError, RuntimeError) as error:
        raise InputError(f"transformers cannot load {folder}: {error}") from error
    given: Any = model.generation_config.eos_token_id
    ends = {given} if isinstance(given, int) else set(cast(list[int], given or []))
    if isinstance(tokenizer.eos_token_id, int):
        ends.add(tokenizer.eos_token_id)
    return Loaded(
        model=model,
        tokenizer=tokenizer,
        template=ChatTemplate(header=_header(source, tokenizer)),
        device=where,
        ends=frozenset(ends),
        context=int(getattr(model.config.get_text_config(), "max_position_embeddings", 2048)),
    )


def _header(source: Source, tokenizer: _Tokenizer) -> Header:
    """What a GGUF file of this model would say of its tokens: what the chat template needs."""
    controls: dict[str, int] = {
        str(token): index for index, token in tokenizer.added_tokens_decoder.items() if _special(token)
    }
    fields: dict[str, Value] = {
        "tokenizer.ggml.tokens": list[Value](controls),
        "tokenizer.ggml.token_type": list[Value]([_TEXT_CONTROL] * len(controls)),
    }
    if isinstance(tokenizer.chat_template, str):
        fields["tokenizer.chat_template"] = tokenizer.chat_template
    for role in ("bos", "eos"):
        token: object = getattr(tokenizer, f"{role}_token", None)
        if token in controls:
            fields[f"tokenizer.ggml.{role}_token_id"] = list(controls).index(str(token))
    return Header(path=source.path, fields=fields, tensor_types=frozenset())


def _special(token: object) -> bool:
    return bool(getattr(token, "special", False))


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"torch has no device {name!r} here: {error}; the device cpu is always there"
        ) from error


@contextmanager
def quiet() -> Generator[None]:
    """Without the library's progress bars, which write over ours."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()
