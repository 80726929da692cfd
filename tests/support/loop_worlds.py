"""Loops on the small world: weights that can do a task a little, and rounds that train them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio
from training.world import SCORER, World

from gadfly.models.load import load_model
from gadfly.protocols import Scorer
from gadfly.recipes.load import SharedModels
from gadfly.records import Problem, Sampling
from gadfly.train.improve import Loop
from gadfly.train.learner import Tuning
from gadfly.train.ledger import Ledger
from gadfly.train.round import Round, Tools
from gadfly.train.training import LocalTrainer
from gadfly.train.weights import Weights

SAMPLED = Sampling(temperature=0.7, max_tokens=8)
TRAINER = LocalTrainer(tuning=Tuning(lora=None, precision="float32", part=128), device="cpu")


def weights_at(folder: Path) -> Weights:
    return Weights(model=f"transformers:{folder}?batch=64&device=cpu", start=str(folder))


@dataclass(frozen=True, kw_only=True)
class Played:
    """What rounds came to."""

    rounds: tuple[Round, ...]

    @property
    def weights(self) -> Path:
        return Path(self.rounds[-1].weights().start)


def improved(
    loop: Loop,
    start: Path,
    problems: Sequence[Problem],
    world: World,
    folder: Path,
    *,
    rounds: int = 1,
    scorer: Scorer = SCORER,
) -> Played:
    """The rounds of a loop, each on the next problems."""
    base, size = weights_at(start), len(problems) // rounds
    done: list[Round] = []

    async def play() -> None:
        models = SharedModels(load=partial(load_model, cache=folder / "calls.sqlite"))
        tools = Tools(
            engines=models,
            trainer=TRAINER,
            scorers={"exact": scorer},
            held_out={"held out": world.held_out},
            benchmark="world",
        )
        current: dict[str, Weights] = {}
        for index in range(1, rounds + 1):
            now = Round(
                index=index,
                path=folder / f"round-{index}",
                problems=problems[(index - 1) * size : index * size],
                base=base,
                current=dict(current),
                tools=tools,
                ledger=Ledger(folder),
            )
            await loop(now)
            current = now.current
            done.append(now)
        await models.close()

    anyio.run(play)
    return Played(rounds=tuple(done))
