"""The picture of a comparison: accuracy against tokens, the methods beside the curve of voting."""
# pyright: reportUnknownMemberType=false
# (matplotlib leaves its keyword arguments untyped.)

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from math import exp, log
from pathlib import Path
from typing import Any, TypeAlias

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from gadfly.errors import InputError
from gadfly.run.comparison import Comparison, MethodResult, Verdict
from gadfly.run.palette import GRID, INK, MUTED, PAPER, VERDICTS, VOTING

NAME = "frontier"
Point: TypeAlias = tuple[float, float]

MARKERS: dict[Verdict, str] = {
    "beats voting": "^",
    "loses to voting": "v",
    "cannot tell": "o",
    "baseline": "s",
}
STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "svg.fonttype": "path",
    "svg.hashsalt": "gadfly",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.parse_math": False,
}


def write_figure(comparison: Comparison, out: Path) -> tuple[Path, Path]:
    """Write `frontier.png` and `frontier.svg` into a folder.

    Raises:
        InputError: the disk refuses.
    """
    png, svg = out / f"{NAME}.png", out / f"{NAME}.svg"
    with mpl.rc_context(STYLE):
        figure = draw(comparison)
        try:
            FigureCanvasAgg(figure).print_png(png, metadata={"Software": "gadfly"})
            svg.write_text(_svg(figure), encoding="utf-8")
        except OSError as error:
            raise InputError(f"cannot write the picture to {out}: {error.strerror or error}") from error
    return png, svg


def frontier_svg(comparison: Comparison) -> str:
    """The picture as the text of an SVG file; equal comparisons give equal text."""
    with mpl.rc_context(STYLE):
        return _svg(draw(comparison))


def drawable(comparison: Comparison) -> bool:
    """Whether tokens are reported, so that there is an axis to draw on."""
    return comparison.voting[0].tokens > 0 and any(result.mean_tokens > 0 for result in comparison.methods)


def draw(comparison: Comparison) -> Figure:
    """The picture as a figure.

    Raises:
        InputError: no tokens are reported, so there is no axis to draw on.
    """
    figure = Figure(figsize=(9, 5.4), dpi=160, facecolor=PAPER)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.065, 0.115, 0.905, 0.715))
    shown = [result for result in comparison.methods if result.mean_tokens > 0]
    if not drawable(comparison):
        raise InputError("the model reports no tokens, so there is no picture of accuracy against tokens")
    _frame(axes, comparison, shown)
    _voting(axes, comparison)
    for result in shown:
        _method(axes, result)
    figure.text(0.012, 0.955, "Accuracy against tokens", fontsize=14, weight="bold", color=INK)
    where = f"{_short(comparison.benchmark, 56)} · {_short(comparison.model, 44)}"
    counted = f"{where} · {len(comparison.problems)} problems"
    figure.text(0.012, 0.912, counted, fontsize=9.5, color=MUTED)
    _key(figure, shown)
    canvas.draw()
    _label(axes, comparison, shown, canvas)
    return figure


def _frame(axes: Axes, comparison: Comparison, shown: Sequence[MethodResult]) -> None:
    axes.set_xscale("log", base=2)
    across = [point.tokens for point in comparison.voting] + [result.mean_tokens for result in shown]
    room = max(0.35, 0.06 * log(max(across) / min(across)))
    axes.set_xlim(min(across) * exp(-room), max(across) * exp(room))
    ends = [point.accuracy for point in comparison.voting] + [result.accuracy for result in shown]
    top = max([end.high for end in ends] + [point.passed.value for point in comparison.voting])
    axes.set_ylim(max(0.0, min(end.low for end in ends) - 0.05), min(1.02, top + 0.06))
    axes.set_facecolor(PAPER)
    axes.grid(visible=True, axis="y", color=GRID, linewidth=0.8)
    axes.tick_params(colors=MUTED, labelcolor=INK, length=3)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GRID)
    axes.xaxis.set_major_locator(LogLocator(base=2, numticks=12))
    axes.xaxis.set_major_formatter(FuncFormatter(_tokens))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(_percent))
    axes.set_xlabel("input and output tokens a problem (log scale)", color=INK)
    axes.text(0, 1.02, "right", transform=axes.transAxes, ha="right", va="bottom", color=INK)


