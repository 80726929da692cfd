"""SCoRe on a million weights: second attempts come to gain, and less so without its parts."""

from pathlib import Path
from statistics import fmean

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
from training.outcome import change_of
from training.score import BROKEN, PROGRESS, SECOND, run

from gadfly.train.folder import read_log

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("score")


def test_second_attempts_come_to_gain_and_break_less(work: Path) -> None:
    found = run(work, steps=24, held_out=300)
    progress = change_of([found], PROGRESS)
    assert progress.before.low < 0.05  # untrained, a second attempt gains nothing worth the name
    assert progress.change.low > 0.1
    assert change_of([found], BROKEN).change.high < 0
    assert change_of([found], SECOND).change.low > 0.1
    # Stage I holds the first attempt while the second learns.
    lines = read_log(work / "SCoRe-0")[:12]
    first, second = ([line.figures[name] for line in lines] for name in ("first", "second"))
    assert fmean(second[6:]) - fmean(second[:3]) > fmean(first[6:]) - fmean(first[:3]) + 0.05
