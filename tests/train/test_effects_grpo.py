"""Policy gradients on a million weights: reward and held-out accuracy rise."""

from pathlib import Path
from statistics import fmean

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
from training.grpo import GREEDY, SAMPLED, run
from training.outcome import change_of, series_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("grpo")


@pytest.mark.parametrize("arm", ["GRPO", "RLOO"])
def test_reward_and_held_out_accuracy_rise(work: Path, arm: str) -> None:
    found = run(work, steps=25, arm=arm)
    reward = series_of(found, "reward")
    assert fmean(reward[-5:]) > fmean(reward[:5]) + 0.15
    assert change_of([found], SAMPLED).change.low > 0.1
    assert change_of([found], GREEDY).change.low > 0.1
