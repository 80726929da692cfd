"""The figures of a training as a picture: a small plot each, the steps faint, their running mean strong."""
# pyright: reportUnknownMemberType=false

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from gadfly.errors import InputError
from gadfly.run.figures import STYLE
from gadfly.run.palette import GRID, INK, MUTED, PAPER
from gadfly.train.folder import StepLine

NAME = "curve"
_LINE, _HELD_OUT = "#0072b2", "#c75000"
_DULL = frozenset(
    {"learning_rate", "tokens", "sequences", "empty_sequences", "pairs", "advantage", "rows"}
) | {
    "drawn_calls",
    "drawn_tokens",
    "drawing_seconds",
    "learned_tokens",
}
_MOST = 9


def write_curve(lines: Sequence[StepLine], out: Path, *, title: str = "") -> tuple[Path, Path] | None:
    """Write `curve.png` and `curve.svg`; nothing where there is no step yet.

    Raises:
        InputError: the disk refuses.
    """
    series = _series(lines)
    if not series:
        return None
    png, svg = out / f"{NAME}.png", out / f"{NAME}.svg"
    with mpl.rc_context(STYLE):
        figure = _draw(series, title)
        try:
            FigureCanvasAgg(figure).print_png(png, metadata={"Software": "gadfly"})
            FigureCanvasSVG(figure).print_svg(svg, metadata={"Date": None, "Creator": "gadfly"})
        except OSError as error:
            raise InputError(f"cannot write the picture to {out}: {error.strerror or error}") from error
    return png, svg


def _series(lines: Sequence[StepLine]) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for line in lines:
        for name, value in line.figures.items():
            if name not in _DULL and name.removeprefix("held_out_") not in _DULL:
                found.setdefault(name, []).append((line.step, value))
    return found


def _draw(series: Mapping[str, list[tuple[int, float]]], title: str) -> Figure:
    names = [name for name in series if not name.startswith("held_out_")][:_MOST]
    columns = min(3, len(names))
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(3.4 * columns, 2.3 * rows + (0.3 if title else 0)), dpi=120, facecolor=PAPER)
    for place, name in enumerate(names, start=1):
        axes = figure.add_subplot(rows, columns, place)
        steps, values = zip(*series[name], strict=True)
        axes.plot(steps, values, color=_LINE, alpha=0.25, linewidth=1)
        axes.plot(steps, _smooth(values), color=_LINE, linewidth=1.8)
        apart = series.get(f"held_out_{name}", [])
        if apart:
            axes.plot(*zip(*apart, strict=True), color=_HELD_OUT, marker="o", markersize=3, linewidth=1.2)
            axes.annotate("held out", apart[-1], color=_HELD_OUT, fontsize=7, ha="right", va="bottom")
        axes.set_title(name.replace("_", " "), fontsize=9, color=INK, loc="left")
        axes.tick_params(labelsize=7, colors=MUTED)
        axes.grid(color=GRID, linewidth=0.6)
        if place > len(names) - columns:
            axes.set_xlabel("step", fontsize=8, color=MUTED)
    if title:
        figure.suptitle(title, fontsize=10, color=INK, x=0.01, ha="left")
    figure.tight_layout()
    return figure


def _smooth(values: Sequence[float]) -> list[float]:
    """Running means over a tenth of the steps, centred."""
    half = max(1, len(values) // 20)
    spans = [values[max(0, at - half) : at + half + 1] for at in range(len(values))]
    return [sum(span) / len(span) for span in spans]
