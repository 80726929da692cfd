"""What loops of self-training come to on the small world, beside themselves without what their papers add.

Words are the small world's, and there are two warm models. One makes the world's common mistake and was also
taught what follows a hint: the beginning of the answer leads to the rest of it most of the time, the answer
nearly always. The errors of the other scatter: any two letters may have changed place, so that most samples
of a problem seldom share one. That is where a majority is right more often than a sample; where most samples
make the same mistake, as those of the first model do, it is not.
"""
# ruff: noqa: E402

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.slow

from support.loop_school import schooled
from support.loop_worlds import Played, improved
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
from gadfly.recipes.improve.lmsi import LMSI
from gadfly.recipes.improve.self_consistency_preference import SelfConsistencyPreference
from gadfly.recipes.improve.star import Star
from gadfly.records import Problem
from gadfly.train.plan import Plan
from gadfly.train.reading import as_row, read_rows
from gadfly.train.rows import AnyRow, PromptCompletion

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


def scattered_rows(problems: Sequence[Problem], *, competence: float, seed: int = 0) -> list[AnyRow]:
    """For the warm-up: a share of right answers; in the others two letters have changed place, any two."""
    dice = random.Random(f"scatter/{seed}")
    rows: list[AnyRow] = []
    for one in problems:
        right = answer_of(one)
        changed = right if dice.random() < competence else exchanged(right, dice)
        rows.append(as_row({"prompt": one.text, "completion": changed}))
    return rows


def exchanged(right: str, dice: random.Random) -> str:
    """With two different letters in each other's place, where there are two."""
    apart = [(i, j) for i, j in combinations(range(len(right)), 2) if right[i] != right[j]]
    if not apart:
        return right
    i, j = dice.choice(apart)
    letters = list(right)
    letters[i], letters[j] = letters[j], letters[i]
    return "".join(letters)


@pytest.fixture(scope="module")
def hinted(world: World, place: Path) -> Path:
    """A model that mostly makes the common mistake, and takes hints up."""
    rows = taught_rows(world.warm, competence=0.3)
    return schooled(place / "hinted", [*rows, *rows, *hint_rows(world.warm)], steps=200, batch=32)


@pytest.fixture(scope="module")
def scattered(world: World, place: Path) -> Path:
    """A model that is wrong more often than right, but seldom twice in the same way."""
    rows = scattered_rows(world.warm, competence=0.35)
    return schooled(place / "scattered", rows, steps=160, batch=32)


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


def test_two_rounds_of_self_consistency_raise_held_out_accuracy_without_labels(
    world: World, scattered: Path, tmp_path: Path
) -> None:
    plan = Plan(epochs=2, batch=32, rate=2e-4, save_every=1000)
    loop = SelfConsistencyPreference(sampling=SAMPLING, plan=plan)
    done = improved(loop, scattered, world.train[:300], world, tmp_path, rounds=2)
    weights = [scattered, *(Path(now.weights().start) for now in done.rounds)]
    greedy = [share(one, world.held_out) for one in weights]
    chances = [sampled_share(learner_of(one), world.held_out) for one in weights]
    print("ScPO", greedy, chances)
    assert greedy[2] > greedy[0] + 0.04
    assert chances[1] > chances[0] + 0.05
    assert chances[2] > chances[1] + 0.02


def test_majorities_raise_held_out_accuracy_without_labels_where_errors_scatter(
    world: World, scattered: Path, tmp_path: Path
) -> None:
    loop = LMSI(least=0.0, sampling=SAMPLING, plan=Plan(epochs=3, batch=32, rate=2e-4, save_every=1000))
    done = improved(loop, scattered, world.train[:300], world, tmp_path)
    weights = (scattered, done.weights)
    before, after = (share(one, world.held_out) for one in weights)
    low, high = (sampled_share(learner_of(one), world.held_out) for one in weights)
    print("LMSI", before, after, low, high)
    assert after > before + 0.03
    assert high > low + 0.15
