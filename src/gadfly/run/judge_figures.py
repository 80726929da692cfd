"""Pictures of a judge: its confusion, what the order of two answers does to it, its reliability."""
# pyright: reportUnknownMemberType=false
# (matplotlib leaves its keyword arguments untyped.)

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from textwrap import fill

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from gadfly.errors import InputError
from gadfly.run.figures import STYLE
from gadfly.run.judge_report import JudgeReport, ReliabilityBin
from gadfly.run.palette import GRID, INK, MUTED, PAPER, VERDICTS

NAME = "judge"
MOST = 12
"""Judges of one file that get a picture of their own."""
_BLUE, _ORANGE = VERDICTS["cannot tell"], VERDICTS["loses to voting"]
_SHADES = LinearSegmentedColormap.from_list("shades", [PAPER, _BLUE])
_UNSCORED = "unscored"


def write_judge_figures(reports: Sequence[JudgeReport], out: Path) -> dict[str, Path]:
    """Write `judge.png`, of further judges `judge-2.png` and so on, with the pictures that their rows allow.

    Returns:
        Paths by judge; nothing for one whose rows allow no picture, or beyond `MOST` judges.

    Raises:
        InputError: the disk refuses.
    """
    found: dict[str, Path] = {}
    for number, report in enumerate(reports[:MOST], start=1):
        if _panels(report):
            name = NAME if number == 1 else f"{NAME}-{number}"
            found[report.judge] = _written(partial(draw_judge, report), out / f"{name}.png")
    return found


def write_judges_figure(reports: Sequence[JudgeReport], out: Path) -> Path | None:
    """Write `critics.png`, the skill of several judges; None where nobody said what is right.

    Raises:
        InputError: the disk refuses.
    """
    if not any(report.skill for report in reports):
        return None
    return _written(lambda: draw_judges(reports), out / "critics.png")


def _written(make: Callable[[], Figure], path: Path) -> Path:
    with mpl.rc_context(STYLE):
        figure = make()
        try:
            FigureCanvasAgg(figure).print_png(path, metadata={"Software": "gadfly"})
        except OSError as error:
            raise InputError(f"cannot write the picture {path}: {error.strerror or error}") from error
    return path


def draw_judges(reports: Sequence[JudgeReport]) -> Figure:
    """Each judge's skill with its interval, the first at the top."""
    known = [(report, report.skill) for report in reports]
    shown = [(report, found) for report, found in known if found is not None]
    height = 1.6 + 0.42 * len(shown)
    figure = Figure(figsize=(9, height), dpi=160, facecolor=PAPER)
    axes = figure.add_axes((0.34, 0.62 / height, 0.62, 1 - 1.5 / height))
    for row, (report, found) in enumerate(shown):
        colour = _ORANGE if report.oracle else _BLUE
        reach = [[100 * max(0.0, found.value - found.low)], [100 * max(0.0, found.high - found.value)]]
        axes.errorbar(100 * found.value, row, xerr=reach, fmt="o", color=colour, capsize=2.5, markersize=7)
        axes.annotate(
            f"{100 * found.value:.1f}", (100 * found.value, row), xytext=(0, 7), textcoords="offset points",
            ha="center", fontsize=8.5, color=INK,
        )  # fmt: skip
    names = [_short(report.judge, 36) + (" ORACLE" if report.oracle else "") for report, _ in shown]
    axes.set_yticks(range(len(shown)), names)
    axes.set_ylim(len(shown) - 0.4, -0.7)
    axes.grid(visible=True, axis="x", color=GRID, linewidth=0.8)
    axes.set_xlabel("% right, with 95 % intervals", color=INK)
    _frame(axes, "")
    title = f"{_short(reports[0].benchmark, 60)} · {reports[0].items:,} items"
    figure.text(0.012, 1 - 0.36 / height, "Judges side by side", fontsize=13, weight="bold", color=INK)
    figure.text(0.012, 1 - 0.6 / height, title, fontsize=9, color=MUTED)
    return figure


