"""What every phase of an arm took, kept in one small file, so that a resumed loop knows what it spent."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from gadfly.errors import InputError
from gadfly.records import Rollout
from gadfly.run.improvement import Phase, PhaseCost
from gadfly.run.summary import RunSummary
from gadfly.train.export import write_whole
from gadfly.train.weights import Trained

LEDGER = "costs.json"


class Ledger:
    """Costs by the name of what was done, written as they come."""

    def __init__(self, folder: Path) -> None:
        """Read what an earlier session wrote.

        Raises:
            InputError: it cannot be read.
        """
        self._file = folder / LEDGER
        self._costs: dict[str, PhaseCost] = {}
        if self._file.exists():
            try:
                given = json.loads(self._file.read_text(encoding="utf-8"))
                self._costs = {name: PhaseCost.model_validate(cost) for name, cost in given.items()}
            except (OSError, ValueError) as error:
                raise InputError(f"{self._file} cannot be read: {error}") from error

    def __contains__(self, name: str) -> bool:
        return name in self._costs

    def keep(self, name: str, cost: PhaseCost) -> None:
        """Write down what was done; what is there already stays, for it was paid when it was done first."""
        if name in self._costs:
            return
        self._costs[name] = cost
        told = {key: value.model_dump(mode="json") for key, value in self._costs.items()}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self._file, json.dumps(told, indent=1) + "\n")

    @property
    def costs(self) -> tuple[PhaseCost, ...]:
        """Everything, by round and phase."""
        return tuple(sorted(self._costs.values(), key=lambda cost: (cost.round, cost.phase)))

    @property
    def seconds(self) -> float:
        """Wall time of everything but evaluation."""
        return sum(cost.seconds for cost in self._costs.values() if cost.phase != "evaluation")


def run_cost(index: int, phase: Phase, summary: RunSummary, oracle: int = 0) -> PhaseCost:
    """What a run folder came to; calls answered from the cache count as when they were paid."""
    return PhaseCost(
        round=index,
        phase=phase,
        tokens=summary.usage.tokens,
        seconds=summary.seconds,
        calls=summary.usage.calls,
        rows=summary.rollouts,
        oracle=oracle,
    )


def earlier_seconds(rollouts: Iterable[Rollout], summary: RunSummary, *, in_flight: int) -> float:
    """Wall time of a run's earlier sessions, which may have been killed before they could say.

    By Little's law: the rollouts' own seconds, over how many of them went on at once.
    """
    if not summary.rollouts:
        return 0.0
    before = 1.0 - summary.new / summary.rollouts
    return before * sum(one.seconds for one in rollouts) / min(in_flight, summary.rollouts)


def training_costs(
    index: int, trained: Trained, seconds: float, oracle: int = 0
) -> Iterator[tuple[str, PhaseCost]]:
    """What a training took by phase: the gradient steps, and the answers drawn meanwhile."""
    drawing = 0.0
    if trained.drawn is not None:
        drawing = trained.drawn.seconds
        yield "draw", trained.drawn.model_copy(update={"round": index})
    yield (
        "train",
        PhaseCost(
            round=index,
            phase="training",
            tokens=trained.tokens,
            seconds=max(seconds - drawing, trained.seconds),
            rows=trained.rows,
            steps=trained.steps,
            oracle=oracle,
        ),
    )
