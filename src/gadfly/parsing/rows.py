"""Rows of a user's file, one at a time: JSON lines, a JSON array, CSV (`,` or `;`) or TSV, gzipped or not."""

import csv
import gzip
import json
import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, TypeAlias, cast

from gadfly.errors import InputError

Row: TypeAlias = Mapping[str, object]
_DELIMITERS = {".csv": ",", ".tsv": "\t"}


def read_rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Each row with where it stands ("data.jsonl:12"). Only one row is held, save for a JSON array.

    Raises:
        InputError: the file is missing, unreadable, empty, not UTF-8, or has a broken row.
    """
    rows = 0
    for row in _rows(path):
        rows += 1
        yield row
    if not rows:
        raise InputError(f"{path} has no rows")


def _rows(path: Path) -> Iterator[tuple[str, Row]]:
    form = _form(path)
    with _opened(path) as file:
        if form in _DELIMITERS:
            yield from _table(path, file, _DELIMITERS[form])
        elif form == ".json":
            yield from _array(path, file)
        else:
            yield from _lines(path, file)


def _form(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return suffixes[-1] if suffixes else ".jsonl"


@contextmanager
def _opened(path: Path) -> Generator[IO[str]]:
    """The file as UTF-8 text; whatever goes wrong with it is said in the user's words."""
    try:
        if path.suffix.lower() == ".gz":
            with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
                yield cast(IO[str], file)
        else:
            with path.open(encoding="utf-8-sig", newline="") as file:
                yield file
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text ({error.reason}); convert it first") from None
    except (OSError, EOFError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None


def _lines(path: Path, file: IO[str]) -> Iterator[tuple[str, Row]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            value: object = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(
                f"{where}: not a line of JSON: {error.msg}, at character {error.pos + 1}"
            ) from None
        except RecursionError as error:
            raise InputError(f"{where}: not a line of JSON: {error}") from None
        yield where, _object(value, where)


def _array(path: Path, file: IO[str]) -> Iterator[tuple[str, Row]]:
    text = file.read()
    if not text.strip():
        return
    try:
        values: object = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{path}: not JSON: {error}; JSON lines belong in a .jsonl file") from None
    if not isinstance(values, list):
        raise InputError(f"{path}: expected an array of objects, [{{...}}, ...]")
    for number, value in enumerate(cast(list[object], values), start=1):
        where = f"{path}: item {number}"
        yield where, _object(value, where)


def _object(value: object, where: str) -> Row:
    if not isinstance(value, dict):
        raise InputError(f"{where}: expected an object with fields, not {type(value).__name__}")
    return cast(Row, value)


def _table(path: Path, file: IO[str], delimiter: str) -> Iterator[tuple[str, Row]]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    first = file.readline()
    # What spreadsheets write where the comma stands in numbers.
    if delimiter == "," and ";" in first and "," not in first:
        delimiter = ";"
    reader = csv.reader(chain([first] if first else [], file), delimiter=delimiter, strict=True)
    try:
        names: list[str] = next(reader, [""])
        header = [name.strip() for name in names]
        if len(set(header)) < len(header):
            raise InputError(f"{path}:1: a column name stands twice in the header")
        for cells in reader:
            if not any(cells):
                continue
            where = f"{path}:{reader.line_num}"
            if len(cells) != len(header):
                raise InputError(f"{where}: {len(cells)} cells, but the header has {len(header)}")
            yield where, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: broken CSV: {error}") from None
