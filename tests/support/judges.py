"""Every judge recipe there is, in every configuration that takes another path through it."""

import dataclasses
import importlib
import inspect
import itertools
import json
import pkgutil
from collections.abc import Callable
from typing import Any, cast

import gadfly.recipes.judge
from gadfly.primitives.fusion import Skill
from gadfly.protocols import Judge, Model
from gadfly.recipes.judge.pairwise import Pairwise
from gadfly.recipes.judge.peer_discussion import PeerDiscussion
from gadfly.recipes.judge.planted_errors import PlantedErrors
from gadfly.recipes.judge.simulated_person import SimulatedPerson
from gadfly.records import Completion, Request

SKILL = Skill(right=8, judged=10, detection=0.8, false_alarm=0.2)
Settings = Callable[[Model], dict[str, Any]]

VARIANTS: dict[str, dict[str, Settings]] = {
    "SingleAnswer": {
        "": lambda model: {"model": model},
        "rubric": lambda model: {"model": model, "rubric": "5 stands for half right.", "high": 5.0},
        "reference": lambda model: {"model": model, "use_reference": True},
    },
    "PTrue": {
        "": lambda model: {"model": model},
        "siblings": lambda model: {"model": model, "siblings": 2},
    },
    "SelfReference": {
        "": lambda model: {"model": model},
        "samples": lambda model: {"model": model, "samples": 2},
    },
    "SelfRationalising": {
        "": lambda model: {"model": model, "n": 3},
        "mean": lambda model: {"model": model, "n": 3, "by": "mean"},
    },
    "MultiCritique": {
        "": lambda model: {"model": model},
        "evidence": lambda model: {"model": model, "rule": "evidence", "skills": (SKILL,)},
        "model-match": lambda model: {"model": model, "n": 2, "match": "model", "criteria": False},
        "critics": lambda model: {
            "model": model,
            "critics": (PlantedErrors(model=model), PlantedErrors(model=model, style="open")),
            "rule": "skill",
            "skills": (SKILL, SKILL.model_copy(update={"right": 7})),
        },
    },
    "MetaCritique": {
        "": lambda model: {"model": Splits(inner=model)},
        "blind": lambda model: {"model": Splits(inner=model), "sees_reference": False},
    },
    "SelfContradiction": {"": lambda model: {"model": model, "alternatives": 2}},
    "PlantedErrors": {
        "": lambda model: {"model": model},
        "open": lambda model: {"model": model, "style": "open"},
    },
    "AutoMathCritique": {
        "": lambda model: {"model": model, "drafts": 2, "trials": 2},
        "untold": lambda model: {"model": model, "drafts": 1, "trials": 2, "may_tell": False},
    },
    "LearnerFeedback": {
        "": lambda model: {"model": model, "trials": 2},
        "strict": lambda model: {"model": model, "threshold": 1.0, "subject": "programming"},
    },
    "Jury": {
        "": lambda model: {"model": model},
        "judges": lambda model: {
            "model": model,
            "judges": (Pairwise(model=model), PeerDiscussion(model=model, turns=1)),
            "weights": (2.0, 1.0),
        },
    },
    "JudgeDebate": {
        "": lambda model: {"model": model, "n": 2},
        "at-once": lambda model: {"model": model, "models": (model, model), "in_turn": False, "rounds": 1},
    },
    "PeerRank": {
        "": lambda model: {"model": model, "n": 2},
        "models": lambda model: {"model": model, "models": (model, model)},
    },
    "MetaJudge": {"": lambda model: {"model": model, "n": 2}},
    "MetaCritic": {"": lambda model: {"model": model, "n": 2}},
    "RecursiveCritique": {
        "": lambda model: {"model": model},
        "third-order": lambda model: {"model": model, "models": (model, model), "depth": 3},
        "critics": lambda model: {"model": model, "critics": (PlantedErrors(model=model, style="open"),)},
    },
    "Routed": {"": lambda model: {"model": model, "person": SimulatedPerson(), "threshold": 9.0}},
    "RegexTool": {"": lambda model: {"pattern": "4[0-5]"}},
    "JsonSchemaTool": {"": lambda model: {"schema": '{"type": "string"}'}},
    "Person": {"": lambda model: {"read_line": typed("VERDICT: correct", ""), "show": len}},
    # These judge programs, files and gold labels, which the players' candidates do not have.
    "ProgramTests": {},
    "QueuedPerson": {},
    "SimulatedPerson": {},
}
"""By class: a name and what to set for each configuration, given the playing model."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Splits:
    """A model that takes reviews apart into a claim and leaves all else to another model."""

    inner: Model

    @property
    def id(self) -> str:
        """The other's."""
        return self.inner.id

    async def complete(self, request: Request, /) -> Completion:
        """Answer one request."""
        asked = request.messages[-1].content
        if "into its single claims" not in asked:
            return await self.inner.complete(request)
        claim = "The product is 48." if "48" in asked else "The product is 42."
        text = json.dumps({"units": [claim]}) if '{"units"' in asked else f"- {claim}"
        return Completion(text=text, model=self.id)


SYMMETRIC = {
    "CalibratedPairwise",
    "JudgeDebate",
    "Jury",
    "Listwise",
    "Pairwise",
    "PeerDiscussion",
    "PeerRank",
    "Principled",
    "Routed",
    "SelfReference",
}
"""Rankers whose verdict must not change with the order in which two answers are given."""


NOT_SYMMETRIC = {"FirstShown", "RandomOrder", "SimulatedPerson"}
"""Rankers that take a place on purpose, toss a coin, or repeat a gold label: no model is asked."""


def typed(*lines: str) -> Callable[[str], str]:
    """Somebody at a terminal who types these lines again and again."""
    source = itertools.cycle(lines)
    return lambda prompt: next(source)


def _with_model(model: Model) -> dict[str, Any]:
    return {"model": model}


def _with_nothing(model: Model) -> dict[str, Any]:
    return {}


def classes() -> list[type]:
    """Every judge class: a frozen dataclass with `systems` and an asynchronous call."""
    found: list[type] = []
    for info in pkgutil.iter_modules(gadfly.recipes.judge.__path__):
        module = importlib.import_module(f"gadfly.recipes.judge.{info.name}")
        found += [
            item
            for item in vars(module).values()
            if inspect.isclass(item)
            and item.__module__ == module.__name__
            and dataclasses.is_dataclass(item)
            and hasattr(item, "systems")
        ]
    return found


def configurations() -> list[tuple[str, Callable[[Model], Judge]]]:
    """A name and a maker for every configuration."""
    made: list[tuple[str, Callable[[Model], Judge]]] = []
    for recipe in classes():
        own_model = "model" in {field.name for field in dataclasses.fields(recipe)}
        variants = VARIANTS.get(recipe.__name__, {"": _with_model if own_model else _with_nothing})
        for name, settings in variants.items():

            def make(model: Model, recipe: type = recipe, settings: Settings = settings) -> Judge:
                return cast(Judge, recipe(**settings(model)))

            made.append((f"{recipe.__name__}-{name}" if name else recipe.__name__, make))
    return made
