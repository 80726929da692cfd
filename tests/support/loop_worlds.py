"""Loops on the small world: weights that can do a task a little, and rounds that train them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
from training.world import SCORER, World

from gadfly.protocols import Scorer
from gadfly.records import Problem, Sampling
from gadfly.train.improve import Loop, Prepares
from gadfly.train.learner import Tuning
from gadfly.train.ledger import Ledger
from gadfly.train.round import ACTOR, Round, Tools
from gadfly.train.training import LocalTrainer
from gadfly.train.weights import Weights
from support.loop_players import Opened, Rule

SAMPLED = Sampling(temperature=0.7, max_tokens=8)
TRAINER = LocalTrainer(tuning=Tuning(lora=None, precision="float32", part=128), device="cpu")


def weights_at(folder: Path) -> Weights:
    return Weights(model=f"transformers:{folder}?batch=64&device=cpu", start=str(folder))


@dataclass(frozen=True, kw_only=True)
class Played:
    """What rounds came to."""

    rounds: tuple[Round, ...]
    """The preparation first, where the loop has one."""

    @property
    def weights(self) -> Path:
        return Path(self.rounds[-1].weights().start)

    def stages(self, role: str = ACTOR) -> list[Path]:
        """The weights of a role, the base's first, then after each round."""
        base = self.rounds[0].base
        return [Path(weights.start) for weights in (base, *(one.weights(role) for one in self.rounds))]


def improved(
    loop: Loop,
    start: Path,
    problems: Sequence[Problem],
    world: World,
    folder: Path,
    *,
    rounds: int = 1,
    scorer: Scorer = SCORER,
    rules: Sequence[Rule] = (),
) -> Played:
    """The rounds of a loop, each on the next problems; rules answer what the small model cannot."""
    base, size = weights_at(start), len(problems) // rounds
    done: list[Round] = []

    async def play() -> None:
        models = Opened(rules)
        tools = Tools(
            engines=models,
            trainer=TRAINER,
            scorers={"exact": scorer},
            held_out={"held out": world.held_out},
            benchmark="world",
        )
        current: dict[str, Weights] = {}
        for index in range(0 if isinstance(loop, Prepares) else 1, rounds + 1):
            first = max(0, index - 1) * size
            now = Round(
                index=index,
                path=folder / f"round-{index}",
                problems=problems[first : first + size],
                base=base,
                current=dict(current),
                tools=tools,
                ledger=Ledger(folder),
            )
            await (loop(now) if index or not isinstance(loop, Prepares) else loop.prepare(now))
            current = now.current
            done.append(now)
        await models.close()

    anyio.run(play)
    return Played(rounds=tuple(done))
