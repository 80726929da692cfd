"""Critics that are tools: a problem's tests, a pattern, a JSON schema, any function."""

import ast
import json
import re
import secrets
from collections.abc import Callable, Sequence
from typing import cast

import anyio.to_thread

from gadfly.errors import InputError, ParseError, ToolError
from gadfly.parsing.json_schema import check_schema, schema_faults
from gadfly.parsing.text import LONGEST
from gadfly.primitives.critics import ToolCritic
from gadfly.records import Problem
from gadfly.sandbox.python import PythonSandbox, Ran

_FENCE = re.compile(r"[ \t]*```[ \t]*(\w*)(.*)", re.DOTALL)
_MOST_FAULTS = 50
"""Complaints kept of one answer."""

_SEARCH = """
import json, re, sys
pattern, text = json.loads(sys.stdin.read())
found = re.search(pattern, text)
print(json.dumps([True, found[0][:80] if found else None]))
"""

_HARNESS = """
import json, os, sys
secret, code, steps = json.loads(sys.stdin.read())
out = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
def say(kind, step, words=""):
    os.write(out, (chr(10) + json.dumps([secret, kind, step, words]) + chr(10)).encode())
def words_of(error):
    return (type(error).__name__ + (": " + str(error) if str(error) else ""))[:300]
space = {"__name__": "answer"}
try:
    exec(compile(code, "answer.py", "exec"), space)
except BaseException as error:
    say("broken", 0, words_of(error))
else:
    for number, step in enumerate(steps):
        try:
            exec(compile(step, "tests.py", "exec"), space)
        except BaseException as error:
            say("failed", number, words_of(error))
        else:
            say("passed", number)
    say("ended", 0)
os._exit(0)
"""


def program_tests(tests: str | None = None, *, sandbox: PythonSandbox | None = None) -> ToolCritic:
    """A critic that runs a candidate's program, then tests on it, in the sandbox.

    Tests are Python text whose statements run one after the other on the program's names: an assertion, a
    call or a function `test_...` (which is then called) that raises is a finding. Without `tests` they come
    from `problem.privileged["tests"]` (text, or a list of texts), with `check(NAME)` after them where
    `privileged["entry_point"]` gives a name and they define `check`. The program is the last Python code
    block of the answer, or the whole answer where that is Python; else the answer is unreadable.

    The tests run in the program's own process. A program that prints what a passing one would print, or
    ends early, does not pass; one that goes looking for the harness in its own memory can cheat.
    """
    place = sandbox or PythonSandbox()

    async def check(problem: Problem, answer: str) -> list[str]:
        steps = _steps(_tests_of(problem) if tests is None else tests)
        code = read_program(answer)
        secret = secrets.token_hex(16)
        ran = await place.run(_HARNESS, stdin=json.dumps([secret, code, steps]))
        return _complaints(ran, secret, steps)

    return ToolCritic(name="program-tests", check=check, sees_reference=tests is None)


def regex_critic(pattern: str, *, must_match: bool = True, seconds: float = 5.0) -> ToolCritic:
    """A critic that wants a pattern found in the answer, or not found.

    Only the last 100,000 characters are searched, in a process of their own (about 0.1 s a search): a
    search cannot be stopped from within, and an answer may be written so that it never ends. One that
    takes longer than `seconds` leaves the answer without a verdict.

    Raises:
        InputError: it is no regular expression, or there is no time.
    """
    try:
        re.compile(pattern)
    except re.error as error:
        raise InputError(f"{pattern!r} is not a regular expression: {error}") from error
    place = PythonSandbox(seconds=seconds)

    async def check(_: Problem, answer: str) -> list[str]:
        ran = await place.run(_SEARCH, stdin=json.dumps([pattern, answer[-LONGEST:]]))
        said = _line(ran.stdout, 2)
        if not said:
            how = f"took longer than {seconds:g} s" if ran.timed_out else f"ended with status {ran.exit}"
            raise ParseError(f"the search for {pattern!r} {how}")
        found = said[1]
        if must_match:
            return [] if found is not None else [f"nothing in the answer matches {pattern!r}"]
        return [] if found is None else [f"{found!r} matches {pattern!r}, which must not be there"]

    return ToolCritic(name="regex", check=check)


