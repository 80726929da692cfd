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
from gadfly.run.improvement import Phase
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
_MARKERS = {"loop": "o", "models": "o", "self-training": "s", "inference-only": "D"}
_WIDTH = 9.0


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
    figure = _figure(height, "Accuracy by round", health)
    axes = figure.add_axes((0.075, 0.12, 0.43, 0.84 - 1.0 / height))
    steps = max(one.round for arm in health.arms for one in arm.checkpoints)
    for place, arm in enumerate(health.arms):
        _arm_line(axes, health, arm, _arm_colour(place), shift=_shift(place, len(health.arms)), steps=steps)
    base = health.base.accuracy.found
    axes.axhline(base.value, color=MUTED, linewidth=1, linestyle=(0, (2, 3)), zorder=1)
    _frame(axes, "right, %  (95 % intervals)")
    _rounds(axes, steps, names=_names(health))
    _percent_axis(axes)
    _forest(figure.add_axes((0.66, 0.12, 0.32, 0.84 - 1.0 / height)), health, rows)
    handles = [
        Line2D(
            [],
            [],
            color=_arm_colour(place),
            marker=_MARKERS[arm.kind],
            linewidth=1.8,
            label=_short(arm.name, 34),
        )
        for place, arm in enumerate(health.arms)
    ]
    _legend(figure, handles)
    return figure


def _arm_line(axes: Axes, health: Health, arm: ArmHealth, colour: str, *, shift: float, steps: int) -> None:
    if arm.kind == "inference-only":
        # It has no rounds: a band over all of them.
        found = arm.checkpoints[-1].accuracy.found
        axes.axhspan(found.low, found.high, color=colour, alpha=0.1, linewidth=0, zorder=1)
        axes.plot([0, steps], [found.value] * 2, color=colour, linewidth=1.6, linestyle=(0, (6, 2)), zorder=2)
        return
    points = [(one.round, one.accuracy.found, one.standing) for one in (health.base, *arm.checkpoints)]
    kept = [(x, found) for x, found, standing in points if standing == "kept"]
    axes.plot([x + shift for x, _ in kept], [y.value for _, y in kept], color=colour, linewidth=1.8, zorder=3)
    for x, found, standing in points:
        whole = standing == "kept"
        _mark(axes, x + shift, found, colour, marker=_MARKERS[arm.kind] if whole else "x")


def _mark(axes: Axes, x: float, found: Measurement, colour: str, *, marker: str = "o") -> None:
    reach = [[max(0.0, found.value - found.low)], [max(0.0, found.high - found.value)]]
    axes.errorbar(
        x, found.value, yerr=reach, fmt=marker, color=colour, markersize=6.5, elinewidth=1.2, capsize=2.2,
        markeredgecolor=colour if marker == "x" else PAPER, markeredgewidth=1.4 if marker == "x" else 0.8,
        zorder=4,
    )  # fmt: skip


def _forest(axes: Axes, health: Health, rows: Sequence[str]) -> None:
    """Differences to the base in points, one row a family and arm."""
    shown = list(rows)
    axes.axvline(0, color=MUTED, linewidth=1)
    for place, arm in enumerate(health.arms):
        last = arm.last
        if last is None:
            continue
        offset = _shift(place, len(health.arms), 0.26)
        for row, name in enumerate(shown):
            found = _difference(last, name)
            if found is None:
                continue
            value, low, high = 100 * found.value, 100 * found.low, 100 * found.high
            axes.errorbar(
                value, row + offset, xerr=[[max(0, value - low)], [max(0, high - value)]],
                fmt=_MARKERS[arm.kind], color=_arm_colour(place), markersize=5.5, elinewidth=1.2, capsize=2,
                markeredgecolor=PAPER, markeredgewidth=0.7,
            )  # fmt: skip
    labels = [_short(name or "all problems", 22) for name in shown]
    axes.set_yticks(range(len(shown)), labels)
    axes.set_ylim(len(shown) - 0.45, -0.55)
    if len(shown) > 1:
        axes.axhline(0.5, color=GRID, linewidth=0.8)
    _frame(axes, "final less base, points", grid="x")


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
    figure = _figure(4.4, "Coverage and sharpening", health)
    for axes, arm in zip(_panels(figure, len(arms), 4.4), arms, strict=True):
        path = (health.base, *arm.checkpoints)
        for number, (_, colour, figure_of) in enumerate(lines):
            _measured_line(axes, path, figure_of, colour, shift=_shift(number, len(lines), 0.1))
        _frame(axes, _short(arm.name, 34))
        _rounds(axes, path[-1].round, names=_names(health))
        _percent_axis(axes)
    handles = [
        Line2D([], [], color=colour, marker="o", linewidth=1.8, label=name) for name, colour, _ in lines
    ]
    _legend(figure, handles)
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
        _mark(axes, x, found, colour)


