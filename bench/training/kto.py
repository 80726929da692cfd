"""KTO on a model's own marked answers: implied rewards part, and what becomes of accuracy.

cd bench && python -m training.kto --out ../docs/results/training
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

import torch

from gadfly.train.fit import examples_of
from gadfly.train.objectives.kto import UnpairedAnswers
from gadfly.train.plan import Plan
from training.looking import Arm, Panel, draw_seen, fell, rose, seeds_where, trained
from training.outcome import Outcome, asked, cost, table, write_page
from training.samples import drawn, labelled
from training.world import answer_of, greedy_rights, learner_of, make_world, right_chances, warmed_up

BETA = 0.5
RIGHT, WRONG = "implied reward of right answers", "implied reward of wrong answers"
SAMPLED, GREEDY = "sampled answers right", "greedy answers right"


def run(out: Path, *, seed: int = 0, steps: int = 50) -> Outcome:
    """One training."""
    world = make_world(train=900, held_out=250, seed=seed)
    learner = learner_of(warmed_up(world, out, competence=0.7), seed=seed, reference=True)
    rows = labelled(drawn(learner, world.train, each=2, seed=seed))
    good = fmean(row.label for row in rows)
    # lambda_D n_D / (lambda_U n_U) = 4/3, the upper end of what the paper asks for.
    objective = UnpairedAnswers(beta=BETA, desirable_weight=4 / 3 * (1 - good) / good)
    plan = Plan(steps=steps, batch=64, rate=1e-4, save_every=steps, seed=seed)
    apart = labelled(drawn(learner, world.held_out, each=2, seed=seed + 1))
    kept = examples_of(apart, objective, learner.policy.codec, plan).kept
    questions = [(one.text, answer_of(one)) for one in world.held_out]

    @torch.no_grad()
    def look() -> Mapping[str, tuple[float, ...]]:
        held = [one.row for one in kept]
        here = learner.policy.logprobs(held).sums.logprobs
        there = learner.policy.reference_logprobs(held).sums.logprobs
        gains = [BETA * float(ratio) for ratio in here - there]
        by_label = {
            label: tuple(gain for gain, one in zip(gains, kept, strict=True) if one.label is label)
            for label in (True, False)
        }
        return {
            RIGHT: by_label[True],
            WRONG: by_label[False],
            SAMPLED: tuple(right_chances(learner, world.held_out)),
            GREEDY: tuple(float(one) for one in greedy_rights(learner, questions)),
        }

    examples = examples_of(rows, objective, learner.policy.codec, plan).kept
    return trained(learner, objective, examples, plan, look=look, arm=Arm(name="kto", seed=seed, out=out))


def parted(one: Outcome) -> bool:
    """Whether right answers gained more than wrong ones."""
    return fmean(one.tracks[RIGHT].after) > fmean(one.tracks[WRONG].after)


def page(outcomes: Sequence[Outcome]) -> list[str]:
    """What the page says."""
    return [
        "# KTO on the small model",
        "",
        "Paper: from a mark on each answer alone, without pairs, the implied reward of good answers rises "
        "against "
        "that of bad ones and the model becomes better (Ethayarajh et al. 2024, arXiv:2402.01306).",
        "",
        f"Here: the implied reward of held-out right answers came to stand above that of wrong ones in "
        f"{seeds_where(outcomes, parted)}; wrong answers became less likely in "
        f"{seeds_where(outcomes, fell(WRONG))}, "
        f"right ones likelier in {seeds_where(outcomes, rose(RIGHT))}; sampled answers became right more "
        "often in "
        f"{seeds_where(outcomes, rose(SAMPLED))}, greedy ones in {seeds_where(outcomes, rose(GREEDY))}.",
        "",
        "![held out](kto.png)",
        "",
        *table(outcomes, (RIGHT, WRONG, SAMPLED, GREEDY)),
        "",
        "A warm model answers each training problem twice and an exact checker marks the answers. Implied "
        "reward: beta "
        f"({BETA}) times the log-ratio to the model before. Weights balance the labels at 4 to 3, as the "
        "paper asks.",
        "",
        cost(outcomes),
        "",
        "```console norun",
        "$ cd bench && python -m training.kto --out ../docs/results/training",
        "```",
    ]


def main() -> None:
    """Run every seed, and write the page."""
    given = asked(__doc__)
    outcomes = [run(given.work, seed=seed) for seed in given.seeds]
    panels = (
        Panel(title="held out", arm="kto", names=(RIGHT, WRONG)),
        Panel(title="held out", arm="kto", names=(SAMPLED, GREEDY)),
    )
    draw_seen(outcomes, panels, given.out / "kto.png")
    write_page(given.out / "kto.md", page(outcomes))


if __name__ == "__main__":
    main()
