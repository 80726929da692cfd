"""The first Vicuna evaluation: judge texts read anew (FastChat, March 2023; FairEval, arXiv:2305.17926)."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import BaseModel, Field

from gadfly.errors import ParseError
from gadfly.parsing.pair_scores import read_first_line, read_pair_scores
from gadfly.parsing.typed_rows import read_typed
from gadfly.reproductions.check import Check, Note, Reproduction

Pair: TypeAlias = tuple[str, str]
Source: TypeAlias = Literal["recorded", "read"]
"""Whether a total sums the scores that were kept, or those that the judge's text states."""

RUN = "gpt-4-0328"
"""The run of the table: its reviewers are named after it."""
TOTALS: Mapping[Pair, tuple[float, float]] = {
    ("llama-13b", "vicuna-13b"): (513.0, 694.0),
    ("alpaca-13b", "vicuna-13b"): (583.0, 704.0),
    ("bard", "vicuna-13b"): (664.0, 655.5),
    ("gpt35", "vicuna-13b"): (693.0, 638.0),
}
"""Total scores of both assistants over 80 questions (LMSYS, 30 March 2023)."""
HUMAN: Mapping[str, int] = {"CHATGPT": 41, "VICUNA13B": 25, "TIE": 14}
"""People's choices between ChatGPT and Vicuna-13B (FairEval's annotations)."""


class _Review(BaseModel):
    judge: str
    assistant_1: str
    assistant_2: str
    question_id: int
    score: list[float] = Field(min_length=2, max_length=2)
    text: str
    reviewer: int | str

    @property
    def recorded(self) -> tuple[float, float] | None:
        """The score that was kept; None: it was marked unusable, by -1."""
        return None if min(self.score) < 0 else (self.score[0], self.score[1])

    @property
    def place(self) -> str:
        return f"{self.judge} on {self.assistant_1} and {self.assistant_2}, question {self.question_id}"


class _Label(BaseModel):
    label: str


_Read = Sequence[tuple[_Review, tuple[float, float] | None]]


def _checks(folder: Path) -> Iterator[Check | Note]:
    reviews = list(read_typed(folder / "reviews.jsonl.gz", _Review))
    read = [(review, _read(review.text)) for review in reviews]
    for source in ("recorded", "read"):
        yield from _totals(read, source)
    labels = Counter(row.label for row in read_typed(folder / "human.jsonl.gz", _Label))
    for label, published in HUMAN.items():
        what = f"people's choice, {label}"
        yield Check(what=what, part="people's choices", published=published, ours=labels[label])
    for review, scores in read:
        yield Check(
            what=f"scores, {review.place}",
            part="judge texts read",
            published=_shown(review.recorded),
            ours=_shown(scores),
            upstream=_by_hand(review),
        )
    yield from _notes(read)


def _totals(read: _Read, source: Source) -> Iterator[Check]:
    sums: dict[Pair, list[tuple[float, float]]] = defaultdict(list)
    differences: dict[Pair, list[_Review]] = defaultdict(list)
    for review, scores in read:
        if str(review.reviewer).startswith(RUN):
            pair = (review.assistant_1, review.assistant_2)
            counted = review.recorded if source == "recorded" else scores
            sums[pair] += [counted] if counted else []
            differences[pair] += [review] if scores != review.recorded else []
    for pair, published in TOTALS.items():
        for place, name in enumerate(pair):
            yield Check(
                what=f"total of {name} in {pair[0]} against {pair[1]}, scores {source}",
                part=f"totals of scores {source}",
                published=published[place],
                ours=sum(scores[place] for scores in sums[pair]) if sums[pair] else None,
                upstream=_cause(differences[pair], place) if source == "read" else "",
            )


def _cause(reviews: Sequence[_Review], place: int) -> str:
    """Why a sum of read scores is another: the texts whose recorded score is not what they state."""
    shown: list[str] = []
    for review in reviews:
        scores = _read(review.text)
        if scores and review.recorded and scores[place] != review.recorded[place] and _by_hand(review):
            shown.append(f"question {review.question_id}: {_by_hand(review)}")
    return "; ".join(shown)


def _by_hand(review: _Review) -> str:
    """What shows that a recorded score is not the judge's; empty where the first line holds the scores.

    The program took the first line; for any other text the score was entered by hand.
    """
    scores = _read(review.text)
    if scores is None or read_first_line(review.text):
        return ""
    return f"the text says {_shown(scores)} below its first line, the record {_shown(review.recorded)}"


def _notes(read: _Read) -> Iterator[Note]:
    unreadable = [review for review, scores in read if scores is None]
    marked = sum(review.recorded is None for review in unreadable)
    yield Note(
        text=f"{len(unreadable)} of {len(read)} texts state no pair of scores, or contradict themselves; "
        f"{marked} of them are recorded as unusable"
    )
    others = [review.place for review, scores in read if scores and scores != review.recorded]
    if others:
        yield Note(text=f"recorded with other scores than the text states: {'; '.join(others)}")


def _read(text: str) -> tuple[float, float] | None:
    try:
        return read_pair_scores(text)
    except ParseError:
        return None


def _shown(scores: tuple[float, float] | None) -> str:
    return "unusable" if scores is None else f"{scores[0]:g} {scores[1]:g}"


REPRODUCTION = Reproduction(
    name="vicuna_faireval",
    summary="Vicuna's first evaluation: 1,440 judge texts read anew, GPT-4's totals and people's choices",
    citation="LMSYS, Vicuna, 30 March 2023; Wang et al. 2023, FairEval, arXiv:2305.17926",
    licence="Apache-2.0 (FastChat); none stated (FairEval)",
    conventions=(
        "read_pair_scores: the first line, or statements elsewhere that all agree",
        'totals: scores="recorded" as published, and scores="read" from the texts',
        'unreadable="left out"',
    ),
    checks=_checks,
)
