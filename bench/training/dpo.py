"""DPO, IPO and SimPO: margins and the ranking of held-out pairs rise; what becomes of the answers.

    PYTHONPATH=bench python -m training.dpo

A warm model answers each problem several times; a right and a wrong answer of its own to one problem are a
pair. Held-out pairs are of words that neither split has.
"""

from collections.abc import Sequence
from pathlib import Path

import torch

from gadfly.train.fit import Training, examples_of
from gadfly.train.learner import Learner
from gadfly.train.objectives.preference import Pair, PreferencePairs
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
    own_pairs,
    right_chances,
    warmed_up,
)

ARMS = {
    "dpo": PreferencePairs(loss_type="dpo", beta=0.1),
    "ipo": PreferencePairs(loss_type="ipo", beta=0.1),
    "simpo": PreferencePairs(loss_type="simpo", beta=2.0, gamma=1.0),
}
PROBLEMS = 600
"""Of those the pairs that are learned from are made."""
RANKED, LEAD = "held-out pairs ranked right", "log-probability lead of the right answer"
SAMPLED, GREEDY = "sampled answers right", "greedy answers right"


def run(out: Path, *, seed: int = 0, steps: int = 50, arm: str = "dpo", rate: float = 1e-4) -> Outcome:
    """One training, from the same warm model and the same pairs for every arm of a seed."""
    world = make_world(seed=seed)
    objective = ARMS[arm]
    learner = learner_of(
        warmed_up(world, out, competence=0.5), seed=seed, reference=objective.needs_reference
    )
    codec = learner.policy.codec
    plan = Plan(steps=steps, batch=32, rate=rate, save_every=steps, seed=seed)
    examples = examples_of(own_pairs(learner, world.train[:PROBLEMS]), objective, codec, plan)
    held_out = examples_of(own_pairs(learner, world.held_out), objective, codec, plan).kept
    questions = [(one.text, answer_of(one)) for one in world.held_out]

    def seen() -> dict[str, tuple[float, ...]]:
        found = leads(learner, held_out)
        return {
            RANKED: tuple(float(lead > 0) for lead in found),
            LEAD: tuple(found),
            SAMPLED: tuple(right_chances(learner, world.held_out)),
            GREEDY: tuple(float(one) for one in greedy_rights(learner, questions)),
        }

    before = seen()
    training = Training(
        learner=learner,
        objective=objective,
        batches=examples,
        plan=plan,
        steps=steps,
        request={"arm": arm, "seed": seed, "steps": steps, "rate": rate},
        rows=len(examples.kept),
    )
    folder = place(out, arm, seed)
    spent = timed_fit(training, folder)
    after = seen()
    return Outcome(
        arm=arm,
        seed=seed,
        steps=steps,
        seconds=spent,
        tracks={name: Track(before=before[name], after=after[name]) for name in before},
        folder=str(folder),
    )


@torch.no_grad()
def leads(learner: Learner, pairs: Sequence[Pair]) -> list[float]:
    """By how much the right answer of each pair is likelier than the wrong one, in nats."""
    found: list[float] = []
    for start in range(0, len(pairs), 64):
        part = pairs[start : start + 64]
        chosen, rejected = (
            learner.policy.logprobs([getattr(one, side) for one in part]).sums.logprobs
            for side in ("chosen", "rejected")
        )
        found += [float(one) for one in chosen - rejected]
    return found


ABOUT = """DPO (arXiv:2305.18290, beta 0.1), IPO (arXiv:2310.12036, tau 0.1, per token) and SimPO
(arXiv:2405.14734, beta 2, gamma 1) on about a million weights. A pair is a right and a wrong answer that the
model itself gave to one problem; held-out pairs and problems are of words in nobody's training. A pair is
ranked right where the right answer is the likelier one; its lead is in nats. *Sampled* is the exact
probability of the right answer at temperature 1."""
CLAIMS = (LEAD, RANKED, GREEDY, SAMPLED)


def page(outcomes: Sequence[Outcome]) -> list[str]:
    """What the page says."""
    claims = [
        claim(f"with {arm} more {name}", change_of(ones, name).change, rises=True)
        for arm, ones in by_arm(outcomes).items()
        for name in CLAIMS
    ]
    return [
        *opening("dpo", "DPO, IPO and SimPO on the small model", ABOUT),
        *table(outcomes, CLAIMS),
        "",
        "What the papers say (of margins and ranking; answers are what one hopes for), and what is seen:",
        "",
        *claims,
        "",
        "The chosen answers themselves become no likelier, and less likely for a while (see the picture): "
        "what grows is the lead. DPO and IPO nearly coincide: far from their targets both weigh all pairs "
        "almost alike, and the gradient is clipped to one norm.",
        "",
        cost(outcomes),
    ]


def main() -> None:
    """Run every arm on every seed, and write the page."""
    given = asked(__doc__)
    outcomes = every(given, ARMS, lambda arm, seed: run(given.work, seed=seed, arm=arm))
    draw(
        outcomes,
        ("accuracy", "margin", "chosen_logprob", "rejected_logprob"),
        given.out / "dpo.png",
        "Preference optimisation: the pairs that are learned from",
    )
    write_page(given.out / "dpo.md", page(outcomes))


if __name__ == "__main__":
    main()
