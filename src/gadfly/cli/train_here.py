"""The trainer of this machine: a leaf, since it imports torch."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gadfly.cli.improving import Weighting
from gadfly.errors import InputError
from gadfly.train.fit import OnStep
from gadfly.train.folder import StepLine
from gadfly.train.learner import Lora, Tuning
from gadfly.train.training import LocalTrainer


def local_trainer(weighting: Weighting, seed: int) -> LocalTrainer:
    """A trainer with a bar on standard error.

    Raises:
        InputError: a setting cannot be used.
    """
    if weighting.precision not in ("bf16", "float32"):
        raise InputError(f"--precision {weighting.precision}: give bf16 or float32")
    tuning = Tuning(
        lora=None if weighting.full else Lora(rank=weighting.rank, alpha=2.0 * weighting.rank),
        precision="bf16" if weighting.precision == "bf16" else "float32",
        part=weighting.part,
        seed=seed,
    )
    return LocalTrainer(tuning=tuning, device=weighting.device, on_step=_bar())


def _bar() -> OnStep:
    console = Console(stderr=True)
    bars: list[Progress] = []

    def on_step(line: StepLine, steps: int) -> None:
        if not console.is_terminal:
            return
        if line.step == 1 or not bars:
            bars.append(_progress(console, steps))
        bar = bars[-1]
        loss = line.figures.get("loss")
        told = "" if loss is None else f"loss {loss:.3f}"
        bar.update(bar.task_ids[0], completed=line.step, figures=told)
        if line.step == steps:
            bars.pop().stop()

    return on_step


def _progress(console: Console, steps: int) -> Progress:
    bar = Progress(
        TextColumn("training"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(compact=True),
        console=console,
    )
    bar.add_task("training", total=steps, figures="")
    bar.start()
    return bar
