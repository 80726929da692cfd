"""Pictures of a loop's health: accuracy, coverage, difficulty, reward against gold, and cost."""
# pyright: reportUnknownMemberType=false
# (matplotlib leaves its keyword arguments untyped.)

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from gadfly.errors import InputError
from gadfly.metrics.measurement import Measurement
from gadfly.run.figures import STYLE
from gadfly.run.health import ArmHealth, CheckpointHealth, Compared, Health
from gadfly.run.health_panels import (
    apart,
    arm_colour,
    end_of,
    frame,
    legend,
    mark,
    of_models,
    panels,
    percent_axis,
    round_names,
    rounds,
    short,
    titled,
)
from gadfly.run.improvement import ArmKind, Phase
from gadfly.run.palette import ARMS, GRID, INK, MUTED, PAPER, PHASES

Point: TypeAlias = tuple[float, Measurement]

ABOUT = {
    "accuracy": "Accuracy by round, and the difference of each final checkpoint to the base",
    "coverage": "Coverage and sharpening by round",
    "difficulty": "Accuracy by round of problems that the base finds about as hard",
    "reward": "Reward against gold by round",
    "cost": "Seconds and tokens by phase",
}
"""What each picture shows, by the name of its file."""
_LOW, _HIGH = "#c75000", "#0072b2"
_SHADES = LinearSegmentedColormap.from_list("shades", [PAPER, _HIGH])
_MARKERS: Mapping[ArmKind, str] = {"loop": "o", "models": "o", "self-training": "s", "inference-only": "D"}


def write_health_figures(health: Health, out: Path) -> list[Path]:
    """Write the pictures that the evidence allows as `NAME.png`, in the order of `ABOUT`.

    Raises:
        InputError: the disk refuses.
    """
    written: list[Path] = []
    with mpl.rc_context(STYLE):
        for name, figure in draw_health(health).items():
            path = out / f"{name}.png"
            try:
                FigureCanvasAgg(figure).print_png(path, metadata={"Software": "gadfly"})
            except OSError as error:
                raise InputError(f"cannot write the picture {path}: {error.strerror or error}") from error
            written.append(path)
    return written


def draw_health(health: Health) -> dict[str, Figure]:
    """The pictures by name; those without anything to show are left out."""
    made: dict[str, Callable[[Health], Figure | None]] = {
        "accuracy": draw_accuracy,
        "coverage": draw_coverage,
        "difficulty": draw_difficulty,
        "reward": draw_reward,
        "cost": draw_cost,
    }
    drawn = ((name, make(health)) for name, make in made.items())
    return {name: figure for name, figure in drawn if figure is not None}


# ---------------------------------------------------------------- accuracy


def draw_accuracy(health: Health) -> Figure:
    """Accuracy by round for all arms; beside it the final differences to the base, by family."""
    rows = _families(health)
    height = max(4.6, 1.9 + 0.32 * (len(rows) or 1) * max(1, len(health.arms)) * 0.8)
    figure = titled(height, "Accuracy" if of_models(health) else "Accuracy by round", health)
    axes = figure.add_axes((0.06, 0.42 / height, 0.46, 1 - 1.6 / height))
    steps = max(one.round for arm in health.arms for one in arm.checkpoints)
    for place, arm in enumerate(health.arms):
        _arm_line(axes, health, arm, arm_colour(place), shift=apart(place, len(health.arms)), steps=steps)
    base = health.base.accuracy.found
    mark(axes, 0, base, INK)
    axes.axhline(base.value, color=MUTED, linewidth=1, linestyle=(0, (2, 3)), zorder=1)
    frame(axes, "right, %  (95 % intervals)")
    rounds(axes, steps, names=round_names(health))
    percent_axis(axes)
    _forest(figure.add_axes((0.675, 0.42 / height, 0.31, 1 - 1.6 / height)), health, rows)
    handles = [
        Line2D(
            [],
            [],
            color=arm_colour(place),
            marker=_MARKERS[arm.kind],
            linewidth=1.8,
            label=short(arm.name, 34),
        )
        for place, arm in enumerate(health.arms)
    ]
    if not of_models(health):
        legend(figure, handles)
    return figure


