"""Other people's judgements from a file of theirs, as rows for the metrics."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from gadfly.benchmarks.judging.columns import SWAPPED, Columns
from gadfly.benchmarks.judging.spellings import LABELS, Step, squeezed
from gadfly.errors import InputError
from gadfly.metrics.judged import Judged
from gadfly.parsing.rows import Row, read_rows

_OTHER = {"first": "second", "second": "first"}
_AS_THEY_ARE = {name: name for name in SWAPPED}
_SHOWN = 5
"""Labels in a message."""


@dataclass(frozen=True, kw_only=True)
class Judgements:
    """What a file holds."""

    rows: tuple[Judged, ...]
    warnings: tuple[str, ...] = ()
    """What people said that could not be used."""


def read_judgements(
    path: Path, columns: Columns, *, threshold: float = 0.5, limit: int | None = None
) -> Judgements:
    """The judgements of each row: of one judge or several, in one order of the answers or both.

    Where there is only a number about one answer, it says correct from `threshold` on. `limit` is the
    number of the file's rows that are read.

    Raises:
        InputError: the file cannot be read, a column is missing, a number of people's is none, two rows
            are of the same item and judge, the mapping names neither a label nor a number of the
            judge's, or people's labels are of another kind.
    """
    mappings = list(columns.each())
    for judge, mapping in mappings:
        _check_said(mapping, judge)
    columns.check(path)
    rows: list[Judged] = []
    odd: Counter[str] = Counter()
    seen: dict[tuple[str, str, bool], str] = {}
    for number, (where, row) in enumerate(islice(read_rows(path), limit)):
        gold = _Gold.of(columns, row, where)
        odd.update([gold.why] if gold.why else [])
        for judge, mapping in mappings:
            for judged in _judged(mapping, row, where, number, gold, threshold):
                named = judged.model_copy(update={"judge": judge}) if judge else judged
                earlier = seen.setdefault((named.judge, named.item, named.swapped), where)
                if earlier != where:
                    raise InputError(_twice(named, where, earlier))
                rows.append(named)
    labelled = any(row.gold is not None for row in rows)
    _check_kind(columns, odd, Counter(row.why for row in rows if row.said is None), path, labelled)
    return Judgements(rows=tuple(rows), warnings=tuple(_warnings(odd)))


def _check_said(columns: Columns, judge: str) -> None:
    of = f" of {judge}" if judge else ""
    if not columns.has("said", "score", "first_score", "second_score", "preference", "step"):
        raise InputError(
            f"--map names nothing that a judge said{of}: it needs said, score, preference or step"
        )
    if columns.has("first_score") != columns.has("second_score"):
        raise InputError(f"--map needs first_score and second_score{of} together")
    if columns.has("swapped_first_score") != columns.has("swapped_second_score"):
        raise InputError(f"--map needs swapped_first_score and swapped_second_score{of} together")
    if columns.has("confidence") and columns.has("score", "first_score", "preference"):
        raise InputError(f"--map has a confidence{of} and another number: the confidence is of what is said")
    if columns.has("confidence") and not columns.has("said"):
        raise InputError(f"--map has a confidence{of} and not what it is of: said")


def _twice(judged: Judged, where: str, earlier: str) -> str:
    return (
        f"{where} and {earlier} are the same item {judged.item!r} of the same judge; --map item to what "
        "tells them apart (columns joined by +), judge to who judged, or order to the order of the answers"
    )


@dataclass(frozen=True, kw_only=True)
class _Gold:
    """What people say of a row."""

    label: str | None
    why: str
    """Why it could not be used, where there is something."""
    score: float | None
    stepwise: bool
    step: int | None

    @staticmethod
    def of(columns: Columns, row: Row, where: str) -> "_Gold":
        label, why = columns.label("gold", row)
        step = columns.step("gold_step", row)
        if columns.has("gold_step") and not columns.has("gold"):
            label, why = _by_step(step), step.why
        elif why == "empty":
            why = ""
        score, no_score = columns.number("gold_score", row, where)
        if no_score.startswith("not a number"):
            raise InputError(f"{where}: gold_score is {no_score}")
        # A solution that people call right has no wrong step, whether or not the cell says so; where one
        # that they call wrong has none either, nobody has named the step.
        stepwise = columns.has("gold_step") and (
            label == "correct" if step.found is None and columns.has("gold") else step.looked
        )
        return _Gold(
            label=label,
            why=why,
            score=score,
            stepwise=stepwise,
            step=step.found if stepwise else None,
        )


def _judged(
    columns: Columns, row: Row, where: str, number: int, gold: _Gold, threshold: float
) -> Iterator[Judged]:
    other = columns.swapped(row, where)
    said, why, score = _said(columns, row, where, threshold, other=other)
    if columns.has("confidence"):
        score = _sure(columns, row, where, said)
    step = columns.step("step", row)
    if columns.has("step") and not columns.has("said"):
        said, why = _by_step(step), step.why
    known = Judged(
        item=columns.text("item", row) or (f"row {number + 1}" if columns.has("item") else str(number)),
        judge=columns.text("judge", row),
        gold=_turned(gold.label, turn=other and columns.turns("gold")),
        said=said,
        why=why,
        swapped=other,
        score=score,
        gold_score=gold.score,
        stepwise=gold.stepwise,
        gold_step=gold.step,
        step=step.found,
        lengths=_lengths(columns, row, other=other),
        authors=_texts(columns, row, "author", "first_author", "second_author", other=other),
        group=columns.text("group", row),
        subset=columns.text("subset", row),
        saw_reference=_saw(columns, row, where),
    )
    yield known
    numbers = _numbers_swapped(columns, row, where) if columns.has(*SWAPPED.values()) else {}
    if numbers and not columns.has("swapped", "swapped_back"):
        yield known.model_copy(update={**numbers, "swapped": True})
    for name, turn in (("swapped", True), ("swapped_back", False)):
        if columns.has(name):
            label, why = columns.label(name, row)
            said = _turned(label, turn=turn)
            update = {"said": said, "why": why, "swapped": True, "score": numbers.get("score")}
            yield known.model_copy(update=update)


def _sure(columns: Columns, row: Row, where: str, said: str | None) -> float | None:
    """The number that a confidence in what was said is: of one answer that it is right, of two for the first.

    Raises:
        InputError: it is no share.
    """
    sure, odd = columns.number("confidence", row, where)
    if odd.startswith("not a number"):
        raise InputError(f"{where}: confidence is {odd}")
    if sure is None:
        return None
    if not 0 <= sure <= 1:
        raise InputError(
            f"{where}: the confidence {sure:g} is not from 0 to 1; confidence=COLUMN@percent where it is "
            "out of 100"
        )
    worth = {"correct": sure, "incorrect": 1 - sure, "first": 2 * sure - 1, "second": 1 - 2 * sure}
    return worth.get(said or "")


def _saw(columns: Columns, row: Row, where: str) -> bool:
    if not columns.has("saw_reference"):
        return False
    said = columns.text("saw_reference", row)
    found = LABELS["verdict"].get(squeezed(said))
    if said and found not in ("correct", "incorrect"):
        raise InputError(f"{where}: saw_reference is {said[:60]!r}, neither true nor false")
    return found == "correct"


def _numbers_swapped(columns: Columns, row: Row, where: str) -> dict[str, object]:
    """What the numbers of the other order say, for the answers themselves."""
    name, score, odd = _number(columns, row, where, SWAPPED)
    if score is not None and columns.turns(name):
        score = -score
    return {"said": None if score is None else _preferred(score), "why": odd, "score": score}


def _by_step(step: Step) -> str | None:
    """The verdict that a step gives; None where it says nothing."""
    if not step.looked:
        return None
    return "correct" if step.found is None else "incorrect"


def _turned(label: str | None, *, turn: bool) -> str | None:
    """The place that a label names, as the answer that stood there."""
    return _OTHER.get(label, label) if turn and label is not None else label


def _said(
    columns: Columns, row: Row, where: str, threshold: float, *, other: bool
) -> tuple[str | None, str, float | None]:
    """What the judge says in the row's order: a label with its number, or why there is none."""
    name, score, odd = _number(columns, row, where)
    if other and score is not None and columns.turns(name):
        score = -score
    if columns.has("said"):
        said, why = columns.label("said", row)
        return _turned(said, turn=other and columns.turns("said")), why, score
    if score is None or columns.kind == "mark":
        return None, odd, score
    if columns.kind != "pair":
        return ("correct" if score >= threshold else "incorrect"), "", score
    return _preferred(score), "", score


