"""SCoRe: what a second attempt gains over the first, and what becomes of it without stage I or the bonus.

    PYTHONPATH=bench python -m training.score

The warm model gains nothing by a second attempt: it repeats its answer, or breaks it as often as it mends
it. Every arm has the same number of steps from the same weights, and 16 problems of 4 pairs a step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio

from gadfly.concurrency import each
from gadfly.prompts import Prompt
from gadfly.recipes.solve.two_attempts import TwoAttempts
from gadfly.records import Problem, Rollout, Sampling
from gadfly.run.runner import roll_out, scored
from gadfly.train.fit import Training
from gadfly.train.learner import Learner
from gadfly.train.objectives.score_rl import ScoreRL
from gadfly.train.online import Sampler
from gadfly.train.online_attempts import OnAttempts, first_attempt
from gadfly.train.plan import Plan
from training.outcome import (
    Outcome,
    Track,
    asked,
    by_arm,
    change_of,
    claim,
    cost,
    draw,
    every,
    lead_of,
    opening,
    place,
    table,
    timed_fit,
    write_page,
)
from training.world import AGAIN, SAMPLING, SCORER, learner_of, make_world, warmed_up

LOOK_AGAIN = Prompt(name="small-world/again", user=AGAIN)
FIRST, SECOND = "first attempt right", "second attempt right"
PROGRESS, BROKEN, MENDED = "second less first", "right to wrong", "wrong to right"


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A way to train second attempts."""

    stage_one: float
    """Share of the steps that stage I has."""
    alpha: float
    """Weight of the bonus for progress."""


ARMS = {
    "SCoRe": Arm(stage_one=0.5, alpha=10.0),
    "without stage I": Arm(stage_one=0.0, alpha=10.0),
    "without the bonus": Arm(stage_one=0.5, alpha=0.0),
}


def run(
    out: Path, *, seed: int = 0, steps: int = 44, arm: str = "SCoRe", rate: float = 2e-4, held_out: int = 600
) -> Outcome:
    """One training, from the same warm model for every arm of a seed."""
    world = make_world(held_out=held_out, seed=seed)
    learner = learner_of(warmed_up(world, out, second_attempts=True), seed=seed, reference=True)
    before = attempts(learner, world.held_out)
    plan = Plan(steps=steps, batch=16, rate=rate, warmup=0.0, save_every=steps, seed=seed)
    sampler = Sampler(
        learner=learner,
        solver=lambda model: TwoAttempts(model=model, again=LOOK_AGAIN, sampling=SAMPLING),
        scorers={"exact": SCORER},
        problems=world.train,
        samples=4,
        plan=plan,
    )
    batches = OnAttempts(
        sampler=sampler,
        reward="exact",
        stage_one=round(ARMS[arm].stage_one * steps),
        alpha=ARMS[arm].alpha,
        baseline="group",
    )
    training = Training(
        learner=learner,
        objective=ScoreRL(strong=0.25),
        batches=batches,
        plan=plan,
        steps=steps,
        request={"arm": arm, "seed": seed, "steps": steps, "rate": rate},
    )
    folder = place(out, arm, seed)
    spent = timed_fit(training, folder)
    after = attempts(learner, world.held_out)
    return Outcome(
        arm=arm,
        seed=seed,
        steps=steps,
        seconds=spent,
        tracks={name: Track(before=before[name], after=after[name]) for name in before},
        folder=str(folder),
    )


def attempts(
    learner: Learner, problems: Sequence[Problem], *, sampling: Sampling = SAMPLING
) -> dict[str, tuple[float, ...]]:
    """Two attempts at each problem; what cannot be read is not right."""
    model = learner.sample("evaluated")
    solver = TwoAttempts(model=model, again=LOOK_AGAIN, sampling=sampling)

    async def one(problem: Problem) -> tuple[float, float]:
        rollout = await roll_out(solver, problem, {"exact": SCORER})
        return await _first_mark(rollout), float(rollout.value or 0.0)

    async def every() -> list[tuple[float, float]]:
        try:
            return await each(one, problems)
        finally:
            await model.close()

    both = anyio.run(every)
    return {
        FIRST: tuple(first for first, _ in both),
        SECOND: tuple(second for _, second in both),
        PROGRESS: tuple(second - first for first, second in both),
        BROKEN: tuple(float(second < first) for first, second in both),
        MENDED: tuple(float(second > first) for first, second in both),
    }


async def _first_mark(rollout: Rollout) -> float:
    first = first_attempt(rollout)
    return 0.0 if first is None else (await scored("exact", SCORER, rollout.problem, first)).value or 0.0


ABOUT = """Two attempts at a problem, nobody says whether the first is right. SCoRe (arXiv:2409.12917) with
alpha 10, light penalty 0.01, strong penalty 0.25, and the other samples of a problem as baseline, on about a
million weights; every arm has the same steps from the same weights. Held-out words, in nobody's training, at
temperature 1. *Right to wrong* and *wrong to right* are shares of all problems."""


ENDS = """The task is easy enough for every arm to bring the second attempt near the same height; what SCoRe
does differently is to let the first attempt rise less, so that there is something left to mend. SCoRe and the
arm without the bonus are the same training until stage II begins, halfway."""


def page(outcomes: Sequence[Outcome]) -> list[str]:
    """What the page says."""
    arms = by_arm(outcomes)
    full = arms["SCoRe"]
    lines = [
        *opening("score", "SCoRe on the small model", ABOUT),
        *table(outcomes, (FIRST, SECOND, PROGRESS, BROKEN, MENDED)),
        "",
        "What the paper says, and what is seen:",
        "",
        claim("the second attempt comes to gain on the first", change_of(full, PROGRESS).change, rises=True),
        claim("fewer right answers are broken", change_of(full, BROKEN).change, rises=False),
        claim("more wrong answers are mended", change_of(full, MENDED).change, rises=True),
    ]
    for arm, ones in arms.items():
        if arm != "SCoRe":
            lines += [
                claim(f"SCoRe gains more by it than {arm}", lead_of(full, ones, PROGRESS), rises=True),
                claim(
                    f"its second attempt is right more often than {arm}",
                    lead_of(full, ones, SECOND),
                    rises=True,
                ),
            ]
    lines += ["", ENDS]
    return [*lines, "", cost(outcomes)]


def main() -> None:
    """Run every arm on every seed, and write the page."""
    given = asked(__doc__)
    outcomes = every(given, ARMS, lambda arm, seed: run(given.work, seed=seed, arm=arm))
    draw(
        outcomes,
        ("first", "second", "progress", "broken"),
        given.out / "score.png",
        "SCoRe: attempts as they were sampled in training",
    )
    write_page(given.out / "score.md", page(outcomes))


if __name__ == "__main__":
    main()
