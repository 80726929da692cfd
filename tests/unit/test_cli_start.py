"""How the command starts and ends: fast, with help, and never with a traceback."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from support.commands import gadfly

from gadfly.cli import errors, main, output
from gadfly.errors import InputError

COMMANDS = ("compare", "run", "show", "recipes", "benchmarks", "models", "systems")
HEAVY = {"torch", "xllamacpp", "openvino_genai", "matplotlib", "aiohttp", "numpy", "math_verify", "sympy"}


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from gadfly.cli.main import main; main(['--help']); print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.splitlines())


def test_the_package_imports_nothing_heavy() -> None:
    code = "import sys, gadfly; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not (HEAVY | {"pydantic", "cyclopts", "rich"}) & set(done.stdout.splitlines())


def test_help_names_every_command() -> None:
    ended = gadfly("--help")
    assert ended.code == 0
    assert all(f" {name} " in ended.out for name in COMMANDS)


@pytest.mark.parametrize(
    "command", [*([name] for name in COMMANDS), ["run", "self-refine"], ["benchmarks", "audit"]]
)
def test_every_help_has_examples(command: list[str]) -> None:
    ended = gadfly(*command, "--help")
    assert ended.code == 0
    assert "Examples:" in ended.out
    assert f"    gadfly {command[0]}" in ended.out


def test_the_version_is_the_packages() -> None:
    assert gadfly("--version").out.startswith("gadfly 0.")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["recipes", "--jso"], "Did you mean --json"),
        (["run", "self-refine", "--round", "2"], "Did you mean --rounds"),
        (["run", "self-refine", "--rounds", "two"], "unable to convert"),
        (["run", "best-of-n", "--by", "magic"], "self-score"),
        (["run", "self-refin"], 'Did you mean "self-refine"'),
        (["comprae"], 'Did you mean "compare"'),
        (["show"], "RUN"),
        (["systems", "--status", "done"], "running"),
    ],
)
def test_a_wrong_command_line_is_one_clear_line_and_exit_code_2(words: list[str], said: str) -> None:
    ended = gadfly(*words)
    assert ended.code == errors.USAGE
    assert ended.err.startswith("error: ")
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_an_input_error_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    ended = gadfly("show", str(tmp_path))
    assert (ended.code, ended.err.count("\n")) == (errors.FAILED, 1)
    assert ended.err.startswith("error: ")


def test_debug_shows_where_an_error_came_from(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        main.main(["show", str(tmp_path), "--debug"])


def test_a_fault_of_ours_says_so_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> None:
        raise RuntimeError("wheels\x1b[2J came off")

    assert errors.guarded(broken) == errors.FAILED
    shown = capsys.readouterr().err
    assert "RuntimeError: wheels[2J came off" in shown
    assert "--debug" in shown
    assert "\x1b" not in shown


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    def stopped() -> None:
        raise KeyboardInterrupt("stopped; run the same command again to continue")

    assert errors.guarded(stopped) == errors.STOPPED
    assert "same command again" in capsys.readouterr().err


def test_of_many_retries_the_first_is_noted(capsys: pytest.CaptureFixture[str]) -> None:
    errors.say_first_retry()
    for cause in ("server\x1b[2J asleep", "still asleep"):
        logging.getLogger("stamina").warning("retry", extra={"stamina.caused_by": cause})
    assert capsys.readouterr().err == "a call failed and is tried again: server[2J asleep\n"


def test_a_table_on_a_terminal_folds_and_keeps_brackets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "30")
    output.print_table(("name", "what"), [("[b]x[/b]", "word " * 10)])
    lines = capsys.readouterr().out.splitlines()
    assert "[b]x[/b]" in lines[1]
    assert len(lines) > 2


def test_a_closed_pipe_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "gadfly.cli.main", "systems"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert done.stderr == ""
    assert done.returncode == errors.UNREAD


def test_many_columns_in_a_narrow_terminal_become_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(output, "console", lambda: Console(width=40, force_terminal=False))
    output.print_table(tuple("abcdef"), [("[x]", "word " * 10, "two", "", "three", "four")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "[x]"
    assert all(len(line) <= 40 for line in lines)
    assert [line.strip() for line in lines[-3:]] == ["c: two", "e: three", "f: four"]


def test_recipes_of_one_file_are_told_apart_in_the_listing() -> None:
    said = [
        line.split("judge", 1)[-1].strip() for line in gadfly("recipes", "--room", "judge").out.splitlines()
    ]
    assert len(set(said)) == len(said)
    assert any("incorrect where the answer is no JSON of the schema" in line for line in said)


@pytest.mark.parametrize("listing", ["recipes", "benchmarks", "models", "systems"])
def test_every_listing_is_json_when_asked(listing: str) -> None:
    rows = json.loads(gadfly(listing, "--json").out)
    assert rows
    names = [str(row.get("name", row.get("id"))) for row in rows]
    assert len(set(names)) == len(rows)
    plain = gadfly(listing).out.splitlines()
    assert len(plain) == len(rows) + 1, "piped, a row is a line"


def test_listings_are_filtered_by_words() -> None:
    names = [row["name"] for row in json.loads(gadfly("recipes", "self refine", "--json").out)]
    assert "self-refine" in names
    assert "direct" not in names
    scoring = [row["name"] for row in json.loads(gadfly("models", "--supports", "score", "--json").out)]
    assert "openai" not in scoring
    assert json.loads(gadfly("recipes", "no such words", "--json").out) == []


def test_an_audit_says_what_the_checkers_let_through(tmp_path: Path) -> None:
    assert "no hole found" in gadfly("benchmarks", "audit", "families:products").out
    rows = [{"question": f"{k}?", "answer": "yes and no" if k % 2 else "no"} for k in range(8)]
    file = tmp_path / "holes.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    ended = gadfly("benchmarks", "audit", str(file), "--scorer", "contains", "--json")
    report = json.loads(ended.out)
    assert report["problems"] == 8
    assert report["warnings"]
    assert gadfly("benchmarks", "audit", str(file), "--limit", "0").code == errors.FAILED
