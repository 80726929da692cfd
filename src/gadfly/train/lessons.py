"""Objectives by name, built when they are needed: whoever names one need not have torch."""

from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from typing import Any, cast

from pydantic import JsonValue

from gadfly.errors import InputError
from gadfly.train.objective import RowObjective

_HOME = "gadfly.train.objectives"
OBJECTIVES: Mapping[str, tuple[str, Mapping[str, JsonValue]]] = {
    "sft": ("supervised:Supervised", {}),
    "dpo": ("preference:PreferencePairs", {"loss_type": "dpo"}),
    "ipo": ("preference:PreferencePairs", {"loss_type": "ipo"}),
    "hinge": ("preference:PreferencePairs", {"loss_type": "hinge", "beta": 1.0}),
    "simpo": ("preference:PreferencePairs", {"loss_type": "simpo", "beta": 2.0}),
    "orpo": ("preference:PreferencePairs", {"loss_type": "orpo"}),
}
"""Module and class below `gadfly.train.objectives`, and the settings that make it the one named."""


def build_objective(name: str, settings: Mapping[str, JsonValue]) -> RowObjective[Any]:
    """The objective of this name.

    Raises:
        InputError: there is none, it has no such setting, or torch is not installed.
    """
    if name not in OBJECTIVES:
        raise InputError(f"there is no objective {name!r}; there are {', '.join(OBJECTIVES)}")
    place, own = OBJECTIVES[name]
    module, _, title = place.partition(":")
    try:
        kind: Any = getattr(import_module(f"{_HOME}.{module}"), title)
    except ImportError as error:
        raise InputError(f'training needs torch ({error}): pip install "gadfly[train]"') from error
    known = {field.name for field in fields(kind)}
    if unknown := settings.keys() - known:
        raise InputError(f"{name} has no setting {', '.join(sorted(unknown))}; it has {', '.join(known)}")
    return cast("RowObjective[Any]", kind(**{**own, **settings}))
