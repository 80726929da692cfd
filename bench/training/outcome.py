"""What an experiment found: values before and after, problem by problem, with intervals, picture and page."""
# pyright: reportUnknownMemberType=false
# (matplotlib leaves its keyword arguments untyped.)

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from tempfile import gettempdir
from time import process_time
from typing import TypeVar

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gadfly.metrics.intervals import mean_interval, paired_difference
from gadfly.metrics.measurement import Measurement
from gadfly.records import Record
from gadfly.run.figures import STYLE
from gadfly.run.palette import ARMS, GRID, INK, MUTED, PAPER
from gadfly.train.export import write_whole
from gadfly.train.fit import Training, fit
from gadfly.train.folder import STATE, read_log

E = TypeVar("E")


class Track(Record):
    """A quantity on held-out cases, before training and after it; the cases in one order."""

    before: tuple[float, ...]
    after: tuple[float, ...]


class Outcome(Record):
    """One training."""

    arm: str
    seed: int
    steps: int
    seconds: float | None
    """Processor time of training and sampling, warm-up and evaluation left out; None where a training that
    had been cut off was finished."""
    tracks: Mapping[str, Track]
    folder: str
    """Where its log is."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """A quantity over all seeds; n counts cases, intervals are of 95 %."""

    before: Measurement
    after: Measurement
    change: Measurement
    """After less before, case by case."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the command line says."""

    out: Path
    work: Path
    seeds: tuple[int, ...]


def place(work: Path, arm: str, seed: int) -> Path:
    """Where one training's log and outcome stand."""
    return work / f"{arm.replace(' ', '-')}-{seed}"


def every(given: Asked, arms: Iterable[str], run: Callable[[str, int], Outcome]) -> list[Outcome]:
    """Each arm on each seed; an outcome that is there already is read."""
    found: list[Outcome] = []
    for seed in given.seeds:
        for arm in arms:
            file = place(given.work, arm, seed) / "outcome.json"
            if file.exists():
                found.append(Outcome.model_validate_json(file.read_bytes()))
                continue
            found.append(run(arm, seed))
            write_whole(file, found[-1].model_dump_json() + "\n")
    return found


def timed_fit(training: Training[E], folder: Path) -> float | None:
    """Train in a folder; processor seconds, None where it went on from a checkpoint."""
    fresh = not (folder / STATE).exists()
    began = process_time()
    fit(training, folder)
    return process_time() - began if fresh else None


def change_of(outcomes: Sequence[Outcome], name: str) -> Change:
    """One quantity of one arm, cases of all seeds together. What differs between seeds is in no interval."""
    before = [value for one in outcomes for value in one.tracks[name].before]
    after = [value for one in outcomes for value in one.tracks[name].after]
    return Change(
        before=mean_interval(before), after=mean_interval(after), change=paired_difference(after, before)
    )


def lead_of(outcomes: Sequence[Outcome], others: Sequence[Outcome], name: str) -> Measurement:
    """By how much one arm is above another after training, case by case on the same seeds."""
    mine, theirs = (
        [value for one in side for value in one.tracks[name].after] for side in (outcomes, others)
    )
    return paired_difference(mine, theirs)


