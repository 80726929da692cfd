"""A model as transformers saves it, read one tensor at a time."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open

from gadfly.errors import InputError
from gadfly.models.gguf import file_digest

_READ = ("F32", "F16", "BF16")
_CONFIG, _ADAPTER = "config.json", "adapter_config.json"
_WHOLE, _INDEX = "model.safetensors", "model.safetensors.index.json"


@dataclass(frozen=True, kw_only=True)
class SavedWeights:
    """A folder with `config.json` and safetensors. Made by `open_weights`."""

    folder: Path
    config: Mapping[str, Any]
    files: tuple[Path, ...]
    shapes: Mapping[str, tuple[int, ...]]
    """Of each tensor."""
    places: Mapping[str, Path]
    """The file of each tensor."""

    def digest(self) -> str:
        """Hex SHA-256 of the weights: that of the file, or over names and digests of several."""
        if len(self.files) == 1:
            return file_digest(self.files[0])
        told = "".join(f"{file.name} {file_digest(file)}\n" for file in self.files)
        return hashlib.sha256(told.encode()).hexdigest()

    def read(self, name: str) -> npt.NDArray[np.float32]:
        """One tensor; nothing of the file stays in memory besides it.

        Raises:
            InputError: the file cannot be read.
        """
        path = self.places[name]
        try:
            with cast(Any, safe_open)(path, framework="pt") as file:
                return file.get_tensor(name).to(torch.float32).numpy()
        except (SafetensorError, OSError) as error:
            raise InputError(f"cannot read {name} from {path}: {error}") from error


def open_weights(folder: Path) -> SavedWeights:
    """What a folder holds, without reading the weights.

    Raises:
        InputError: it is no such folder, holds an adapter that is not merged, lacks a file, or has
            weights in another format than F32, F16 and BF16.
    """
    if (folder / _ADAPTER).is_file() and not (folder / _CONFIG).is_file():
        raise InputError(
            f"{folder} holds an adapter: merge it into its model (merge_and_unload) and save that"
        )
    config = _json(folder / _CONFIG, "give a folder that save_pretrained has written")
    files = _files(folder)
    shapes: dict[str, tuple[int, ...]] = {}
    places: dict[str, Path] = {}
    for path in files:
        for name, (shape, form) in _heads(path).items():
            if form not in _READ:
                raise InputError(f"{path}: {name} is {form}, and weights are read from {', '.join(_READ)}")
            shapes[name], places[name] = shape, path
    return SavedWeights(folder=folder, config=config, files=files, shapes=shapes, places=places)


def _files(folder: Path) -> tuple[Path, ...]:
    if (folder / _WHOLE).is_file():
        return (folder / _WHOLE,)
    if not (folder / _INDEX).is_file():
        raise InputError(f"{folder} holds neither {_WHOLE} nor {_INDEX}; pickled weights are not read")
    where = _json(folder / _INDEX, "save the model again").get("weight_map")
    if not isinstance(where, dict) or not where:
        raise InputError(f"{folder / _INDEX} names no files; save the model again")
    return tuple(
        folder / name for name in sorted({str(name) for name in cast(dict[str, str], where).values()})
    )


def _heads(path: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and format of each tensor of a file."""
    try:
        with cast(Any, safe_open)(path, framework="pt") as file:
            heads = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            return {name: (tuple(head.get_shape()), head.get_dtype()) for name, head in heads.items()}
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing; save the model again") from error
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is not a whole safetensors file: {error}") from error


def _json(path: Path, mend: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path} is missing; {mend}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"{path} holds no JSON object; {mend}")
    return cast(dict[str, Any], found)
