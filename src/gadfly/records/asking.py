"""What is asked of a model and what comes back."""

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from pydantic import Field, JsonValue

from gadfly.records.record import Record, Text

Role: TypeAlias = Literal["system", "user", "assistant"]
FinishReason: TypeAlias = Literal["stop", "length", "content_filter"]
AnswerKind: TypeAlias = Literal["text", "number", "choice", "free"]


class Message(Record):
    """One turn of a chat."""

    role: Role
    content: Text


class Sampling(Record):
    """How a completion is drawn.

    The defaults are the ones a small model survives: at temperature 1 with no nucleus
    cut, a 135M model derails on the tail of its distribution.
    """

    temperature: float = Field(default=0.7, ge=0)
    """0 is greedy."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    max_tokens: int = Field(default=512, gt=0)
    """Upper limit of generated tokens."""
    stop: tuple[str, ...] = ()
    """Generation ends before any of these strings."""
    logprobs: int | None = Field(default=None, ge=0, le=20)
    """None: not wanted. 0: the chosen tokens only. n: also the n likeliest at each position."""

    @property
    def greedy(self) -> "Sampling":
        """For a judge under the same limits: temperature 0, no log-probabilities."""
        return self.model_copy(update={"temperature": 0.0, "logprobs": None})


class Problem(Record):
    """One thing to answer, with what only its scorer may see kept apart.

    `reference` and `privileged` reach a solver only if it declares that it sees them:
    the runner hands every other solver `problem.blind()`.
    """

    id: str
    prompt: Text | tuple[Message, ...]
    reference: Text | None = None
    """The right answer, as the benchmark states it."""
    answer_kind: AnswerKind = "text"
    """What form a final answer takes; public, since every prompt says it."""
    draw: tuple[int, ...] = ()
    """Which independent attempt this is; becomes `Request.draw`."""
    metadata: Mapping[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    """Public facts: family, difficulty, source."""
    privileged: Mapping[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    """For scorers only: checker arguments, hints, principles."""

    @property
    def messages(self) -> tuple[Message, ...]:
        """The prompt as chat messages."""
        if isinstance(self.prompt, str):
            return (Message(role="user", content=self.prompt),)
        return self.prompt

    @property
    def text(self) -> str:
        """The prompt as one text; several messages are labelled with their role."""
        if isinstance(self.prompt, str):
            return self.prompt
        return "\n\n".join(f"{m.role}: {m.content}" for m in self.prompt)

    @property
    def sample(self) -> tuple[int, ...]:
        """`draw` without trailing zeros, as requests carry it: the first attempt is the problem itself.

        So the first of several samples is the one that a single-sample method gets, and is paid once.
        """
        end = len(self.draw)
        while end and self.draw[end - 1] == 0:
            end -= 1
        return self.draw[:end]

    def again(self, attempt: int) -> "Problem":
        """The same problem, as independent attempt number `attempt`."""
        return self.model_copy(update={"draw": (*self.draw, attempt)})

    def attempts(self, n: int) -> list["Problem"]:
        """`n` independent attempts at this problem; the first draws what the problem itself draws."""
        return [self.again(k) for k in range(n)]

    def blind(self) -> "Problem":
        """Without anything that only a scorer may see."""
        if self.reference is None and not self.privileged:
            return self
        return self.model_copy(update={"reference": None, "privileged": {}})


class Request(Record):
    """Everything that decides a completion. Equal requests get equal completions."""

    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    json_schema: Mapping[str, JsonValue] | None = None
    """The completion must be one JSON value obeying this schema."""
    draw: tuple[int, ...] = ()
    """Names the independent sample: the only source of randomness."""
    prefix: str | None = None
    """The beginning of the assistant's turn; the completion continues it and leaves it out."""


class Tokens(Record):
    """Generated tokens, for backends that report them. All sequences have one entry a token."""

    texts: tuple[str, ...]
    logprobs: tuple[float, ...]
    """Natural logarithms, under the model before any sampling cut."""
    ids: tuple[int, ...] | None = None
    top: tuple[Mapping[str, float], ...] | None = None
    """For each position the likeliest tokens and their log-probabilities."""
    usage: "Usage | None" = None
    """What it cost to score them, where that was a call of its own (`TokenModel.score`)."""


class Usage(Record):
    """What was spent. `input_tokens` includes the cached ones; `replayed` calls are in `calls` too."""

    calls: int = 0
    replayed: int = 0
    """Calls answered from our own durable cache; their tokens are counted as when first paid."""
    input_tokens: int = 0
    cached_input_tokens: int = 0
    """Prompt tokens the server says it did not compute again."""
    output_tokens: int = 0
    cost: float | None = 0.0
    """US dollars. None is 'unknown' and stays unknown in every sum."""
    seconds: float = 0.0
    """Model latency, summed over calls."""

    @property
    def tokens(self) -> int:
        """Input and output together: the budget axis of a comparison."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            calls=self.calls + other.calls,
            replayed=self.replayed + other.replayed,
            input_tokens=self.input_tokens + other.input_tokens,
            cached_input_tokens=self.cached_input_tokens + other.cached_input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost=None if self.cost is None or other.cost is None else self.cost + other.cost,
            seconds=self.seconds + other.seconds,
        )

    @staticmethod
    def total(parts: Iterable["Usage"]) -> "Usage":
        """The sum of any number of usages."""
        result = Usage()
        for part in parts:
            result = result + part
        return result


class Completion(Record):
    """What a model call returned."""

    text: Text
    model: str
    finish_reason: FinishReason = "stop"
    reasoning: Text | None = None
    """Thinking that the server reports apart from the answer."""
    usage: Usage = Usage(calls=1)
    tokens: Tokens | None = None
