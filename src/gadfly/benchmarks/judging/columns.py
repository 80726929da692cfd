"""Which column of somebody's file is what: the `--map` of the commands that take such files.

`gold=label,said=judgments.0.decision` names a field of ours and a column of theirs. A dot goes into
nested values (`judgments.0.decision` is the decision of the first judgement), `+` joins columns that
vote (`gold=annotator1+annotator2+annotator3`), and `@1` says that steps are counted from 1.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal, TypeAlias, cast

from gadfly.errors import InputError
from gadfly.parsing.rows import Row

Kind: TypeAlias = Literal["verdict", "pair", "class"]

FIELDS: Mapping[str, str] = {
    "item": "what was judged; the row's number where it is not given",
    "judge": "who judged",
    "subset": "which part of the data it belongs to",
    "group": "what makes rows dependent, such as the question",
    "gold": "what people say; several columns joined by + vote",
    "said": "what the judge says",
    "swapped": "what it says with the answers in the other order, naming places (A is then the second)",
    "swapped_back": "the same, but already naming the answers themselves",
    "score": "the judge's number, higher for the better answer or for the first of two",
    "first_score": "the judge's number for the first of two answers",
    "second_score": "the judge's number for the second",
    "preference": "a number from 1 (the first is better) to 2 (the second is)",
    "gold_score": "people's number",
    "step": "the first step that the judge calls wrong; @1 where steps are counted from 1",
    "gold_step": "the first wrong step; @1 where steps are counted from 1",
    "problem": "the question, where a judge is to be run",
    "reference": "the right answer, for judges that may see it",
    "answer": "the one answer that is judged",
    "first": "the first of two answers",
    "second": "the second of two answers",
    "author": "who wrote the one answer",
    "first_author": "who wrote the first of two",
    "second_author": "who wrote the second of two",
}
PAIRS = frozenset({"swapped", "swapped_back", "first_score", "second_score", "preference", "first", "second"})
"""Fields that only two answers have."""

_PAIR_WORDS = {
    "first": "1 1.0 a first left a>b a>>b [[a]] "
    "model_1 model_a response_1 response_a output_1 answer_1 assistant_a",
    "second": "2 2.0 b second right b>a b>>a [[b]] "
    "model_2 model_b response_2 response_b output_2 answer_2 assistant_b",
    "tie": "0 0.0 c tie draw equal both same a=b b=a [[c]] tie(bothbad)",
}
_VERDICT_WORDS = {
    "correct": "correct right true good yes valid pass passed 1 1.0",
    "incorrect": "incorrect wrong false bad no invalid fail failed 0 0.0",
    "unsure": "unsure uncertain neutral",
}
_NOTHING = frozenset({"", "none", "null", "nan", "n/a", "na"})


@dataclass(frozen=True, kw_only=True)
class Columns:
    """A mapping of our fields to their columns, with how labels are spelled."""

    places: Mapping[str, tuple[str, ...]]
    """Columns by field."""
    kind: Kind
    first_steps: Mapping[str, int] = field(default_factory=dict[str, int])
    """The number of the first step, by field."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """Their spelling, in lower case, to ours; wins over the usual spellings."""

    def has(self, *names: str) -> bool:
        """Whether any of the fields is mapped."""
        return any(name in self.places for name in names)

    def text(self, name: str, row: Row, where: str) -> str:
        """The cell as text; empty where the field is not mapped.

        Raises:
            InputError: the column is not there.
        """
        return " ".join(_spelled(cell) for cell in self._cells(name, row, where))

    def number(self, name: str, row: Row, where: str) -> float | None:
        """The cell as a number; None where it is empty or not mapped.

        Raises:
            InputError: the column is not there, or its cell is no number.
        """
        for cell in self._cells(name, row, where):
            if _spelled(cell).strip().lower() in _NOTHING:
                return None
            try:
                value = float(cast(str, cell))
            except (TypeError, ValueError):
                column = self.places[name][0]
                raise InputError(
                    f"{where}: the column {column!r} ({name}) is no number: {_spelled(cell)[:60]!r}"
                ) from None
            return value if value == value and abs(value) != float("inf") else None
        return None

    def step(self, name: str, row: Row, where: str) -> int | None:
        """A step counted from 0; None where there is none.

        Raises:
            InputError: the column is not there, or its cell is no whole number.
        """
        value = self.number(name, row, where)
        if value is None:
            return None
        if value != int(value):
            raise InputError(f"{where}: {name} is {value:g}, which is no step")
        # Benchmarks also write "no wrong step" as a number below the first.
        first = self.first_steps.get(name, 0)
        return None if value < first else int(value) - first

    def label(self, name: str, row: Row, where: str) -> tuple[str | None, str]:
        """Our label for the cell, or None with the reason. Columns that vote: the majority's."""
        votes: list[str] = []
        odd = ""
        for cell in self._cells(name, row, where):
            spelled = _spelled(cell).strip()
            found = self._known(spelled)
            if found is None:
                odd = odd or (f"not a label: {spelled[:60]!r}" if spelled else "empty")
            else:
                votes.append(found)
        if not votes:
            return None, odd
        ranked = Counter(votes).most_common(2)
        if len(ranked) == 2 and ranked[0][1] == ranked[1][1]:
            return ("tie", "") if self.kind == "pair" else (None, "the votes are split")
        return ranked[0][0], ""

    def _known(self, spelled: str) -> str | None:
        key = "".join(spelled.lower().split())
        if key in self.labels:
            return self.labels[key]
        if self.kind == "class":
            return None if key in _NOTHING else spelled
        return (PAIR_LABELS if self.kind == "pair" else VERDICT_LABELS).get(key)

    def _cells(self, name: str, row: Row, where: str) -> list[object]:
        return [_cell(row, column, name, where) for column in self.places.get(name, ())]


