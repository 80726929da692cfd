"""ILF: feedback on a draft, several rewrites, and the one that takes the feedback up best is learned.

Scheurer et al. 2023, "Training Language Models with Language Feedback at Scale", arXiv:2303.16755.
Differs from the paper: the feedback may come from any critic, where the paper's comes from people
(`--critic queued-person` asks them); a rewrite is chosen by one mark for how much of the feedback it takes
up, where the paper averages the probability of yes over five prompts; a rewrite equal to its draft is not
learned; without other settings one model does all of it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from gadfly.errors import InputError
from gadfly.primitives.uptake import Incorporating
from gadfly.protocols import Critic, Model
from gadfly.records import Candidate, Problem, Sampling
from gadfly.run.runner import sees
from gadfly.train.from_own_feedback import taken_up
from gadfly.train.rows import AnyRow
from gadfly.train.sources import Oracle, Sourced


@dataclass(frozen=True, kw_only=True)
class ILF:
    """The rewrite that takes up most of the feedback, to be learned as the answer to the bare task."""

    model: Model
    """Who drafts and rewrites."""
    critic: Critic | None = None
    """Who gives the feedback; the model itself where none is given."""
    selector: Model | None = None
    """Who says how much of the feedback a rewrite takes up; the model itself where none is given."""
    n: int = 5
    """Rewrites tried."""
    view: Literal["refinement", "preference"] = field(default="refinement", repr=False)
    """The rewrite to imitate, or the rewrite rather than its draft."""
    sampling: Sampling = Sampling()

    systems: ClassVar[tuple[int, ...]] = (20,)

    def __post_init__(self) -> None:
        if self.n < 1:
            raise InputError("need at least one rewrite")

    @property
    def sees_reference(self) -> bool:
        """Whether the critic wants it; nobody else sees it."""
        return self.critic is not None and sees(self.critic)

    async def __call__(self, problem: Problem, /) -> Candidate:
        """Draft, get feedback, rewrite, choose."""
        answer = Incorporating(
            model=self.model, critic=self.critic, selector=self.selector, n=self.n, sampling=self.sampling
        )
        return await answer(problem)

    def rows(
        self, rollouts: Iterable[Sourced], *, oracle: Oracle = "refuse", dropped: Counter[str] | None = None
    ) -> Iterator[AnyRow]:
        """One row a problem, unless no rewrite could be marked or the chosen one is the draft again."""
        return taken_up(rollouts, by=self.view, oracle=oracle, dropped=dropped)
