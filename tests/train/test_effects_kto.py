"""KTO parts right answers from wrong ones: a short training of the small model."""

from pathlib import Path
from statistics import fmean

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")

from training import kto

pytestmark = pytest.mark.slow


def test_right_answers_come_to_stand_above_wrong_ones(tmp_path: Path) -> None:
    found = kto.run(tmp_path, seed=0, steps=20).tracks
    assert fmean(found[kto.RIGHT].before) == pytest.approx(0.0, abs=1e-5)
    assert fmean(found[kto.RIGHT].after) > fmean(found[kto.WRONG].after) + 0.2
    assert fmean(found[kto.WRONG].after) < 0
