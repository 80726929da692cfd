"""Preference optimisation on a million weights: margins and the ranking of held-out pairs rise."""

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
from training.dpo import GREEDY, LEAD, RANKED, run
from training.outcome import change_of, series_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dpo")


@pytest.mark.parametrize("arm", ["dpo", "ipo", "simpo"])
def test_margins_and_the_ranking_of_held_out_pairs_rise(work: Path, arm: str) -> None:
    found = run(work, arm=arm)  # the chosen answers dip before they recover: half the steps are too few
    assert change_of([found], LEAD).change.low > 0.5
    assert change_of([found], RANKED).change.low > 0.1
    assert change_of([found], GREEDY).change.low > 0.05
    margins = series_of(found, "margin")
    assert margins[-1] > margins[0]
