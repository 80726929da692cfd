"""What must hold for every collector in every view, beside what holds for every solver."""

import dataclasses
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

import pytest
from support.players import PROBLEM, TALK, player
from support.recipes import configurations

from gadfly.models.scripted import Scripted
from gadfly.protocols import Model, SeesReference, Solver
from gadfly.recipes.load import list_recipes
from gadfly.records import Problem, Rollout
from gadfly.run import roll_out
from gadfly.run.manifest import describe
from gadfly.scorers.text import Numeric
from gadfly.train.collecting import Collector
from gadfly.train.columns import cells
from gadfly.train.rows import AnyRow, row_parts
from gadfly.train.sources import sourced

pytestmark = pytest.mark.anyio
Make = Callable[[Model], Solver]

ENTRIES = {entry.recipe.__name__: entry for entry in list_recipes() if entry.room == "collect"}
EVERY = [(name, make) for name, make in configurations() if name.partition("-")[0] in ENTRIES]
SECRET = "8675309"
PROBLEMS = [
    PROBLEM,
    PROBLEM.model_copy(update={"id": "products-2", "prompt": "What is 8 * 6?", "reference": "48"}),
    TALK,
]


def views(make: Make) -> list[tuple[str, Collector]]:
    """The collector in each of its views."""
    collector = cast(Any, make(player()))
    entry = ENTRIES[type(collector).__name__]
    chosen = next((field.choices for field in entry.fields if field.name == "view"), ())
    return [(view, dataclasses.replace(collector, view=view)) for view in chosen] or [("", collector)]


async def rolled(collector: Collector, problems: list[Problem] = PROBLEMS) -> list[Rollout]:
    return [await roll_out(collector, problem, {"numeric": Numeric()}) for problem in problems]


def rows_of(
    collector: Collector, rollouts: list[Rollout], dropped: Counter[str] | None = None
) -> list[AnyRow]:
    return list(collector.rows(sourced(rollouts, benchmark="here"), oracle="mark", dropped=dropped))


@pytest.fixture(params=[make for _, make in EVERY], ids=[name for name, _ in EVERY])
def make(request: pytest.FixtureRequest) -> Make:
    return request.param


async def test_every_view_gives_rows_of_one_kind_or_says_why_not(make: Make) -> None:
    for view, collector in views(make):
        dropped: Counter[str] = Counter()
        rows = rows_of(collector, await rolled(collector), dropped)
        assert len({row.kind for row in rows}) <= 1, view
        assert rows or dropped, view
        for row in rows:
            assert cells(row)["id"] == row.id == row.stripped().id


async def test_rows_are_a_pure_function_of_what_is_on_record(make: Make) -> None:
    for view, collector in views(make):
        rollouts = await rolled(collector)
        read_back = [Rollout.model_validate_json(rollout.model_dump_json()) for rollout in rollouts]
        first, again = rows_of(collector, rollouts), rows_of(collector, read_back)
        assert first == again, view
        assert [row.id for row in first] == [row.id for row in rows_of(collector, rollouts)], view


async def test_every_row_says_where_it_is_from(make: Make) -> None:
    for view, collector in views(make):
        rollouts = await rolled(collector)
        known = {source.id: source.rollout.problem.id for source in sourced(rollouts)}
        for row in rows_of(collector, rollouts):
            assert [known[name] for name in row.lineage.rollouts] == [row.lineage.problem], view
            assert row.lineage.benchmark == "here"
            assert row.lineage.policy == row.said[-1 if row.kind == "correction" else 0].author
            assert all(turn.author for turn in (*row.prompt, *row.said))


async def test_a_collector_that_is_not_shown_the_reference_does_not_filter_by_it(make: Make) -> None:
    """The rollouts' references and scores are taken away: the same rows have to come."""
    for view, collector in views(make):
        if isinstance(collector, SeesReference) and collector.sees_reference:
            continue
        rollouts = await rolled(collector)
        bare = [
            rollout.model_copy(update={"problem": rollout.problem.blind(), "scores": {}})
            for rollout in rollouts
        ]
        with_reference, without = rows_of(collector, rollouts), rows_of(collector, bare)
        assert [row.id for row in with_reference] == [row.id for row in without], view
        assert not any(row.lineage.saw_reference or row.lineage.oracle for row in without), view


async def test_what_only_the_labeller_saw_is_in_no_text_to_be_learned(make: Make) -> None:
    hidden = [
        problem.model_copy(update={"reference": SECRET, "privileged": {"hints": [SECRET]}})
        for problem in PROBLEMS
    ]
    for view, collector in views(make):
        for row in rows_of(collector, await rolled(collector, hidden)):
            assert SECRET not in "".join(row_parts(row)), view
            assert SECRET not in str(cells(row)), view
            assert row.labelling_only is not None
            assert row.labelling_only.reference == SECRET


def test_a_view_that_costs_no_call_is_no_part_of_the_runs_identity(make: Make) -> None:
    found = views(make)
    identities = {str(describe(collector)) for _, collector in found}
    needs_its_own_run = type(found[0][1]).__name__ == "ConstitutionalAI"
    assert len(identities) == (len(found) if needs_its_own_run else 1)


def test_every_collector_is_tried() -> None:
    assert {name.partition("-")[0] for name, _ in EVERY} == set(ENTRIES)
    assert all(isinstance(make(Scripted.from_list([])), Collector) for _, make in EVERY)
