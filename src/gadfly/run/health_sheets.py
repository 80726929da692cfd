"""The tables of a loop's health, as plain cells: terminal, page and Markdown lay out the same ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from gadfly.metrics.measurement import Flips, Measurement
from gadfly.run.health import ArmHealth, CheckpointHealth, Compared, Health

Row: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One table: the first column is words, the others are figures."""

    title: str
    about: str = ""
    headings: Row
    rows: tuple[Row, ...]
    brief: tuple[int, ...] = ()
    """The columns that the terminal shows; none: it leaves the table to the page."""


def sheets(health: Health) -> list[Sheet]:
    """Every table that has something to show, the most important first."""
    made = (
        _arms(health), _rounds(health), _families(health), _coverage(health), _critics(health),
        _reward(health), _diversity(health), _difficulty(health), _untouched(health), _costs(health),
    )  # fmt: skip
    return [sheet for sheet in made if sheet.rows]


def _arms(health: Health) -> Sheet:
    loops = [arm for arm in health.arms if arm.kind != "models"]
    rows = [("base", _share(health.base.accuracy.found), "", "", "", "", "")] if loops else []
    for arm in loops:
        last = arm.last
        shown = health.base if last is None else last
        rows.append(
            (
                _called(arm, last),
                _share(shown.accuracy.found),
                _points(None if last is None else last.accuracy.base),
                *_flips(None if last is None else last.flips_base),
                f"{arm.seconds / 60:.1f}" if arm.seconds else "–",
                _thousands(sum(cost.tokens for cost in arm.phases if cost.phase != "evaluation")),
            )
        )
    headings = (
        "final checkpoint",
        "right % [95 %]",
        "vs base",
        "right→wrong",
        "wrong→right",
        "minutes",
        "tokens",
    )
    about = "Differences in points, paired. Minutes and tokens without evaluation."
    return Sheet(
        title="Loops and controls", about=about, headings=headings, rows=tuple(rows), brief=tuple(range(7))
    )


def _rounds(health: Health) -> Sheet:
    models = health.arms[0].kind == "models"
    rows: list[Row] = []
    for name, one in _walk(health):
        rows.append(
            (
                name,
                _share(one.accuracy.found),
                _points(one.accuracy.base),
                _points(one.accuracy.previous),
                *_flips(one.flips_base if models else one.flips_previous),
                _percent(one.stated or one.readable),
                "–" if one.skill is None else _share(one.skill.found),
                f"{one.length.found.value:.0f}",
            )
        )
    headings = (
        "checkpoint", "right % [95 %]", "vs base", "vs previous", "right→wrong", "wrong→right", "in form %",
        "right of those %", "tokens out",
    )  # fmt: skip
    about = (
        f"One answer a problem; flips are against the {'first model' if models else 'one before'}. "
        "In form: the answer stands as the prompt asks (format); right of those: skill."
    )
    title = "Models" if models else "Accuracy by round"
    return Sheet(
        title=title,
        about=about,
        headings=headings,
        rows=tuple(rows),
        brief=(0, 1, 2 if models else 3, 4, 5, 6, 7),
    )


def _families(health: Health) -> Sheet:
    finals: list[tuple[str, CheckpointHealth]] = []
    for arm in health.arms:
        shown = arm.checkpoints if arm.kind == "models" else [one for one in (arm.last,) if one is not None]
        finals += [(one.name if arm.kind == "models" else arm.name, one) for one in shown]
    rows: list[Row] = []
    for place, family in enumerate(health.base.families):
        cells = [_points(last.families[place].accuracy.base) for _, last in finals]
        rows.append((family.name, str(family.n), _share(family.accuracy.found), *cells))
    headings = ("family", "problems", "base right %", *(f"{name} vs base" for name, _ in finals))
    return Sheet(title="Families", headings=headings, rows=tuple(rows))


def _coverage(health: Health) -> Sheet:
    k = health.k
    rows = tuple(
        (
            name,
            _percent(one.accuracy),
            _percent(one.sampled),
            _share(one.majority.found),
            _share(one.passed.found),
            _points(one.passed.base),
        )
        for name, one in _walk(health)
        if one.passed is not None and one.majority is not None
    )
    headings = ("checkpoint", "one answer %", "a sample %", f"maj@{k} %", f"pass@{k} %", f"pass@{k} vs base")
    about = "Sharpening: one answer rises and pass@k does not. Coverage: pass@k rises, too."
    return Sheet(
        title="Coverage and sharpening", about=about, headings=headings, rows=rows, brief=tuple(range(6))
    )


def _critics(health: Health) -> Sheet:
    rows: list[Row] = []
    several = sum(bool(arm.critics) for arm in health.arms) > 1
    for arm in health.arms:
        for one in arm.critics:
            f1, gain = one.detection_f1, one.correction_gain
            oracle = " ORACLE" if one.saw_reference else ""
            state = (
                f"trained, {_round(one.round)}" if one.round > 1 else "trained" if one.round else "untrained"
            )
            rows.append(
                (
                    (f"{arm.name}, " if several else "") + state + oracle,
                    "–" if f1 is None else _share(f1.found),
                    _points(None if f1 is None else f1.base),
                    _points(None if gain is None else gain.found),
                    _points(None if gain is None else gain.base),
                    *_flips(one.flips),
                )
            )
    headings = (
        "critic", "detection F1 %", "vs before", "correction gain", "vs before", "right→wrong", "wrong→right",
    )  # fmt: skip
    about = "On the same held-out answers, before and after training."
    return Sheet(
        title="The critic", about=about, headings=headings, rows=tuple(rows), brief=(0, 1, 3, 4, 5, 6)
    )


