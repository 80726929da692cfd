"""Feedback in front: under the good words answers are right more often than under the bad ones.

    cd bench && python -m training.leti --out ../docs/results/training

LeTI learns from a warm model's own answers with an exact checker's judgements after them; chain of hindsight
from pairs of a right answer and a wrong one of the model's own.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from gadfly.metrics.intervals import paired_difference
from gadfly.records import Problem
from gadfly.train.conditioned import chain_of_hindsight, controlled, leti
from gadfly.train.fit import examples_of
from gadfly.train.learner import Learner
from gadfly.train.objectives.supervised import Supervised
from gadfly.train.plan import Plan
from gadfly.train.rows import AnyRow
from training.looking import Arm, Panel, draw_seen, rose, seeds_where, trained
from training.outcome import Outcome, asked, cost, table, write_page
from training.samples import Answers, drawn, judged_row, mistaken, pairs
from training.world import World, answer_of, greedy_rights, learner_of, make_world, right_chances, warmed_up

GOOD, BAD, ASK = "good", "bad", "How was it?"
SAMPLED = {words: f"sampled answers right, under {words!r}" for words in (GOOD, BAD)}
GREEDY = {words: f"greedy answers right, under {words!r}" for words in (GOOD, BAD)}
PLAIN = "greedy answers right (before: without words; after: under 'good')"


def _leti(answers: Sequence[Answers]) -> Sequence[AnyRow]:
    return [*leti(map(judged_row, mistaken(answers)), good=GOOD, bad=BAD, ask=ASK)]


def _hindsight(answers: Sequence[Answers]) -> Sequence[AnyRow]:
    return [*chain_of_hindsight(pairs(answers), good=GOOD, bad=BAD)]


ARMS: Mapping[str, Callable[[Sequence[Answers]], Sequence[AnyRow]]] = {
    "LeTI": _leti,
    "hindsight": _hindsight,
}


def run(out: Path, *, seed: int = 0, steps: int = 50, arm: str = "LeTI") -> Outcome:
    """One training."""
    world = make_world(train=900, held_out=250, seed=seed)
    learner = learner_of(warmed_up(world, out, competence=0.7), seed=seed)
    rows = ARMS[arm](drawn(learner, world.train, each=2, seed=seed))
    plan = Plan(steps=steps, batch=64, rate=3e-4, save_every=steps, seed=seed)
    objective = Supervised(learn="all")
    kept = examples_of(rows, objective, learner.policy.codec, plan).kept
    before = _greedy(learner, world.held_out)
    found = trained(
        learner,
        objective,
        kept,
        plan,
        look=lambda: _seen(learner, world),
        arm=Arm(name=arm, seed=seed, out=out),
    )
    after = found.tracks[GREEDY[GOOD]].after
    track = found.tracks[GREEDY[GOOD]].model_copy(update={"before": before, "after": after})
    return found.model_copy(update={"tracks": {**found.tracks, PLAIN: track}})


def _seen(learner: Learner, world: World) -> Mapping[str, tuple[float, ...]]:
    found: dict[str, tuple[float, ...]] = {}
    for words in (GOOD, BAD):
        problems = [controlled(one, words) for one in world.held_out]
        found[SAMPLED[words]] = tuple(right_chances(learner, problems))
        found[GREEDY[words]] = _greedy(learner, problems)
    return found


def _greedy(learner: Learner, problems: Sequence[Problem]) -> tuple[float, ...]:
    return tuple(
        float(one) for one in greedy_rights(learner, [(one.text, answer_of(one)) for one in problems])
    )


def apart(one: Outcome) -> bool:
    """Whether sampled answers under the good words are right more often than under the bad ones."""
    return fmean(one.tracks[SAMPLED[GOOD]].after) > fmean(one.tracks[SAMPLED[BAD]].after)


def page(outcomes: Sequence[Outcome]) -> list[str]:
    """What the page says."""
    lines = [
        "# Feedback in front of the problem: LeTI and chain of hindsight on the small model",
        "",
        "Papers: a model trained on its own answers under a word for good or bad, with the feedback after "
        "them (LeTI, "
        "Wang et al. 2023, arXiv:2305.10314), or on worse and better answers in one sequence under words "
        "that say "
        "which (chain of hindsight, Liu et al. 2023, arXiv:2302.02676), answers better under the good words.",
        "",
    ]
    for arm in ARMS:
        ones = [one for one in outcomes if one.arm == arm]
        gap = paired_difference(
            *([value for one in ones for value in one.tracks[SAMPLED[words]].after] for words in (GOOD, BAD))
        )
        lines += [
            f"{arm}: under the good words sampled answers are right more often than under the bad ones in "
            f"{seeds_where(ones, apart)}, by {gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]; greedy "
            "answers under the "
            f"good words are right more often than before training in {seeds_where(ones, rose(PLAIN))}.",
            "",
        ]
    return [
        *lines,
        "![held out](leti.png)",
        "",
        *table(outcomes, (*SAMPLED.values(), *GREEDY.values(), PLAIN)),
        "",
        "Before training the words in front mean nothing to the model, and it does badly under either; so "
        "the rise of "
        "both is mostly that of getting used to them. What counts is the gap, and the last row of each arm. "
        "LeTI learns from the model's own answers alone; the right side of a hindsight pair comes from the "
        "checker, so "
        "its gain is partly that of learning right answers.",
        "",
        cost(outcomes),
        "",
        "```console norun",
        "$ cd bench && python -m training.leti --out ../docs/results/training",
        "```",
    ]


def main() -> None:
    """Run every arm on every seed, and write the page."""
    given = asked(__doc__)
    outcomes = [run(given.work, seed=seed, arm=arm) for arm in ARMS for seed in given.seeds]
    panels = [
        Panel(title=f"{arm}, held out", arm=arm, names=(*SAMPLED.values(), *GREEDY.values())) for arm in ARMS
    ]
    draw_seen(outcomes, panels, given.out / "leti.png")
    write_page(given.out / "leti.md", page(outcomes))


if __name__ == "__main__":
    main()
