"""Critics that are not models: a tool, a scorer, a person. Each is a `Critic`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio
import anyio.to_thread

from gadfly.errors import ParseError, WaitingForPerson, boundary
from gadfly.parsing import read_findings, read_verdict
from gadfly.parsing.answers import answer_key, final_answer
from gadfly.primitives.critique import Target, said
from gadfly.prompts import clean
from gadfly.protocols import Scorer
from gadfly.records import AnswerKind, Candidate, Critique, Problem
from gadfly.trace import primitive


@dataclass(frozen=True, kw_only=True)
class ToolCritic:
    """A checker, a test run or a schema as a critic.

    `check` gets the problem and the answer's text and returns its complaints, one a line;
    no complaints is a verdict of correct. A `ParseError` in it (an answer that the tool cannot read) is
    no verdict, with the reason; any other exception is a `ToolError`.
    """

    name: str
    check: Callable[[Problem, str], Awaitable[list[str]]]
    sees_reference: bool = False
    """Whether it needs the reference or the privileged data; its critiques then say so."""

    @primitive
    async def __call__(self, problem: Problem, target: Target, /) -> Critique:
        """Run the tool on the target's text."""
        shown = problem if self.sees_reference else problem.blind()
        try:
            with boundary("tool"):
                complaints = await self.check(shown, said(target))
        except ParseError as error:
            return Critique(
                target=target.id,
                text=f"The answer cannot be checked: {error}",
                author=self.name,
                saw_reference=self.sees_reference,
                failure=error.failure(),
            )
        text = "\n".join(f"- {line}" for line in complaints)
        return Critique(
            target=target.id,
            text=text or "No complaints.",
            author=self.name,
            verdict="incorrect" if complaints else "correct",
            findings=read_findings(text),
            saw_reference=self.sees_reference,
        )


@dataclass(frozen=True, kw_only=True)
class ScorerCritic:
    """A scorer as a critic that says only right or wrong: the oracle of the literature.

    Used inside a solver it needs the unblinded problem, so such a solver must declare
    `sees_reference`; the critique is marked, and every report that used it says so.
    """

    scorer: Scorer
    threshold: float = 1.0
    name: str = "scorer"

    @primitive
    async def __call__(self, problem: Problem, target: Target, /) -> Critique:
        """Score the target and say whether it reaches the threshold."""
        candidate = target if isinstance(target, Candidate) else Candidate(text=said(target), author="")
        score = await self.scorer(problem, candidate)
        right = score.value is not None and score.value >= self.threshold
        text = "The answer is right." if right else "The answer is wrong."
        return Critique(
            target=target.id,
            text="The answer could not be scored." if score.value is None else text,
            author=self.name,
            verdict=None if score.value is None else "correct" if right else "incorrect",
            saw_reference=score.saw_reference,
            failure=score.failure,
        )


@dataclass(frozen=True, kw_only=True)
class AnswerKeyCritic:
    """A teacher with the answer key: says what the answer should be, what it is, and then the verdict.

    An oracle, and its critiques say so. It writes what a critic is to learn to write: one that has to commit
    itself before it has worked the answer out learns to guess the verdict.
    """

    scorer: Scorer
    name: str = "answer key"

    @property
    def sees_reference(self) -> bool:
        """Yes."""
        return True

    @primitive
    async def __call__(self, problem: Problem, target: Target, /) -> Critique:
        """Hold the target's final answer against the key."""
        candidate = target if isinstance(target, Candidate) else Candidate(text=said(target), author="")
        score = await self.scorer(problem, candidate)
        right = score.value is not None and score.value >= 1.0
        given = _stated(candidate.text, problem.answer_kind)
        found = f"The answer given is {given}." if given else "No final answer can be read."
        verdict = "correct" if right else "incorrect"
        return Critique(
            target=target.id,
            text=f"The answer should be {problem.reference}. {found}\nVERDICT: {verdict}",
            author=self.name,
            verdict=verdict,
            saw_reference=True,
        )


def _stated(text: str, kind: AnswerKind) -> str:
    """The final answer as scorers read it; empty where they cannot."""
    try:
        return answer_key(text, kind) if kind in ("number", "choice") else final_answer(text)
    except ParseError:
        return ""


@dataclass(frozen=True, kw_only=True)
class PersonCritic:
    """A person at the terminal, asked one answer at a time.

    The answer is shown, then lines are read up to an empty one; a line `VERDICT: correct` or
    `VERDICT: incorrect` gives the verdict, lines starting with `-` are findings.
    """

    name: str = "person"
    read_line: Callable[[str], str] = input
    show: Callable[[str], None] = print
    turn: anyio.Lock = field(default_factory=anyio.Lock, repr=False, compare=False)

    @primitive
    async def __call__(self, problem: Problem, target: Target, /) -> Critique:
        """Ask the person; other rollouts go on meanwhile.

        Raises:
            WaitingForPerson: the terminal was closed before a word came; a later session asks again.
        """
        async with self.turn:
            text = await anyio.to_thread.run_sync(self._ask, problem.text, said(target))
        verdict, failure = None, None
        try:
            verdict = read_verdict(text)
        except ParseError as error:
            failure = error.failure()
        return Critique(
            target=target.id,
            text=text,
            author=self.name,
            verdict=verdict,
            findings=read_findings(text),
            failure=failure,
        )

    def _ask(self, problem: str, answer: str) -> str:
        self.show(f"\nProblem:\n{clean(problem)}\n\nAnswer:\n{clean(answer)}\n")
        self.show("Your critique (an empty line ends it; 'VERDICT: correct' or 'incorrect' decides):")
        lines: list[str] = []
        while True:
            try:
                line = self.read_line("> ")
            except EOFError:
                if not lines:
                    raise WaitingForPerson("the terminal was closed before an answer came") from None
                break
            if not line.strip():
                break
            lines.append(line)
        return "\n".join(lines)
