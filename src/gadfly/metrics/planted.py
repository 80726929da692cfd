"""How many planted faults a reviewer finds, and how often it cries wolf over the same text without them."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from gadfly.errors import InputError
from gadfly.metrics.measurement import Measurement
from gadfly.metrics.proportions import share_of
from gadfly.records import Case, Critique, Finding, Record

Found: TypeAlias = Literal["place", "verdict"]
Unreadable: TypeAlias = Literal["missed", "left out"]


class FaultRecall(Record):
    """Figures about one reviewer. None: there was no such case."""

    recall: Measurement | None
    """Share of flawed texts whose planted fault was found."""
    false_alarms: Measurement | None
    """Share of right texts that were called incorrect."""


def points_at(found: Finding, fault: Finding, text: str) -> bool:
    """Whether a finding is at the fault: the same step, a span that touches it, or its words quoted.

    Words count only where the finding gives no place, and where they stand once in the text.
    """
    if found.step is not None and fault.step is not None:
        return found.step == fault.step
    if fault.span is None:
        return False
    if found.span is not None:
        return found.span[0] < fault.span[1] and fault.span[0] < found.span[1]
    words = text[slice(*fault.span)].strip()
    return bool(words) and text.count(words) == 1 and words in found.text


def fault_recall(
    cases: Sequence[Case],
    critiques: Sequence[Critique],
    *,
    found: Found = "place",
    unreadable: Unreadable = "missed",
    level: float = 0.95,
) -> FaultRecall:
    """Recall of planted faults, with Wilson's intervals.

    Args:
        cases: Flawed and right texts, as `gadfly.primitives.planting.planted_cases` makes them.
        critiques: What the reviewer said of each, in the same order.
        found: `place`: a finding points at the fault. `verdict`: the text is called incorrect, for
            whatever reason.
        unreadable: What a critique without a verdict is, on flawed and on right texts: not an alarm,
            or no case at all. It is counted as unscored both ways.
        level: Of the intervals.

    Raises:
        InputError: the sequences differ in length, or a case is neither flawed nor right.
    """
    if len(cases) != len(critiques):
        raise InputError(f"{len(critiques)} critiques for {len(cases)} cases; give one each")
    flawed: list[bool | None] = []
    right: list[bool | None] = []
    for case, critique in zip(cases, critiques, strict=True):
        alarm = None if critique.verdict is None else critique.verdict == "incorrect"
        if case.gold.verdict == "correct":
            right.append(alarm)
        elif case.gold.verdict == "incorrect" and (case.gold.findings or found == "verdict"):
            flawed.append(alarm and _found(case, critique) if found == "place" else alarm)
        else:
            raise InputError("a case is neither known to be right nor flawed at a known place")
    missing = "wrong" if unreadable == "missed" else "left out"
    return FaultRecall(
        recall=share_of(flawed, unreadable=missing, level=level),
        false_alarms=share_of(right, unreadable=missing, level=level),
    )


def _found(case: Case, critique: Critique) -> bool:
    text = case.candidates[0].text
    return any(points_at(one, fault, text) for fault in case.gold.findings for one in critique.findings)
