"""Rows of a file as records of one shape: what a row lacks or holds wrong is said with its place."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from gadfly.errors import InputError
from gadfly.parsing.rows import read_rows

M = TypeVar("M", bound=BaseModel)


def read_typed(path: Path, shape: type[M]) -> Iterator[M]:
    """Each row of a file as a `shape`. Fields that `shape` does not name are for it to refuse or ignore.

    Raises:
        InputError: the file cannot be read, or a row is not of this shape.
    """
    for where, row in read_rows(path):
        try:
            yield shape.model_validate(row)
        except ValidationError as error:
            raise InputError(f"{where}: {_complaint(error)}") from None


def _complaint(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return f"{field}: {first['msg']}" if field else first["msg"]