def _preferred(score: float) -> str:
    return "tie" if score == 0 else "first" if score > 0 else "second"


def _number(
    columns: Columns, row: Row, where: str, names: Mapping[str, str] = _AS_THEY_ARE
) -> tuple[str, float | None, str]:
    """The field of the judge's number, the number, or why there is none."""
    preference, one, other = names["preference"], names["first_score"], names["second_score"]
    if columns.has(preference):
        preferred, odd = columns.number(preference, row, where)
        if preferred is None:
            return preference, None, odd
        # 0 is an old spelling of a draw.
        if preferred != 0 and not 1 <= preferred <= 2:
            return preference, None, f"a preference beyond 1 to 2: {preferred:g}"
        return preference, 0.0 if preferred == 0 else 3.0 - 2.0 * preferred, ""
    if columns.has(one):
        first, odd = columns.number(one, row, where)
        second, more = columns.number(other, row, where)
        if first is None or second is None:
            return one, None, odd or more
        return one, first - second, ""
    return (names["score"], *columns.number(names["score"], row, where))


def _lengths(columns: Columns, row: Row, *, other: bool) -> tuple[int, ...]:
    return tuple(len(text) for text in _texts(columns, row, "answer", "first", "second", other=other))


def _texts(columns: Columns, row: Row, one: str, first: str, second: str, *, other: bool) -> tuple[str, ...]:
    if columns.has(first) and columns.has(second):
        found = columns.text(first, row), columns.text(second, row)
        return found[::-1] if other and columns.turns(first) else found
    return (columns.text(one, row),) if columns.has(one) else ()


