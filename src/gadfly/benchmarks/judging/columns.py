"""Which column of somebody's file is what: the `--map` of the commands that take such files.

`gold=label,said=judgments.0.decision` names a field of ours and a column of theirs. A dot goes into
nested values (`judgments.0.decision` is the decision of the first judgement), `+` joins columns that
vote (`gold=annotator1+annotator2+annotator3`), `said:ann=ann_says` names one of several judges in a
row, and words after `@` say how a column is meant (`HOW`).
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

from gadfly.benchmarks.judging.cells import cell, check_columns
from gadfly.benchmarks.judging.spellings import (
    LABELS,
    MARKUP,
    NOTHING,
    ORDERS,
    REDUCE,
    Kind,
    Step,
    as_number,
    as_step,
    extracted,
    flat,
    largest,
    spelled,
    squeezed,
)
from gadfly.errors import InputError
from gadfly.parsing.rows import Row

FIELDS: Mapping[str, str] = {
    "item": "what was judged; the row's number where it is not given",
    "judge": "who judged",
    "subset": "which part of the data it belongs to",
    "group": "what makes rows dependent, such as the question",
    "gold": "what people say; several columns joined by +, or a list, vote",
    "said": "what the judge says",
    "swapped": "what it says with the answers in the other order, naming places (A is then the second)",
    "swapped_back": "the same, but already naming the answers themselves",
    "order": "in which order this row shows the answers: given or swapped",
    "score": "the judge's number, higher for the better answer or for the first of two",
    "first_score": "the judge's number for the first of two answers",
    "second_score": "the judge's number for the second",
    "confidence": "how sure the judge is of what it says, 0 to 1",
    "swapped_score": "score with the answers in the other order, for the place that is then the first",
    "swapped_first_score": "first_score with the answers in the other order",
    "swapped_second_score": "second_score with the answers in the other order",
    "swapped_preference": "preference with the answers in the other order",
    "preference": "a number from 1 (the first is better) to 2 (the second is)",
    "gold_score": "people's number",
    "step": "the first step that the judge calls wrong; @1 where steps are counted from 1",
    "gold_step": "the first wrong step; @1 where steps are counted from 1",
    "saw_reference": "whether the judge saw the right answer",
    "problem": "the question, where a judge is to be run",
    "reference": "the right answer, for judges that may see it",
    "answer": "the one answer that is judged; a list is its steps",
    "first": "the first of two answers",
    "second": "the second of two answers",
    "author": "who wrote the one answer",
    "first_author": "who wrote the first of two",
    "second_author": "who wrote the second of two",
}
HOW: Mapping[str, str] = {
    "@1": "steps are counted from 1",
    "@blank": "an empty cell says that no step is wrong",
    "@under0.5": "a list of numbers: the first wrong step is the first one under 0.5",
    "@brackets": "what stands in [[double brackets]] inside a longer text",
    "@boxed": "what stands in the last \\boxed{} of a longer text",
    "@line": "the last line of a longer text, after its last colon",
    "@pair": "a judge's text that begins with the two scores: the first or the second of them",
    "@largest": "a list of numbers: the place of the largest, from 0 (of two: first or second)",
    "@constant": "no column: the word itself, in every row",
    "@percent": "a number out of 100",
    "@mean": "a list of numbers: their mean; also @min, @max, @last, @product",
    "@places": "in a row of the other order, the column names places; said does so by default",
    "@answers": "in a row of the other order, the column names answers; gold does so by default",
}
"""What may follow a column."""
SWAPPED: Mapping[str, str] = {
    "score": "swapped_score",
    "first_score": "swapped_first_score",
    "second_score": "swapped_second_score",
    "preference": "swapped_preference",
}
"""Numbers of the given order, with the fields for the same numbers of the other order."""
JUDGES = frozenset(
    {"said", "swapped", "swapped_back", "step", "confidence", "saw_reference", *SWAPPED, *SWAPPED.values()}
)
"""Fields that a judge gives."""
PAIRS = frozenset(
    {
        *("swapped", "swapped_back", "order", "first_score", "second_score", "preference", "first", "second"),
        *SWAPPED.values(),
    }
)
"""Fields that only two answers have."""
_NO_LABEL = "none"
_HOW = re.compile(
    r"@(0|1|blank|brackets|boxed|line|pair|largest|constant|percent|mean|min|max|last|product|places|answers"
    r"|under-?\d+(?:\.\d+)?)$"
)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a field stands."""

    columns: tuple[str, ...]
    how: tuple[str, ...] = ()
    """Words after `@`."""

    @property
    def read(self) -> tuple[str, ...]:
        """The columns that the file must have."""
        return () if "constant" in self.how else self.columns

    @property
    def under(self) -> float | None:
        """The number below which a step counts as wrong."""
        words = (word for word in self.how if word.startswith("under"))
        return next((float(word.removeprefix("under")) for word in words), None)


