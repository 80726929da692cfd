"""GRPO and RLOO: reward and held-out accuracy rise.

    PYTHONPATH=bench python -m training.grpo

A warm model sorts letters right in somewhat less than half of its samples. The policy gradient sees 12
problems of 8 samples a step; the reward is the exact check. Held-out words are in neither split that the
model learned from.
"""

from collections.abc import Sequence
from pathlib import Path

from gadfly.train.fit import Training
from gadfly.train.objectives.policy_gradient import PolicyGradient
from gadfly.train.online import Estimate, OnPolicy
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
    opening,
    place,
    table,
    timed_fit,
    write_page,
)
from training.world import (
    answer_of,
    greedy_rights,
    learner_of,
    make_world,
    right_chances,
    sampler_of,
    warmed_up,
)

ESTIMATES: dict[str, Estimate] = {"GRPO": "grpo", "RLOO": "rloo"}
SAMPLED, GREEDY = "sampled answers right", "greedy answers right"


def run(out: Path, *, seed: int = 0, steps: int = 40, arm: str = "GRPO", rate: float = 2e-4) -> Outcome:
    """One training, from the same warm model for every arm of a seed."""
    world = make_world(seed=seed)
    learner = learner_of(warmed_up(world, out, competence=0.5), seed=seed)
    questions = [(one.text, answer_of(one)) for one in world.held_out]
    sampled, greedy = right_chances(learner, world.held_out), greedy_rights(learner, questions)
    plan = Plan(steps=steps, batch=12, rate=rate, warmup=0.0, save_every=steps, seed=seed)
    sampler = sampler_of(learner, world.train, samples=8, plan=plan)
    training = Training(
        learner=learner,
        objective=PolicyGradient(),
        batches=OnPolicy(sampler=sampler, reward="exact", estimate=ESTIMATES[arm]),
        plan=plan,
        steps=steps,
        request={"arm": arm, "seed": seed, "steps": steps, "rate": rate},
    )
    folder = place(out, arm, seed)
    spent = timed_fit(training, folder)
    return Outcome(
        arm=arm,
        seed=seed,
        steps=steps,
        seconds=spent,
        tracks={
            SAMPLED: Track(before=tuple(sampled), after=tuple(right_chances(learner, world.held_out))),
            GREEDY: Track(before=tuple(greedy), after=tuple(greedy_rights(learner, questions))),
        },
        folder=str(folder),
    )


ABOUT = """GRPO (arXiv:2402.03300) and RLOO (arXiv:2402.14740) on about a million weights: 12 problems of 8
samples a step, one gradient step a batch, no KL penalty, the exact check as the reward. Held-out words, in
nobody's training. *Sampled* is the exact probability of the right answer at temperature 1."""


def page(outcomes: Sequence[Outcome]) -> list[str]:
    """What the page says."""
    claims = [
        claim(f"with {arm} more {name}", change_of(ones, name).change, rises=True)
        for arm, ones in by_arm(outcomes).items()
        for name in (SAMPLED, GREEDY)
    ]
    return [
        *opening("grpo", "GRPO and RLOO on the small model", ABOUT),
        *table(outcomes, (SAMPLED, GREEDY)),
        "",
        "What the papers say, and what is seen:",
        "",
        *claims,
        "",
        cost(outcomes),
    ]


def main() -> None:
    """Run every arm on every seed, and write the page."""
    given = asked(__doc__)
    outcomes = every(given, ESTIMATES, lambda arm, seed: run(given.work, seed=seed, arm=arm))
    draw(outcomes, ("reward", "flat_groups"), given.out / "grpo.png", "Policy gradients: worth of samples")
    write_page(given.out / "grpo.md", page(outcomes))


if __name__ == "__main__":
    main()
