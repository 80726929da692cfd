"""Writing GGUF files with the `gguf` package: a leaf of its own, since it imports numpy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import GGML_QUANT_VERSION, GGUFReader, GGUFValueType, GGUFWriter, LlamaFileType, ReaderTensor
from gguf import GGMLQuantizationType as Format
from gguf.quants import dequantize, quantize

_KEPT = (Format.F32, Format.F16, Format.Q8_0)
_ALIGNMENT = "general.alignment"
_WRITTEN_HERE = ("general.architecture", "general.file_type", "general.quantization_version")


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A tensor to be written: what the head of the file says of it, and where its values come from."""

    name: str
    shape: tuple[int, ...]
    """Values along each axis, the last one being contiguous."""
    form: Format
    """F32, F16 or Q8_0."""
    stored: Callable[[], npt.NDArray[Any]]
    """Its values in that form; called once, when its turn comes."""

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """Numbers along each axis as they are stored; a block of 32 at 8 bits is 34 bytes."""
        if self.form is not Format.Q8_0:
            return self.shape
        return (*self.shape[:-1], self.shape[-1] // 32 * 34)

    @property
    def dtype(self) -> np.dtype[Any]:
        """What it is stored as an array of."""
        kinds = {Format.Q8_0: np.uint8, Format.F32: np.float32, Format.F16: np.float16}
        return np.dtype(kinds[self.form])

    @property
    def size(self) -> int:
        """Bytes."""
        return int(np.prod(self.stored_shape)) * self.dtype.itemsize


def write_q8_0(source: Path, target: Path) -> None:
    """Copy a GGUF file with every other tensor re-quantised to Q8_0.

    One tensor is in memory at a time. A tensor whose rows are no multiple of 32 becomes F16.

    Raises:
        NotImplementedError: a tensor is stored in a format that the package cannot read.
    """
    reader = GGUFReader(source)
    tensors: list[Planned] = []
    for tensor in reader.tensors:
        shape = shape_of(tensor)
        form = tensor.tensor_type if tensor.tensor_type in _KEPT else q8_0_or_f16(shape)
        stored = partial(_stored, tensor, form)
        tensors.append(Planned(name=tensor.name, shape=shape, form=form, stored=stored))
    write_like(reader, target, tensors, file_type=LlamaFileType.MOSTLY_Q8_0)


def write_like(
    like: GGUFReader,
    target: Path,
    tensors: Sequence[Planned],
    *,
    file_type: LlamaFileType,
    stamps: Mapping[str, str] | None = None,
) -> None:
    """Write tensors under the metadata of another file.

    Fields named in `stamps` get the text given there, whether the other file has them or not.
    One tensor is in memory at a time.
    """
    left = dict(stamps or {})
    writer = GGUFWriter(target, str(like.fields["general.architecture"].contents()))
    for name, field in like.fields.items():
        if name.startswith("GGUF.") or name in _WRITTEN_HERE:
            continue
        if name in left:
            writer.add_string(name, left.pop(name))
            continue
        if name == _ALIGNMENT:
            writer.add_custom_alignment(int(field.contents()))
            continue
        kind = field.types[0]
        if kind == GGUFValueType.ARRAY and not field.data:
            continue  # the writer refuses arrays of nothing
        inner = field.types[-1] if kind == GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), kind, sub_type=inner)
    for name, text in left.items():
        writer.add_string(name, text)
    writer.add_file_type(file_type)
    if any(tensor.form is Format.Q8_0 for tensor in tensors):
        writer.add_quantization_version(GGML_QUANT_VERSION)
    for tensor in tensors:
        # The writer takes the shape of what is stored, and works out that of the values.
        writer.add_tensor_info(
            tensor.name, tensor.stored_shape, tensor.dtype, tensor.size, raw_dtype=tensor.form
        )
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for tensor in tensors:
            writer.write_tensor_data(tensor.stored())
    finally:
        writer.close()


def shape_of(tensor: ReaderTensor) -> tuple[int, ...]:
    """Values along each axis, the last one being contiguous; the file has them the other way round."""
    return tuple(int(n) for n in reversed(tensor.shape))


def q8_0_or_f16(shape: tuple[int, ...]) -> Format:
    """Q8_0 needs rows of whole blocks of 32."""
    return Format.Q8_0 if shape[-1] % 32 == 0 else Format.F16


def in_form(values: npt.NDArray[np.float32], form: Format) -> npt.NDArray[Any]:
    """Values as they are stored."""
    return np.ascontiguousarray(quantize(np.ascontiguousarray(values), form))


def as_stored(tensor: ReaderTensor) -> npt.NDArray[Any]:
    """A tensor's own bytes."""
    return np.ascontiguousarray(tensor.data)


def _stored(tensor: ReaderTensor, form: Format) -> npt.NDArray[Any]:
    if tensor.tensor_type is form:
        return as_stored(tensor)
    return in_form(dequantize(tensor.data, tensor.tensor_type), form)
