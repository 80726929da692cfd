"""`gadfly collect` against a model server on the loopback."""

import json
from collections.abc import Generator
from pathlib import Path

import pytest
from support.commands import gadfly, serving

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
