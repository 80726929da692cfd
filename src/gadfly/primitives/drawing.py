"""Choices that look random and are not: they follow from the problem and its draw, and cost no call."""

from collections.abc import Sequence
from typing import TypeVar

from gadfly.records import Problem, content_digest

T = TypeVar("T")


def pick(problem: Problem, options: Sequence[T]) -> T:
    """One of the options, by the problem's text and draw; equal problems get equal ones.

    Raises:
        IndexError: there are none.
    """
    if not options:
        raise IndexError("there is nothing to pick from")
    return options[_number(problem) % len(options)]


def pick_some(problem: Problem, options: Sequence[str], n: int) -> list[str]:
    """`n` different texts of the options (all, where there are fewer), in an order of their own."""
    named = [problem.text, list(problem.sample)]
    return sorted(dict.fromkeys(options), key=lambda text: content_digest([*named, text]))[:n]


def chance(problem: Problem, name: str) -> float:
    """A number from 0 to 1 (exclusive), even over problems and draws, and another for every name."""
    return _number(problem, name) / 16**12


def _number(problem: Problem, *names: str) -> int:
    return int(content_digest([problem.text, list(problem.sample), *names])[:12], 16)
