"""The trainer of this machine: a leaf, since it imports torch."""

from gadfly.cli.improving import Weighting
from gadfly.cli.train_report import TrainProgress
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
    return LocalTrainer(tuning=tuning, device=weighting.device, on_step=_bars())


def _bars() -> OnStep:
    """A bar for each training, one after the other."""
    shown: list[TrainProgress] = []

    def on_step(line: StepLine, steps: int) -> None:
        if line.step == 1:  # one that broke off may still stand there
            _end(shown)
        if not shown:
            shown.append(TrainProgress("training").__enter__())
        shown[0](line, steps)
        if line.step == steps:
            _end(shown)

    return on_step


def _end(shown: list[TrainProgress]) -> None:
    while shown:
        shown.pop().__exit__(None, None, None)
