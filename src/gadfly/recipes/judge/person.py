"""Person: somebody at the terminal criticises the answers, one at a time.

The critic of every study with people in the loop, such as Saunders et al. 2022, "Self-critiquing models for
assisting human evaluators", arXiv:2206.05802.
Differs from the paper: one person, at a terminal, who writes plain text; who wrote the answer is not
shown. A run folder keeps what is said, so a session that ends is continued where it stopped.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from gadfly.primitives import PersonCritic
from gadfly.records import Candidate, Critique, Problem, Ranking, Score


@dataclass(frozen=True, kw_only=True)
class Person:
    """A critique typed at the terminal; without a readable verdict it is unscored."""

    name: str = "person"
    """Who is asked; the author of the critiques."""
    read_line: Callable[[str], str] = field(default=input, repr=False)
    """Reads one line after showing a prompt."""
    show: Callable[[str], None] = field(default=print, repr=False)
    """Shows a text."""
    _critic: PersonCritic = field(init=False, repr=False, compare=False)

    systems: ClassVar[tuple[int, ...]] = ()

    def __post_init__(self) -> None:
        critic = PersonCritic(name=self.name, read_line=self.read_line, show=self.show)
        object.__setattr__(self, "_critic", critic)

    async def __call__(self, problem: Problem, target: Candidate | Critique | Score | Ranking, /) -> Critique:
        """Have one answer criticised."""
        return await self._critic(problem, target)