def _arm_line(axes: Axes, health: Health, arm: ArmHealth, colour: str, *, shift: float, steps: int) -> None:
    if arm.kind == "inference-only":
        # It has no rounds: a band over all of them.
        found = arm.checkpoints[-1].accuracy.found
        axes.axhspan(found.low, found.high, color=colour, alpha=0.1, linewidth=0, zorder=1)
        axes.plot([0, steps], [found.value] * 2, color=colour, linewidth=1.6, linestyle=(0, (6, 2)), zorder=2)
        return
    kept = [(one.round + shift, one.accuracy.found) for one in arm.checkpoints if one.standing == "kept"]
    kept = [(0.0, health.base.accuracy.found), *kept]
    if arm.kind != "models":
        axes.plot([x for x, _ in kept], [y.value for _, y in kept], color=colour, linewidth=1.8, zorder=3)
    for one in arm.checkpoints:
        if arm.kind == "models":
            colour = arm_colour(one.round - 1)
        marker = _MARKERS[arm.kind] if one.standing == "kept" else "x"
        mark(axes, one.round + shift, one.accuracy.found, colour, marker=marker)


def _forest(axes: Axes, health: Health, rows: Sequence[str]) -> None:
    """Differences to the base in points, one row a family and arm."""
    shown = list(rows)
    axes.axvline(0, color=MUTED, linewidth=1)
    finals = _finals(health)
    for place, (kind, last) in enumerate(finals):
        offset = apart(place, len(finals), 0.26)
        for row, name in enumerate(shown):
            found = _difference(last, name)
            if found is None:
                continue
            value, low, high = 100 * found.value, 100 * found.low, 100 * found.high
            axes.errorbar(
                value, row + offset, xerr=[[max(0, value - low)], [max(0, high - value)]],
                fmt=_MARKERS[kind], color=arm_colour(place), markersize=5.5, elinewidth=1.2, capsize=2,
                markeredgecolor=PAPER, markeredgewidth=0.7,
            )  # fmt: skip
    labels = [short(name or "all problems", 22) for name in shown]
    axes.set_yticks(range(len(shown)), labels)
    axes.set_ylim(len(shown) - 0.45, -0.55)
    if len(shown) > 1:
        axes.axhline(0.5, color=GRID, linewidth=0.8)
    frame(
        axes,
        f"{'model' if of_models(health) else 'final'} less {end_of(health.base.name)}, points",
        grid="x",
    )


def _finals(health: Health) -> list[tuple[ArmKind, CheckpointHealth]]:
    """What is held against the base: every model, or what each arm ends with."""
    if of_models(health):
        return [("models", one) for one in health.arms[0].checkpoints]
    return [(arm.kind, arm.last or health.base) for arm in health.arms]


def _families(health: Health) -> list[str]:
    """Rows of the forest: all problems, then each family."""
    return ["", *(one.name for one in health.base.families)]


def _difference(last: CheckpointHealth, family: str) -> Measurement | None:
    if not family:
        return last.accuracy.base
    return next((one.accuracy.base for one in last.families if one.name == family), None)


# ---------------------------------------------------------------- coverage


