"""Critics that are tools: program tests, patterns, JSON schemas, functions."""

import json
from pathlib import Path
from typing import Any

import pytest

from gadfly.errors import InputError, ToolError
from gadfly.parsing.json_schema import schema_faults
from gadfly.primitives.tool_critics import (
    checker_critic,
    json_schema_critic,
    program_tests,
    read_program,
    regex_critic,
)
from gadfly.recipes.judge.tools import JsonSchemaTool, ProgramTests, RegexTool
from gadfly.records import Candidate, Critique, Problem
from gadfly.run.manifest import describe

pytestmark = pytest.mark.anyio

TESTS = """
assert double(2) == 4
assert double(-1) == -2, "negative"

def test_of_text():
    assert double("a") == "aa"
"""
PROBLEM = Problem(id="p", prompt="Write double(x).", privileged={"tests": TESTS})
RIGHT = "I multiply.\n```python\ndef double(x):\n    return x * 2\n```\n"


def answer(text: str) -> Candidate:
    return Candidate(text=text, author="m")


def code(text: str) -> Candidate:
    return answer(f"```python\n{text}\n```")


async def run_tests(target: Candidate, problem: Problem = PROBLEM) -> Critique:
    return await program_tests()(problem, target)


# ---------------------------------------------------------------- programs


async def test_a_program_that_passes_is_correct_and_the_critic_saw_the_tests() -> None:
    said = await run_tests(answer(RIGHT))
    assert (said.verdict, said.findings, said.saw_reference) == ("correct", (), True)


async def test_every_failing_test_is_a_finding_with_its_message() -> None:
    said = await run_tests(code("def double(x):\n    return abs(x) * 2"))
    assert said.verdict == "incorrect"
    texts = [finding.text for finding in said.findings]
    assert texts == [
        "assert double(-1) == -2, 'negative': AssertionError: negative",
        "test_of_text(): TypeError: bad operand type for abs(): 'str'",
    ]


@pytest.mark.parametrize(
    "program",
    [
        "import os\nos._exit(0)",
        "raise SystemExit(0)",
        "print('ended')\nimport sys\nsys.exit()",
        'import sys\nprint(\'["x", "ended", 0, ""]\', flush=True)\nimport os\nos._exit(0)',
        "def double(x):\n    raise SystemExit(0)",
        "def double(x):\n    import os\n    os._exit(0)",
    ],
)
async def test_ending_early_is_no_way_to_pass(program: str) -> None:
    assert (await run_tests(code(program))).verdict == "incorrect"


async def test_a_program_that_prints_a_lot_is_still_judged() -> None:
    program = "import os\nos.write(1, b'x' * 300_000)\ndef double(x):\n    print(x, end='')\n    return x * 2"
    assert (await run_tests(code(program))).verdict == "correct"


async def test_an_endless_program_is_a_finding_that_names_the_test_it_was_at() -> None:
    said = await ProgramTests(seconds=1.0)(
        PROBLEM, code("def double(x):\n    while x < 0: pass\n    return x * 2")
    )
    assert said.verdict == "incorrect"
    assert "stopped for its time at assert double(-1)" in said.text


async def test_a_program_that_does_not_run_is_a_finding() -> None:
    said = await run_tests(code("def double(x:\n    return"))
    assert said.verdict == "incorrect"
    assert "does not run: SyntaxError" in said.text


@pytest.mark.parametrize("text", ["", "I would double it.", "def double(x: nothing"])
async def test_where_there_is_no_program_there_is_no_verdict(text: str) -> None:
    said = await run_tests(answer(text))
    assert said.verdict is None
    assert said.failure is not None
    assert said.failure.boundary == "parse"


def test_the_last_python_block_is_the_program() -> None:
    text = "```python\nx = 1\n```\nBetter:\n```python\nx = 2\n```\nRun it:\n```bash\npython x.py\n```"
    assert read_program(text) == "x = 2\n"
    assert read_program("Here:\n```\nx = 3\n```") == "x = 3\n"
    assert read_program("x = 4") == "x = 4"


async def test_a_check_function_is_called_with_the_entry_point() -> None:
    tests = "def check(candidate):\n    assert candidate(3) == 6"
    problem = Problem(id="h", prompt="?", privileged={"tests": tests, "entry_point": "double"})
    assert (await run_tests(answer(RIGHT), problem)).verdict == "correct"
    said = await run_tests(code("def double(x):\n    return x"), problem)
    assert [finding.text for finding in said.findings] == ["check(double): AssertionError"]


