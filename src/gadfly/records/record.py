"""The value all records are: frozen, closed, with a digest of its content."""

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict


class Record(BaseModel):
    """A frozen, closed value with a digest of its content."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @cached_property
    def digest(self) -> str:
        """Hex SHA-256 of the record's canonical JSON: independent of key order."""
        return content_digest(self.model_dump(mode="json"))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy with changes. The copy forgets what was computed from the old fields."""
        copied = super().model_copy(update=update, deep=deep)
        for name in ("digest", "id"):
            if name not in type(self).model_fields:
                vars(copied).pop(name, None)
        return copied


def content_digest(value: object) -> str:
    """Hex SHA-256 of a JSON value, with sorted keys, so that equal values digest equally."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _storable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


Text: TypeAlias = Annotated[str, AfterValidator(_storable)]
"""A text from outside. Half a surrogate pair, which JSON can carry and UTF-8 cannot, becomes U+FFFD."""


class Named(Record):
    """A record that others point at by the first 16 hex digits of its digest."""

    @cached_property
    def id(self) -> str:
        """Content-derived name: 16 hex digits."""
        return self.digest[:16]
