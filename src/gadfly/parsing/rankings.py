"""An order of labelled answers out of a judge's text."""

import re
import unicodedata
from collections.abc import Sequence

from gadfly.errors import ParseError
from gadfly.parsing.text import EDGE, last_stated, tail

_LABEL = re.compile(
    rf"^{EDGE}(?:my |the )?(?:final )?ranking[*_` \t]*(?:[:=]|is\b|$)", re.IGNORECASE | re.MULTILINE
)
_MARKUP = "()[]\"' \t*_`."


def read_order(text: str, labels: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The last line `RANKING: 2 > 3 = 1` as tiers, best first; commas are as good as `>`.

    Raises:
        ParseError: no such line, a label that was not offered, one named twice, or one left out.
    """
    found = last_stated(_LABEL, unicodedata.normalize("NFKC", tail(text)))
    if found is None:
        raise ParseError("no line 'RANKING: ...'")
    said = found[0] if found[0].strip("*_`") else found[1].partition("\n")[0]
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