# ---------------------------------------------------------------- what does not fit


def check_gold(columns: Columns, row: Row, where: str) -> None:
    """See that a label of people's can be read, or is not there.

    Raises:
        InputError: it stands there and cannot be read.
    """
    _, why = columns.label("gold", row)
    if why.startswith("not a label"):
        raise InputError(f"{where}: gold is {why}; {_mend(columns, why)}")


def _check_kind(
    columns: Columns, gold: Mapping[str, int], said: Mapping[str, int], path: Path, labelled: bool
) -> None:
    """See that people's labels are of the kind that the mapping is taken for.

    Without people's labels the judge's have to be. Half of them read as something else would be worse
    than none.
    """
    for name, whys in (("gold", gold), ("said", said)):
        odd = [why for why in whys if why.startswith("not a label")]
        if not columns.has("gold") and name == "said" and odd and not columns.told:
            other = [why for why in odd if _other_kind(columns, why)]
            if other:
                raise InputError(f"{path}: said is {other[0]}; {_mend(columns, other[0])}")
        if name != "gold" or not odd:
            continue
        other = [why for why in odd if _other_kind(columns, why)]
        if other and not columns.told:
            raise InputError(f"{path}: gold is {other[0]}; {_mend(columns, other[0])}")
        if not labelled:
            raise InputError(f"{path}: no gold label can be read: {odd[0]}; {_mend(columns, odd[0])}")


def _other_kind(columns: Columns, why: str) -> str:
    """The kind in which a label that is unknown in this one is usual; empty where there is none."""
    spelled = squeezed(why.partition(": ")[2].strip("'\""))
    return next((kind for kind, words in LABELS.items() if kind != columns.kind and spelled in words), "")


def _mend(columns: Columns, why: str) -> str:
    kind = _other_kind(columns, why)
    theirs = why.partition(": ")[2].strip("'\"")
    ours = sorted(set(LABELS.get(columns.kind, {}).values()))
    told = f"--labels '{theirs}:OURS' says what it means, where OURS is {', '.join(ours)} or none"
    if kind:
        return f"--kind {kind} where the labels are of {_OF[kind]}; else {told}"
    return f"{told}; --kind class takes labels as they stand"


_OF = {"pair": "two answers", "verdict": "one answer"}


def _warnings(odd: Mapping[str, int]) -> Iterator[str]:
    """What people said and could not be used."""
    blank = odd.get("empty", 0)
    if blank:
        yield (
            f"{blank:,} rows have an empty gold_step and are left out of skill; "
            "gold_step=COLUMN@blank says that no step is wrong there"
        )
    listed = {why: count for why, count in odd.items() if why != "empty"}
    if listed:
        shown = "; ".join(f"{why} ({count:,})" for why, count in Counter(listed).most_common(_SHOWN))
        yield f"{sum(listed.values()):,} rows are left out of skill, since what people say is: {shown}"
