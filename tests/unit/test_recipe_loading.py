"""Recipes found by name and built from text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import ClassVar

import pytest

from gadfly.errors import InputError
from gadfly.models.scripted import Scripted
from gadfly.protocols import Model, Scorer, Solver
from gadfly.recipes import load
from gadfly.recipes.fields import read_fields
from gadfly.recipes.load import (
    ROOMS,
    SharedModels,
    build_from_text,
    build_judge,
    build_recipe,
    find_recipe,
    list_recipes,
)
from gadfly.recipes.naming import kebab, split_recipes, split_settings
from gadfly.recipes.solve.best_of_n import BestOfN
from gadfly.recipes.solve.debate import Debate
from gadfly.recipes.solve.self_correct import SelfCorrect
from gadfly.recipes.solve.self_refine import SelfRefine
from gadfly.records import Candidate, Problem, Ranking, Sampling
from gadfly.scorers.text import Numeric

pytestmark = pytest.mark.anyio


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A recipe of somebody else's, with every kind of field."""

    model: Model
    panel: tuple[Model, ...]
    inner: Solver
    marker: Scorer | None = None
    """Who marks."""
    words: tuple[str, ...] = ("a",)
    sampling: Sampling = Sampling(temperature=0.2)
    hook: object = None

    systems: ClassVar[tuple[int, ...]] = ()

    async def __call__(self, problem: Problem, /) -> Candidate:
        return await self.inner(problem)


@dataclass(frozen=True, kw_only=True)
class Shortest:
    """A judge of another package."""

    systems: ClassVar[tuple[int, ...]] = ()

    async def __call__(self, problem: Problem, candidates: Sequence[Candidate], /) -> Ranking:
        return Ranking(tiers=tuple((one.id,) for one in candidates), author="x")


class Ordinary:
    """No recipe at all."""


def loaded(spec: str) -> Model:
    return Scripted.from_list([], id=spec)


@pytest.fixture
def other_package(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[EntryPoint]]:
    points: list[EntryPoint] = []

    def registered(*, group: str) -> list[EntryPoint]:
        assert group == "gadfly.recipes"
        return points

    monkeypatch.setattr(load, "entry_points", registered)
    list_recipes.cache_clear()
    yield points
    list_recipes.cache_clear()


OUR_OWN = tuple(f"gadfly.recipes.judge.{name}:" for name in ("baselines", "person", "queued_person", "tools"))
"""Modules of judges that no paper describes: baselines, people, tools."""


def test_every_recipe_has_what_a_listing_shows() -> None:
    entries = list_recipes()
    assert {"direct", "self-refine", "tree-of-thoughts"} <= {entry.name for entry in entries}
    for entry in entries:
        assert entry.summary
        assert entry.room in ROOMS
        if entry.room == "solve":
            assert entry.fields[0].name == "model"
        if entry.name != "direct" and not entry.source.startswith(OUR_OWN):
            assert entry.papers, f"{entry.name} cites nothing"
            assert entry.differs, f"{entry.name} does not say how it differs"


def test_names_are_the_classes_in_kebab_case() -> None:
    assert [kebab(name) for name in ("BestOfN", "SelfRefine", "MCTSearch", "Top2")] == [
        "best-of-n",
        "self-refine",
        "mct-search",
        "top-2",
    ]


def test_an_unknown_recipe_is_answered_with_the_closest() -> None:
    with pytest.raises(InputError, match=r"did you mean 'self-refine'.*gadfly recipes"):
        find_recipe("self_refin")
    with pytest.raises(InputError, match="there is no recipe 'xyz'"):
        find_recipe("xyz")


def test_text_becomes_the_fields_types() -> None:
    entry = find_recipe("debate")
    settings = {"rounds": "1", "contrariness": "3", "adaptive-break": "false", "sampling.top_p": "0.5"}
    solver = build_recipe(entry, settings, models=loaded, model="m")
    assert isinstance(solver, Debate)
    assert (solver.rounds, solver.contrariness, solver.adaptive_break) == (1, 3, False)
    assert solver.sampling == Sampling(top_p=0.5)
    assert solver.opponent is None


def test_a_record_keeps_what_is_not_set() -> None:
    solver = build_from_text("self-correct:sampling.max_tokens=9", models=loaded, model="m")
    assert isinstance(solver, SelfCorrect)
    assert solver.sampling == Sampling(temperature=0.0, max_tokens=9)


def test_models_are_loaded_once_and_shared() -> None:
    asked: list[str] = []

    def opened(spec: str) -> Model:
        asked.append(spec)
        return loaded(spec)

    models = SharedModels(load=opened)
    solver = build_from_text("best-of-n:judge=big", models=models, model="small")
    again = build_from_text("self-refine", models=models, model="small")
    assert isinstance(solver, BestOfN)
    assert isinstance(again, SelfRefine)
    assert solver.model is again.model
    assert asked == ["big", "small"] or asked == ["small", "big"]


