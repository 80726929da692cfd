"""Other people's judgements from a file of theirs, as rows for the metrics."""

from collections.abc import Callable, Iterator
from pathlib import Path

from gadfly.benchmarks.judging.columns import Columns
from gadfly.errors import InputError
from gadfly.metrics.judged import Judged
from gadfly.parsing.rows import Row, read_rows

_OTHER = {"first": "second", "second": "first"}


def read_judgements(path: Path, columns: Columns, *, threshold: float = 0.5) -> Iterator[Judged]:
    """Each row's judgement; two where the row also has the one with the answers swapped.

    Where there is only a number about one answer, it says correct from `threshold` on.

    Raises:
        InputError: the file cannot be read, a column is missing, a number is none, two rows are of
            the same item and judge, or the mapping names neither a label nor a number of the judge's.
    """
    if not columns.has("said", "score", "first_score", "second_score", "preference", "step"):
        raise InputError("--map names nothing that a judge said: it needs said, score, preference or step")
    if columns.has("first_score") != columns.has("second_score"):
        raise InputError("--map needs first_score and second_score together")
    seen: dict[tuple[str, str, bool], str] = {}
    for number, (where, row) in enumerate(read_rows(path)):
        for judged in _judged(columns, row, where, number, threshold):
            earlier = seen.setdefault((judged.judge, judged.item, judged.swapped), where)
            if earlier != where:
                raise InputError(
                    f"{where} and {earlier} are the same item {judged.item!r} of the same judge; "
                    "--map item to what tells them apart (columns joined by +), and judge to who judged"
                )
            yield judged


def _judged(columns: Columns, row: Row, where: str, number: int, threshold: float) -> Iterator[Judged]:
    gold, _ = columns.label("gold", row, where)
    plain, why, score = _plain(columns, row, where, threshold)
    step, gold_step = columns.step("step", row, where), columns.step("gold_step", row, where)
    if columns.has("step") and not columns.has("said"):
        plain, why = ("correct" if step is None else "incorrect"), ""
    if columns.has("gold_step") and not columns.has("gold"):
        gold = "correct" if gold_step is None else "incorrect"
    known = Judged(
        item=columns.text("item", row, where) or str(number),
        judge=columns.text("judge", row, where),
        gold=gold,
        said=plain,
        why=why,
        score=score,
        gold_score=columns.number("gold_score", row, where),
        stepwise=columns.has("gold_step"),
        gold_step=gold_step,
        step=step,
        lengths=_lengths(columns, row, where),
        authors=_texts(columns, row, where, "author", "first_author", "second_author"),
        group=columns.text("group", row, where),
        subset=columns.text("subset", row, where),
    )
    yield known
    for name, named in (("swapped", _by_place), ("swapped_back", _as_it_is)):
        if columns.has(name):
            said, why = columns.label(name, row, where)
            yield known.model_copy(update={"said": named(said), "why": why, "swapped": True, "score": None})


def _by_place(label: str | None) -> str | None:
    """The place that a label names, as the answer that stood there."""
    return label if label is None else _OTHER.get(label, label)


def _as_it_is(label: str | None) -> str | None:
    return label


def _plain(columns: Columns, row: Row, where: str, threshold: float) -> tuple[str | None, str, float | None]:
    """What the judge says in the given order: a label with its number, or why there is none."""
    score = _number(columns, row, where)
    if columns.has("said"):
        said, why = columns.label("said", row, where)
        return said, why, score
    if score is None:
        return None, "no number", None
    if columns.kind != "pair":
        return ("correct" if score >= threshold else "incorrect"), "", score
    return ("tie" if score == 0 else "first" if score > 0 else "second"), "", score


def _number(columns: Columns, row: Row, where: str) -> float | None:
    if columns.has("preference"):
        preferred = columns.number("preference", row, where)
        # 0 is an old spelling of a draw.
        return None if preferred is None else 0.0 if preferred == 0 else 3.0 - 2.0 * preferred
    if columns.has("first_score"):
        first, second = columns.number("first_score", row, where), columns.number("second_score", row, where)
        return None if first is None or second is None else first - second
    return columns.number("score", row, where)


def _lengths(columns: Columns, row: Row, where: str) -> tuple[int, ...]:
    return tuple(len(text) for text in _texts(columns, row, where, "answer", "first", "second"))


def _texts(columns: Columns, row: Row, where: str, one: str, first: str, second: str) -> tuple[str, ...]:
    cells: Callable[[str], str] = lambda name: columns.text(name, row, where)  # noqa: E731
    if columns.has(first) and columns.has(second):
        return cells(first), cells(second)
    return (cells(one),) if columns.has(one) else ()
