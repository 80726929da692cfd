"""A self-improvement that is killed goes on where it was, and ends with the report of an unbroken one."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from support.improving import improve  # noqa: E402
from training.world import make_world, warmed_up  # noqa: E402

from gadfly.run.improvement import Improvement, read_improvement  # noqa: E402

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that is right now and then."""
    world = make_world(warm=300, train=80, held_out=24)
    return warmed_up(world, tmp_path_factory.mktemp("world"), competence=0.3)


def timeless(improvement: Improvement) -> dict[str, Any]:
    """What does not depend on the clock, or on which session made a call."""
    told = improvement.model_dump(mode="json")
    for arm in told["arms"]:
        for cost in arm["costs"]:
            cost["seconds"] = 0
    return told


def start(weights: Path, out: Path) -> "subprocess.Popen[str]":
    paths = os.pathsep.join(str(ROOT / name) for name in ("src", "tests", "bench"))
    return subprocess.Popen(
        [sys.executable, "-m", "support.improving", str(weights), str(out)],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )


def kill_at(process: "subprocess.Popen[str]", phase: str, out: Path, file: str) -> None:
    """Kill once the phase was announced and the file is there."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == phase:
            break
    until = time.monotonic() + 120
    while not list(out.glob(file)) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.slow
def test_killed_in_generation_in_training_and_between_rounds_it_ends_as_the_unbroken_one(
    weights: Path, tmp_path: Path
) -> None:
    whole = improve(weights, tmp_path / "whole")
    out = tmp_path / "broken"
    loop = "arms/critique-in-the-loop"
    kill_at(start(weights, out), "base: evaluation", out, "base/pool/rollouts.jsonl")
    kill_at(
        start(weights, out), "critique-in-the-loop: preparation", out, f"{loop}/round-0/train-*/state/step-*"
    )
    kill_at(start(weights, out), "critique-in-the-loop: round 2", out, f"{loop}/round-1/held-out/pool/*.json")
    kill_at(start(weights, out), "rest-em: round 1", out, "arms/rest-em/round-1/train-actor/log.jsonl")
    last = start(weights, out)
    said, _ = last.communicate()
    assert last.returncode == 0, said
    resumed = read_improvement((out / "improvement.json").read_bytes())
    assert timeless(resumed) == timeless(whole)
    for log in out.glob("arms/*/round-*/train-*/log.jsonl"):
        steps = [json.loads(line)["step"] for line in log.read_text().splitlines()]
        assert steps == sorted(set(steps)), log
    for rollouts in out.glob("**/rollouts.jsonl"):
        rows = [json.loads(line)["problem"] for line in rollouts.read_text().splitlines()]
        again = Counter((row["id"], str(row.get("draw"))) for row in rows)
        assert set(again.values()) == {1}, rollouts