# ---------------------------------------------------------------- difficulty


def draw_difficulty(health: Health) -> Figure | None:
    """A heat map an arm: how right samples are, by round and by how hard the base finds the problem."""
    arms = [arm for arm in health.arms if any(one.difficulty for one in arm.checkpoints)]
    if not health.base.difficulty or not arms:
        return None
    bins = [(one.name, one.n) for one in health.base.difficulty]
    figure = _figure(4.0, "Difficulty tail", health, more="rows: how often the base solves the problem")
    for number, (axes, arm) in enumerate(zip(_panels(figure, len(arms), 4.0, left=0.17), arms, strict=True)):
        path = [one for one in (health.base, *arm.checkpoints) if one.difficulty]
        cells = [[_bin(one, name) for one in path] for name, _ in bins]
        shares = np.array([[0.0 if cell is None else cell.found.value for cell in row] for row in cells])
        axes.imshow(shares, cmap=_SHADES, vmin=0, vmax=1, aspect="auto")
        for row, across in enumerate(cells):
            for column, cell in enumerate(across):
                if cell is not None:
                    _cell(axes, column, row, cell)
        axes.set_xticks(range(len(path)), [_round_name(one) for one in path])
        labels = [f"{name}\n({n} problems)" for name, n in bins] if number == 0 else [""] * len(bins)
        axes.set_yticks(range(len(bins)), labels)
        _frame(axes, _short(arm.name, 34), grid="")
    return figure


def _cell(axes: Axes, column: int, row: int, cell: Compared) -> None:
    """The accuracy in percent; below it the change since the base, bold where its interval excludes zero."""
    dark = cell.found.value > 0.55
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
    figure = _figure(4.2, "Reward against gold", health, more="mean over the same answers")
    for axes, arm in zip(_panels(figure, len(arms), 4.2), arms, strict=True):
        path = [one for one in (health.base, *arm.checkpoints) if one.reward is not None]
        for name, colour, shift in (("proxy", ARMS[1], -0.03), ("gold", _HIGH, 0.03)):
            points: list[Point] = [
                (one.round + shift, getattr(one.reward.truth, name)) for one in path if one.reward is not None
            ]
            axes.plot([x for x, _ in points], [y.value for _, y in points], color=colour, linewidth=1.8)
            for x, found in points:
                _mark(axes, x, found, colour)
        gamed = [one for one in path if one.reward and one.reward.rise and one.reward.rise.over_optimised]
        for one in gamed:
            axes.axvspan(one.round - 0.35, one.round + 0.35, color=_LOW, alpha=0.1, linewidth=0, zorder=0)
        if gamed:
            axes.text(
                0.98, 0.03, "shaded: the reward rose,\nthe truth did not measurably", transform=axes.transAxes,
                ha="right", va="bottom", fontsize=8.5, color=_LOW,
            )  # fmt: skip
        source = path[0].reward.source if path[0].reward is not None else ""
        _frame(axes, f"{_short(arm.name, 30)}, {source} answers")
        _rounds(axes, path[-1].round, names=_names(health), first=path[0].round)
    handles = [
        Line2D([], [], color=ARMS[1], marker="o", linewidth=1.8, label="reward (proxy)"),
        Line2D([], [], color=_HIGH, marker="o", linewidth=1.8, label="right (gold)"),
    ]
    _legend(figure, handles)
    return figure


# ---------------------------------------------------------------- cost


