"""A model learns what it knows: a short training of the small model."""

from pathlib import Path
from statistics import fmean

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")

from training import p_ik

pytestmark = pytest.mark.slow


def test_the_head_tells_questions_that_will_be_answered_from_others(tmp_path: Path) -> None:
    found = p_ik.run(tmp_path, seed=0, steps=30).tracks
    assert found[p_ik.RANKED].before == (0.5,), "a head of zeros ranks nothing"
    assert found[p_ik.RANKED].after[0] > 0.55
    assert fmean(found[p_ik.ERROR].after) < fmean(found[p_ik.ERROR].before)
