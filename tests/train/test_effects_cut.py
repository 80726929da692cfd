"""CUT moves what its paper says it moves: a short training of the small model."""

from pathlib import Path
from statistics import fmean

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")

from training import cut

pytestmark = pytest.mark.slow


def test_what_judgements_find_fault_with_becomes_unlikely_and_right_answers_likelier(tmp_path: Path) -> None:
    found = cut.run(tmp_path, seed=0, steps=24).tracks
    assert fmean(found[cut.BAD].after) < fmean(found[cut.BAD].before) - 0.1
    assert fmean(found[cut.RIGHT].after) > fmean(found[cut.RIGHT].before) + 0.05
    assert fmean(found[cut.REST].after) > fmean(found[cut.REST].before) - 0.15