@dataclass(frozen=True, kw_only=True)
class Columns:
    """A mapping of our fields to their columns, with how labels are spelled."""

    places: Mapping[str, Place]
    """Columns by field."""
    kind: Kind
    told: bool = False
    """Whether somebody said the kind; it was taken from the fields otherwise."""
    judges: Mapping[str, Mapping[str, Place]] = field(default_factory=dict[str, Mapping[str, Place]])
    """Where a row holds several judgements: the columns of each judge."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """Their spelling, squeezed, to ours; wins over the usual spellings."""
    orders: Mapping[str, str] = field(default_factory=dict[str, str])
    """The same for the order of the answers."""

    def has(self, *names: str) -> bool:
        """Whether any of the fields is mapped."""
        return any(name in self.places for name in names)

    def each(self) -> Iterator[tuple[str, "Columns"]]:
        """The mapping of each judge that has columns of its own, by name; else this one without a name."""
        for name, places in self.judges.items():
            yield name, replace(self, places={**self.places, **places}, judges={})
        if not self.judges:
            yield "", self

    def check(self, path: Path) -> None:
        """See that the file has the columns.

        Raises:
            InputError: a column is in none of its rows, or the file cannot be read.
        """
        wanted = {column: name for name, place in self.places.items() for column in place.read}
        for judge, places in self.judges.items():
            wanted |= {column: f"{name}:{judge}" for name, place in places.items() for column in place.read}
        check_columns(path, wanted)

    def text(self, name: str, row: Row) -> str:
        """The cell as text; empty where the field is not mapped or there is nothing."""
        return " ".join(spelled(one) for one in self.cells(name, row))

    def number(self, name: str, row: Row, where: str) -> tuple[float | None, str]:
        """The cell as a number, or None with the reason. Columns joined by + give their mean.

        Raises:
            InputError: a list of numbers, and nobody said what to do with it.
        """
        cells, how = self.cells(name, row), self._how(name)
        reduce = next((REDUCE[word] for word in how if word in REDUCE), None)
        if reduce is None and any(len(flat([one])) > 1 for one in cells):
            column = self.places[name].columns[0]
            raise InputError(
                f"{where}: the column {column!r} ({name}) holds a list; say which number counts: "
                f"{name}={column}@mean, @min, @max, @last or @product, or {column}.0 for the first"
            )
        found: list[float] = []
        for one in flat(cells):
            one, why = extracted(one, how, second=name.endswith("second_score"))
            if why:
                return None, why
            if self.labels.get(squeezed(spelled(one))) == _NO_LABEL:
                return None, f"no number: {spelled(one)[:60]!r}"
            try:
                value = as_number(one)
            except ValueError:
                return None, f"not a number: {spelled(one)[:60]!r}"
            found += [] if value is None else [value]
        if not found:
            return None, "no number"
        number = (reduce or REDUCE["mean"])(found)
        return (number / 100 if "percent" in how else number), ""

    def step(self, name: str, row: Row) -> Step:
        """The first wrong step that the cell names, counted from 0."""
        place = self.places.get(name)
        if place is None:
            return Step(looked=False, why="no column")
        cells = self.cells(name, row)
        if place.under is None:
            said, why = extracted(cells[0], place.how)
            if why:
                return Step(looked=False, why=why)
            return as_step(said, first=int("1" in place.how), blank="blank" in place.how)
        numbers: list[float] = []
        for one in flat(cells):
            try:
                value = as_number(one)
            except ValueError:
                value = None
            if value is None:
                return Step(looked=False, why=f"not a number: {spelled(one)[:60]!r}")
            numbers.append(value)
        if not numbers:
            return Step(looked=False, why="empty")
        first = next((at for at, value in enumerate(numbers) if value < place.under), None)
        return Step(looked=True, found=first)

    def label(self, name: str, row: Row) -> tuple[str | None, str]:
        """Our label for the cell, or None with the reason. Columns that vote: the majority's."""
        votes: list[str] = []
        odd = ""
        for one in self._votes(name, row):
            said, why = extracted(one, self._how(name))
            text = spelled(said).strip()
            found = self._known(text)
            if found is None:
                empty = not text or (self.kind == "class" and text.lower() in NOTHING)
                odd = odd or why or ("empty" if empty else f"not a label: {text[:60]!r}")
            elif found != _NO_LABEL:
                votes.append(found)
            else:
                odd = odd or f"no label: {text[:60]!r}"
        if not votes:
            return None, odd or "empty"
        ranked = Counter(votes).most_common(2)
        if len(ranked) == 2 and ranked[0][1] == ranked[1][1]:
            return ("tie", "") if self.kind == "pair" else (None, "the votes are split")
        return ranked[0][0], ""

    def swapped(self, row: Row, where: str) -> bool:
        """Whether the row shows the answers in the other order.

        Raises:
            InputError: it cannot be told from what the row says.
        """
        if not self.has("order"):
            return False
        said = self.text("order", row)
        found = self.orders.get(squeezed(said)) or ORDERS.get(squeezed(said))
        if found is None:
            raise InputError(
                f"{where}: the order {said[:60]!r} is neither given nor swapped; --labels "
                f"{said[:60] + ':swapped'!r} tells"
            )
        return found == "swapped"

    def turns(self, name: str) -> bool:
        """Whether the field names places, so that it has to be turned in a row of the other order."""
        how = self._how(name)
        return "places" in how or (name in JUDGES and "answers" not in how)

    def cells(self, name: str, row: Row) -> list[object]:
        """The cells of a field, one for each of its columns."""
        place = self.places.get(name)
        if place is None:
            return []
        if "constant" in place.how:
            return list(place.columns)
        return [cell(row, column) for column in place.columns]

    def _votes(self, name: str, row: Row) -> list[object]:
        cells = self.cells(name, row)
        if "largest" not in self._how(name):
            return flat(cells)
        numbers = flat(cells)
        return [largest(numbers, ("first", "second") if self.kind == "pair" and len(numbers) == 2 else ())]

    def _how(self, name: str) -> tuple[str, ...]:
        return self.places[name].how if name in self.places else ()

    def _known(self, text: str) -> str | None:
        key = squeezed(text)
        if key in self.labels:
            return self.labels[key]
        if self.kind in LABELS:
            usual = LABELS[self.kind]
            return usual.get(key) or usual.get(key.strip(MARKUP))
        return None if key in NOTHING else text


