"""Prompts as records: Jinja templates with strict slots.

A template comes from the package or from the user, never from a model. What a model wrote
enters through slots, which are data: they are not rendered again, control characters are
taken out, and the `fence` filter wraps them in a tag that the text itself cannot close.
"""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import cast

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from gadfly.errors import InputError
from gadfly.records import Message, Record

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_FORMAT = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u2060-\u206f\ufeff\U000e0000-\U000e007f]")


def clean(text: str) -> str:
    """Without control characters other than newline and tab, and without direction overrides.

    A carriage return becomes a newline: alone, it would let a text overwrite itself on a terminal.
    """
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


@lru_cache(maxsize=64)
def fence(text: str, tag: str) -> str:
    """Wrap text in `<tag>` lines that it cannot close.

    Where the text itself speaks of the tag, a suffix derived from the text is added to it.
    """
    body = clean(text).strip("\n")
    seen = _FORMAT.sub("", unicodedata.normalize("NFKC", body))
    name = tag
    if re.search(rf"<\s*/?\s*{re.escape(tag)}", seen, re.IGNORECASE):
        digest = hashlib.sha256(body.encode("utf-8", "replace")).hexdigest()
        name = next(
            named for size in range(8, 65) if (named := f"{tag}-{digest[:size]}").lower() not in seen.lower()
        )
    return f"<{name}>\n{body}\n</{name}>"


def _data(value: object) -> object:
    return clean(value) if isinstance(value, str) else value


_ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True, finalize=_data
)
cast(dict[str, object], _ENVIRONMENT.filters)["fence"] = fence


@lru_cache(maxsize=1024)
def _compiled(template: str) -> tuple[Template, frozenset[str]]:
    names = meta.find_undeclared_variables(_ENVIRONMENT.parse(template))
    return _ENVIRONMENT.from_string(template), frozenset(names)


class Prompt(Record):
    """A named template of one user turn, with an optional system turn before it."""

    name: str
    user: str
    system: str | None = None

    @property
    def slots(self) -> frozenset[str]:
        """Names that must be filled: all of them, and no others.

        Raises:
            InputError: the template cannot be read.
        """
        try:
            return _compiled(self.user)[1] | _compiled(self.system or "")[1]
        except TemplateSyntaxError as error:
            raise InputError(f"prompt {self.name!r} cannot be read, line {error.lineno}: {error}") from error

    def render(self, slots: Mapping[str, object]) -> tuple[Message, ...]:
        """The chat messages with every slot filled.

        Raises:
            InputError: a slot is missing, one is given that the template does not have, or the
                template cannot be read.
        """
        given = frozenset(slots)
        if given != self.slots:
            missing, extra = sorted(self.slots - given), sorted(given - self.slots)
            raise InputError(
                f"prompt {self.name!r} needs the slots {sorted(self.slots)}"
                + (f"; missing: {missing}" if missing else "")
                + (f"; it has no slot {extra}" if extra else "")
            )
        user = Message(role="user", content=_compiled(self.user)[0].render(slots).strip())
        if self.system is None:
            return (user,)
        system = _compiled(self.system)[0].render(slots).strip()
        return (Message(role="system", content=system), user)