def json_schema_critic(schema: object) -> ToolCritic:
    """A critic that wants the answer to be one JSON value of a schema; see `gadfly.parsing.json_schema`.

    The JSON is the whole answer, or its last code block. What is not JSON is wrong, not unreadable. The
    first 50 faults are named. A `pattern` in the schema is searched for without a limit of time.

    Raises:
        InputError: the schema cannot be used.
    """
    check_schema(schema)

    def check(_: Problem, answer: str) -> list[str]:
        blocks = _blocks(answer[-LONGEST:])
        try:
            value = json.loads(blocks[-1][1] if blocks else answer, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            return [f"the answer is not JSON: {error}"]
        return schema_faults(schema, value, most=_MOST_FAULTS)

    return checker_critic(check, name="json-schema")


def checker_critic(
    function: Callable[[Problem, str], Sequence[str]], *, name: str = "checker", sees_reference: bool = False
) -> ToolCritic:
    """A critic from a plain function that returns its complaints; it runs in a thread."""

    async def check(problem: Problem, answer: str) -> list[str]:
        return list(await anyio.to_thread.run_sync(function, problem, answer))

    return ToolCritic(name=name, check=check, sees_reference=sees_reference)


def read_program(answer: str) -> str:
    """The Python program in an answer: its last Python code block, else its last block, else all of it.

    Raises:
        ParseError: there is no code block, and the text is no Python.
    """
    blocks = _blocks(answer[-LONGEST:])
    named = [text for language, text in blocks if language.lower() in ("python", "py", "python3")]
    if named or blocks:
        return named[-1] if named else blocks[-1][1]
    if answer.strip() and _parsed(answer) is not None:
        return answer
    raise ParseError("no code block in the answer, and the answer is no Python program")


def _blocks(text: str) -> list[tuple[str, str]]:
    """The code blocks of a text, each with its language. One that is not closed is none."""
    found: list[tuple[str, str]] = []
    lines: list[str] | None = None
    language = ""
    for line in text.splitlines(keepends=True):
        fence = _FENCE.fullmatch(line)
        if lines is None and fence:
            language, lines = str(fence[1]), []
        elif lines is not None and line.strip() == "```":
            found.append((language, "".join(lines)))
            lines = None
        elif lines is not None:
            lines.append(line)
    return found


def _no_number(word: str) -> object:
    raise ValueError(f"{word} is no JSON number")


def _parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _tests_of(problem: Problem) -> str:
    tests = problem.privileged.get("tests")
    if isinstance(tests, list):
        tests = "\n".join(map(str, tests))
    if not isinstance(tests, str):
        raise InputError(
            f"problem {problem.id!r} shows no tests: give it privileged['tests'], and declare sees_reference "
            "on what uses them, or give the critic tests of its own"
        )
    name = problem.privileged.get("entry_point")
    calls = isinstance(name, str) and name.isidentifier() and re.search(r"^def check\(", tests, re.MULTILINE)
    return f"{tests}\ncheck({name})" if calls else tests


def _steps(tests: str) -> list[str]:
    """The tests' statements, one text each, and a call of every test function."""
    module = _parsed(tests)
    if module is None or not module.body:
        raise ToolError("the tests are no Python program with anything in it")
    calls = [
        f"{part.name}()"
        for part in module.body
        if isinstance(part, ast.FunctionDef) and part.name.startswith("test")
    ]
    return [*(ast.unparse(part) for part in module.body), *calls]


def _complaints(ran: Ran, secret: str, steps: Sequence[str]) -> list[str]:
    said = [line[1:] for line in map(_line, ran.stdout.splitlines()) if line and line[0] == secret]
    broken = [str(words) for kind, _, words in said if kind == "broken"]
    if broken:
        return [f"the program does not run: {_one_line(broken[0])}"]
    failed = [
        f"{_one_line(steps[int(cast(int, number))])}: {_one_line(str(words))}"
        for kind, number, words in said
        if kind == "failed"
    ]
    if any(kind == "ended" for kind, _, _ in said):
        return failed
    reached = sum(kind in ("passed", "failed") for kind, _, _ in said)
    where = f"at {_one_line(steps[reached])}" if said and reached < len(steps) else "before the first test"
    how = "was stopped for its time" if ran.timed_out else f"ended with status {ran.exit}"
    return [*failed, f"the program {how} {where}"]


def _line(text: str, size: int = 4) -> list[object]:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return (
        cast("list[object]", value)
        if isinstance(value, list) and len(cast("list[object]", value)) == size
        else []
    )


def _one_line(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 200 else f"{flat[:197]}..."
