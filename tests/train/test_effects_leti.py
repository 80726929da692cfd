"""Words in front steer the quality of answers: short trainings of the small model."""

from pathlib import Path
from statistics import fmean

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")

from training import leti

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("warm")


@pytest.mark.parametrize("arm", ["LeTI", "hindsight"])
def test_answers_are_right_more_often_under_the_good_words(work: Path, arm: str) -> None:
    found = leti.run(work, seed=0, steps=30, arm=arm).tracks
    good, bad = (fmean(found[leti.SAMPLED[words]].after) for words in (leti.GOOD, leti.BAD))
    assert good > bad + 0.02
