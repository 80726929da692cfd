"""What must hold for every loop of self-improvement."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from support.collecting import sums
from support.looping import Actor, played
from support.players import play

from gadfly.models.scripted import Scripted
from gadfly.protocols import Model
from gadfly.recipes.load import RecipeEntry, build_loop, list_recipes
from gadfly.recipes.systems import read_systems
from gadfly.records import Request

ENTRIES = [entry for entry in list_recipes() if entry.room == "improve"]
MOST_LINES = 120
LONGER = {"critique-in-the-loop": 128}
"""Loops that are still too long. May only shrink."""


@pytest.fixture(params=ENTRIES, ids=[entry.name for entry in ENTRIES])
def entry(request: pytest.FixtureRequest) -> RecipeEntry:
    return request.param


def talks(request: Request) -> str:
    """Plays every role by rule."""
    completion = play(request)
    return completion if isinstance(completion, str) else completion.text


def model(spec: str) -> Model:
    return Scripted.from_function(talks, id=spec)


def test_there_are_loops() -> None:
    assert {"rest-em", "star", "lmsi", "b-star", "online-dpo"} <= {entry.name for entry in ENTRIES}


def test_a_loop_names_its_paper_and_where_it_departs(entry: RecipeEntry) -> None:
    assert entry.summary.endswith(".")
    assert entry.papers, "the docstring gives an arXiv number"
    assert len(entry.differs) > 40
    assert all(field.doc for field in entry.fields), [f.name for f in entry.fields if not f.doc]


def test_a_loop_is_short(entry: RecipeEntry) -> None:
    lines = Path(inspect.getfile(entry.recipe)).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LONGER.get(entry.name, MOST_LINES)


def test_a_loop_is_built_from_text_with_its_settings_described(entry: RecipeEntry) -> None:
    loop = build_loop(f"{entry.name}:plan.seed=7", models=model, model="base", max_tokens=50)
    assert getattr(getattr(loop, "plan"), "seed") == 7  # noqa: B009 (a loop is a protocol)
    assert type(loop).__name__ == entry.recipe.__name__


def test_a_finished_round_asks_no_model_and_teaches_the_same(entry: RecipeEntry, tmp_path: Path) -> None:
    actor = Actor(talks)
    problems = sums(4)

    def once() -> tuple[object, object, object, int]:
        loop = build_loop(entry.name, models=actor, model="base", max_tokens=50)
        now, trainer = played(loop, tmp_path, actor, problems)
        told = [(one.start, one.lesson, [row.id for row in one.rows]) for one in trainer.taught]
        return told, now.notes, now.ledger.costs, len(trainer.practised)

    first, heard = once(), len(actor.heard)
    assert heard or first[-1], "it asks its model, or has the trainer ask it"
    assert once() == first
    assert len(actor.heard) == heard


def test_the_room_is_read_without_torch() -> None:
    code = (
        "import sys; from gadfly.recipes.load import list_recipes; "
        "assert any(entry.room == 'improve' for entry in list_recipes()); "
        "assert 'torch' not in sys.modules, 'torch'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_systems_are_in_the_catalogue(entry: RecipeEntry) -> None:
    known = {system.id for system in read_systems()}
    assert set(entry.systems) <= known
