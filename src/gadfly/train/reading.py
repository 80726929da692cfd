"""Rows to train on from a Parquet or JSON-lines file: our own exports, and TRL's formats from anywhere.

Which kind of row a file holds follows from its columns. A prompt may be a text or a chat; so may the rest.
What a foreign file does not say (lineage, authors) is left empty. A critique's row comes back as a prompt
with a completion, for that is how it is written.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from gadfly.errors import InputError
from gadfly.train.columns import cells
from gadfly.train.rows import (
    PROBLEM,
    AnyRow,
    Correction,
    JudgedRow,
    Lineage,
    Preference,
    PromptCompletion,
    RankedList,
    Span,
    Stepwise,
    Turn,
    Unpaired,
    VectorReward,
    Weighted,
)

_SHAPES = """prompt and completion; prompt, chosen and rejected; chosen and rejected (whole chats);
prompt, completion and label; prompt, completion, judgement and satisfactory;
prompt, completions and labels (steps); messages"""


def read_rows(file: Path) -> Iterator[AnyRow]:
    """The rows of a file, one at a time.

    Raises:
        InputError: there is no such file, it holds no rows, or a row cannot be read; it is named.
    """
    place = 0
    for place, given in enumerate(_records(file), start=1):
        try:
            yield as_row(given)
        except InputError as error:
            raise InputError(f"{file}, row {place}: {error}") from None
    if not place:
        raise InputError(f"{file} holds no rows")


def as_written(row: AnyRow) -> AnyRow:
    """A row as it comes back from a file: a critique as a prompt with a completion."""
    return as_row(cells(row.stripped()))


def as_row(given: Mapping[str, Any]) -> AnyRow:
    """One row from its columns.

    Raises:
        InputError: no kind of row has these columns, or a value does not fit.
    """
    try:
        return _row({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        why = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{where}: {why}" if where else why) from None


def _row(given: Mapping[str, Any]) -> AnyRow:
    names = given.keys()
    kept: dict[str, Any] = {"lineage": _lineage(given.get("lineage"))}
    for name in ("weight", "strength", "before", "after", "label"):
        if name in names:
            kept[name] = given[name]
    if "messages" in names:
        return _talk(given, kept)
    given = _with_prompt(given)
    names = given.keys()
    if "prompt" not in names:
        raise InputError(f"its columns are {', '.join(names)}; known are {_SHAPES}")
    kept["prompt"] = _turns(given, "prompt", "user")
    if {"chosen", "rejected"} <= names:
        return Preference(
            chosen=_turns(given, "chosen"), rejected=_turns(given, "rejected"), **_only(kept, Preference)
        )
    if {"completions", "labels"} <= names:
        author = _authors(given, "completions", 1)[0]
        return Stepwise(
            completions=tuple(given["completions"]),
            labels=tuple(given["labels"]),
            author=author,
            **_only(kept, Stepwise),
        )
    if {"completions", "tiers"} <= names:
        chats = given["completions"]
        authors = _authors(given, "completions", len(chats))
        listed = [_turn(chat[0], author) for chat, author in zip(chats, authors, strict=True)]
        return RankedList(
            completions=tuple(listed),
            tiers=tuple(tuple(tier) for tier in given["tiers"]),
            **_only(kept, RankedList),
        )
    if "completion" not in names:
        raise InputError(f"its columns are {', '.join(names)}; known are {_SHAPES}")
    return _single(given, kept)


def _with_prompt(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """A pair of whole chats with its prompt apart: what both begin with.

    TRL calls such a prompt implicit. Some files give it as well, and repeat it in both chats.
    """
    sides = [given.get("chosen"), given.get("rejected")]
    if not all(isinstance(side, list) and side for side in sides):
        return given
    chosen, rejected = cast("list[list[Mapping[str, str]]]", sides)
    alike = 0
    while alike < min(len(chosen), len(rejected)) - 1 and chosen[alike] == rejected[alike]:
        alike += 1
    if not alike or ("prompt" in given and chosen[0].get("role") == "assistant"):
        return given
    return {**given, "prompt": chosen[:alike], "chosen": chosen[alike:], "rejected": rejected[alike:]}


def _single(given: Mapping[str, Any], kept: dict[str, Any]) -> AnyRow:
    completion = _turns(given, "completion")
    if {"judgement", "satisfactory"} <= given.keys():
        return JudgedRow(
            completion=completion[0],
            judgement=_turns(given, "judgement")[0],
            satisfactory=given["satisfactory"],
            **_only(kept, JudgedRow),
        )
    if "rewards" in given:
        rewards = {str(one["name"]): one["value"] for one in given["rewards"]}
        return VectorReward(completion=completion, rewards=rewards, **_only(kept, VectorReward))
    if given.get("spans") or given.get("token_ids"):
        return Weighted(
            completion=completion[0],
            spans=tuple(Span(**span) for span in given.get("spans", ())),
            token_ids=tuple(given.get("token_ids", ())),
            token_weights=tuple(given.get("token_weights", ())),
            **_only(kept, Weighted),
        )
    if "label" in given:
        return Unpaired(completion=completion, **_only(kept, Unpaired))
    return PromptCompletion(completion=completion, **_only(kept, PromptCompletion))


def _talk(given: Mapping[str, Any], kept: dict[str, Any]) -> AnyRow:
    """A chat: up to the first answer it is the prompt. With later answers it is a correction."""
    turns = _turns(given, "messages")
    first = next((place for place, turn in enumerate(turns) if turn.role == "assistant"), 0)
    if not first:
        raise InputError("messages need a turn of the user, and after it one of the assistant")
    kept["prompt"] = turns[:first]
    if len(turns) - first >= 3:
        return Correction(turns=turns[first:], **_only(kept, Correction))
    return PromptCompletion(completion=turns[first:], **_only(kept, PromptCompletion))


def _turns(given: Mapping[str, Any], name: str, role: str = "assistant") -> tuple[Turn, ...]:
    value: object = given[name]
    if isinstance(value, str):
        return (_turn({"role": role, "content": value}, PROBLEM if role == "user" else ""),)
    if not isinstance(value, Sequence) or not value:
        raise InputError(f"{name} is neither a text nor a chat")
    chat = cast(Sequence[Mapping[str, str]], value)
    authors = _authors(given, name, len(chat))
    return tuple(_turn(one, author) for one, author in zip(chat, authors, strict=True))


def _turn(given: Mapping[str, str], author: str) -> Turn:
    if not {"role", "content"} <= given.keys():
        raise InputError("a turn of a chat needs role and content")
    return Turn.model_validate({"role": given["role"], "content": given["content"], "author": author})


def _authors(given: Mapping[str, Any], name: str, count: int) -> list[str]:
    named = cast(Mapping[str, Any], given.get("authors") or {}).get(name) or []
    return list(named) if len(named) == count else [*named[:1], *[""] * count][:count]


def _lineage(given: Mapping[str, Any] | None) -> Lineage:
    return Lineage() if given is None else Lineage.model_validate({**given})


def _only(kept: Mapping[str, Any], kind: type[AnyRow]) -> dict[str, Any]:
    return {name: value for name, value in kept.items() if name in kind.model_fields}


def _records(file: Path) -> Iterable[Mapping[str, Any]]:
    if file.suffix.lower() not in (".parquet", ".jsonl"):
        raise InputError(f"{file}: the name has to end in .parquet or .jsonl")
    try:
        if file.suffix.lower() == ".parquet":
            with pq.ParquetFile(file) as table:
                for group in table.iter_batches(batch_size=1024):
                    yield from group.to_pylist()
        else:
            yield from _lines(file)
    except FileNotFoundError:
        raise InputError(f"no rows at {file}: `gadfly export` and `gadfly collect` write some") from None
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error


def _lines(file: Path) -> Iterator[Mapping[str, Any]]:
    with file.open(encoding="utf-8") as lines:
        for place, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                given: object = json.loads(line)
            except ValueError as error:
                raise InputError(f"{file}, line {place} is not JSON: {error}") from None
            if not isinstance(given, dict):
                raise InputError(f"{file}, line {place} is not a JSON object")
            yield cast(Mapping[str, Any], given)
