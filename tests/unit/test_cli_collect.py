"""`gadfly collect` against a model server on the loopback."""

import json
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from support.commands import gadfly, played, serving

ON = ("--on", "families:products", "--limit", "4")


@pytest.fixture(scope="module")
def model() -> Generator[str]:
    with serving() as spec:
        yield spec


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_collector_keeps_its_run_and_writes_its_rows_with_manifest_and_card(model: str) -> None:
    command = ("collect", "ultra-feedback", "--n", "2", *ON, "--model", model, "--view", "score")
    ended = gadfly(*command, "--out", "marks.jsonl")
    assert ended.code == 0, ended.err
    rows = [json.loads(line) for line in Path("marks.jsonl").read_text().splitlines()]
    assert rows
    manifest = json.loads(Path("marks.jsonl.manifest.json").read_text())
    assert manifest["kind"] == "vector-reward"
    assert manifest["rows"] == len(rows)
    assert manifest["request"]["options"]["recipe"] == "ultra-feedback"
    assert Path("marks.jsonl.card.md").exists()
    assert len(Path("marks.run/rollouts.jsonl").read_text().splitlines()) == 4
    again = gadfly(*command, "--out", "marks.jsonl")
    assert "left as it is" in again.err


def test_another_view_of_the_same_run_asks_no_model(model: str) -> None:
    command = ("collect", "ultra-feedback", "--n", "2", *ON, "--model", model)
    assert gadfly(*command, "--view", "critique", "--out", "critiques.parquet", "--run", "kept").code == 0
    before = Path("kept/rollouts.jsonl").read_bytes()
    ended = gadfly(*command, "--view", "score", "--out", "marks.parquet", "--run", "kept", "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["kind"] == "vector-reward"
    assert Path("kept/rollouts.jsonl").read_bytes() == before


def test_rows_that_give_evaluation_problems_away_are_left_out_and_named(model: str) -> None:
    command = ("collect", "ultra-feedback", "--n", "1", *ON, "--model", model, "--view", "critique")
    ended = gadfly(*command, "--out", "c.jsonl", "--against", "families:products")
    assert ended.code == 1
    assert "give an evaluation problem away" in ended.err


def test_a_file_name_that_is_no_format_costs_no_call(model: str) -> None:
    ended = gadfly("collect", "ultra-feedback", *ON, "--model", model, "--out", "rows.csv")
    assert ended.code == 1
    assert ".parquet or .jsonl" in ended.err
    assert not list(Path().glob("*.run"))


def test_every_collector_has_help_with_examples_and_the_flags_of_its_fields() -> None:
    ended = gadfly("collect", "constitutional-ai", "--help")
    assert ended.code == 0
    for word in (
        "--constitution",
        "--view",
        "--against",
        "--oracle",
        "--run",
        "Differs from the paper",
        "--out",
    ):
        assert word in ended.out
    assert "ultra-feedback" in gadfly("collect", "--help").out


def test_a_collector_can_be_compared_as_a_method(model: str) -> None:
    ended = gadfly(
        "compare",
        "--recipes",
        "direct,constitutional-ai:rounds=1",
        "--model",
        model,
        *ON,
        "--out",
        "compared",
    )
    assert ended.code == 0, ended.err
    assert "constitutional-ai" in ended.out


def told(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """A critic that always finds fault; an actor that is always wrong, until it is told."""
    asked = body["messages"][-1]["content"]
    said = "Answer: 1"
    if "VERDICT:" in asked and "Mend the solution" not in asked:
        said = "- step 1: the product is wrong\nVERDICT: incorrect"
    status, reply = played(body)
    reply["choices"][0]["message"]["content"] = said
    return status, reply


def test_rows_that_would_be_refused_end_the_run_at_its_first_rollout_with_rows() -> None:
    command = ("collect", "auto-math-critiques", "--least", "0", "--trials", "1", "--n", "1", *ON)
    with serving(told) as spec:
        ended = gadfly(*command, "--model", spec, "--out", "c.jsonl", "--concurrency", "1")
    # No revision is right, so that there are no rows to refuse.
    assert "no reviser was helped" in ended.err

    def helped(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        status, reply = told(body)
        asked = body["messages"][0]["content"]
        factors = re.search(r"(\d+) (?:\*|times|x|×) (\d+)", asked)
        if "Mend the solution" in asked and factors:
            product = int(factors[1]) * int(factors[2])
            reply["choices"][0]["message"]["content"] = f"Answer: {product}"
        return status, reply

    with serving(helped) as spec:
        refused = gadfly(*command, "--model", spec, "--out", "d.jsonl", "--concurrency", "1")
        assert refused.code == 1
        assert "shaped by something that had seen the reference" in refused.err
        kept = len(Path("d.run/rollouts.jsonl").read_text().splitlines())
        assert 1 <= kept <= 4
        marked = gadfly(*command, "--model", spec, "--out", "d.jsonl", "--oracle", "mark")
    assert marked.code == 0, marked.err
    rows = [json.loads(line) for line in Path("d.jsonl").read_text().splitlines()]
    assert all(row["lineage"]["oracle"] for row in rows)


def test_logged_conversations_need_no_reference() -> None:
    talk = [
        {"role": "user", "content": "What is a fly?"},
        {"role": "assistant", "content": "It is an insect with two wings."},
        {"role": "user", "content": "Too long!"},
    ]

    def reader(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        asked = body["messages"][-1]["content"]
        status, reply = played(body)
        answer = asked.partition("<reply>")[2].partition("</reply>")[0]
        said = "An insect."
        if "SIGNAL: satisfied" in asked:
            said = "- Is the answer short?\nSIGNAL: dissatisfied"
        elif "ANSWER: yes" in asked:
            said = f"ANSWER: {'yes' if len(answer) < 20 else 'no'}"
        reply["choices"][0]["message"]["content"] = said
        return status, reply

    Path("log.jsonl").write_text(json.dumps({"messages": talk}) + "\n")
    with serving(reader) as spec:
        ended = gadfly(
            "collect", "wild-feedback", "--on", "log.jsonl?scorer=none", "--model", spec, "--out", "w.jsonl"
        )
    assert ended.code == 0, ended.err
    row = json.loads(Path("w.jsonl").read_text())
    assert row["prompt"] == talk[:1]
    assert row["chosen"][0]["content"] == "An insect."
    assert row["rejected"] == talk[1:2]