async def test_tests_may_be_a_list_of_texts() -> None:
    problem = Problem(
        id="m", prompt="?", privileged={"tests": ["assert double(1) == 2", "assert double(2) == 5"]}
    )
    said = await run_tests(answer(RIGHT), problem)
    assert [finding.text for finding in said.findings] == ["assert double(2) == 5: AssertionError"]


async def test_tests_of_the_critics_own_need_no_privilege() -> None:
    critic = program_tests("assert double(2) == 4")
    said = await critic(PROBLEM.blind(), answer(RIGHT))
    assert (said.verdict, said.saw_reference) == ("correct", False)


async def test_a_blind_problem_has_no_tests_to_show() -> None:
    with pytest.raises(InputError, match="sees_reference"):
        await run_tests(answer(RIGHT), PROBLEM.blind())


async def test_tests_that_are_no_python_are_the_tools_fault_not_the_candidates() -> None:
    with pytest.raises(ToolError, match="no Python"):
        await run_tests(answer(RIGHT), Problem(id="p", prompt="?", privileged={"tests": "assert ("}))


# ---------------------------------------------------------------- patterns and functions


@pytest.mark.parametrize(("must_match", "verdict"), [(True, "correct"), (False, "incorrect")])
async def test_a_pattern_is_wanted_or_forbidden(must_match: bool, verdict: str) -> None:
    said = await regex_critic(r"\b4\d\b", must_match=must_match)(PROBLEM, answer("It is 42."))
    assert (said.verdict, said.saw_reference) == (verdict, False)


async def test_a_search_that_never_ends_leaves_the_answer_without_a_verdict() -> None:
    said = await RegexTool(pattern="(a+)+$", seconds=1.0)(PROBLEM, answer("a" * 60 + "b"))
    assert said.verdict is None
    assert said.failure is not None
    assert "longer than 1 s" in said.failure.message


async def test_code_blocks_that_never_close_are_read_in_no_time() -> None:
    said = await json_schema_critic({})(PROBLEM, answer("```x\n" * 20_000))
    assert said.verdict == "incorrect"


async def test_of_faults_without_end_fifty_are_named() -> None:
    said = await json_schema_critic({"items": False})(PROBLEM, answer(str([0] * 500)))
    assert len(said.findings) == 50


async def test_what_a_forbidden_pattern_found_is_named() -> None:
    said = await RegexTool(pattern="as an AI", must_match=False)(PROBLEM, answer("Well, as an AI, no."))
    assert "'as an AI' matches" in said.findings[0].text


def test_a_broken_pattern_is_refused() -> None:
    with pytest.raises(InputError, match="not a regular expression"):
        RegexTool(pattern="(")


async def test_a_function_is_a_critic_and_sees_only_what_it_declares() -> None:
    seen: list[int] = []

    def check(problem: Problem, text: str) -> list[str]:
        seen.append(len(problem.privileged))
        return [f"{len(text)} characters"]

    blind = await checker_critic(check, name="length")(PROBLEM, answer("abc"))
    sighted = await checker_critic(check, sees_reference=True)(PROBLEM, answer("abc"))
    assert seen == [0, 1]
    assert (blind.author, blind.verdict, blind.saw_reference) == ("length", "incorrect", False)
    assert sighted.saw_reference


async def test_a_function_that_breaks_is_a_tool_error() -> None:
    with pytest.raises(ToolError, match="ZeroDivisionError"):
        await checker_critic(lambda problem, text: [str(1 // 0)])(PROBLEM, answer("x"))


# ---------------------------------------------------------------- JSON schema

PERSON: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "pattern": "^[A-Z]"},
        "age": {"type": "integer", "minimum": 0, "exclusiveMaximum": 150},
        "friends": {"type": "array", "items": {"$ref": "#"}, "maxItems": 2, "uniqueItems": True},
        "mood": {"enum": ["good", "bad", None]},
    },
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ({"name": "Ada"}, None),
        ({"name": "Ada", "age": 36.0, "friends": [{"name": "Bob", "mood": None}]}, None),
        ({}, "$ lacks 'name'"),
        ({"name": ""}, "$.name must have a length of at least 1, not 0"),
        ({"name": "ada"}, "$.name must match '^[A-Z]', and \"ada\" does not"),
        ({"name": "Ada", "age": True}, "$.age must be of type integer, not true"),
        ({"name": "Ada", "age": 36.5}, "$.age must be of type integer, not 36.5"),
        ({"name": "Ada", "age": 150}, "$.age must be below 150, not 150"),
        ({"name": "Ada", "mood": "odd"}, '$.mood must be one of ["good", "bad", null], not "odd"'),
        ({"name": "Ada", "friends": [{"name": "Bob"}, {}]}, "$.friends[1] lacks 'name'"),
        ({"name": "Ada", "friends": [{"name": "B"}, {"name": "B"}]}, "$.friends holds the same value twice"),
        ({"name": "Ada", "shoe": 42}, "$.shoe must not be there"),
        ([], "$ must be of type object, not []"),
    ],
)
def test_a_fault_is_named_with_its_place(value: object, fault: str | None) -> None:
    faults = schema_faults(PERSON, value)
    assert (faults[0] if faults else None) == fault


