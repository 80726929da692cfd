"""Every judge's conversation, committed: a changed prompt or call order shows as a diff.

`pytest tests/golden --update` writes the transcripts anew. Where a judge has a given text scored
(`TokenModel.score`), that text stands in the transcript as if it had been the reply.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.judges import configurations
from support.judging_players import PROBLEM, RIGHT, WRONG, player

from gadfly.models.scripted import (
    RecordedCall,
    ScriptedTokens,
    read_recording,
    write_recording,
)
from gadfly.protocols import Judge, Model, SeesReference, TokenModel
from gadfly.records import Case, Completion, Critique, Ranking, Request, Score, Tokens
from gadfly.run.judging import judge_case, returns

pytestmark = pytest.mark.anyio
FOLDER = Path(__file__).parent / "judges"


@dataclass(frozen=True, kw_only=True)
class Listening:
    """The inner model, and what it was asked; the same question once."""

    inner: TokenModel
    heard: dict[str, RecordedCall] = field(default_factory=dict[str, RecordedCall])

    @property
    def id(self) -> str:
        return self.inner.id

    async def complete(self, request: Request, /) -> Completion:
        completion = await self.inner.complete(request)
        self.heard[request.digest] = RecordedCall(request=request, completion=completion)
        return completion

    async def score(self, prefix: Request, continuation: str, /) -> Tokens:
        tokens = await self.inner.score(prefix, continuation)
        completion = Completion(text=continuation, model=self.id, tokens=tokens)
        self.heard[prefix.digest] = RecordedCall(request=prefix, completion=completion)
        return tokens


def replaying(calls: list[RecordedCall]) -> ScriptedTokens:
    """A model that knows these calls and no others."""
    known = {call.request.digest: call.completion for call in calls}

    def scored(prefix: Request, continuation: str) -> Tokens:
        said = known[prefix.digest]
        assert (said.text, said.tokens is None) == (continuation, False)
        assert said.tokens is not None
        return said.tokens

    return ScriptedTokens(answer=lambda request: known[request.digest], likelihood=scored, id="player")


async def said_by(make: Callable[[Model], Judge], model: TokenModel) -> Critique | Score | Ranking:
    judge = make(model)
    sees = isinstance(judge, SeesReference) and judge.sees_reference
    case = Case(candidates=(WRONG, RIGHT) if returns(judge) == "ranking" else (WRONG,))
    return await judge_case(judge, PROBLEM if sees else PROBLEM.blind(), case)


@pytest.mark.parametrize(("name", "make"), configurations(), ids=[name for name, _ in configurations()])
async def test_a_judge_asks_what_its_transcript_says(
    name: str, make: Callable[[Model], Judge], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    committed = FOLDER / f"{name}.jsonl"
    listening = Listening(inner=player())
    said = await said_by(make, listening)
    if not listening.heard:
        assert not committed.exists(), "a judge that asks nothing has no transcript"
        return
    written = committed if request.config.getoption("--update") else tmp_path / "now.jsonl"
    write_recording(written, listening.heard.values())
    assert written.read_text() == committed.read_text(), "the judge asks something else; see --update"
    assert await said_by(make, replaying(read_recording(committed))) == said


def test_every_transcript_belongs_to_a_judge() -> None:
    assert {path.stem for path in FOLDER.glob("*.jsonl")} <= {name for name, _ in configurations()}