def read_columns(texts: Sequence[str], *, kind: Kind | None = None, labels: Sequence[str] = ()) -> Columns:
    """The mapping that `--map` and `--labels` spell out.

    Args:
        texts: `field=column` pairs, joined by commas or given one by one.
        kind: What is judged; by default a pair where a field of pairs is mapped, and a verdict otherwise.
        labels: `theirs:ours` pairs, such as `A>B:first`.

    Raises:
        InputError: no such field, one given twice, or a pair that cannot be read.
    """
    places: dict[str, tuple[str, ...]] = {}
    first_steps: dict[str, int] = {}
    for part in (part.strip() for text in texts for part in text.split(",")):
        if not part:
            continue
        name, equals, column = part.partition("=")
        name, column = name.strip().replace("-", "_"), column.strip()
        if not equals or not column:
            raise InputError(f"--map {part!r} is not field=column")
        if name not in FIELDS:
            close = get_close_matches(name, FIELDS, n=1)
            hint = f"; did you mean {close[0]}?" if close else "."
            raise InputError(f"--map has no field {name!r}{hint} There are {', '.join(FIELDS)}")
        if name in places:
            raise InputError(f"--map gives {name} twice")
        if column.endswith(("@0", "@1")):
            first_steps[name] = int(column[-1])
            column = column[:-2]
        places[name] = tuple(one.strip() for one in column.split("+"))
    found: Kind = kind or ("pair" if PAIRS & set(places) else "verdict")
    return Columns(places=places, first_steps=first_steps, kind=found, labels=_labels(labels, found))


def _labels(texts: Sequence[str], kind: Kind) -> dict[str, str]:
    ours = {"pair": set(_PAIR_WORDS), "verdict": set(_VERDICT_WORDS), "class": None}[kind]
    found: dict[str, str] = {}
    for part in (part.strip() for text in texts for part in text.split(",")):
        if not part:
            continue
        theirs, colon, label = part.rpartition(":")
        if not colon or (ours is not None and label.strip() not in ours):
            wanted = "theirs:ours" if ours is None else f"theirs:{'|'.join(sorted(ours))}"
            raise InputError(f"--labels {part!r} is not {wanted}")
        found["".join(theirs.lower().split())] = label.strip()
    return found


def _cell(row: Row, column: str, name: str, where: str) -> object:
    if column in row:
        return row[column]
    value: object = dict(row)
    for key in column.split("."):
        if isinstance(value, list):
            inside = cast("list[object]", value)
            value = inside[int(key)] if key.isdigit() and int(key) < len(inside) else None
        elif isinstance(value, dict):
            named = {str(name): cell for name, cell in cast("dict[object, object]", value).items()}
            if key not in named:
                names = ", ".join(sorted(named)[:20])
                raise InputError(f"{where}: there is no column {column!r} for {name}; there are {names}")
            value = named[key]
        else:
            return None
    return value


def _spelled(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return cell if isinstance(cell, str) else str(cell)


PAIR_LABELS = {word: label for label, words in _PAIR_WORDS.items() for word in words.split()}
VERDICT_LABELS = {word: label for label, words in _VERDICT_WORDS.items() for word in words.split()}
