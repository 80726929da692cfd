"""One judgement beside what people said: the row that every metric of judges and critics takes."""

from collections.abc import Sequence
from typing import TypeAlias

from pydantic import Field

from gadfly.records import Record


class Judged(Record):
    """A judgement, flat. What a benchmark or a judge does not give stays at its default.

    Labels are plain text, so that any set of classes works. The usual ones are `correct` and
    `incorrect` for one answer; `first`, `second` and `tie` for two. A label names answers, not
    places: where the answers were shown in the other order (`swapped`), it has been mapped back.
    """

    item: str
    """What was judged. Both orders of a pair share it."""
    judge: str = ""
    gold: str | None = None
    """What people, or an exact check, say; None: nobody said."""
    said: str | None = None
    """What the judge says; None: unscored, for the reason in `why`."""
    why: str = ""
    swapped: bool = False
    score: float | None = None
    """The judge's number. One answer: higher is better. A pair: higher prefers the first."""
    gold_score: float | None = None
    stepwise: bool = False
    """Whether `gold_step` is a label: people looked for the first wrong step."""
    gold_step: int | None = None
    """First wrong step, counted from 0; None where no step is wrong."""
    step: int | None = None
    """The first step that the judge calls wrong; None where it calls none wrong."""
    lengths: tuple[int, ...] = ()
    """Characters of each answer."""
    authors: tuple[str, ...] = ()
    """Who wrote each answer."""
    group: str = ""
    """What makes rows dependent, such as the question; the item where empty."""
    subset: str = ""
    saw_reference: bool = False
    tokens: int = Field(default=0, ge=0)
    """Input and output tokens that the judgement took."""

    @property
    def cluster(self) -> str:
        """The unit that a bootstrap resamples."""
        return self.group or self.item

    @property
    def right(self) -> bool | None:
        """Whether the judge says what people say; None where one of them says nothing."""
        return None if self.gold is None or self.said is None else self.gold == self.said


Rows: TypeAlias = Sequence[Judged]
