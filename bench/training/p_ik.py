"""P(IK): from its own marked answers a model learns to say beforehand which questions it will answer.

cd bench && python -m training.p_ik --out ../docs/results/training
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

import torch

from gadfly.records import Problem
from gadfly.train.fit import examples_of
from gadfly.train.learner import Learner
from gadfly.train.objectives.p_ik import KnowsAnswer, gathered
from gadfly.train.plan import Plan
from training.looking import Arm, Panel, draw_seen, fell, rose, seeds_where, trained
from training.outcome import Outcome, cost, table, write_page
from training.outcome import asked as command
from training.samples import Answers, asked, drawn, labelled
from training.world import Task, learner_of, make_world, warmed_up

EACH = 8
TASKS: tuple[Task, ...] = ("sort", "back")
RANKED = "AUROC: a right answer's question above a wrong one's"
ERROR, CONSTANT = "squared error of single answers", "squared error of a constant"
GAP = "calibration error, ten bins"


def run(out: Path, *, seed: int = 0, steps: int = 60) -> Outcome:
    """One training."""
    world = make_world(TASKS, train=900, held_out=300, seed=seed)
    learner = learner_of(warmed_up(world, out, competence=0.6), seed=seed, head=True)
    objective, plan = KnowsAnswer(), Plan(steps=steps, batch=64, rate=3e-4, save_every=steps, seed=seed)
    rows = labelled(drawn(learner, world.train, each=EACH, seed=seed))
    kept = gathered(examples_of(rows, objective, learner.policy.codec, plan).kept)
    tried = drawn(learner, world.held_out, each=EACH, seed=seed + 1)
    mean = sum(one.right for one in kept) / sum(one.samples for one in kept)

    def look() -> Mapping[str, tuple[float, ...]]:
        said = beliefs(learner, [one.problem for one in tried])
        found: dict[str, tuple[float, ...]] = {
            RANKED: (auroc(said, tried),),
            ERROR: tuple(brier(said, tried)),
            CONSTANT: tuple(brier([mean] * len(tried), tried)),
            GAP: (calibration(said, tried),),
        }
        for task in TASKS:
            found[within(task)] = (auroc(*of_task(said, tried, task)),)
        return found

    return trained(learner, objective, kept, plan, look=look, arm=Arm(name="P(IK)", seed=seed, out=out))


def within(task: str) -> str:
    """The name of AUROC among the questions of one task."""
    return f"AUROC within {task!r}"


@torch.no_grad()
def beliefs(learner: Learner, problems: list[Problem]) -> list[float]:
    """What the head says of problems, as probabilities."""
    learner.policy.loaded.model.eval()
    rows = [learner.policy.codec.asked(asked(one)) for one in problems]
    said = learner.policy.rewards([row for row in rows if row is not None]).sigmoid()
    return [float(one) for one in said]


def auroc(said: list[float], tried: list[Answers]) -> float:
    """How often a right answer's question has the higher belief than a wrong answer's, ties half."""
    pairs = [(belief, right) for belief, one in zip(said, tried, strict=True) for right in one.right]
    right, wrong = ([belief for belief, label in pairs if label is wanted] for wanted in (True, False))
    above = torch.tensor(right)[:, None] - torch.tensor(wrong)[None]
    return float(((above > 0).float() + 0.5 * (above == 0).float()).mean())


def brier(said: list[float], tried: list[Answers]) -> list[float]:
    """The mean squared error over the answers of each question."""
    return [
        fmean((belief - right) ** 2 for right in one.right) for belief, one in zip(said, tried, strict=True)
    ]


def calibration(said: list[float], tried: list[Answers], bins: int = 10) -> float:
    """Expected calibration error, in bins of equal width."""
    filled: dict[int, list[tuple[float, float]]] = {}
    for belief, one in zip(said, tried, strict=True):
        filled.setdefault(min(bins - 1, int(belief * bins)), []).append((belief, fmean(one.right)))
    gaps = [abs(sum(belief - share for belief, share in inside)) for inside in filled.values()]
    return sum(gaps) / len(said)


def of_task(said: list[float], tried: list[Answers], task: str) -> tuple[list[float], list[Answers]]:
    """The beliefs and answers of one task."""
    places = [place for place, one in enumerate(tried) if one.problem.metadata["family"] == task]
    return [said[place] for place in places], [tried[place] for place in places]


def page(outcomes: Sequence[Outcome]) -> list[str]:
    """What the page says."""
    tasks = ", ".join(
        f"{seeds_where(outcomes, rose(within(task), by=0.05))} within {task!r}" for task in TASKS
    )
    beaten = seeds_where(
        outcomes, lambda one: fmean(one.tracks[ERROR].after) < fmean(one.tracks[CONSTANT].after)
    )
    return [
        "# P(IK) on the small model",
        "",
        "Paper: a head trained on the model's own marked answers predicts before any answer whether the "
        "model will be "
        "right, and is calibrated on questions of the same kind (Kadavath et al. 2022, arXiv:2207.05221).",
        "",
        "Here: on held-out questions AUROC rose by more than 0.05 in "
        f"{seeds_where(outcomes, rose(RANKED, by=0.05))} "
        f"({tasks}); squared error came below that of a constant, the share of right answers in training, in "
        f"{beaten}; the calibration error fell in {seeds_where(outcomes, fell(GAP))}.",
        "",
        "![held out](p_ik.png)",
        "",
        *table(outcomes, (RANKED, *(within(task) for task in TASKS), ERROR, CONSTANT, GAP)),
        "",
        f"A warm model sorts four letters or writes them backwards; it answers each question {EACH} times "
        "at temperature "
        "1 and an exact checker marks the answers. Above 0.5 within a task, the head knows more than which "
        "task "
        "it is. AUROC and calibration error are one number a seed, so their n counts seeds.",
        "",
        cost(outcomes),
        "",
        "```console norun",
        "$ cd bench && python -m training.p_ik --out ../docs/results/training",
        "```",
    ]


def main() -> None:
    """Run every seed, and write the page."""
    given = command(__doc__)
    outcomes = [run(given.work, seed=seed) for seed in given.seeds]
    panels = (
        Panel(title="AUROC, held out", arm="P(IK)", names=(RANKED, *(within(task) for task in TASKS))),
        Panel(title="errors, held out", arm="P(IK)", names=(ERROR, CONSTANT, GAP)),
    )
    draw_seen(outcomes, panels, given.out / "p_ik.png")
    write_page(given.out / "p_ik.md", page(outcomes))


if __name__ == "__main__":
    main()
