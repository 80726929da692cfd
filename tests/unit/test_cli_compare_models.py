"""`gadfly compare --model a,b,c` end to end: several models against the first of them."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from support.commands import gadfly, played, serving

from gadfly.errors import InputError
from gadfly.models.load import split_models
from gadfly.recipes.solve.direct import Direct
from gadfly.records import Candidate, Problem
from gadfly.run.improvement import read_improvement

ON = ("--on", "families:products", "--limit", "12", "--pool", "3")


@pytest.fixture(scope="module")
def models() -> Generator[str]:
    """A model that is right half of the time, and one that says nothing that can be read."""

    def silent(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        status, reply = played(body)
        reply["choices"][0]["message"]["content"] = "I would rather not say."
        return status, reply

    with serving() as first, serving(silent) as second:
        yield f"{first},{second}"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_two_models_are_compared_on_the_same_problems(models: str) -> None:
    ended = gadfly("compare", "--model", models, *ON, "--out", "c")
    assert ended.code == 0, ended.err
    first, second = models.split(",")
    assert (
        f"{second[0].upper()}{second[1:]} loses to {first}: "
        in json.loads(Path("c/health.json").read_text())["answer"]
    )
    found = read_improvement(Path("c/improvement.json").read_bytes())
    assert (found.base.model, found.arms[0].checkpoints[0].model) == (first, second)
    assert found.arms[0].kind == "models"
    assert found.base.evaluation.k == 3
    assert set(found.arms[0].checkpoints[0].evaluation.answers.outcomes) == {"unscored"}
    assert {path.name for path in Path("c").iterdir()} == {
        "improvement.json", "health.json", "report.html", "report.md", "accuracy.png", "coverage.png",
        "difficulty.png", "models",
    }  # fmt: skip
    shown = gadfly("show", "c")
    assert shown.code == 0, shown.err
    assert "Models" in shown.out
    assert json.loads(gadfly("show", "c", "--json").out)["arms"][0]["kind"] == "models"


def test_the_same_line_up_again_answers_nothing_again(models: str) -> None:
    command = ("compare", "--model", models, *ON, "--out", "c", "--cache", "off", "--json")
    first = gadfly(*command)

    async def refuse(self: Direct, problem: Problem, /) -> Candidate:
        raise AssertionError(f"asked again: {problem.id}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Direct, "__call__", refuse)
        again = gadfly(*command)
    assert json.loads(first.out) == json.loads(again.out)


def test_without_a_pool_only_the_answers_are_compared(models: str) -> None:
    ended = gadfly("compare", "--model", models, *ON[:-1], "0", "--out", "c", "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["k"] == 0
    assert not list(Path("c/models").glob("*/pool"))


def test_another_method_can_answer(models: str) -> None:
    ended = gadfly(
        "compare",
        "--model",
        models,
        *ON[:-1],
        "0",
        "--recipes",
        "self-consistency:n=3",
        "--out",
        "c",
        "--json",
    )
    assert ended.code == 0, ended.err
    manifest = json.loads(next(Path("c/models").glob("*/answers/manifest.json")).read_text())
    assert manifest["solver"] == "self-consistency"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--recipes", "direct,self-refine"], "by one method; --recipes names 2"),
        (["--pool", "-1"], "--pool is -1"),
        (["--pool", "999"], "must be 0 to 256"),
    ],
)
def test_what_cannot_be_compared_is_said(models: str, flags: list[str], said: str) -> None:
    ended = gadfly("compare", "--model", models, "--on", "families:products", "--limit", "2", *flags)
    assert ended.code == 1
    assert said in ended.err


def test_everything_failing_is_an_error_that_names_the_cause() -> None:
    def broken(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return 400, {"error": {"message": "no such thing"}}

    with serving(broken) as first, serving(broken) as second:
        ended = gadfly("compare", "--model", f"{first},{second}", *ON[:-1], "0", "--out", "c")
    assert ended.code == 1
    assert "no such thing" in ended.err


def test_commas_part_models_only_where_a_backend_follows() -> None:
    assert split_models("embedded") == ["embedded"]
    assert split_models("embedded, transformers:a,b?x=1,2,llamacpp:c.gguf") == [
        "embedded",
        "transformers:a,b?x=1,2",
        "llamacpp:c.gguf",
    ]
    assert split_models("embedded?x=openai,embedded:b,") == ["embedded?x=openai", "embedded:b"]
    with pytest.raises(InputError, match="embedded is named twice"):
        split_models("embedded,embedded")
    with pytest.raises(InputError, match="no model is named"):
        split_models(" ")