def read_columns(texts: Sequence[str], *, kind: Kind | None = None, labels: Sequence[str] = ()) -> Columns:
    """The mapping that `--map` and `--labels` spell out.

    Args:
        texts: `field=column` pairs, joined by commas or given one by one.
        kind: What is judged; by default a pair where a field of pairs is mapped, a mark where there are
            numbers of a judge and of people and no labels, and a verdict otherwise.
        labels: `theirs:ours` pairs, such as `A>B:first`; `garbage:none` is no label.

    Raises:
        InputError: no such field, one given twice, or a pair that cannot be read.
    """
    places: dict[str, Place] = {}
    judges: dict[str, dict[str, Place]] = {}
    for part in (part.strip() for text in texts for part in text.split(",")):
        if not part:
            continue
        name, equals, column = part.partition("=")
        name, colon, judge = name.strip().partition(":")
        name, column = name.strip().replace("-", "_"), column.strip()
        if not equals or not column or (colon and not judge.strip()):
            raise InputError(f"--map {part!r} is not field=column")
        _check_field(name)
        if colon and name not in JUDGES:
            given = ", ".join(sorted(JUDGES))
            raise InputError(f"--map {part!r}: only what a judge gives ({given}) has a judge")
        mine = judges.setdefault(judge.strip(), {}) if colon else places
        if name in mine:
            raise InputError(f"--map gives {name} twice; judges of one row are told apart as {name}:ann=...")
        mine[name] = _place(column)
    _check_together(places, judges)
    every = set(places).union(*judges.values())
    found: Kind = kind or ("pair" if PAIRS & every else "mark" if _only_marks(every) else "verdict")
    ours, orders = _labels(labels, found)
    return Columns(
        places=places, judges=judges, kind=found, told=kind is not None, labels=ours, orders=orders
    )


def _only_marks(fields: set[str]) -> bool:
    return {"score", "gold_score"} <= fields and not fields & {"gold", "said", "step", "gold_step"}


def _check_field(name: str) -> None:
    if name not in FIELDS:
        close = get_close_matches(name, FIELDS, n=1)
        hint = f"; did you mean {close[0]}?" if close else "."
        raise InputError(f"--map has no field {name!r}{hint} There are {', '.join(FIELDS)}")


def _check_together(places: Mapping[str, Place], judges: Mapping[str, Mapping[str, Place]]) -> None:
    if judges and "judge" in places:
        raise InputError("--map names judges (said:ann=...) and a column judge: one of the two")
    every = set(places).union(*judges.values())
    if "order" in places and every & {"swapped", "swapped_back", *SWAPPED.values()}:
        raise InputError("--map has order, for one order in each row, and swapped, for both: one of the two")


def _place(column: str) -> Place:
    how: list[str] = []
    while match := _HOW.search(column):
        how.append(match[1])
        column = column[: match.start()]
    return Place(columns=tuple(one.strip() for one in column.split("+")), how=tuple(how))


def _labels(texts: Sequence[str], kind: Kind) -> tuple[dict[str, str], dict[str, str]]:
    usual, orders = LABELS.get(kind), set(ORDERS.values()) if kind == "pair" else set[str]()
    ours = None if usual is None else {*usual.values(), _NO_LABEL}
    found: dict[str, str] = {}
    ordered: dict[str, str] = {}
    for part in (part.strip() for text in texts for part in text.split(",")):
        if not part:
            continue
        theirs, colon, label = (word.strip() for word in part.rpartition(":"))
        if not colon or (ours is not None and label not in ours | orders):
            wanted = (
                "ours"
                if ours is None
                else "|".join((*sorted(ours - {_NO_LABEL}), *sorted(orders), _NO_LABEL))
            )
            raise InputError(f"--labels {part!r} is not theirs:{wanted}")
        (ordered if label in orders else found)[squeezed(theirs)] = label
    return found, ordered
