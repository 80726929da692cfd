"""The result of `compare`: one frozen record, complete enough to recompute every figure in it.

Vectors have one entry a problem, in the order of `Comparison.problems`. Token figures are nominal:
what each method would have taken alone, a call answered from the cache counted as when first paid.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import Field, ValidationError

from gadfly.errors import InputError
from gadfly.metrics.answers import Outcome
from gadfly.metrics.measurement import Flips, Matched, Measurement, Sample
from gadfly.records import Record, Text, Usage

Verdict: TypeAlias = Literal["beats voting", "loses to voting", "cannot tell", "baseline"]


class MethodResult(Record):
    """One method on all problems."""

    name: Text
    solver: Text
    """What its rollouts and run folder call the solver."""
    outcomes: tuple[Outcome, ...]
    tokens: tuple[int, ...]
    """Input and output tokens, nominal."""
    output_tokens: tuple[int, ...]
    accuracy: Measurement
    """Over all problems; unscored and failed count as not right. Wilson's interval."""
    against_direct: Measurement | None = None
    """Paired difference in accuracy; None for the direct answer itself."""
    flips: Flips | None = None
    """Against the direct answers."""
    against_voting: Matched | None = None
    """At equal input and output tokens; None where tokens are not reported."""
    against_voting_output: Matched | None = None
    """At equal output tokens: what counts where the prompt is cheap or cached."""
    verdict: Verdict
    reason: Text
    """The verdict in one sentence."""
    usage: Usage
    """Nominal."""
    paid: Usage = Usage()
    """What this session paid: calls that neither the cache nor an earlier session answered."""
    oracle: int = 0
    """Rollouts in which something that shaped the answer had seen the reference."""
    truncated: int = 0
    """Model calls that ended at the token limit, of `usage.calls`; those for a single token aside."""
    judgements: int = 0
    """Critiques, scores and rankings the method made on its way."""
    unreadable: int = 0
    """Those of them that could not be read, so that they steered nothing."""

    @property
    def label(self) -> str:
        """The name, with a mark where the method used an oracle."""
        return f"{self.name} (oracle)" if self.oracle else self.name

    @property
    def mean_tokens(self) -> float:
        """Input and output tokens a problem."""
        return sum(self.tokens) / len(self.tokens)

    @property
    def mean_output_tokens(self) -> float:
        """Output tokens a problem."""
        return sum(self.output_tokens) / len(self.output_tokens)

    def count(self, outcome: Outcome) -> int:
        """How many problems ended so."""
        return self.outcomes.count(outcome)


class VotePoint(Record):
    """k samples a problem, estimated without bias from the pool."""

    k: int
    tokens: float
    """Mean input and output tokens a problem."""
    output_tokens: float
    accuracy: Measurement
    """Majority vote."""
    passed: Measurement
    """At least one of the k is right: the ceiling of any way to choose among them."""


class Comparison(Record):
    """Methods on the same problems, against voting at the same number of tokens."""

    version: Literal[1] = 1
    package: str
    benchmark: Text
    model: Text
    problems: tuple[Text, ...]
    direct: str
    """Name of the method that answers once."""
    methods: tuple[MethodResult, ...]
    voting: tuple[VotePoint, ...]
    """k = 1..N."""
    pool: tuple[tuple[Sample, ...], ...]
    """The samples behind `voting`: one row a problem."""
    pool_usage: Usage
    """Nominal, all samples together."""
    paid: Usage
    """What this session paid for everything, scoring aside."""
    answer: Text
    """Does a method beat voting at the same number of tokens? In words."""
    warnings: tuple[Text, ...] = ()
    settings: Mapping[str, str | int | float] = Field(default_factory=dict[str, str | int | float])

    @property
    def pool_size(self) -> int:
        """N, the samples a problem."""
        return len(self.voting)

    def method(self, name: str) -> MethodResult:
        """The result of one method.

        Raises:
            InputError: it was not compared.
        """
        for result in self.methods:
            if result.name == name:
                return result
        known = ", ".join(result.name for result in self.methods)
        raise InputError(f"no method {name!r} in this comparison; it has {known}")


def method_folder(out: Path, name: str, *, room: str = "methods") -> Path:
    """Where a comparison in `out` keeps the rollouts of a method, or of a model."""
    return out / room / (re.sub(r"[^\w.=+-]+", "-", name).strip("-.") or "method")


def read_comparison(text: str | bytes, *, where: str = "compare.json") -> Comparison:
    """A comparison from its JSON.

    Raises:
        InputError: it is not one this version can read.
    """
    try:
        return Comparison.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{where} is not a comparison this version can read: {place} {first['msg']}"
        ) from None