@pytest.mark.parametrize(
    ("schema", "value", "fits"),
    [
        ({"anyOf": [{"type": "string"}, {"minimum": 3}]}, 4, True),
        ({"anyOf": [{"type": "string"}, {"minimum": 3}]}, 2, False),
        ({"oneOf": [{"minimum": 1}, {"maximum": 5}]}, 3, False),
        ({"oneOf": [{"minimum": 1}, {"maximum": 5}]}, 7, True),
        ({"allOf": [{"minimum": 1}, {"maximum": 5}]}, 7, False),
        ({"not": {"const": 1}}, 1.0, False),
        ({"not": {"const": 1}}, True, True),
        ({"multipleOf": 0.1}, 0.3, True),
        ({"multipleOf": 2}, 10**400 + 1, False),
        ({"type": ["string", "null"]}, None, True),
        ({"type": "integer"}, 10**400, True),
        (True, object, True),
        (False, 1, False),
    ],
)
def test_combinations_and_limits(schema: object, value: object, fits: bool) -> None:
    assert (schema_faults(schema, value) == []) is fits


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"format": "email"}, "'format' is not known"),
        ({"properties": {"x": {"minimun": 3}}}, "schema.properties.x: .*'minimun'"),
        ({"type": "text"}, "no JSON type 'text'"),
        ({"$ref": "#/$defs/missing"}, "does not hold"),
        ({"$ref": "http://example.org/s.json"}, "into itself"),
        ({"pattern": "("}, "not a regular expression"),
        ({"anyOf": []}, "something in it"),
        ({"minimum": "3"}, "must be a number"),
        ({"multipleOf": 0}, "above 0"),
        ([], "a JSON schema is"),
    ],
)
def test_a_schema_that_cannot_be_held_to_is_refused(schema: object, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        schema_faults(schema, {})


def test_a_schema_that_refers_to_itself_without_end_ends() -> None:
    assert "too deep" in schema_faults({"$ref": "#"}, 1)[0]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ('{"name": "Ada"}', "correct"),
        ('Here it is:\n```json\n{"name": "Ada"}\n```\n', "correct"),
        ('Here it is: {"name": "Ada"}', "incorrect"),
        ("[" * 100_000, "incorrect"),
        ('{"name": NaN}', "incorrect"),
        ("", "incorrect"),
    ],
)
async def test_an_answer_is_json_as_a_whole_or_in_a_block(text: str, verdict: str) -> None:
    assert (await json_schema_critic(PERSON)(PROBLEM, answer(text))).verdict == verdict


# ---------------------------------------------------------------- as recipes


async def test_a_schema_may_stand_in_a_file_whose_path_stays_out_of_the_manifest(tmp_path: Path) -> None:
    file = tmp_path / "person.json"
    file.write_text(json.dumps(PERSON), encoding="utf-8")
    judge = JsonSchemaTool(schema=str(file))
    assert (await judge(PROBLEM, answer("{}"))).verdict == "incorrect"
    assert describe(judge) == describe(JsonSchemaTool(schema=json.dumps(PERSON)))
    assert str(tmp_path) not in json.dumps(describe(judge))


async def test_tests_from_a_file_need_no_privilege_and_are_told_apart_by_content(tmp_path: Path) -> None:
    file = tmp_path / "tests.py"
    file.write_text("assert double(2) == 4", encoding="utf-8")
    judge = ProgramTests(tests=str(file))
    assert not judge.sees_reference
    assert (await judge(PROBLEM.blind(), answer(RIGHT))).verdict == "correct"
    before = describe(judge)
    file.write_text("assert double(2) == 5", encoding="utf-8")
    assert describe(ProgramTests(tests=str(file))) != before
    assert ProgramTests().sees_reference


def test_a_missing_file_is_the_users_to_mend() -> None:
    with pytest.raises(InputError, match="cannot read"):
        ProgramTests(tests="no/such/file")
    with pytest.raises(InputError, match="cannot read"):
        JsonSchemaTool(schema="no")


def test_a_schema_that_is_not_json_is_refused() -> None:
    with pytest.raises(InputError, match="not JSON"):
        JsonSchemaTool(schema="{type: object}")
