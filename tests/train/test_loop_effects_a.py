"""What loops of self-training do to weights: one round each on the small world."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from support.loop_worlds import SAMPLED, improved
from training.world import World, greedy_share, learner_of, make_world, warmed_up

from gadfly.recipes.improve.lmsi import LMSI
from gadfly.recipes.improve.online_dpo import OnlineDPO
from gadfly.recipes.improve.online_grpo import OnlineGRPO
from gadfly.records import Sampling
from gadfly.train.from_votes import polls
from gadfly.train.plan import Plan
from gadfly.train.sources import read_runs

pytestmark = pytest.mark.slow
HELD_OUT = 200


@pytest.fixture(scope="session")
def world() -> World:
    return make_world()


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("worlds")


@pytest.fixture(scope="session")
def warm(world: World, place: Path) -> Path:
    return warmed_up(world, place, competence=0.6)


def share(weights: Path, world: World) -> float:
    return greedy_share(learner_of(weights), world.held_out[:HELD_OUT])


def test_online_dpo_raises_held_out_accuracy(world: World, warm: Path, tmp_path: Path) -> None:
    loop = OnlineDPO(
        samples=4,
        sampling=Sampling(temperature=1.0, max_tokens=8),
        likelihood_weight=1.0,
        plan=Plan(epochs=2, batch=32, rate=1e-4),
    )
    after = improved(loop, warm, world.train[:400], world, tmp_path)
    assert share(after.weights, world) > share(warm, world) + 0.05


def test_online_grpo_raises_held_out_accuracy(world: World, warm: Path, tmp_path: Path) -> None:
    loop = OnlineGRPO(
        sampling=Sampling(temperature=1.0, top_p=1.0, max_tokens=8),
        plan=Plan(steps=25, batch=16, rate=3e-4, save_every=25),
    )
    after = improved(loop, warm, world.train[:200], world, tmp_path)
    assert share(after.weights, world) > share(warm, world) + 0.03


def test_agreement_says_how_often_the_majority_is_right(world: World, warm: Path, tmp_path: Path) -> None:
    loop = LMSI(
        samples=8,
        sampling=SAMPLED.model_copy(update={"temperature": 0.5}),
        plan=Plan(steps=1, batch=32),
    )
    improved(loop, warm, world.train[:300], world, tmp_path)
    found = sorted(read_runs(tmp_path / "round-1" / "samples"), key=lambda one: one.rollout.problem.draw)
    right: dict[bool, list[bool]] = {True: [], False: []}
    for poll in polls(found):
        right[poll.share(0) >= 0.75].append(poll.groups[0][0].source.rollout.value == 1.0)
    sure, unsure = (sum(marks) / len(marks) for marks in (right[True], right[False]))
    assert sure > unsure + 0.2
