"""Trained weights where models load them: a folder of transformers, the adapter, a GGUF file.

model/        the weights as transformers reads them, the adapter merged in, float32
adapter/      the adapter in PEFT's format, where one was trained
NAME.gguf     the same weights for the embedded engines, where the first ones came from a GGUF file
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from gadfly.errors import InputError
from gadfly.models.gguf import read_header
from gadfly.models.transformers_weights import Source
from gadfly.train.folder import ADAPTER, MODEL
from gadfly.train.gguf_export import ARCHITECTURES, Kind, export_gguf
from gadfly.train.learner import Learner

_KIND: Kind = "Q8_0"
_FORMAT = re.compile(r"[.-](I?Q\d\w*|B?F16|F32)$", re.IGNORECASE)


def publish_weights(learner: Learner, folder: Path) -> str:
    """Write the weights as they are now into a training's folder.

    Every process calls it, and the main one writes. What was written before is replaced, each part once it
    is whole. Weights with a head stay a folder: the engines of GGUF files have no place for one.

    Returns:
        The specification of the model: `embedded:FOLDER/NAME.gguf` where there is a GGUF file, else
        `transformers:FOLDER/model`.

    Raises:
        InputError: the disk refuses, or the GGUF file cannot be written.
    """
    like = None if learner.policy.head is not None else gguf_like(learner.source)
    target = folder / _gguf_name(like) if like is not None else None
    if learner.leads:
        _replace(folder / MODEL, learner.save_merged)
        if learner.policy.adapted:
            _replace(folder / ADAPTER, learner.save_adapter)
        if like is not None and target is not None:
            export_gguf(folder / MODEL, like=like, target=target, kind=_KIND)
    learner.wait()
    return f"transformers:{folder / MODEL}" if target is None else f"embedded:{target}"


def gguf_like(source: Source) -> Path | None:
    """The GGUF file whose tokenizer and settings weights share: their own, or that of the round before.

    None where there is none, or where its architecture cannot be written.
    """
    path = source.path
    beside = sorted(path.parent.glob("*.gguf")) if path.is_dir() and path.name == MODEL else []
    like = path if path.is_file() else beside[0] if len(beside) == 1 else None
    return like if like is not None and read_header(like).architecture in ARCHITECTURES else None


def _gguf_name(like: Path) -> str:
    return f"{_FORMAT.sub('', like.stem)}-{_KIND}.gguf"


def _replace(target: Path, write: Callable[[Path], None]) -> None:
    """Write a folder beside its place, then put it there."""
    draft = target.with_name(f".{target.name}.partial")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        write(draft)
        if target.exists():
            shutil.rmtree(target)
        draft.rename(target)
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