async def test_shared_models_are_closed_together() -> None:
    closed: list[str] = []

    @dataclass(frozen=True)
    class Held:
        id: str

        async def complete(self, request: object, /) -> object:
            raise NotImplementedError

        async def close(self) -> None:
            closed.append(self.id)

    models = SharedModels(load=lambda spec: Held(spec))  # pyright: ignore[reportArgumentType]
    assert models("a") is not models("b")
    assert models("a") is models("a")
    assert [model.id for model in models.loaded] == ["a", "b"]
    await models.close()
    assert closed == ["a", "b"]
    assert models.loaded == ()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"rounds": "x"}, "rounds must be of type int"),
        ({"contrariness": "9"}, "contrariness must be one of 0, 1, 2, 3"),
        ({"round": "1"}, "no field 'round'; did you mean rounds"),
        ({"sampling.top_p": "7"}, "top_p"),
        ({"sampling.temperature": "hot"}, "must be of type float"),
    ],
)
def test_text_that_does_not_fit_is_refused_by_name(settings: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        build_recipe(find_recipe("debate"), settings, models=loaded, model="m")


def test_a_required_model_that_nobody_gives_is_asked_for() -> None:
    with pytest.raises(InputError, match="direct needs --model"):
        build_from_text("direct", models=loaded)


def test_a_prompt_comes_from_a_file_with_the_same_slots(tmp_path: Path) -> None:
    good, bad, broken = tmp_path / "mine.jinja", tmp_path / "bad.txt", tmp_path / "broken.jinja"
    good.write_text("Look at {{ answer }} and end with VERDICT: correct or VERDICT: incorrect.")
    bad.write_text("{{ problem }} {{ answre }}")
    broken.write_text("{{ answer ")
    solver = build_from_text(f"self-refine:feedback={good}", models=loaded, model="m")
    assert isinstance(solver, SelfRefine)
    assert solver.feedback.name == "mine"
    with pytest.raises(InputError, match="has the slots answre, problem, but feedback fills answer, problem"):
        build_from_text(f"self-refine:feedback={bad}", models=loaded, model="m")
    with pytest.raises(InputError, match="prompt 'broken' cannot be read, line 1"):
        build_from_text(f"self-refine:feedback={broken}", models=loaded, model="m")
    with pytest.raises(InputError, match="cannot read the prompt file"):
        build_from_text("self-refine:feedback=nowhere.jinja", models=loaded, model="m")


def test_one_line_holds_a_recipe_and_its_settings() -> None:
    assert split_settings("direct") == ("direct", {})
    assert split_settings("x:a=1,b=two, three,c=m:n@http://h/v1?k=v") == (
        "x",
        {"a": "1", "b": "two, three", "c": "m:n@http://h/v1?k=v"},
    )
    assert split_recipes("a,b:x=1,y=2,c, d:z=3,") == ["a", "b:x=1,y=2", "c", "d:z=3,"]
    for wrong, said in (("a:b", "field=value"), ("a:b=1,b=2", "given twice")):
        with pytest.raises(InputError, match=said):
            split_settings(wrong)


def test_a_recipe_of_another_package_is_found_and_built(other_package: list[EntryPoint]) -> None:
    other_package.append(EntryPoint("panel", f"{__name__}:Panel", "gadfly.recipes"))
    entry = find_recipe("panel")
    kinds = {field.name: field.kind for field in entry.fields}
    assert kinds["panel"] == "models"
    assert kinds["hook"] == "python"
    assert entry.find("marker").doc == "Who marks."
    settings = {"panel": "a,b", "inner": "self-refine:rounds=1", "marker": "numeric", "words": "x,y"}
    panel = build_recipe(entry, settings, models=loaded, model="m")
    assert isinstance(panel, Panel)
    assert [member.id for member in panel.panel] == ["a", "b"]
    assert isinstance(panel.inner, SelfRefine)
    assert panel.inner.rounds == 1
    assert isinstance(panel.marker, Numeric)
    assert panel.words == ("x", "y")
    assert panel.sampling.temperature == 0.2
    with pytest.raises(InputError, match="hook can be given in Python only"):
        build_recipe(entry, {**settings, "hook": "x"}, models=loaded, model="m")
    with pytest.raises(InputError, match="panel needs --inner"):
        build_recipe(entry, {}, models=loaded, model="m")


def test_a_judge_of_another_package_is_known_by_what_it_returns(other_package: list[EntryPoint]) -> None:
    other_package.append(EntryPoint("shortest", f"{__name__}:Shortest", "gadfly.recipes"))
    assert find_recipe("shortest").room == "judge"
    assert isinstance(build_judge("shortest", models=loaded), Shortest)
    with pytest.raises(InputError, match="judges answers"):
        build_from_text("shortest", models=loaded, model="m")


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("no_such_module:Thing", "cannot be imported.*mend or uninstall"),
        (f"{__name__}:Ordinary", "is no frozen dataclass"),
        ("gadfly.recipes.solve.direct:Direct", "two recipes are called 'direct'"),
    ],
)
def test_a_broken_recipe_of_another_package_is_named(
    other_package: list[EntryPoint], place: str, said: str
) -> None:
    name = "direct" if place.endswith("Direct") else "theirs"
    other_package.append(EntryPoint(name, place, "gadfly.recipes"))
    with pytest.raises(InputError, match=said):
        list_recipes()


def test_a_field_of_unknown_type_is_named() -> None:
    @dataclass(frozen=True)
    class Odd:
        model: "NoSuchType"  # type: ignore[name-defined] # noqa: F821 # pyright: ignore[reportUndefinedVariable]

    with pytest.raises(InputError, match="NoSuchType"):
        read_fields(Odd)


def test_a_field_of_a_record_can_be_named_without_the_record() -> None:
    entry = find_recipe("direct")
    assert entry.find("temperature").name == "sampling.temperature"
    assert entry.find("max-tokens").name == "sampling.max_tokens"
