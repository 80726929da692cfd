"""Texts cut into sentences, sections and chunks that know their place, and one critique out of many."""

import re
from collections.abc import Sequence

from gadfly.errors import InputError, ParseError
from gadfly.primitives.critique import Target
from gadfly.records import Candidate, Critique, Failure, Finding, Record, Verdict
from gadfly.trace import primitive

_SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)\]]*(?=\s+[\"'“‘(\[]*[A-Z0-9\\])|\n+")
_SHORT_FORMS = re.compile(r"\b(?:e\.g|i\.e|cf|vs|etc|Dr|Mr|Mrs|Ms|Prof|St|Fig|Eq|No|[A-Z])\.$")
_ITEM = re.compile(r"\s*\d{1,3}\.")
_FORM = 40
"""Characters before a full stop that say whether it ends a sentence."""
_HEADING = re.compile(
    r"^(?:#{1,6}[ \t]+(?P<hash>\S.*)"
    r"|\\(?:sub)*section\*?\{(?P<tex>[^}\n]+)\}"
    r"|(?P<number>\d{1,2}(?:\.\d{1,2}){0,3}\.?[ \t]+[A-Z][^.!?\n]{1,70}))[ \t]*$",
    re.MULTILINE,
)

Span = tuple[int, int]


class Passage(Record):
    """A stretch of a document: characters `span` (half open) below the heading `title`."""

    title: str
    text: str
    span: tuple[int, int]


def sentences(text: str) -> tuple[Span, ...]:
    """Where each sentence stands, edges trimmed. Lines end sentences; initials and short forms do not."""
    found: list[Span] = []
    start = 0
    for match in [*_SENTENCE_END.finditer(text), None]:
        end = match.start() if match is not None else len(text)
        if match is not None and "\n" not in match.group():
            end = match.end()
            # Never the whole sentence: a text of initials only would be read again for each of them.
            at = max(start, end - _FORM)
            if _SHORT_FORMS.search(text[at:end]) or (at == start and _ITEM.fullmatch(text[at:end])):
                continue
        body = text[start:end]
        if body.strip():
            left = start + len(body) - len(body.lstrip())
            found.append((left, left + len(body.strip())))
        start = match.end() if match is not None else end
    return tuple(found)


def sections(text: str) -> tuple[Passage, ...]:
    r"""The parts of a document below its headings (Markdown `#`, LaTeX `\section{}`, `2.1 Title`).

    What stands before the first heading has the title "". Joined, the spans cover the text.
    """
    heads = list(_HEADING.finditer(text))
    starts = [0, *(head.start() for head in heads)]
    titles = ["", *(_title(head) for head in heads)]
    ends = [*starts[1:], len(text)]
    return tuple(
        Passage(title=title, text=text[start:end], span=(start, end))
        for title, start, end in zip(titles, starts, ends, strict=True)
        if text[start:end].strip()
    )


def chunks(passages: Sequence[Passage], budget: int) -> tuple[Passage, ...]:
    """The same text in stretches of at most `budget` characters.

    Neighbouring short sections are joined; a long one is cut at a paragraph, a sentence or a word, in that
    order of preference.

    Raises:
        InputError: the budget is below 200 characters.
    """
    if budget < 200:
        raise InputError(f"a chunk of {budget} characters holds no section; give at least 200")
    made: list[list[Passage]] = []
    size = 0
    for piece in (piece for whole in passages for piece in _cut(whole, budget)):
        if made and size + len(piece.text) <= budget and made[-1][-1].span[1] == piece.span[0]:
            made[-1].append(piece)
            size += len(piece.text)
        else:
            made.append([piece])
            size = len(piece.text)
    return tuple(_joined(pieces) for pieces in made)


@primitive
async def gather(
    target: Target, parts: Sequence[Critique], findings: Sequence[Finding], *, text: str = "", author: str
) -> Critique:
    """One critique of `target` out of the critiques of its parts.

    One part found wrong makes the whole wrong. With none wrong and one unreadable there is no verdict,
    since the unreadable part may be the wrong one; `failure` counts them.
    """
    verdict, failure = worst_verdict(parts)
    return Critique(
        target=target.id,
        text=text or "\n".join(f"- {finding.text}" for finding in findings) or "No faults were found.",
        author=author,
        verdict=verdict,
        findings=tuple(findings),
        saw_reference=any(part.saw_reference for part in parts),
        failure=failure,
    )


def worst_verdict(parts: Sequence[Critique]) -> tuple[Verdict | None, Failure | None]:
    """The verdict on a whole from its parts, or the reason why there is none."""
    verdicts = [part.verdict for part in parts]
    if "incorrect" in verdicts:
        return "incorrect", None
    unread = verdicts.count(None)
    if unread or not verdicts:
        return None, ParseError(f"{unread} of {len(verdicts)} parts could not be judged").failure()
    return ("unsure" if "unsure" in verdicts else "correct"), None


def step_of(candidate: Candidate, place: int) -> int | None:
    """Which step the character at `place` of the candidate's text belongs to, counted from 0."""
    end = 0
    for index, step in enumerate(candidate.steps):
        end += len(step)
        if place < end:
            return index
    return None


def _title(head: "re.Match[str]") -> str:
    hashed = (head["hash"] or "").rstrip().rstrip("#").rstrip() or head["hash"]
    return (hashed or head["tex"] or head["number"] or "").strip()


def _joined(pieces: Sequence[Passage]) -> Passage:
    return Passage(
        title="; ".join(dict.fromkeys(piece.title for piece in pieces if piece.title)),
        text="".join(piece.text for piece in pieces),
        span=(pieces[0].span[0], pieces[-1].span[1]),
    )


def _cut(passage: Passage, budget: int) -> list[Passage]:
    pieces: list[Passage] = []
    text, start = passage.text, passage.span[0]
    while len(text) > budget:
        window = text[:budget]
        places = [window.rfind(mark) + len(mark) for mark in ("\n\n", ". ", " ") if window.rfind(mark) > 0]
        # A cut in the first half would leave chunks much smaller than they may be.
        at = next((place for place in places if place >= budget // 2), budget)
        pieces.append(Passage(title=passage.title, text=text[:at], span=(start, start + at)))
        text, start = text[at:], start + at
    if text:
        pieces.append(Passage(title=passage.title, text=text, span=(start, start + len(text))))
    return pieces