def draw_judge(report: JudgeReport) -> Figure:
    """The pictures side by side.

    Raises:
        InputError: the rows allow no picture.
    """
    panels = _panels(report)
    if not panels:
        raise InputError("nothing people said to hold the judgements against, so there is no picture")
    figure = Figure(figsize=(0.4 + 4.1 * len(panels), 4.6), dpi=160, facecolor=PAPER)
    width = 1 / len(panels)
    for number, panel in enumerate(panels):
        axes = figure.add_axes((width * number + 0.26 * width, 0.17, 0.66 * width, 0.58))
        panel(axes)
    # Text as it is: a name may hold dollar signs.
    figure.text(0.015, 0.93, _short(report.judge, 60), fontsize=13, weight="bold", color=INK)
    oracle = " · ORACLE: saw the reference" if report.oracle else ""
    counted = f"{_short(report.benchmark, 50)} · {report.items:,} items, {report.unscored:,} unscored{oracle}"
    figure.text(0.015, 0.875, counted, fontsize=9, color=MUTED)
    return figure


def _panels(report: JudgeReport) -> list[Callable[[Axes], None]]:
    panels: list[Callable[[Axes], None]] = []
    if report.confusion:
        panels.append(lambda axes: _confusion(axes, report.confusion))
    if report.places:
        panels.append(lambda axes: _places(axes, report.places))
    if report.reliability:
        panels.append(lambda axes: _reliability(axes, report.reliability))
    return panels


def _confusion(axes: Axes, confusion: Mapping[str, Mapping[str, int]]) -> None:
    gold = list(confusion)
    labels = list(dict.fromkeys([*gold, *(label for row in confusion.values() for label in row)]))
    said = [label for label in labels if label] + ([""] if "" in labels else [])
    counts = np.array([[confusion[one].get(other, 0) for other in said] for one in gold], dtype=np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap=_SHADES, vmin=0, vmax=1, aspect="auto")
    size = 10 if len(said) <= 4 else 7
    # More cells than that hold no readable number; the shades remain.
    legible = max(len(said), len(gold)) <= 12
    for row, _ in enumerate(gold if legible else []):
        for column, _ in enumerate(said):
            ink = PAPER if shares[row, column] > 0.55 else INK
            words = f"{counts[row, column]:,.0f}\n{100 * shares[row, column]:.0f} %"
            axes.text(column, row, words, ha="center", va="center", fontsize=size, color=ink)
    slanted = len(said) > 4
    axes.set_xticks(
        range(len(said)),
        [_short(label or _UNSCORED, 10) for label in said],
        rotation=35 if slanted else 0,
        ha="right" if slanted else "center",
    )
    axes.set_yticks(range(len(gold)), [_short(label, 10) for label in gold])
    axes.set_xlabel("what the judge says", color=INK)
    axes.set_ylabel("what people say", color=INK)
    _frame(axes, "Confusion")


def _places(axes: Axes, places: Mapping[str, int]) -> None:
    total = max(1, sum(places.values()))
    names = list(places)
    shares = [100 * places[name] / total for name in names]
    colours = [_ORANGE if "always" in name else _BLUE for name in names]
    axes.barh(range(len(names)), shares, color=colours, height=0.62)
    for row, (share, name) in enumerate(zip(shares, names, strict=True)):
        axes.text(share + 1, row, f"{places[name]:,}", va="center", fontsize=9, color=INK)
    axes.set_yticks(range(len(names)), [fill(name, 12) for name in names], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, max([*shares, 10]) * 1.2)
    axes.set_xlabel("% of pairs", color=INK)
    _frame(axes, "Both orders together")


def _reliability(axes: Axes, bins: Sequence[ReliabilityBin]) -> None:
    axes.plot([0, 1], [0, 1], color=GRID, linewidth=1.5, zorder=1)
    for one in bins:
        share = one.share
        axes.errorbar(
            one.confidence,
            share.value,
            yerr=[[max(0.0, share.value - share.low)], [max(0.0, share.high - share.value)]],
            fmt="o",
            color=_BLUE,
            markersize=4 + 6 * (share.n / max(other.share.n for other in bins)) ** 0.5,
            capsize=2,
            elinewidth=1.2,
        )
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("confidence", color=INK)
    axes.set_ylabel("share right", color=INK)
    _frame(axes, "Reliability")


def _frame(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=10.5, color=INK, loc="left")
    axes.set_facecolor(PAPER)
    axes.tick_params(colors=MUTED, labelcolor=INK, length=3, labelsize=8.5)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GRID)


def _short(words: str, longest: int) -> str:
    return words if len(words) <= longest else words[: longest - 1] + "…"
