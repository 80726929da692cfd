"""An order of labelled answers out of a judge's text."""

import re
from collections.abc import Sequence

from gadfly.errors import ParseError
from gadfly.parsing.text import EDGE, read_last

_LABEL = re.compile(
    rf"^{EDGE}(?:my |the )?(?:final )?ranking[*_` \t]*(?:[:=]|is\b|$)", re.IGNORECASE | re.MULTILINE
)
_MARKUP = "()[]\"' \t*_`."


def read_order(text: str, labels: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The last line `RANKING: 2 > 3 = 1` as tiers, best first; commas are as good as `>`.

    Raises:
        ParseError: no such line, a label that was not offered, one named twice, or one left out; or
            the line above ranks otherwise.
    """
    return read_last(_LABEL, text, lambda said: _order(said, labels), form="'RANKING: ...'")


def _order(said: str, labels: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    parts = [[name.strip(_MARKUP) for name in part.split("=")] for part in re.split(r"[>,]", said)]
    named = [name for part in parts for name in part]
    strange = [name for name in named if name not in labels]
    if strange:
        raise ParseError(f"the ranking names {strange[0][:60]!r}, not one of {list(labels)[:12]}")
    if len(set(named)) < len(named):
        raise ParseError("the ranking names an answer twice")
    if len(named) < len(labels):
        raise ParseError(f"the ranking names {len(named)} of {len(labels)} answers")
    return tuple(tuple(part) for part in parts)
