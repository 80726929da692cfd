"""Several models on the same problems by one method: what each round of training did, or which model to take.

    OUT/models/NAME/answers/    a run folder: the method's answer to every problem
    OUT/models/NAME/pool/       a run folder: `pool` independent samples of every problem
    OUT/improvement.json        the `Improvement`: the first model is its base, the others one arm

One model after the other, so that only one is in memory. Everything is resumable.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from gadfly.errors import InputError
from gadfly.protocols import Scorer, Solver
from gadfly.records import Problem, Rollout
from gadfly.run.comparison import method_folder
from gadfly.run.evaluation import evaluation, families_of
from gadfly.run.improvement import Arm, Checkpoint, Improvement
from gadfly.run.manifest import package_version, portable, solver_name
from gadfly.run.runner import IN_FLIGHT, run
from gadfly.run.store import read_rollouts

OnRollout: TypeAlias = Callable[[str, Rollout], None]


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """One model: how it answers, and how it is sampled."""

    answers: Solver
    samples: Solver
    in_flight: int = IN_FLIGHT
    close: Callable[[], Awaitable[None]] | None = None
    """Called when it has answered everything."""


@dataclass(frozen=True, kw_only=True)
class Lineup:
    """Which models, on what, and how."""

    models: Sequence[str]
    """Specifications; the first is the baseline."""
    enter: Callable[[str], Entrant]
    """Loads a model when its turn comes."""
    benchmark: str = "problems"
    pool: int = 0
    """Samples a problem; 0: none."""
    seed: int = 0
    """Of the bootstrap."""
    warnings: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What the models are called: without the folders of a path, where they still differ."""
        short = tuple(map(portable, self.models))
        return short if len(set(short)) == len(short) else tuple(self.models)


async def line_up(
    lineup: Lineup,
    problems: Sequence[Problem],
    scorer: Scorer,
    *,
    out: Path,
    on_rollout: OnRollout | None = None,
) -> Improvement:
    """Run every model on the same problems, and write the evidence.

    Args:
        lineup: The models.
        problems: All of them are answered by every model.
        scorer: Decides what is right: the full mark, 1.
        out: The folder. Another line-up's folder is refused, the same one's is continued.
        on_rollout: Called with the model's name and each new rollout.

    Raises:
        InputError: there are fewer than two models or no problems, two share an id, or whatever `run` raises.
    """
    if len(lineup.models) < 2 or not problems:
        raise InputError("a line-up takes two models or more, and at least one problem")
    ids = [problem.id for problem in problems]
    if len(set(ids)) < len(ids):
        raise InputError("two problems have the same id; give every problem an id of its own")
    found: list[Checkpoint] = []
    for number, (spec, name) in enumerate(zip(lineup.models, lineup.names, strict=True)):
        folder = method_folder(out, name, room="models")
        await _evaluated(lineup, spec, name, problems, scorer, folder=folder, on_rollout=on_rollout)
        answers = read_rollouts(folder / "answers")
        pool = read_rollouts(folder / "pool") if lineup.pool else ()
        made = evaluation(answers, problems, pool=pool, k=lineup.pool)
        found.append(Checkpoint(name=name, round=number, model=portable(spec), evaluation=made))
    return Improvement(
        package=package_version(),
        benchmark=portable(lineup.benchmark),
        model=lineup.names[0],
        problems=tuple(ids),
        families=families_of(problems),
        base=found[0],
        arms=(Arm(name="models", kind="models", checkpoints=tuple(found[1:])),),
        prompts=tuple(problem.text for problem in problems),
        seed=lineup.seed,
        warnings=lineup.warnings,
        settings={"pool": lineup.pool, "seed": lineup.seed},
    )


async def _evaluated(
    lineup: Lineup,
    spec: str,
    name: str,
    problems: Sequence[Problem],
    scorer: Scorer,
    *,
    folder: Path,
    on_rollout: OnRollout | None,
) -> None:
    entrant = lineup.enter(spec)

    def heard(rollout: Rollout) -> None:
        if on_rollout is not None:
            on_rollout(name, rollout)

    async def answer(solver: Solver, asked: Sequence[Problem], out: Path) -> None:
        await run(
            solver,
            asked,
            out=out,
            scorers={solver_name(scorer): scorer},
            benchmark=lineup.benchmark,
            in_flight=entrant.in_flight,
            on_rollout=heard,
        )

    try:
        await answer(entrant.answers, problems, folder / "answers")
        if lineup.pool:
            attempts = [attempt for problem in problems for attempt in problem.attempts(lineup.pool)]
            await answer(entrant.samples, attempts, folder / "pool")
    finally:
        if entrant.close is not None:
            await entrant.close()
