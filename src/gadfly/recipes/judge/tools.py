"""Tools as judges: a pattern, a JSON schema or a problem's tests say what is wrong; no model is asked.

Tools as critics after Gou et al. 2023, "CRITIC: Large Language Models Can Self-Correct with
Tool-Interactive Critiquing", arXiv:2305.11738.
Differs from the paper: there a model reads what the tools say and writes the critique; here the tool's
complaints are the critique.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from gadfly.errors import InputError
from gadfly.primitives import ToolCritic
from gadfly.primitives.tool_critics import json_schema_critic, program_tests, regex_critic
from gadfly.records import Candidate, Critique, Problem, Ranking, Score, content_digest
from gadfly.sandbox.python import PythonSandbox


@dataclass(frozen=True, kw_only=True)
class RegexTool:
    """Incorrect where a pattern is not found, or, turned round, where it is."""

    pattern: str
    """A regular expression, searched anywhere in the answer."""
    must_match: bool = True
    """False: the pattern must not be found."""
    seconds: float = 5.0
    """Most seconds for one search; an answer that takes longer has no verdict."""
    _critic: ToolCritic = field(init=False, repr=False, compare=False)

    systems: ClassVar[tuple[int, ...]] = ()

    def __post_init__(self) -> None:
        object.__setattr__(
            self,
            "_critic",
            regex_critic(self.pattern, must_match=self.must_match, seconds=self.seconds),
        )

    async def __call__(self, problem: Problem, target: Candidate | Critique | Score | Ranking, /) -> Critique:
        """Check one answer."""
        return await self._critic(problem, target)


@dataclass(frozen=True, kw_only=True)
class JsonSchemaTool:
    """Incorrect where the answer is no JSON of the schema."""

    schema: str = field(repr=False)
    """A JSON schema, or the path of a file that holds one."""
    digest: str = field(init=False)
    """Of the schema: what the manifest keeps in place of a path."""
    _critic: ToolCritic = field(init=False, repr=False, compare=False)

    systems: ClassVar[tuple[int, ...]] = ()

    def __post_init__(self) -> None:
        text = self.schema if self.schema.lstrip().startswith("{") else _text_of(self.schema)
        try:
            schema: object = json.loads(text)
        except ValueError as error:
            raise InputError(f"the schema is not JSON: {error}") from error
        object.__setattr__(self, "digest", content_digest(schema))
        object.__setattr__(self, "_critic", json_schema_critic(schema))

    async def __call__(self, problem: Problem, target: Candidate | Critique | Score | Ranking, /) -> Critique:
        """Check one answer."""
        return await self._critic(problem, target)


@dataclass(frozen=True, kw_only=True)
class ProgramTests:
    """Incorrect where the answer's program fails a test; each failing test is a finding."""

    tests: str = field(default="", repr=False)
    """The path of a file of Python tests; where empty, each problem's own privileged tests."""
    seconds: float = 10.0
    """Most seconds for one program with its tests."""
    memory: int = 1 << 30
    """Most bytes of memory for one program."""
    must_close_network: bool = False
    """Refuse to run programs where the network cannot be closed to them."""
    digest: str = field(init=False)
    """Of the tests in the file: what the manifest keeps in place of a path."""
    _critic: ToolCritic = field(init=False, repr=False, compare=False)

    systems: ClassVar[tuple[int, ...]] = ()

    def __post_init__(self) -> None:
        sandbox = PythonSandbox(
            seconds=self.seconds, memory=self.memory, must_close_network=self.must_close_network
        )
        tests = _text_of(self.tests) if self.tests else None
        object.__setattr__(self, "digest", "" if tests is None else content_digest(tests))
        object.__setattr__(self, "_critic", program_tests(tests, sandbox=sandbox))

    @property
    def sees_reference(self) -> bool:
        """Whether the tests are the problem's own, which only a scorer may see."""
        return not self.tests

    async def __call__(self, problem: Problem, target: Candidate | Critique | Score | Ranking, /) -> Critique:
        """Test one answer."""
        return await self._critic(problem, target)


def _text_of(path: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the file {path}: {error}") from error