def draw_coverage(health: Health) -> Figure | None:
    """pass@N, maj@N, one answer and a mean sample by round, an arm a panel."""
    arms = [arm for arm in health.arms if any(one.passed for one in arm.checkpoints)]
    if health.base.passed is None or not arms:
        return None
    k = health.k
    lines: list[tuple[str, str, Callable[[CheckpointHealth], Compared | None]]] = [
        (f"pass@{k}: coverage", _HIGH, lambda one: one.passed),
        (f"maj@{k}: voting", ARMS[2], lambda one: one.majority),
        ("one answer", INK, lambda one: one.accuracy),
        ("a sample, on the mean", ARMS[1], lambda one: one.sampled),
    ]
    figure = titled(4.4, "Coverage and sharpening", health)
    for axes, arm in zip(panels(figure, len(arms), 4.4), arms, strict=True):
        path = (health.base, *arm.checkpoints)
        for number, (_, colour, figure_of) in enumerate(lines):
            _measured_line(axes, path, figure_of, colour, shift=apart(number, len(lines), 0.1))
        frame(axes, short(arm.name, 34))
        rounds(axes, path[-1].round, names=round_names(health))
        percent_axis(axes)
    handles = [
        Line2D([], [], color=colour, marker="o", linewidth=1.8, label=name) for name, colour, _ in lines
    ]
    legend(figure, handles)
    return figure


def _measured_line(
    axes: Axes,
    path: Sequence[CheckpointHealth],
    figure_of: Callable[[CheckpointHealth], Compared | None],
    colour: str,
    *,
    shift: float = 0.0,
) -> None:
    points = [(one.round + shift, found.found) for one in path if (found := figure_of(one)) is not None]
    axes.plot(
        [x for x, _ in points], [found.value for _, found in points], color=colour, linewidth=1.8, zorder=3
    )
    for x, found in points:
        mark(axes, x, found, colour)


# ---------------------------------------------------------------- difficulty


def draw_difficulty(health: Health) -> Figure | None:
    """A heat map an arm: how right samples are, by round and by how hard the base finds the problem."""
    arms = [arm for arm in health.arms if any(one.difficulty for one in arm.checkpoints)]
    if not health.base.difficulty or not arms:
        return None
    bins = [(one.name, one.n) for one in health.base.difficulty]
    figure = titled(3.9, "Difficulty tail", health)
    key = (
        "right samples, points since the base (bold: its interval excludes zero); rows: how hard for the base"
    )
    figure.text(0.012, 1 - 0.8 / 3.9, key, fontsize=9, color=INK, va="center")
    for number, (axes, arm) in enumerate(zip(panels(figure, len(arms), 3.9, left=0.15), arms, strict=True)):
        path = [one for one in (health.base, *arm.checkpoints) if one.difficulty]
        cells = [[_bin(one, name) for one in path] for name, _ in bins]
        shares = np.array([[0.0 if cell is None else cell.found.value for cell in row] for row in cells])
        axes.imshow(shares, cmap=_SHADES, vmin=0, vmax=1, aspect="auto")
        for row, across in enumerate(cells):
            for column, cell in enumerate(across):
                if cell is not None:
                    _cell(axes, column, row, cell)
        names = round_names(health)
        axes.set_xticks(range(len(path)), [names.get(one.round, f"round {one.round}") for one in path])
        if number == 0:
            axes.set_yticks(range(len(bins)), [f"{name}\n({n} problems)" for name, n in bins])
        axes.tick_params(labelleft=number == 0)
        frame(axes, short(arm.name, 34), grid="")
    return figure


def _cell(axes: Axes, column: int, row: int, cell: Compared) -> None:
    """The accuracy in percent; below it the change since the base, bold where its interval excludes zero."""
    dark = cell.found.value > 0.62
    ink = PAPER if dark else INK
    moved = cell.base
    up = 0.12 if moved is not None else 0.0
    axes.text(
        column, row - up, f"{100 * cell.found.value:.0f} %", ha="center", va="center", fontsize=10, color=ink
    )
    if moved is not None:
        words = f"{100 * moved.value:+.0f}".replace("-", "\u2212")
        weight = "bold" if moved.excludes(0) else "normal"
        axes.text(column, row + 0.24, words, ha="center", va="center", fontsize=8, color=ink, weight=weight)


def _bin(one: CheckpointHealth, name: str) -> Compared | None:
    return next((found.accuracy for found in one.difficulty if found.name == name), None)


# ---------------------------------------------------------------- reward against gold


