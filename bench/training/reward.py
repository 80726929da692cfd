"""A reward model from pairs: it ranks held-out pairs, and picks better answers than chance.

    cd bench && python -m training.reward --out ../docs/results/training

The head stands on a warm model and learns from pairs of a right answer and one of the model's own wrong ones.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from gadfly.train.fit import examples_of
from gadfly.train.objectives.reward import RewardPairs
from gadfly.train.plan import Plan
from training.looking import Arm, Panel, draw_seen, rose, seeds_where, trained
from training.outcome import Outcome, asked, cost, table, write_page
from training.samples import drawn, numbers, pairs
from training.world import learner_of, make_world, warmed_up

EACH = 4
RANKED, LEAD = "held-out pairs ranked right", "number of the right answer less the wrong one's"
BEST = f"best of {EACH} samples is right (before: the first of them)"


def run(out: Path, *, seed: int = 0, steps: int = 50) -> Outcome:
    """One training."""
    world = make_world(train=900, held_out=250, seed=seed)
    learner = learner_of(warmed_up(world, out, competence=0.7), seed=seed, head=True)
    tried = drawn(learner, world.held_out, each=EACH, seed=seed + 1)
    apart = pairs(tried)
    of_text = {one.problem.text: one.problem for one in tried}
    problems = [of_text[row.prompt[0].content] for row in apart]

    def look() -> Mapping[str, tuple[float, ...]]:
        chosen = numbers(learner, problems, [row.chosen[0].content for row in apart])
        rejected = numbers(learner, problems, [row.rejected[0].content for row in apart])
        leads = [better - worse for better, worse in zip(chosen, rejected, strict=True)]
        marks = numbers(
            learner,
            [one.problem for one in tried for _ in one.texts],
            [text for one in tried for text in one.texts],
        )
        best = [
            float(one.right[max(range(EACH), key=marks[place * EACH : (place + 1) * EACH].__getitem__)])
            for place, one in enumerate(tried)
        ]
        ranked = tuple((lead > 0) + 0.5 * (lead == 0) for lead in leads)
        return {RANKED: ranked, LEAD: tuple(leads), BEST: tuple(best)}

    plan = Plan(steps=steps, batch=32, rate=5e-4, save_every=steps, seed=seed)
    rows = pairs(drawn(learner, world.train, each=2, seed=seed))
    kept = examples_of(rows, RewardPairs(), learner.policy.codec, plan).kept
    return trained(learner, RewardPairs(), kept, plan, look=look, arm=Arm(name="reward", seed=seed, out=out))


def page(outcomes: Sequence[Outcome]) -> list[str]:
    """What the page says."""
    return [
        "# A reward model from pairs, on the small model",
        "",
        "Papers: trained by the Bradley-Terry likelihood, a head on a language model ranks held-out pairs "
        "as their "
        "labels do (Ouyang et al. 2022, arXiv:2203.02155), and the best of several answers by its number "
        "is better "
        "than one of them (Stiennon et al. 2020, arXiv:2009.01325).",
        "",
        f"Here: ranking of held-out pairs rose in {seeds_where(outcomes, rose(RANKED, by=0.05))}; the best "
        f"of {EACH} "
        f"was right more often than the first in {seeds_where(outcomes, rose(BEST))}.",
        "",
        "![held out](reward.png)",
        "",
        *table(outcomes, (RANKED, LEAD, BEST)),
        "",
        "The wrong side of a pair is one of the model's own samples for a word that no training saw, the "
        "right side "
        "the right answer. Ties count half: before training the head says 0 of everything.",
        "",
        cost(outcomes),
        "",
        "```console norun",
        "$ cd bench && python -m training.reward --out ../docs/results/training",
        "```",
    ]


def main() -> None:
    """Run every seed, and write the page."""
    given = asked(__doc__)
    outcomes = [run(given.work, seed=seed) for seed in given.seeds]
    panels = (
        Panel(title="held out", arm="reward", names=(RANKED, BEST)),
        Panel(title="held out", arm="reward", names=(LEAD,)),
    )
    draw_seen(outcomes, panels, given.out / "reward.png")
    write_page(given.out / "reward.md", page(outcomes))


if __name__ == "__main__":
    main()
