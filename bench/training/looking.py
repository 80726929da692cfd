"""Trainings on rows that are looked at on the way, and the picture of what was seen on held-out problems."""
# pyright: reportUnknownMemberType=false
# (matplotlib leaves its keyword arguments untyped.)

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from time import process_time
from typing import Generic, TypeAlias, TypeVar

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gadfly.run.figures import STYLE
from gadfly.run.palette import ARMS, GRID, INK, MUTED, PAPER
from gadfly.train.fit import Training, fit
from gadfly.train.folder import read_log
from gadfly.train.learner import Learner
from gadfly.train.objective import Objective
from gadfly.train.plan import Plan
from training.outcome import Outcome, Track

E = TypeVar("E")
Seen: TypeAlias = Mapping[str, Sequence[float]]
"""Quantities on held-out cases, by name."""
_BEFORE = "seen: "
"""Before the names of what was looked at, in the log."""


@dataclass(frozen=True, kw_only=True)
class Looking(Generic[E]):
    """Batches of given examples; every few steps the log gets the means of what a look sees before it."""

    examples: Sequence[E]
    plan: Plan
    look: Callable[[], Seen]
    every: int

    def __call__(self, step: int, /) -> tuple[Sequence[E], Mapping[str, float]]:
        """The examples of a step."""
        seen: Seen = self.look() if step % self.every == 0 else {}
        figures = {f"{_BEFORE}{name}": fmean(values) for name, values in seen.items()}
        return [self.examples[place] for place in self.plan.places(step, len(self.examples))], figures


@dataclass(frozen=True, kw_only=True)
class Arm:
    """Which training it is, of an experiment with seeds."""

    name: str
    seed: int
    out: Path
    """Where all trainings of the experiment stand."""


def trained(
    learner: Learner,
    objective: Objective[E],
    examples: Sequence[E],
    plan: Plan,
    *,
    look: Callable[[], Seen],
    arm: Arm,
    every: int = 10,
) -> Outcome:
    """Train for the plan's steps; what a look saw before and after."""
    steps = plan.length(len(examples))
    before = look()
    training = Training(
        learner=learner,
        objective=objective,
        batches=Looking(examples=examples, plan=plan, look=look, every=every),
        plan=plan,
        steps=steps,
        request={"arm": arm.name, "seed": arm.seed, "steps": steps},
        rows=len(examples),
    )
    began = process_time()
    folder = fit(training, arm.out / f"{arm.name.replace(' ', '-')}-{arm.seed}")
    spent = process_time() - began
    after = look()
    return Outcome(
        arm=arm.name,
        seed=arm.seed,
        steps=steps,
        seconds=spent,
        tracks={name: Track(before=tuple(before[name]), after=tuple(after[name])) for name in before},
        folder=str(folder.path),
    )


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One plot: some quantities of one arm."""

    title: str
    arm: str
    names: tuple[str, ...]


def draw_seen(outcomes: Sequence[Outcome], panels: Sequence[Panel], file: Path) -> None:
    """What the looks saw: a colour a quantity, each seed faint, the mean over seeds strong."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.2 * len(panels), 3.1), dpi=120, facecolor=PAPER)
        for place, panel in enumerate(panels, start=1):
            axes = figure.add_subplot(1, len(panels), place)
            for colour, name in zip(ARMS, panel.names, strict=False):
                curves = [_points(one, name) for one in outcomes if one.arm == panel.arm]
                for curve in curves:
                    axes.plot(*zip(*curve, strict=True), color=colour, alpha=0.3, linewidth=0.9)
                mean = [(at[0][0], fmean(value for _, value in at)) for at in zip(*curves, strict=True)]
                axes.plot(*zip(*mean, strict=True), color=colour, linewidth=2, label=name)
            axes.set_title(panel.title, fontsize=9, color=INK, loc="left")
            axes.set_xlabel("step", fontsize=8, color=MUTED)
            axes.tick_params(labelsize=7, colors=MUTED)
            axes.grid(color=GRID, linewidth=0.6)
            axes.legend(fontsize=7, frameon=False)
        figure.tight_layout()
        file.parent.mkdir(parents=True, exist_ok=True)
        FigureCanvasAgg(figure).print_png(file, metadata={"Software": "gadfly"})


def _points(outcome: Outcome, name: str) -> list[tuple[int, float]]:
    """Steps done and the mean then, the end included."""
    lines = read_log(Path(outcome.folder))
    seen = [(line.step - 1, line.figures[_BEFORE + name]) for line in lines if _BEFORE + name in line.figures]
    return [*seen, (outcome.steps, fmean(outcome.tracks[name].after))]


def seeds_where(outcomes: Sequence[Outcome], holds: Callable[[Outcome], bool]) -> str:
    """In how many seeds something holds, in words."""
    return f"{sum(map(holds, outcomes))} of {len(outcomes)} seeds"


def rose(name: str, *, by: float = 0.0) -> Callable[[Outcome], bool]:
    """Whether the mean of a quantity is higher after training than before, by more than so much."""
    return lambda one: fmean(one.tracks[name].after) - fmean(one.tracks[name].before) > by


def fell(name: str) -> Callable[[Outcome], bool]:
    """Whether the mean of a quantity is lower after training than before."""
    return lambda one: fmean(one.tracks[name].after) < fmean(one.tracks[name].before)
