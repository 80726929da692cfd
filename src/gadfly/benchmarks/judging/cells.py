"""Finding a cell in a row: columns by name, and dots into nested values."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import cast

from gadfly.errors import InputError
from gadfly.parsing.rows import read_rows

_SHOWN = 20
"""Names of columns in a message."""


def cell(value: object, column: str) -> object:
    """What stands in a column; None where there is nothing. Names may hold dots themselves."""
    return next(_found(value, column), None)


def check_columns(path: Path, wanted: Mapping[str, str]) -> None:
    """See that each column is in some row: a row may lack one, but a column that none has is misspelled.

    Args:
        path: The file.
        wanted: Columns, with the field that each is for.

    Raises:
        InputError: no row has a column, or the file cannot be read.
    """
    missing, known = dict(wanted), dict[str, None]()
    for _, row in read_rows(path):
        known.update(dict.fromkeys(map(str, row)))
        missing = {
            column: name for column, name in missing.items() if not any(True for _ in _found(row, column))
        }
        if not missing:
            return
    for column, name in missing.items():
        names = list(known)
        close = get_close_matches(column, names, n=1)
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise InputError(
            f"{path}: there is no column {column!r} for {name}; "
            f"there are {', '.join(names[:_SHOWN])}{more}{hint}"
        )


def _found(value: object, column: str) -> Iterator[object]:
    """The one cell, or nothing. A longer name wins over a shorter one."""
    if isinstance(value, Mapping):
        inside = cast("Mapping[object, object]", value)
        keys = column.split(".")
        for size in range(len(keys), 0, -1):
            name, rest = ".".join(keys[:size]), ".".join(keys[size:])
            if name in inside:
                yield from _found(inside[name], rest) if rest else (inside[name],)
    elif isinstance(value, list):
        items = cast("list[object]", value)
        key, _, rest = column.partition(".")
        if key.isdecimal() and int(key) < len(items):
            yield from _found(items[int(key)], rest) if rest else (items[int(key)],)
