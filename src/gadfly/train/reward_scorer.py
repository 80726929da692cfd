"""A trained head as a scorer: a reward model's number for an answer, or P(IK) for a problem.

The folder is what `Learner.save_merged` writes: weights as transformers reads them, with `head.pt` beside
them. Answers are put together as they were in training, so the same row gets the same number. Forward
passes run in batches on a thread of their own; the scorer's author names the weights, head included.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch

from gadfly.errors import InputError, ScorerError
from gadfly.models.gguf import file_digest
from gadfly.models.settling import settle
from gadfly.models.transformers_weights import Source, locate, read
from gadfly.records import Candidate, Problem, Score
from gadfly.train.codec import Codec
from gadfly.train.masks import MaskedRow
from gadfly.train.policy import Policy
from gadfly.train.rows import PROBLEM, Turn

HEAD = "head.pt"
_GATHER = 0.01
"""Seconds the first of a batch waits for company."""


@dataclass(frozen=True, kw_only=True)
class HeadScorer:
    """Weights with a head, as a `Scorer`."""

    folder: Path
    """With the weights and `head.pt`."""
    reads: Literal["answer", "problem"] = "answer"
    """'answer': the head stands after the answer (a reward model). 'problem': it stands before any answer
    (P(IK)), and the answer is not looked at."""
    probability: bool = False
    """Whether the number is a logit that is to become a probability: P(IK), or a model of labels."""
    batch: int = 32
    """Most rows in a forward pass."""
    limit: int = 1024
    """Most tokens of a row; a longer one is unscored."""
    device: str = "auto"
    _waiting: "list[tuple[MaskedRow, asyncio.Future[float]]]" = field(
        default_factory=lambda: [], init=False, repr=False, compare=False
    )

    @cached_property
    def author(self) -> str:
        """Names the weights and the head."""
        return f"{self._source.name}+head-{file_digest(self.folder / HEAD)[:8]}"

    async def __call__(self, problem: Problem, candidate: Candidate, /) -> Score:
        """The head's number for an answer; of a P(IK) head, for the problem."""
        turn = Turn(role="assistant", content=candidate.text, author=candidate.author)
        return await self._score(candidate.id, problem, (turn,))

    async def belief(self, problem: Problem, /) -> Score:
        """How likely the model is to know the answer, before any is given: the target is the problem.

        Raises:
            InputError: the head reads answers.
        """
        if self.reads != "problem":
            raise InputError("this head reads answers; one that was trained for P(IK) reads problems")
        return await self._score(problem.id, problem, ())

    async def close(self) -> None:
        """End the thread and let the weights go."""
        if "_thread" in self.__dict__:
            await asyncio.to_thread(self._thread.shutdown)
            for name in ("_thread", "_policy"):
                self.__dict__.pop(name, None)

    async def _score(self, target: str, problem: Problem, said: Sequence[Turn]) -> Score:
        prompt = [Turn(role=one.role, content=one.content, author=PROBLEM) for one in problem.messages]
        try:
            codec = (await self._ready()).codec
            row = codec.completion(prompt, said) if self.reads == "answer" else codec.asked(prompt)
            if row is None:
                raise ScorerError(f"the text is longer than {self.limit} tokens")
            value = await self._number(row)
        except (ScorerError, InputError) as error:
            failure = (error if isinstance(error, ScorerError) else ScorerError(str(error))).failure()
            return Score(target=target, value=None, author=self.author, failure=failure)
        return Score(target=target, value=value, author=self.author)

    async def _ready(self) -> Policy:
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: self._policy)

    async def _number(self, row: MaskedRow) -> float:
        """The head's number, from a batch with whoever else is waiting."""
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[float] = loop.create_future()
        self._waiting.append((row, mine))
        if len(self._waiting) == 1:
            loop.call_later(_GATHER, self._send)
        return await mine

    def _send(self) -> None:
        """Hand what is waiting to the thread, rows of like length together."""
        taken = sorted(self._waiting, key=lambda one: len(one[0].ids))
        self._waiting.clear()
        for start in range(0, len(taken), self.batch):
            self._thread.submit(self._run, taken[start : start + self.batch])

    def _run(self, part: "Sequence[tuple[MaskedRow, asyncio.Future[float]]]") -> None:
        try:
            found = self._numbers([row for row, _ in part])
        except (RuntimeError, MemoryError) as error:
            for _, future in part:
                settle(future, ScorerError(f"the reward model failed: {error}"))
            return
        for (_, future), value in zip(part, found, strict=True):
            settle(future, value)

    @torch.no_grad()
    def _numbers(self, rows: Sequence[MaskedRow]) -> list[float]:
        found = self._policy.rewards(rows)
        if self.probability:
            found = torch.sigmoid(found)
        return [float(value) for value in found]

    @cached_property
    def _source(self) -> Source:
        if not (self.folder / HEAD).is_file():
            raise InputError(f"{self.folder} holds no {HEAD}: it is no reward model")
        return locate(str(self.folder))

    @cached_property
    def _thread(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=1, thread_name_prefix="gadfly-reward")

    @cached_property
    def _policy(self) -> Policy:
        loaded = read(self._source, dtype="float32", device=self.device)
        state: dict[str, Any] = torch.load(self.folder / HEAD, map_location=loaded.device, weights_only=True)
        head = torch.nn.Linear(state["weight"].shape[1], 1, device=loaded.device)
        head.load_state_dict(state)
        return Policy(
            loaded=loaded,
            codec=Codec(tokenizer=loaded.tokenizer, limit=self.limit),
            adapted=False,
            head=head.requires_grad_(requires_grad=False),
        )
