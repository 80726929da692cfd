"""Rows read back from files: our own exports of every kind, TRL's formats from anywhere, and bad files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.training import turn

from gadfly.errors import InputError
from gadfly.records import Record
from gadfly.train.export import export_rows
from gadfly.train.reading import as_row, as_written, read_rows
from gadfly.train.rows import (
    PROBLEM,
    AnyRow,
    Correction,
    CritiqueRow,
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

FROM = Lineage(rollouts=("r1", "r2"), problem="p1", benchmark="sums", policy="m", author="exact", oracle=True)
SYSTEM = turn("system", "Be brief.", PROBLEM)
ASKED = (turn("user", "1 + 1?", PROBLEM),)
GOOD, BAD = turn("assistant", "2 \u2713\n", "small"), turn("assistant", "3", "other")
WORDS = turn("user", "It is not 3.", "critic")
ROWS: dict[str, list[AnyRow]] = {
    "prompt-completion": [
        PromptCompletion(prompt=ASKED, completion=(GOOD,), weight=0.5, lineage=FROM),
        PromptCompletion(prompt=(SYSTEM, *ASKED), completion=(BAD, WORDS, GOOD)),
    ],
    "preference": [
        Preference(prompt=ASKED, chosen=(GOOD,), rejected=(BAD,), strength=0.25, weight=2.0, lineage=FROM),
        Preference(prompt=(SYSTEM, *ASKED), chosen=(BAD, WORDS, GOOD), rejected=(BAD, WORDS, BAD)),
    ],
    "unpaired": [
        Unpaired(prompt=ASKED, completion=(BAD,), label=False, weight=0.5, lineage=FROM),
        Unpaired(prompt=ASKED, completion=(GOOD,), label=True),
    ],
    "ranking": [
        RankedList(prompt=ASKED, completions=(BAD, GOOD), tiers=((1,), (0,)), strength=1.0, lineage=FROM)
    ],
    "stepwise": [
        Stepwise(prompt=ASKED, completions=("a\n", "b"), labels=(True, False), author="small", lineage=FROM)
    ],
    "critique": [
        CritiqueRow(prompt=ASKED, answer=BAD, critique=turn("assistant", "No.", "critic"), lineage=FROM)
    ],
    "judged": [
        JudgedRow(prompt=ASKED, completion=BAD, judgement=WORDS, satisfactory=False, lineage=FROM),
        JudgedRow(prompt=ASKED, completion=GOOD, judgement=WORDS, satisfactory=True),
    ],
    "correction": [Correction(prompt=ASKED, turns=(BAD, WORDS, GOOD), before=0.0, after=1.0, weight=3.0)],
    "weighted": [
        Weighted(prompt=ASKED, completion=BAD, spans=(Span(start=0, end=1, weight=-0.5),), lineage=FROM),
        Weighted(prompt=ASKED, completion=BAD, token_ids=(5, 6), token_weights=(1.0, -1.0)),
    ],
    "vector-reward": [
        VectorReward(prompt=ASKED, completion=(GOOD,), rewards={"exact": 1.0, "length": None}, lineage=FROM)
    ],
}


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
@pytest.mark.parametrize("kind", ROWS)
def test_an_export_is_read_back_as_it_was_written(kind: str, suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"rows.{suffix}"
    export_rows(ROWS[kind], file)
    found = list(read_rows(file))
    assert found == [as_written(row) for row in ROWS[kind]]
    assert [row.lineage for row in found] == [row.lineage for row in ROWS[kind]]
    if kind != "critique":
        assert [row.kind for row in found] == [kind] * len(found)


@pytest.mark.parametrize("kind", sorted(ROWS.keys() - {"critique", "stepwise"}))
def test_what_is_read_back_is_the_row_itself(kind: str) -> None:
    for row in ROWS[kind]:
        assert as_written(row) == row
        assert as_written(as_written(row)) == row


def test_a_critique_comes_back_as_a_prompt_that_shows_the_answer_and_the_critique_to_learn() -> None:
    found = as_written(ROWS["critique"][0])
    assert isinstance(found, PromptCompletion)
    assert "1 + 1?" in found.prompt[-1].content
    assert "3" in found.prompt[-1].content
    assert found.completion[0].content == "No."
    assert found.completion[0].author == "critic"


def test_steps_keep_their_labels_and_their_author() -> None:
    found = as_written(ROWS["stepwise"][0])
    assert found == ROWS["stepwise"][0]


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def words(turns: tuple[Turn, ...]) -> list[tuple[str, str]]:
    return [(one.role, one.content) for one in turns]


Q, A, B = [("user", "q")], [("assistant", "a")], [("assistant", "b")]
TRL: dict[str, tuple[dict[str, Any], type[Record], dict[str, Any]]] = {
    "texts": ({"prompt": "q", "completion": "a"}, PromptCompletion, {"prompt": Q, "completion": A}),
    "chats": (
        {"prompt": [user("q")], "completion": [said("a")]},
        PromptCompletion,
        {"prompt": Q, "completion": A},
    ),
    "a talk": ({"messages": [user("q"), said("a")]}, PromptCompletion, {"prompt": Q, "completion": A}),
    "a longer talk": (
        {"messages": [user("q"), said("a"), user("no"), said("b")]},
        Correction,
        {"prompt": Q, "turns": [*A, ("user", "no"), *B]},
    ),
    "a pair of texts": (
        {"prompt": "q", "chosen": "a", "rejected": "b"},
        Preference,
        {"prompt": Q, "chosen": A, "rejected": B},
    ),
    "a pair without a prompt of its own": (
        {"chosen": [user("q"), said("a")], "rejected": [user("q"), said("b")]},
        Preference,
        {"prompt": Q, "chosen": A, "rejected": B},
    ),
    "a pair that repeats its prompt": (
        {"prompt": "q", "chosen": [user("q"), said("a")], "rejected": [user("q"), said("b")]},
        Preference,
        {"prompt": Q, "chosen": A, "rejected": B},
    ),
    "a label": ({"prompt": "q", "completion": "a", "label": False}, Unpaired, {"prompt": Q, "completion": A}),
    "steps": ({"prompt": "q", "completions": ["x", "y"], "labels": [True, False]}, Stepwise, {"prompt": Q}),
    "other columns": (
        {"prompt": "q", "completion": "a", "source": "web", "weight": 2.0},
        PromptCompletion,
        {"prompt": Q, "completion": A},
    ),
}


@pytest.mark.parametrize("name", TRL)
def test_formats_of_trl_are_read(name: str) -> None:
    given, kind, parts = TRL[name]
    found = as_row(given)
    assert type(found) is kind
    assert {part: words(getattr(found, part)) for part in parts} == parts
    assert found.lineage == Lineage()
    assert all(one.author == PROBLEM for one in found.prompt if isinstance(given.get("prompt"), str)) or (
        "chosen" in given
    )


def test_a_weight_is_read_and_a_label_of_false_is_no_absence() -> None:
    weighted = as_row(TRL["other columns"][0])
    assert isinstance(weighted, PromptCompletion)
    assert weighted.weight == 2.0
    labelled = as_row(TRL["a label"][0])
    assert isinstance(labelled, Unpaired)
    assert labelled.label is False


BAD_ROWS: dict[str, tuple[Mapping[str, object], str]] = {
    "no known columns": ({"text": "a"}, "its columns are text; known are prompt and completion"),
    "a prompt alone": ({"prompt": "q"}, "its columns are prompt; known are"),
    "the same twice": (
        {"prompt": "q", "chosen": "a", "rejected": "a"},
        "^[^:]*row 2: chosen and rejected are the same text",
    ),
    "a label that is none": ({"prompt": "q", "completion": "a", "label": "maybe"}, "row 2: label: "),
    "steps without a label": (
        {"prompt": "q", "completions": ["x"], "labels": []},
        "row 2: 1 steps have 0 labels",
    ),
    "a number for a prompt": ({"prompt": 3, "completion": "a"}, "prompt is neither a text nor a chat"),
    "an empty chat": ({"prompt": [], "completion": "a"}, "prompt is neither a text nor a chat"),
    "a turn without words": (
        {"prompt": [{"role": "user"}], "completion": "a"},
        "a turn of a chat needs role and content",
    ),
    "an unknown role": ({"prompt": [{"role": "judge", "content": "q"}], "completion": "a"}, "row 2: role: "),
    "an answer with no question": ({"messages": [said("a")]}, "messages need a turn of the user"),
    "a talk without an answer": ({"messages": [user("a")]}, "messages need a turn of the user"),
    "a weight below 0": ({"prompt": "q", "completion": "a", "weight": -1}, "row 2: weight: "),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_row_that_cannot_be_read_is_named_with_its_cause(name: str, tmp_path: Path) -> None:
    given, why = BAD_ROWS[name]
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"prompt": "q", "completion": "a"}) + "\n" + json.dumps(given) + "\n")
    rows = read_rows(file)
    assert isinstance(next(rows), PromptCompletion)
    with pytest.raises(InputError, match=why) as raised:
        list(rows)
    assert str(raised.value).startswith(f"{file}, row 2: ")


def test_files_that_cannot_be_read_are_named_with_their_cause(tmp_path: Path) -> None:
    def reading(name: str, content: bytes | None = None) -> str:
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError) as raised:
            list(read_rows(tmp_path / name))
        return str(raised.value)

    assert "the name has to end in .parquet or .jsonl" in reading("rows.csv", b"a,b\n")
    assert "`gadfly export` and `gadfly collect` write some" in reading("none.jsonl")
    assert "`gadfly export` and `gadfly collect` write some" in reading("none.parquet")
    assert "holds no rows" in reading("empty.jsonl", b"")
    assert "holds no rows" in reading("blank.jsonl", b"\n\n")
    assert "line 1 is not JSON" in reading("torn.jsonl", b'{"prompt": "q", ')
    assert "line 1 is not a JSON object" in reading("list.jsonl", b"[1]\n")
    assert "cannot be read" in reading("bytes.jsonl", b"\xff\xfe\n")
    assert "cannot be read" in reading("torn.parquet", b"PAR1 and no more")


def test_a_parquet_file_without_rows_says_so(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    arrow: Any = pa
    cast(Any, pq).write_table(arrow.table({"prompt": arrow.array([], arrow.string())}), file)
    with pytest.raises(InputError, match="holds no rows"):
        list(read_rows(file))


def test_a_missing_value_is_no_value(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    columns = {"prompt": ["q", "q"], "completion": ["a", "b"], "label": [None, True]}
    cast(Any, pq).write_table(cast(Any, pa).table(columns), file)
    assert [row.kind for row in read_rows(file)] == ["prompt-completion", "unpaired"]
