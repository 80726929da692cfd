"""CUT: fillers that judgements find fault with become unlikely, the letters after them hold.

    cd bench && python -m training.cut --out ../docs/results/training

A warm model begins half of its answers with a filler ("um abcd"), and has learned to answer under a judgement
beside the problem ("No um.", "Fine."). CUT learns from its own answers with a rule's judgements.
"""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

import torch

from gadfly.prompts import Prompt
from gadfly.records import Problem
from gadfly.train.fit import Training, examples_of, fit
from gadfly.train.folder import MODEL
from gadfly.train.learner import Learner
from gadfly.train.objectives.cut import Judgements
from gadfly.train.objectives.supervised import Supervised
from gadfly.train.plan import Plan
from gadfly.train.reading import as_row
from gadfly.train.rows import AnyRow, JudgedRow, Turn
from training.looking import Arm, Panel, draw_seen, fell, rose, seeds_where, trained
from training.outcome import Outcome, cost, table, write_page
from training.outcome import asked as command
from training.samples import answered, asked, drawn, letter_chances
from training.world import World, answer_of, learner_of, make_world, right_chances, warmed_up

FILLERS = ("um", "oh", "so")
FINE = "Fine."
ASKED = Prompt(name="bench/cut", user="{{ problem }}\n{{ judgement }}")
ARMS = {
    "cut": Judgements(asked=ASKED),
    "likelihood alone": Judgements(asked=ASKED, alpha=0.0),
}
"""The second drops the unlikelihood: marked tokens are neither learned nor unlearned."""
BAD, REST, RIGHT = (
    "chance that an answer begins with a filler",
    "chance of the right letters after a filler",
    "sampled answers right and without a filler",
)


def run(out: Path, *, seed: int = 0, steps: int = 40, arm: str = "cut") -> Outcome:
    """One training."""
    world = make_world(train=900, held_out=250, seed=seed)
    learner = learner_of(filling(world, out), seed=seed)
    rows = [judged(one.problem, text) for one in drawn(learner, world.train, seed=seed) for text in one.texts]
    plan = Plan(steps=steps, batch=64, rate=2e-4, save_every=steps, seed=seed)
    kept = examples_of(rows, ARMS[arm], learner.policy.codec, plan).kept
    return trained(
        learner,
        ARMS[arm],
        kept,
        plan,
        look=lambda: seen(learner, world),
        arm=Arm(name=arm, seed=seed, out=out),
    )


def filling(world: World, folder: Path, *, steps: int = 60) -> Path:
    """The warm model, with its habit of fillers and an ear for judgements; made once."""
    out = folder / f"filling-{world.seed}-{len(world.held_out)}-{steps}"
    if (out / MODEL / "config.json").exists():
        return out / MODEL
    learner = learner_of(warmed_up(world, folder, competence=0.7), seed=world.seed)
    dice, rows = random.Random(f"fillers/{world.seed}"), list[AnyRow]()
    for one in world.warm:
        filler = dice.choice(FILLERS)
        said = f"{filler} {answer_of(one)}" if dice.random() < 0.5 else answer_of(one)
        rows.append(as_row({"prompt": one.text, "completion": said}))
        judgement = f"No {filler}." if said.startswith(filler) else FINE
        rows.append(as_row({"prompt": f"{one.text}\n{judgement}", "completion": said}))
    plan = Plan(steps=steps, batch=64, rate=1e-3, save_every=steps, seed=world.seed)
    training = Training(
        learner=learner,
        objective=Supervised(),
        batches=examples_of(rows, Supervised(), learner.policy.codec, plan),
        plan=plan,
        steps=steps,
        request={"fillers": list(FILLERS), "seed": world.seed},
    )
    fit(training, out)
    learner.save_merged(out / MODEL)
    return out / MODEL


def judged(problem: Problem, text: str) -> JudgedRow:
    """An answer with what the rule says of it; whether its letters are right is not looked at."""
    filler = next((one for one in FILLERS if text.startswith(one)), None)
    return JudgedRow(
        prompt=asked(problem),
        completion=answered(text),
        judgement=Turn(role="assistant", content=f"No {filler}." if filler else FINE, author="rule"),
        satisfactory=filler is None,
    )


@torch.no_grad()
def seen(learner: Learner, world: World) -> Mapping[str, tuple[float, ...]]:
    """On held-out problems, under the plain prompt."""
    problems = world.held_out
    firsts = [letter_chances(learner, problems, [one] * len(problems)) for one in FILLERS]
    after = letter_chances(learner, problems, [f"{FILLERS[0]} {answer_of(one)}" for one in problems])
    return {
        BAD: tuple(sum(chances[0] for chances in by_filler) for by_filler in zip(*firsts, strict=True)),
        REST: tuple(fmean(chances[len(FILLERS[0]) + 1 :]) for chances in after),
        RIGHT: tuple(right_chances(learner, problems)),
    }


def page(outcomes: Sequence[Outcome]) -> list[str]:
    """What the page says."""
    ones = [one for one in outcomes if one.arm == "cut"]
    return [
        "# CUT on the small model",
        "",
        "Paper: tokens that a judgement makes likelier are what it finds fault with; made unlikely, while "
        "the rest "
        "is learned, the fault goes and the rest stays (Xu et al. 2023, arXiv:2312.14591).",
        "",
        f"Here: on held-out problems the chance of a filler fell in {seeds_where(ones, fell(BAD))}; the "
        "letters "
        f"after one held or rose (by more than -0.05) in {seeds_where(ones, rose(REST, by=-0.05))}.",
        "",
        "![held out](cut.png)",
        "",
        *table(outcomes, (BAD, REST, RIGHT)),
        "",
        "A warm model that sorts four letters begins half of its answers with one of three fillers; it "
        "answers each "
        'training problem once and a rule judges ("No um.", "Fine."), whatever the letters. Threshold 1.1, '
        "alpha 1 "
        'and gamma 1 as in the paper\'s grid. "likelihood alone" has alpha 0: the marked tokens are left '
        "out, so "
        "what it changes is due to satisfactory answers being learned.",
        "",
        cost(outcomes),
        "",
        "```console norun",
        "$ cd bench && python -m training.cut --out ../docs/results/training",
        "```",
    ]


def main() -> None:
    """Run every arm on every seed, and write the page."""
    given = command(__doc__)
    outcomes = [run(given.work, seed=seed, arm=arm) for arm in ARMS for seed in given.seeds]
    panels = [Panel(title=f"{arm}, held out", arm=arm, names=(BAD, REST, RIGHT)) for arm in ARMS]
    draw_seen(outcomes, panels, given.out / "cut.png")
    write_page(given.out / "cut.md", page(outcomes))


if __name__ == "__main__":
    main()
