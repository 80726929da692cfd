"""The fields of one published row, read as what they should be; what is missing is said with its place."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from gadfly.benchmarks.hub import Located
from gadfly.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Fields:
    """One row. Where several names are given, the first that the row has counts."""

    title: str
    """Of the data set, for errors."""
    where: str
    source: str
    """The file or split that the row stands in."""
    index: int
    """Which row of that file or split, from 0."""
    row: Mapping[str, object]

    @classmethod
    def of(cls, at: Located, title: str) -> "Fields":
        """A row as a source gives it."""
        return cls(title=title, where=at.where, source=at.source, index=at.index, row=at.row)

    def has(self, *names: str) -> bool:
        """Whether one of the fields is there and not null (nor NaN, which stands for null in some files)."""
        return any(_there(self.row.get(name)) for name in names)

    def raw(self, *names: str) -> object:
        """The value as it stands.

        Raises:
            InputError: none of the fields is there, or all are null.
        """
        for name in names:
            if _there(self.row.get(name)):
                return self.row[name]
        wanted = " or ".join(map(repr, names))
        present = ", ".join(map(repr, self.row)) or "none"
        raise InputError(
            f"{self.where}: not a row of {self.title}: no field {wanted}; the fields are {present}"
        )

    def text(self, *names: str) -> str:
        """A text. Numbers and truth values, which some files hold for an answer "True", are written out.

        Raises:
            InputError: the field is missing or holds something else.
        """
        value = self.raw(*names)
        if not isinstance(value, str | int | float):
            raise self.wrong(names[0], "a text", value)
        return str(value)

    def maybe(self, *names: str) -> str:
        """A text, or "" where there is none.

        Raises:
            InputError: the field holds something else than a text.
        """
        return self.text(*names) if self.has(*names) else ""

    def number(self, *names: str) -> float:
        """A finite number, also one written as text.

        Raises:
            InputError: the field is missing or is no number.
        """
        value = self.raw(*names)
        try:
            found = float(cast(str, value)) if isinstance(value, str | int | float) else math.nan
        except ValueError:
            found = math.nan
        if isinstance(value, bool) or not math.isfinite(found):
            raise self.wrong(names[0], "a number", value)
        return found

    def whole(self, *names: str) -> int:
        """A whole number, also one written as text or as 2.0.

        Raises:
            InputError: the field is missing or is no whole number.
        """
        found = self.number(*names)
        if found != int(found):
            raise self.wrong(names[0], "a whole number", self.raw(*names))
        return int(found)

    def truth(self, *names: str) -> bool:
        """True or False, also as 0 or 1, as text, or as a list of one.

        Raises:
            InputError: the field is missing or is neither.
        """
        value = self.raw(*names)
        items = cast(list[object], value) if isinstance(value, list) else [value]
        said = items[0] if len(items) == 1 else None
        found = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}.get(
            str(said).strip().lower()
        )
        if found is None:
            raise self.wrong(names[0], "true or false", self.raw(*names))
        return found

    def texts(self, *names: str) -> list[str]:
        """A list of texts; a single text is a list of one.

        Raises:
            InputError: the field is missing or holds something else.
        """
        value = self.raw(*names)
        items = cast(list[object], value) if isinstance(value, list) else [value]
        if not all(isinstance(item, str) for item in items):
            raise self.wrong(names[0], "a list of texts", self.raw(*names))
        return cast(list[str], items)

    def inside(self, *names: str) -> "Fields":
        """The fields of an object.

        Raises:
            InputError: the field is missing or is no object.
        """
        value = self.raw(*names)
        if not isinstance(value, dict):
            raise self.wrong(names[0], "an object", value)
        return self._sub(names[0], cast(Mapping[str, object], value))

    def each(self, *names: str) -> list["Fields"]:
        """The fields of each object of a list.

        Raises:
            InputError: the field is missing or is no list of objects.
        """
        value = self.raw(*names)
        if not isinstance(value, list):
            raise self.wrong(names[0], "a list of objects", value)
        items = cast(list[object], value)
        if not all(isinstance(item, dict) for item in items):
            raise self.wrong(names[0], "a list of objects", cast(object, value))
        return [
            self._sub(f"{names[0]}[{number}]", cast(Mapping[str, object], item))
            for number, item in enumerate(items)
        ]

    def wrong(self, name: str, wanted: str, value: object) -> InputError:
        """The error about a field that holds something else than it should."""
        return InputError(
            f"{self.where}: not a row of {self.title}: the field {name!r} should be {wanted}, "
            f"not {str(value)[:60]!r}"
        )

    def _sub(self, name: str, row: Mapping[str, object]) -> "Fields":
        where = f"{self.where}: {name}"
        return Fields(title=self.title, where=where, source=self.source, index=self.index, row=row)


def _there(value: object) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value))