def _voting(axes: Axes, comparison: Comparison) -> None:
    points = comparison.voting
    tokens = [point.tokens for point in points]
    low, high = [p.accuracy.low for p in points], [p.accuracy.high for p in points]
    # One sample alone has no line: a dot keeps it visible.
    marker = "." if len(points) == 1 else None
    axes.fill_between(tokens, low, high, color=VOTING, alpha=0.14, linewidth=0, zorder=1)
    axes.plot(tokens, [p.accuracy.value for p in points], color=VOTING, linewidth=2, zorder=2, marker=marker)
    axes.plot(tokens, [p.passed.value for p in points], color=VOTING, linewidth=1.4, linestyle=":", zorder=2)


def _method(axes: Axes, result: MethodResult) -> None:
    found, colour = result.accuracy, VERDICTS[result.verdict]
    axes.errorbar(
        result.mean_tokens,
        found.value,
        yerr=[[found.value - found.low], [found.high - found.value]],
        fmt=MARKERS[result.verdict],
        color=colour,
        markersize=8,
        markeredgecolor=PAPER,
        markeredgewidth=1,
        elinewidth=1.3,
        capsize=2.5,
        zorder=4,
    )


def _key(figure: Figure, shown: Sequence[MethodResult]) -> None:
    """What the markers mean, for the verdicts that occur."""
    found = {result.verdict for result in shown}
    handles = [
        Line2D([], [], color=colour, marker=MARKERS[verdict], linestyle="none", markersize=7, label=verdict)
        for verdict, colour in VERDICTS.items()
        if verdict in found
    ]
    figure.legend(
        handles=handles, loc="upper right", bbox_to_anchor=(0.985, 0.895), ncols=4, frameon=False,
        fontsize=9, labelcolor=INK, handletextpad=0.2, columnspacing=1.4,
    )  # fmt: skip


# ---------------------------------------------------------------- labels


@dataclass(frozen=True, kw_only=True)
class _Label:
    """Words and the point they belong to, in data coordinates."""

    words: str
    x: float
    y: float
    colour: str
    bold: bool = False


def _label(
    axes: Axes, comparison: Comparison, shown: Sequence[MethodResult], canvas: FigureCanvasAgg
) -> None:
    """Put every name where it covers no marker, error bar, line or other name."""
    blocked = [*_markers(axes, shown), *_curve(axes, comparison)]
    frame, unit = axes.get_window_extent(), canvas.figure.dpi / 72
    for label in _labels(comparison, shown):
        text = axes.annotate(
            label.words,
            (label.x, label.y),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=9.5,
            color=label.colour,
            weight="bold" if label.bold else "normal",
            zorder=6,
        )
        at = _pixel(axes, label.x, label.y)
        size = text.get_window_extent(canvas.get_renderer())
        places = _places(at, size.width, size.height, unit)
        place = min(places, key=lambda place: _cost(place, blocked, frame, at))
        text.set_position(((place.x0 - at[0]) / unit, (place.y0 - at[1]) / unit))
        _leader(axes, at, place, label.colour, unit)
        blocked.append(place)


def _labels(comparison: Comparison, shown: Sequence[MethodResult]) -> Iterator[_Label]:
    for result in sorted(shown, key=lambda result: -result.mean_tokens):
        yield _Label(
            words=_short(result.label, 34),
            x=result.mean_tokens,
            y=result.accuracy.value,
            colour=VERDICTS[result.verdict],
            bold=True,
        )
    last = comparison.voting[-1]
    votes = f"voting, 1 to {last.k} samples" if last.k > 1 else "one sample"
    yield _Label(words=votes, x=last.tokens, y=last.accuracy.value, colour=MUTED)
    if last.k > 1:
        ceiling = f"one of {last.k} samples is right"
        yield _Label(words=ceiling, x=last.tokens, y=last.passed.value, colour=MUTED)