def by_arm(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    """The outcomes of each arm, in the order of their first."""
    found: dict[str, list[Outcome]] = {}
    for one in outcomes:
        found.setdefault(one.arm, []).append(one)
    return found


def table(outcomes: Sequence[Outcome], names: Sequence[str]) -> list[str]:
    """A Markdown table: each arm and quantity with intervals, and the change of each seed."""
    lines = [
        "| arm | quantity | n | before | after | change [95 %] | change by seed |",
        "|---|---|---|---|---|---|---|",
    ]
    for arm, ones in by_arm(outcomes).items():
        for name in names:
            found = change_of(ones, name)
            seeds = (fmean(one.tracks[name].after) - fmean(one.tracks[name].before) for one in ones)
            lines.append(
                f"| {arm} | {name} | {found.before.n} | {_told(found.before)} | {_told(found.after)} "
                f"| **{found.change.value:+.3f}** [{found.change.low:+.3f}, {found.change.high:+.3f}] "
                f"| {', '.join(f'{seed:+.3f}' for seed in seeds)} |"
            )
    return lines


def cost(outcomes: Sequence[Outcome]) -> str:
    """Processor seconds a training, arm by arm."""
    parts: list[str] = []
    for arm, ones in by_arm(outcomes).items():
        spent = [one.seconds for one in ones if one.seconds is not None]
        parts += [f"{arm} {fmean(spent):.0f} s for {ones[0].steps} steps"] if spent else []
    note = "Intervals resample cases; what differs between seeds is in the last column alone. "
    return note + "Processor time of one training, one thread, sampling included: " + "; ".join(parts) + "."


def opening(name: str, title: str, about: str) -> list[str]:
    """How a page begins: title, command, what was done, picture."""
    command = f"PYTHONPATH=bench python -m training.{name}"
    return [f"# {title}", "", about, "", "```", command, "```", "", f"![{title}]({name}.png)", ""]


def claim(words: str, found: Measurement, *, rises: bool) -> str:
    """One line: what a paper says will happen, and whether it did here, by the interval."""
    seen = f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"
    if not found.excludes(0.0):
        return f"- {words}: cannot be told here, {seen}."
    return f"- {words}: {'so it is' if (found.value > 0) is rises else '**the opposite**'} here, {seen}."


def draw(outcomes: Sequence[Outcome], names: Sequence[str], out: Path, title: str) -> None:
    """The logged figures by step: every arm's mean over seeds strong, each seed faint; running means."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.6 * len(names), 3.1), dpi=120, facecolor=PAPER)
        for place, name in enumerate(names, start=1):
            axes = figure.add_subplot(1, len(names), place)
            for colour, (arm, ones) in zip(ARMS, by_arm(outcomes).items(), strict=False):
                lines = [read_log(Path(one.folder)) for one in ones]
                curves = [
                    _smooth([line.figures[name] for line in log if name in line.figures]) for log in lines
                ]
                curves = [curve for curve in curves if curve]
                for curve in curves:
                    axes.plot(range(1, len(curve) + 1), curve, color=colour, alpha=0.25, linewidth=0.9)
                mean = [fmean(at) for at in zip(*curves, strict=False)]
                axes.plot(range(1, len(mean) + 1), mean, color=colour, linewidth=2, label=arm)
            axes.set_title(name.replace("_", " "), fontsize=10, color=INK, loc="left")
            axes.set_xlabel("step", fontsize=9, color=MUTED)
            axes.tick_params(labelsize=8, colors=MUTED)
            axes.grid(color=GRID, linewidth=0.6)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.suptitle(title, fontsize=11, color=INK, x=0.01, ha="left")
        figure.legend(handles, labels, loc="upper right", ncols=len(labels), frameon=False, fontsize=9)
        figure.tight_layout(rect=(0, 0, 1, 0.97))
        out.parent.mkdir(parents=True, exist_ok=True)
        FigureCanvasAgg(figure).print_png(out, metadata={"Software": "gadfly"})


def asked(about: str | None) -> Asked:
    """Read the command line of an experiment."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/results/training"), help="page and picture")
    parser.add_argument(
        "--work", type=Path, default=Path(gettempdir()) / "gadfly-training", help="weights and logs"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    return Asked(out=given.out, work=given.work, seeds=tuple(given.seeds))


def write_page(file: Path, lines: Sequence[str]) -> None:
    """Write the page, and print it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join(lines) + "\n"
    file.write_text(text, encoding="utf-8")
    print(text)


def series_of(outcome: Outcome, name: str) -> list[float]:
    """One figure of the log, step by step."""
    lines = read_log(Path(outcome.folder))
    return [line.figures[name] for line in lines if name in line.figures]


def _told(found: Measurement) -> str:
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _smooth(values: Sequence[float]) -> list[float]:
    """Running means over a tenth of the steps, centred."""
    half = max(1, len(values) // 20)
    return [fmean(values[max(0, at - half) : at + half + 1]) for at in range(len(values))]