def draw_cost(health: Health) -> Figure | None:
    """Seconds and tokens of each arm, by phase."""
    arms = [arm for arm in health.arms if arm.phases]
    if not arms:
        return None
    height = 1.9 + 0.5 * len(arms)
    figure = _figure(height, "What it took", health)
    tokens = any(cost.tokens for arm in arms for cost in arm.phases)
    wide = 0.33 if tokens else 0.74
    _bars(figure.add_axes((0.23, 0.62 / height, wide, 1 - 1.72 / height)), arms, "minutes", 60, "seconds")
    if tokens:
        axes = figure.add_axes((0.62, 0.62 / height, 0.33, 1 - 1.72 / height))
        _bars(axes, arms, "tokens, thousands", 1000, "tokens")
        axes.set_yticks(range(len(arms)), [""] * len(arms))
    used: dict[Phase, None] = dict.fromkeys(cost.phase for arm in arms for cost in arm.phases)
    _legend(figure, [Patch(color=colour, label=phase) for phase, colour in PHASES.items() if phase in used])
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
    axes.set_yticks(range(len(arms)), [_short(arm.name, 26) for arm in arms])
    _frame(axes, title, grid="x")


# ---------------------------------------------------------------- parts


def _figure(height: float, title: str, health: Health, *, more: str = "") -> Figure:
    figure = Figure(figsize=(_WIDTH, height), dpi=160, facecolor=PAPER)
    figure.text(0.012, 1 - 0.27 / height, title, fontsize=13.5, weight="bold", color=INK, va="center")
    where = f"{_short(health.benchmark, 52)} · {_short(health.model, 30)} · {health.problems} problems"
    where += f" · {more}" if more else ""
    figure.text(0.012, 1 - 0.52 / height, where, fontsize=9, color=MUTED, va="center")
    return figure


def _panels(figure: Figure, count: int, height: float, *, left: float = 0.075) -> list[Axes]:
    """Panels side by side below title and key."""
    gap = 0.055
    wide = (0.985 - left - gap * (count - 1)) / count
    return [
        figure.add_axes((left + number * (wide + gap), 0.46 / height, wide, 1 - 1.72 / height))
        for number in range(count)
    ]


def _legend(figure: Figure, handles: Sequence[Line2D | Patch]) -> None:
    height = figure.get_size_inches()[1]
    figure.legend(
        handles=list(handles), loc="center left", bbox_to_anchor=(0.004, 1 - 0.8 / height), ncols=len(handles),
        frameon=False, fontsize=9, labelcolor=INK, handletextpad=0.5, columnspacing=1.6,
    )  # fmt: skip


def _frame(axes: Axes, title: str, *, grid: str = "y") -> None:
    axes.set_title(title, fontsize=10, color=INK, loc="left")
    axes.set_facecolor(PAPER)
    axes.tick_params(colors=MUTED, labelcolor=INK, length=3, labelsize=9)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GRID)
    if grid in ("x", "y"):
        axes.grid(visible=True, axis=grid, color=GRID, linewidth=0.7)
        axes.set_axisbelow(True)


def _rounds(axes: Axes, last: int, *, names: Mapping[int, str], first: int = 0) -> None:
    axes.set_xticks(
        range(first, last + 1), [names.get(number, str(number)) for number in range(first, last + 1)]
    )
    axes.set_xlim(first - 0.4, last + 0.4)


def _names(health: Health) -> dict[int, str]:
    """What the rounds are called: by number or, for models that no loop made, by their names."""
    found = {0: "base"}
    for arm in health.arms:
        if arm.kind == "models":
            found |= {one.round: _short(one.name, 16) for one in arm.checkpoints}
    return found


def _round_name(one: CheckpointHealth) -> str:
    return "base" if one.round == 0 else f"round {one.round}"


def _percent_axis(axes: Axes) -> None:
    low, high = axes.get_ylim()
    axes.set_ylim(max(0.0, low), min(1.02, high))
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}")


def _arm_colour(place: int) -> str:
    return ARMS[place % len(ARMS)]


def _shift(place: int, count: int, reach: float = 0.08) -> float:
    """Apart by a little, so that intervals do not cover one another."""
    return 0.0 if count < 2 else reach * (2 * place / (count - 1) - 1)


def _short(words: str, longest: int) -> str:
    return words if len(words) <= longest else words[: longest - 1] + "…"
