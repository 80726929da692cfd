"""What the pictures of a loop's health are put together from: titles, panels, keys, axes, marks."""
# pyright: reportUnknownMemberType=false
# (matplotlib leaves its keyword arguments untyped.)

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from gadfly.metrics.measurement import Measurement
from gadfly.run.health import Health
from gadfly.run.palette import ARMS, GRID, INK, MUTED, PAPER

_WIDTH = 9.0


def titled(height: float, title: str, health: Health) -> Figure:
    """An empty picture with its title and what it is of."""
    figure = Figure(figsize=(_WIDTH, height), dpi=160, facecolor=PAPER)
    figure.text(0.012, 1 - 0.27 / height, title, fontsize=13.5, weight="bold", color=INK, va="center")
    where = f"{short(health.benchmark, 52)} · {short(health.model, 30)} · {health.problems} problems"
    figure.text(0.012, 1 - 0.52 / height, where, fontsize=9, color=MUTED, va="center")
    return figure


def panels(figure: Figure, count: int, height: float, *, left: float = 0.06) -> list[Axes]:
    """Panels side by side below title and key, on one scale; never wider than two thirds of the picture."""
    gap = 0.05
    wide = min(0.63, (0.985 - left - gap * (count - 1)) / count)
    panels: list[Axes] = []
    for number in range(count):
        place = (left + number * (wide + gap), 0.4 / height, wide, 1 - 1.62 / height)
        panels.append(figure.add_axes(place, sharey=panels[0] if panels else None))
    return panels


def legend(figure: Figure, handles: Sequence[Line2D | Patch]) -> None:
    """The key, in one row below the title."""
    height = figure.get_size_inches()[1]
    figure.legend(
        handles=list(handles), loc="center left", bbox_to_anchor=(0.004, 1 - 0.8 / height),
        ncols=len(handles), frameon=False, fontsize=9, labelcolor=INK, handletextpad=0.5, columnspacing=1.6,
    )  # fmt: skip


def frame(axes: Axes, title: str, *, grid: str = "y") -> None:
    """Title, colours and grid of a panel."""
    axes.set_title(title, fontsize=10, color=INK, loc="left")
    axes.set_facecolor(PAPER)
    axes.tick_params(colors=MUTED, labelcolor=INK, length=3, labelsize=9)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GRID)
    if grid in ("x", "y"):
        axes.grid(visible=True, axis=grid, color=GRID, linewidth=0.7)
        axes.set_axisbelow(True)


def rounds(axes: Axes, last: int, *, names: Mapping[int, str], first: int = 0) -> None:
    """Rounds along the horizontal axis."""
    axes.set_xticks(
        range(first, last + 1), [names.get(number, str(number)) for number in range(first, last + 1)]
    )
    axes.set_xlim(first - 0.4, last + 0.4)


def round_names(health: Health) -> dict[int, str]:
    """What the rounds are called: by number or, for models that no loop made, by their names."""
    if not of_models(health):
        return {0: "base"}
    every = (health.base, *health.arms[0].checkpoints)
    # The more there are, the less room each has.
    return {one.round: end_of(one.name, max(7, min(16, 40 // len(every)))) for one in every}


def percent_axis(axes: Axes) -> None:
    """Shares as percent, at round numbers."""
    low, high = axes.get_ylim()
    axes.set_ylim(max(0.0, low), min(1.02, high))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}")


def arm_colour(place: int) -> str:
    """The colour of the arm at this place."""
    return ARMS[place % len(ARMS)]


def apart(place: int, count: int, reach: float = 0.08) -> float:
    """Apart by a little, so that intervals do not cover one another."""
    return 0.0 if count < 2 else reach * (2 * place / (count - 1) - 1)


def end_of(name: str, longest: int = 16) -> str:
    """The end of a model's name: that is where rounds differ."""
    return name if len(name) <= longest else f"…{name[1 - longest :]}"


def short(words: str, longest: int) -> str:
    """The beginning of words that are too long."""
    return words if len(words) <= longest else words[: longest - 1] + "…"


def mark(axes: Axes, x: float, found: Measurement, colour: str, *, marker: str = "o") -> None:
    """A figure with its interval."""
    reach = [[max(0.0, found.value - found.low)], [max(0.0, found.high - found.value)]]
    axes.errorbar(
        x, found.value, yerr=reach, fmt=marker, color=colour, markersize=6.5, elinewidth=1.2, capsize=2.2,
        markeredgecolor=colour if marker == "x" else PAPER, markeredgewidth=1.4 if marker == "x" else 0.8,
        zorder=4,
    )  # fmt: skip


def of_models(health: Health) -> bool:
    """Whether these are models that no loop made."""
    return health.arms[0].kind == "models"
