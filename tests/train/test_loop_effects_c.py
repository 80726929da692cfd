"""What loops of self-training come to on the small world, beside themselves without what their papers add.

Words and mistakes are the small world's. The warm model was also taught what follows a hint: the beginning of
the answer leads to the rest of it most of the time, the answer nearly always.
"""
# ruff: noqa: E402

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.slow

from support.loop_worlds import TRAINER, Played, improved
from training.world import (
    LETTERS,
    SAMPLING,
    World,
    answer_of,
    greedy_share,
    learner_of,
    make_world,
    mistaken,
    sampled_share,
    taught_rows,
)

from gadfly.prompts import Prompt
from gadfly.recipes.improve.guided_self_improvement import GuidedSelfImprovement
from gadfly.recipes.improve.star import Star
from gadfly.records import Problem
from gadfly.train.objectives.supervised import Supervised
from gadfly.train.plan import Plan
from gadfly.train.reading import as_row, read_rows
from gadfly.train.rows import AnyRow, PromptCompletion
from gadfly.train.tiny import write_tiny

HINTED = Prompt(name="small-world/hinted", user="{{ problem }}\nHint: {{ hint }}")
FOLLOWED = 0.7
"""How often the beginning of the answer, as a hint, leads to the rest of it."""
SFT = Plan(epochs=2, batch=32, rate=5e-4, save_every=1000)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("warm")


def taught(rows: Sequence[AnyRow], place: Path, *, steps: int, seed: int = 0) -> Path:
    """Random weights that have learned some rows."""
    plan = Plan(
        steps=steps, batch=32, rate=1.5e-3, schedule="linear", warmup=0.1, save_every=steps, seed=seed
    )
    tiny = write_tiny(place / "tiny", seed=seed)
    return Path(TRAINER.learn(str(tiny), rows, Supervised(), plan, place / "taught").weights.start)


def hard(problem: Problem) -> bool:
    """Whether it is of the words that the warm model mostly gets wrong."""
    return problem.text.split()[-1][0] in LETTERS[: len(LETTERS) // 2]


def hint_rows(problems: Sequence[Problem], *, seed: int = 0) -> list[AnyRow]:
    """For the warm-up: what follows a hint."""
    dice = random.Random(f"hints/{seed}")
    rows: list[AnyRow] = []
    for one in problems:
        right = answer_of(one)
        for hint, chance in ((f"It begins: {right[:2]}", FOLLOWED), (right, 0.95)):
            said = right if dice.random() < chance else mistaken(one).answer
            rows.append(as_row({"prompt": f"{one.text}\nHint: {hint}", "completion": said}))
    return rows


@pytest.fixture(scope="module")
def hinted(world: World, place: Path) -> Path:
    """A model that mostly makes the common mistake, and takes hints up."""
    rows = taught_rows(world.warm, competence=0.3)
    return taught([*rows, *rows, *hint_rows(world.warm)], place, steps=200)


def share(weights: Path, problems: Sequence[Problem]) -> float:
    return greedy_share(learner_of(weights), problems)


def covered(done: Played) -> float:
    """Of the hard words of the first round, the share that its rows teach."""
    now = done.rounds[0]
    told = [row for row in read_rows(now.path / "right.jsonl") if isinstance(row, PromptCompletion)]
    learned = {row.prompt[-1].content for row in told}
    asked = [problem.text for problem in now.problems if hard(problem)]
    return sum(text in learned for text in asked) / len(asked)


def test_star_learns_more_with_rationalisation_than_from_its_own_solutions_alone(
    world: World, hinted: Path, tmp_path: Path
) -> None:
    greedy = SAMPLING.model_copy(update={"temperature": 0.0})
    loop = Star(hinted=HINTED, plan=SFT, sampling=greedy)
    shares = {
        arm: share(improved(star, hinted, world.train[:200], world, tmp_path / arm).weights, world.held_out)
        for arm, star in {"star": loop, "plain": replace(loop, rationalise=False)}.items()
    }
    base = share(hinted, world.held_out)
    print("STaR", base, shares)
    assert shares["plain"] > base + 0.2
    assert shares["star"] > shares["plain"] + 0.08


def test_guided_sampling_keeps_hard_words_in_the_rows_where_plain_sampling_loses_them(
    world: World, hinted: Path, tmp_path: Path
) -> None:
    loop = GuidedSelfImprovement(
        helps=("beginning", "answer"), samples=4, helped=2, hinted=HINTED, plan=SFT, sampling=SAMPLING
    )
    arms = {"guided": loop, "plain": replace(loop, helps=())}
    done = {arm: improved(one, hinted, world.train[:200], world, tmp_path / arm) for arm, one in arms.items()}
    words = [one for one in world.held_out if hard(one)]
    coverage = {arm: covered(one) for arm, one in done.items()}
    chances = {arm: sampled_share(learner_of(one.weights), words) for arm, one in done.items()}
    print("GSI", coverage, chances)
    assert coverage["guided"] > coverage["plain"] + 0.3
    assert chances["guided"] > chances["plain"] + 0.03