def _reward(health: Health) -> Sheet:
    rows: list[Row] = []
    for name, one in _walk(health):
        reward = one.reward
        if reward is None:
            continue
        rise = reward.rise
        warned = "over-optimised" if rise is not None and rise.over_optimised else ""
        rows.append(
            (
                name,
                reward.source,
                _number(reward.truth.proxy),
                _number(reward.truth.gold),
                _number(reward.truth.correlation, digits=2),
                _number(None if rise is None else rise.proxy, signed=True),
                _number(None if rise is None else rise.gold, signed=True),
                _points(None if one.gap is None else one.gap.gap),
                warned,
            )
        )
    headings = (
        "checkpoint", "answers", "reward", "gold", "correlation", "reward rose", "gold rose",
        "generation-verification gap", "",
    )  # fmt: skip
    about = (
        "Mean reward and mean truth of the same answers, and their rise since the first checkpoint that has "
        "rewards. The gap: what the better half by reward of each problem's samples is above all of them."
    )
    return Sheet(title="Reward against gold", about=about, headings=headings, rows=tuple(rows))


def _diversity(health: Health) -> Sheet:
    names = list(health.base.diversity)
    rows = tuple(
        (name, *(_with_change(one.diversity.get(kind)) for kind in names))
        for name, one in _walk(health)
        if one.diversity
    )
    about = (
        "Of the samples of one problem, with the change since the base: shares of different answers and "
        "texts, distinct-2, Self-BLEU (1: all the same), and seq-rep-4 within a text."
    )
    return Sheet(title="Diversity", about=about, headings=("checkpoint", *names), rows=rows)


def _difficulty(health: Health) -> Sheet:
    bins = health.base.difficulty
    rows = tuple(
        (name, *(_with_change(_bin(one, found.name), percent=True) for found in bins))
        for name, one in _walk(health)
        if one.difficulty
    )
    headings = ("checkpoint", *(f"{one.name} ({one.n}) %" for one in bins))
    about = "Accuracy of samples, with the change since the base, by how often the base solves the problem."
    return Sheet(title="Difficulty tail", about=about, headings=headings, rows=rows)


def _untouched(health: Health) -> Sheet:
    rows = tuple(
        (name, skill, str(found.found.n), _share(found.found), _points(found.base))
        for name, one in _walk(health)
        for skill, found in one.untouched.items()
    )
    headings = ("checkpoint", "benchmark", "problems", "right % [95 %]", "vs base")
    return Sheet(title="Untouched skills", about="Not trained on.", headings=headings, rows=rows)


def _costs(health: Health) -> Sheet:
    rows = tuple(
        (
            f"{arm.name}, {cost.phase}",
            f"{cost.seconds / 60:.1f}",
            _thousands(cost.tokens),
            f"{cost.calls:,}",
            f"{cost.rows:,}",
            f"{cost.steps:,}",
            f"{cost.oracle:,}",
        )
        for arm in health.arms
        for cost in arm.phases
    )
    headings = ("arm and phase", "minutes", "tokens", "calls", "rows", "optimiser steps", "oracle rows")
    about = "All rounds together. Oracle rows were made by something that had seen the reference."
    return Sheet(title="Cost", about=about, headings=headings, rows=rows, brief=tuple(range(7)))


# ---------------------------------------------------------------- cells


def _walk(health: Health) -> Iterator[tuple[str, CheckpointHealth]]:
    """Every checkpoint with what it is called, the base first and once."""
    yield health.base.name, health.base
    for arm in health.arms:
        for one in arm.checkpoints:
            yield _called(arm, one), one


def _called(arm: ArmHealth, one: CheckpointHealth | None) -> str:
    if one is None:
        return f"{arm.name}: the base"
    if arm.kind == "models":
        return one.name
    if arm.kind == "inference-only":
        return arm.name
    mark = "" if one.standing == "kept" else " (rolled back)"
    return f"{arm.name}, {_round(one.round)}{mark}"


def _round(number: int) -> str:
    return "base" if number == 0 else f"round {number}"


def _bin(one: CheckpointHealth, name: str) -> Compared | None:
    return next((found.accuracy for found in one.difficulty if found.name == name), None)


def _share(found: Measurement) -> str:
    return f"{100 * found.value:.1f} [{100 * found.low:.0f}, {100 * found.high:.0f}]"


def _percent(found: Compared | None) -> str:
    return "–" if found is None else f"{100 * found.found.value:.1f}"


def _points(found: Measurement | None) -> str:
    if found is None:
        return "–"
    value, low, high = (round(100 * end, 1) + 0.0 for end in (found.value, found.low, found.high))
    return _minus(f"{value:+.1f} [{low:+.1f}, {high:+.1f}]")


def _number(found: Measurement | None, *, signed: bool = False, digits: int = 3) -> str:
    if found is None:
        return "–"
    form = f"{'+' if signed else ''}.{digits}f"
    return _minus(f"{found.value:{form}} [{found.low:{form}}, {found.high:{form}}]")


def _with_change(found: Compared | None, *, percent: bool = False) -> str:
    """A value, and how far it is from the base's; marked where the interval of that excludes zero."""
    if found is None:
        return "–"
    shown = f"{100 * found.found.value:.0f}" if percent else f"{found.found.value:.2f}"
    if found.base is None:
        return shown
    change = f"{100 * found.base.value:+.0f}" if percent else f"{found.base.value:+.2f}"
    return _minus(f"{shown} ({change}{'*' if found.base.excludes(0) else ''})")


def _flips(found: Flips | None) -> tuple[str, str]:
    return ("–", "–") if found is None else (str(found.right_to_wrong), str(found.wrong_to_right))


def _thousands(count: int) -> str:
    return f"{count:,}" if count < 10_000 else f"{count / 1000:,.0f}k"


def _minus(text: str) -> str:
    return text.replace("-", "\u2212")
