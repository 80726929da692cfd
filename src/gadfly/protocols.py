"""The seams: one asynchronous call each, nothing to inherit.

A class satisfies a protocol by having its method. What a backend cannot do is not a
method that raises: it is a protocol that the backend does not satisfy.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from gadfly.records import Candidate, Case, Completion, Critique, Problem, Ranking, Request, Score, Tokens


class Model(Protocol):
    """Anything that completes a request.

    `complete` raises `ModelError` (see `gadfly.errors`) and nothing else. Equal requests
    give equal completions as far as the backend can; the cache makes it exact.
    """

    @property
    def id(self) -> str:
        """Names the weights: it is part of the cache key."""
        ...

    async def complete(self, request: Request, /) -> Completion:
        """Answer one request."""
        ...


@runtime_checkable
class TokenModel(Protocol):
    """A model that can also tell how likely a given continuation is."""

    @property
    def id(self) -> str:
        """Names the weights."""
        ...

    async def complete(self, request: Request, /) -> Completion:
        """Answer one request."""
        ...

    async def score(self, prefix: Request, continuation: str, /) -> Tokens:
        """Log-probabilities of the tokens of `continuation` as the assistant's next words."""
        ...


@runtime_checkable
class Closing(Protocol):
    """Something that holds a connection, an engine or a file until it is closed."""

    async def close(self) -> None:
        """Release what is held. Calling it twice is harmless."""
        ...


class Solver(Protocol):
    """Problem -> Candidate: every recipe in `recipes.solve`."""

    async def __call__(self, problem: Problem, /) -> Candidate:
        """Answer one problem."""
        ...


@runtime_checkable
class SeesReference(Protocol):
    """Declared by a solver that must be handed the unblinded problem (an oracle)."""

    @property
    def sees_reference(self) -> bool:
        """Whether the reference is wanted in this configuration."""
        ...


class Critic(Protocol):
    """Words about a target: a candidate, a critique or a judgement."""

    async def __call__(self, problem: Problem, target: Candidate | Critique | Score | Ranking, /) -> Critique:
        """Criticise `target` as an answer to `problem`."""
        ...


class Reviser(Protocol):
    """A new candidate in the light of critiques."""

    async def __call__(
        self, problem: Problem, candidate: Candidate, critiques: Sequence[Critique], /
    ) -> Candidate:
        """Rewrite `candidate`."""
        ...


class Scorer(Protocol):
    """A number about a candidate, or the reason why there is none. Never raises on bad text."""

    async def __call__(self, problem: Problem, candidate: Candidate, /) -> Score:
        """Score `candidate` as an answer to `problem`."""
        ...


class Ranker(Protocol):
    """An order of candidates."""

    async def __call__(self, problem: Problem, candidates: Sequence[Candidate], /) -> Ranking:
        """Rank `candidates` as answers to `problem`."""
        ...


Judge: TypeAlias = Critic | Scorer | Ranker
"""Every recipe in `recipes.judge`: words, a number or an order."""


class Benchmark(Protocol):
    """Problems with the scorer that decides them."""

    @property
    def name(self) -> str:
        """What the command line calls it, arguments included."""
        ...

    @property
    def scorer(self) -> Scorer:
        """Decides whether an answer is right."""
        ...

    def problems(self) -> Iterator[Problem]:
        """The problems, in a fixed order."""
        ...


class JudgingBenchmark(Protocol):
    """Things to judge, with what people said of them."""

    @property
    def name(self) -> str:
        """What the command line calls it, arguments included."""
        ...

    def cases(self) -> Iterator[tuple[Problem, Case]]:
        """Each problem with what is to be judged, in a fixed order; every problem's id is its case's name."""
        ...
