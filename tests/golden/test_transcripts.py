"""Every recipe's conversation, committed: a changed prompt or call order shows as a diff.

`pytest tests/golden --update` writes the transcripts anew.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.players import PROBLEM, TALK, player
from support.recipes import configurations

from gadfly.models.scripted import Recording, Scripted
from gadfly.protocols import Model, Solver

pytestmark = pytest.mark.anyio
FOLDER = Path(__file__).parent / "transcripts"


@pytest.mark.parametrize(("name", "make"), configurations(), ids=[name for name, _ in configurations()])
async def test_a_recipe_asks_what_its_transcript_says(
    name: str, make: Callable[[Model], Solver], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    committed = FOLDER / f"{name}.jsonl"
    written = committed if request.config.getoption("--update") else tmp_path / "now.jsonl"
    recording = Recording(inner=player(), path=written)
    problem = TALK if name == "WildFeedback" else PROBLEM
    answer = await make(recording)(problem)
    await recording.close()
    assert written.read_text() == committed.read_text(), "the recipe asks something else; see --update"
    assert await make(Scripted.from_recording(committed, id="player"))(problem) == answer
