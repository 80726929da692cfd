"""The two scores of a judge that was asked for them on its first line, as FastChat's judge prompt does.

Zheng et al. 2023, arXiv:2306.05685, and its forerunner, the Vicuna evaluation: the first line holds
two numbers, for Assistant 1 and Assistant 2. Judges that reason first state them elsewhere; such a
text is read only where all that it states agrees.
"""

import re
from collections.abc import Iterator

from gadfly.errors import ParseError
from gadfly.parsing.text import LONGEST

_NUMBER = r"\d+(?:\.\d+)?"
_FIRST_LINE = re.compile(rf"[\[(]?({_NUMBER})(?:[ \t]*,[ \t]*|[ \t]+)({_NUMBER})[\])]?")
_OF_TEN = r"(?:[ \t]*/[ \t]*10(?:\.0)?|[ \t]+out of[ \t]+10)"
_STOP = r"(?![\w/]|\.\d|[ \t]*[-+*=^][ \t]*[\d(])"
"""What follows no score: 8/12, or the rest of a sum."""
_SCORE = rf"(?P<score>{_NUMBER}){_OF_TEN}?{_STOP}"
_MARKED = rf"(?P<score>{_NUMBER}){_OF_TEN}{_STOP}"
_WHO = r"(?<!Assistant 1 and )Assistant[ \t]+(?P<who>[12])"
"""'Assistant 1 and Assistant 2 a score of 8' is a score of both."""
_OPEN = re.compile(rf"{_WHO}[*_]*:[*_]*[ \t]*{_SCORE}(?=[ \t]*(?:$|[(,;)]|-[ \t]))", re.I | re.M)
"""A bare number after a name may as well be a quoted answer: it counts below a heading."""
_HEADING = re.compile(r"^.*:[ \t]*$", re.M)
_SPEAKS_OF_SCORES = re.compile(r"\b(?:scores?|evaluation|ratings?)\b", re.I)
_ONE = tuple(
    re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for pattern in (
        rf"{_WHO}[*_]*:[*_]*[ \t]*{_MARKED}",
        rf"^[*_]*{_WHO}[*_]*:[*_]*\s*Score:[ \t]*{_SCORE}",
        rf"^[*_]*Score for {_WHO}:[ \t]*{_SCORE}",
        rf"{_WHO}(?:'s)?[ \t]+(?:receives[ \t]+)?(?:an?[ \t]+)?score[ \t]+(?:of|is)[ \t]+{_SCORE}",
        rf"\bscore of {_SCORE}[ \t]+to[ \t]+{_WHO}",
        rf"{_WHO}'s[ \t]+\w+(?:[ \t]+\w+)?[ \t]+(?:as|an?)[ \t]+{_MARKED}",
    )
)
_AND = rf"(?P<first>{_NUMBER})[ \t]*(?:,|and)[ \t]*(?P<second>{_NUMBER})"
_BOTH = tuple(
    re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for pattern in (
        rf"(?:^|[ \t])(?:output|tuple[^.\n()]{{0,60}}|scores are)[ \t]*(?::[ \t]*)?\({_AND}\)",
        rf"scores for Assistant 1 and Assistant 2 are[ \t]*(?::[ \t]*)?{_AND},?[ \t]+respectively",
    )
)
_SAME = re.compile(
    rf"\bboth[ \t]+(?:Assistant 1 and Assistant 2(?:'s[ \t]+\w+)?|assistants|they)?[^.\n\d]{{0,30}}?"
    rf"(?:a[ \t]+score[ \t]+of|an?)[ \t]+{_SCORE}",
    re.IGNORECASE,
)
LARGEST = 10.0


def read_pair_scores(text: str) -> tuple[float, float]:
    """The scores of the first and the second answer.

    Two numbers alone on the first line count, on any scale. Elsewhere scores are read on the scale to
    10, where the text names the assistant or calls the pair its output, and only if every such
    statement agrees.

    Raises:
        ParseError: an answer has no score, or the text states more than one for it.
    """
    first = read_first_line(text)
    if first:
        return first
    if len(text) > LONGEST:
        raise ParseError(f"no scores on the first line, and the text is longer than {LONGEST:,} characters")
    found: dict[int, set[float]] = {1: set(), 2: set()}
    for who, score in _stated(text):
        if score <= LARGEST:
            found[who].add(score)
    for who, scores in found.items():
        if not scores:
            raise ParseError(f"no score of Assistant {who}: expected two numbers on the first line")
        if len(scores) > 1:
            listed = " and ".join(f"{score:g}" for score in sorted(scores))
            raise ParseError(f"the text gives Assistant {who} different scores: {listed}")
    return found[1].pop(), found[2].pop()


def read_first_line(text: str) -> tuple[float, float] | None:
    """The two numbers that are the whole of the first line, as the prompt asks; None: there are not two."""
    found = _FIRST_LINE.fullmatch(text.lstrip("\n").partition("\n")[0].strip())
    return (float(found[1]), float(found[2])) if found else None


def _stated(text: str) -> Iterator[tuple[int, float]]:
    headings = (line.end() for line in _HEADING.finditer(text) if _SPEAKS_OF_SCORES.search(line[0]))
    for match in _OPEN.finditer(text, next(headings, len(text))):
        yield int(match["who"]), float(match["score"])
    for pattern in _ONE:
        for match in pattern.finditer(text):
            yield int(match["who"]), float(match["score"])
    for pattern in _BOTH:
        for match in pattern.finditer(text):
            yield 1, float(match["first"])
            yield 2, float(match["second"])
    for match in _SAME.finditer(text):
        yield 1, float(match["score"])
        yield 2, float(match["score"])
