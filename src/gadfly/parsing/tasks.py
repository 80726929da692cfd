"""Tasks that a model made up: read from its reply, and what speaks against one on its face."""

import re
from dataclasses import dataclass

from gadfly.errors import ParseError
from gadfly.parsing.text import tail

_PART = re.compile(r"^(INPUT|OUTPUT):[ \t]*", re.MULTILINE)
_UNSEEN = re.compile(
    r"\b(?:images?|pictures?|photos?|graphs?|plots?|charts?|diagrams?|maps?|files?|videos?|audio|music|draw)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class TaskCase:
    """One case of a task: what it is done on, if anything, and the result."""

    given: str
    output: str

    def asked(self, task: str) -> str:
        """The task with what it is to be done on."""
        return f"{task}\n\n{self.given}" if self.given else task


def read_case(text: str) -> TaskCase:
    """The parts `INPUT: ...` and `OUTPUT: ...`, in whatever order; an input of `none` is none.

    Raises:
        ParseError: a part stands twice, or there is no output.
    """
    parts = _PART.split(tail(text))[1:]
    found = {name: said.strip() for name, said in zip(parts[::2], parts[1::2], strict=True)}
    if len(parts) > 2 * len(found):
        raise ParseError("a part stands twice")
    if not found.get("OUTPUT"):
        raise ParseError("no output")
    given = found.get("INPUT", "")
    return TaskCase(given="" if given.strip("<>.").lower() == "none" else given, output=found["OUTPUT"])


def fault_of_task(task: str, case: TaskCase) -> str | None:
    """Why a made-up task is of no use on its face; None where nothing speaks against it.

    After Wang et al. 2022, "Self-Instruct", arXiv:2212.10560.
    """
    if not 3 <= len(task.split()) <= 150:
        return "task too short or too long"
    if not task[0].isalnum():
        return "task begins with a sign"
    if _UNSEEN.search(task):
        return "task of more than text"
    return "output repeats the input" if case.output == case.given else None