def _places(at: Point, width: float, height: float, unit: float) -> Iterator[Bbox]:
    """Boxes around a point, the best liked first: right, left, above, below, then farther away."""
    for far in (9, 16, 26, 40, 58, 80):
        gap = far * unit
        for across, up in _DIRECTIONS:
            x = at[0] + across * gap - (width if across < 0 else width / 2 if across == 0 else 0)
            y = at[1] + up * gap - height / 2
            yield Bbox.from_bounds(x, y, width, height)


_DIRECTIONS = ((1, 0), (-1, 0), (1, 0.8), (-1, 0.8), (1, -0.8), (-1, -0.8), (0, 1.3), (0, -1.3))


def _cost(place: Bbox, blocked: Sequence[Bbox], frame: Bbox, at: Point) -> float:
    """How bad a place is: what it covers counts most, then how far it is."""
    padded = place.padded(3)
    covered = sum(_shared(padded, box) for box in blocked)
    outside = place.width * place.height - _shared(place, frame)
    middle = (place.x0 + place.width / 2 - at[0], place.y0 + place.height / 2 - at[1])
    reach = max(abs(middle[0]) - place.width / 2, 0) + abs(middle[1])
    return 40 * covered + 80 * outside + reach


def _shared(one: Bbox, other: Bbox) -> float:
    wide = min(one.x1, other.x1) - max(one.x0, other.x0)
    high = min(one.y1, other.y1) - max(one.y0, other.y0)
    return max(wide, 0.0) * max(high, 0.0)


def _leader(axes: Axes, at: Point, place: Bbox, colour: str, unit: float) -> None:
    """A thin line from a point to a name that had to stand apart from it."""
    end = (min(max(at[0], place.x0), place.x1), min(max(at[1], place.y0), place.y1))
    if abs(end[0] - at[0]) + abs(end[1] - at[1]) < 24 * unit:
        return
    (x0, y0), (x1, y1) = axes.transData.inverted().transform([at, end]).tolist()
    axes.add_line(Line2D([x0, x1], [y0, y1], color=colour, linewidth=0.7, alpha=0.7, zorder=3))


def _pixel(axes: Axes, x: float, y: float) -> Point:
    across, up = axes.transData.transform((x, y)).tolist()
    return across, up


def _markers(axes: Axes, shown: Sequence[MethodResult]) -> Iterator[Bbox]:
    for result in shown:
        found = result.accuracy
        x, middle = _pixel(axes, result.mean_tokens, found.value)
        low, high = (_pixel(axes, result.mean_tokens, end)[1] for end in (found.low, found.high))
        yield Bbox([[x - 5, low], [x + 5, high]])
        # Counted three times over: a name may touch a bar, but not hide a marker.
        yield from [Bbox([[x - 12, middle - 12], [x + 12, middle + 12]])] * 3


def _curve(axes: Axes, comparison: Comparison) -> Iterator[Bbox]:
    """Small boxes along both lines."""
    voted = [_pixel(axes, point.tokens, point.accuracy.value) for point in comparison.voting]
    passed = [_pixel(axes, point.tokens, point.passed.value) for point in comparison.voting]
    for line in (voted, passed):
        for (x0, y0), (x1, y1) in pairwise(line):
            for part in range(12):
                x, y = x0 + (x1 - x0) * part / 12, y0 + (y1 - y0) * part / 12
                yield Bbox([[x - 3, y - 3], [x + 3, y + 3]])


# ---------------------------------------------------------------- words


def _svg(figure: Figure) -> str:
    target = BytesIO()
    FigureCanvasSVG(figure).print_svg(target, metadata={"Date": None, "Creator": "gadfly"})
    return target.getvalue().decode("utf-8")


def _tokens(value: float, _position: int) -> str:
    return f"{value:,.0f}" if value < 10_000 else f"{value / 1000:,.0f}k"


def _percent(value: float, _position: int) -> str:
    return f"{100 * value:.0f} %"


def _short(words: str, longest: int) -> str:
    return words if len(words) <= longest else words[: longest - 1] + "…"
