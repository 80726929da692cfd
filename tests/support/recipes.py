"""Every recipe there is, in every configuration that takes another path through it."""

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any, cast

import gadfly.recipes.collect
import gadfly.recipes.solve
from gadfly.protocols import Model, Solver
from gadfly.scorers.text import Numeric

VARIANTS: dict[str, list[dict[str, Any]]] = {
    "SelfConsistency": [{"n": 4}],
    "BestOfN": [{"n": 3, "by": by} for by in ("self-score", "p-true", "logprob", "judge", "duel")]
    + [{"n": 3, "by": "p-true", "siblings": True}],
    "CritiqueRefine": [{}, {"drafts": 2, "rounds": 2}],
    "SelfCorrect": [{}, {"review": "neutral"}, {"oracle": Numeric()}],
    "Debate": [{}, {"adaptive_break": False, "contrariness": 3}],
    "TreeOfThoughts": [{}, {"search": "best-first"}, {"search": "mcts"}],
    "ChecklistBestOfN": [{"n": 3}],
    "UniversalSelfConsistency": [{"n": 3}],
    "FineGrainedSelfConsistency": [{"n": 4}],
    "UltraFeedback": [{"n": 2}],
    "ILF": [{"n": 2}],
    "MultiCritiqueSets": [{"n": 2}],
    "AutoMathCritiques": [
        {"n": 2, "trials": 2},
        {"n": 2, "trials": 2, "told": False, "flaw": "rule"},
        {"n": 2, "trials": 2, "flaw": "model"},
    ],
    "SelfInstruct": [{"n": 2}],
    "StepLabels": [{"n": 3, "continuations": 2}],
    "SelfExplore": [{"n": 3, "continuations": 2}],
    "Fellowship": [{"n": 2}],
    "ConstitutionalAI": [{"rounds": 2}, {"view": "preference"}],
}


def classes() -> list[type]:
    """Every class of a recipe that answers problems: a frozen dataclass with an asynchronous call."""
    found: list[type] = []
    for room in (gadfly.recipes.solve, gadfly.recipes.collect):
        for info in pkgutil.iter_modules(room.__path__):
            module = importlib.import_module(f"{room.__name__}.{info.name}")
            found += [
                item
                for item in vars(module).values()
                if inspect.isclass(item)
                and item.__module__ == module.__name__
                and dataclasses.is_dataclass(item)
            ]
    return found


def configurations() -> list[tuple[str, Callable[[Model], Solver]]]:
    """A name and a maker for every configuration."""
    made: list[tuple[str, Callable[[Model], Solver]]] = []
    for recipe in classes():
        for settings in VARIANTS.get(recipe.__name__, [{}]):
            plain = [f"{key}-{value}" for key, value in settings.items() if isinstance(value, str | int)]
            name = "-".join([recipe.__name__, *plain, *(["oracle"] if "oracle" in settings else [])])

            def make(model: Model, recipe: type = recipe, settings: dict[str, Any] = settings) -> Solver:
                return cast(Solver, recipe(model=model, **settings))

            made.append((name, make))
    return made