def draw_reward(health: Health) -> Figure | None:
    """Mean reward and mean truth of the same answers by round, an arm a panel."""
    arms = [arm for arm in health.arms if any(one.reward for one in arm.checkpoints)]
    if not arms:
        return None
    figure = titled(4.2, "Reward against gold", health)
    warned = False
    for axes, arm in zip(panels(figure, len(arms), 4.2), arms, strict=True):
        path = [one for one in (health.base, *arm.checkpoints) if one.reward is not None]
        for name, colour, shift in (("proxy", ARMS[1], -0.03), ("gold", _HIGH, 0.03)):
            points: list[Point] = [
                (one.round + shift, getattr(one.reward.truth, name)) for one in path if one.reward is not None
            ]
            axes.plot([x for x, _ in points], [y.value for _, y in points], color=colour, linewidth=1.8)
            for x, found in points:
                mark(axes, x, found, colour)
        gamed = [one for one in path if one.reward and one.reward.rise and one.reward.rise.over_optimised]
        for one in gamed:
            axes.axvspan(one.round - 0.35, one.round + 0.35, color=_LOW, alpha=0.1, linewidth=0, zorder=0)
        warned = warned or bool(gamed)
        source = path[0].reward.source if path[0].reward is not None else ""
        frame(axes, f"{short(arm.name, 30)}, {source} answers")
        rounds(axes, path[-1].round, names=round_names(health), first=path[0].round)
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=ARMS[1], marker="o", linewidth=1.8, label="reward (proxy)"),
        Line2D([], [], color=_HIGH, marker="o", linewidth=1.8, label="right (gold), of the same answers"),
    ]
    if warned:
        handles.append(Patch(color=_LOW, alpha=0.12, label="reward rose, truth did not measurably"))
    legend(figure, handles)
    return figure


# ---------------------------------------------------------------- cost


def draw_cost(health: Health) -> Figure | None:
    """Seconds and tokens of each arm, by phase."""
    arms = [arm for arm in health.arms if arm.phases]
    if not arms:
        return None
    height = 1.75 + 0.5 * len(arms)
    figure = titled(height, "What it took", health)
    tokens = any(cost.tokens for arm in arms for cost in arm.phases)
    wide = 0.33 if tokens else 0.74
    _bars(figure.add_axes((0.23, 0.4 / height, wide, 1 - 1.55 / height)), arms, "minutes", 60, "seconds")
    if tokens:
        axes = figure.add_axes((0.62, 0.4 / height, 0.33, 1 - 1.55 / height))
        _bars(axes, arms, "tokens, thousands", 1000, "tokens")
        axes.set_yticks(range(len(arms)), [""] * len(arms))
    used: dict[Phase, None] = dict.fromkeys(cost.phase for arm in arms for cost in arm.phases)
    legend(figure, [Patch(color=colour, label=phase) for phase, colour in PHASES.items() if phase in used])
    return figure


def _bars(axes: Axes, arms: Sequence[ArmHealth], title: str, unit: float, field: str) -> None:
    ends: list[float] = []
    for row, arm in enumerate(arms):
        start = 0.0
        for cost in sorted(arm.phases, key=lambda cost: list(PHASES).index(cost.phase)):
            long = getattr(cost, field) / unit
            axes.barh(row, long, left=start, height=0.56, color=PHASES[cost.phase], edgecolor=PAPER)
            start += long
        ends.append(start)
    reach = max([*ends, 1e-9])
    for row, end in enumerate(ends):
        shown = f"{end:,.0f}" if end >= 10 else f"{end:.1f}"
        axes.text(end + 0.015 * reach, row, shown, va="center", fontsize=8.5, color=INK)
    axes.set_xlim(0, 1.14 * reach)
    axes.set_ylim(len(arms) - 0.5, -0.5)
    axes.set_yticks(range(len(arms)), [short(arm.name, 26) for arm in arms])
    frame(axes, title, grid="x")
