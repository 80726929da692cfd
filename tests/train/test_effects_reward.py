"""A reward model learns to rank: a short training of the small model."""

from pathlib import Path
from statistics import fmean

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")

from training import reward

pytestmark = pytest.mark.slow


def test_held_out_pairs_are_ranked_right_more_often_and_the_best_of_some_is_better(tmp_path: Path) -> None:
    found = reward.run(tmp_path, seed=0, steps=30).tracks
    assert fmean(found[reward.RANKED].before) == 0.5, "a head of zeros ranks nothing"
    assert fmean(found[reward.RANKED].after) > 0.65
    assert fmean(found[reward.LEAD].after) > 0.1
    assert fmean(found[reward.BEST].after) > fmean(found[reward.BEST].before)
