"""Trainings that are killed and go on, and those that cannot go on, on a tiny model."""

import math
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support.training import (
    TOLD,
    WHOLE,
    Killed,
    killing,
    pair,
    run,
    same,
    supervised,
    told,
    told_figures,
    weights,
)

from gadfly.errors import InputError
from gadfly.train.fit import examples_of
from gadfly.train.folder import read_log, read_manifest
from gadfly.train.losses.reduction import Loss
from gadfly.train.objectives.supervised import Supervised, Told
from gadfly.train.plan import Plan
from gadfly.train.policy import Policy

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("step", range(1, 7))
def test_a_training_killed_after_any_step_ends_as_the_unbroken_one(
    step: int, tiny: Path, tmp_path: Path
) -> None:
    unbroken = supervised(tiny, held_out=2)
    run(unbroken, tmp_path / "unbroken")
    out = tmp_path / "broken"
    with pytest.raises(Killed):
        run(supervised(tiny, held_out=2), out, on_step=killing(step))
    with (out / "log.jsonl").open("a") as log:
        log.write('{"step":7,"figures":{"lo')
    seen: list[int] = []
    again = supervised(tiny, held_out=2)
    run(again, out, on_step=lambda line, steps: seen.append(line.step))
    # Checkpoints come every second step, after the step was told.
    assert seen == list(range((step - 1) // 2 * 2 + 1, 7))
    assert told_figures(out) == told_figures(tmp_path / "unbroken")
    assert same(weights(again.learner), weights(unbroken.learner))


def test_whole_weights_go_on_too(tiny: Path, tmp_path: Path) -> None:
    unbroken = supervised(tiny, tuning=WHOLE)
    run(unbroken, tmp_path / "unbroken")
    with pytest.raises(Killed):
        run(supervised(tiny, tuning=WHOLE), tmp_path / "broken", on_step=killing(5))
    again = supervised(tiny, tuning=WHOLE)
    run(again, tmp_path / "broken")
    assert same(weights(again.learner), weights(unbroken.learner))


_CHILD = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from support.training import killing, run, supervised
kill = killing(5, at_once=lambda: os.kill(os.getpid(), signal.SIGKILL))
run(supervised(Path(sys.argv[1])), Path(sys.argv[2]), on_step=kill)
"""


def test_a_process_that_is_killed_outright_loses_nothing_but_the_steps_after_its_checkpoint(
    tiny: Path, tmp_path: Path
) -> None:
    unbroken = supervised(tiny)
    run(unbroken, tmp_path / "unbroken")
    out = tmp_path / "broken"
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    ended = subprocess.run(
        [sys.executable, "-c", _CHILD, str(tiny), str(out)],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert [line.step for line in read_log(out)] == [1, 2, 3, 4, 5]
    again = supervised(tiny)
    folder = run(again, out)
    assert told_figures(out) == told_figures(tmp_path / "unbroken")
    assert same(weights(again.learner), weights(unbroken.learner))
    assert [entry.name for entry in (out / "state").iterdir()] == ["step-6"]
    assert not folder.finished


def test_a_finished_training_is_not_made_again(tiny: Path, tmp_path: Path) -> None:
    folder = run(supervised(tiny), tmp_path)
    folder.finish(model="transformers:there")
    seen: list[int] = []
    again = run(supervised(tiny), tmp_path, on_step=lambda line, steps: seen.append(line.step))
    assert again.finished
    assert again.manifest.model == "transformers:there"
    assert not seen
    assert len(read_log(tmp_path)) == 6
    assert not (tmp_path / "state").exists()


def test_a_folder_of_another_training_is_left_alone_with_words(tiny: Path, tmp_path: Path) -> None:
    run(supervised(tiny), tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=r"holds another training \(rows was 7 and now is 3\)"):
        run(supervised(tiny, rows=TOLD[:3]), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_the_log_has_a_line_a_step_and_the_held_out_figures_at_checkpoints(
    tiny: Path, tmp_path: Path
) -> None:
    training = supervised(tiny, held_out=2)
    run(training, tmp_path)
    lines = read_log(tmp_path)
    assert [line.step for line in lines] == [1, 2, 3, 4, 5, 6]
    assert [line.step for line in lines if "held_out_loss" in line.figures] == [1, 2, 4, 6]
    assert {"loss", "nll", "grad_norm", "learning_rate"} <= lines[0].figures.keys()
    assert all(line.seconds > 0 for line in lines)
    manifest = read_manifest(tmp_path)
    assert (manifest.steps, manifest.rows, manifest.ended) == (6, 7, None)
    for name in ("curve.png", "curve.svg"):
        assert (tmp_path / name).stat().st_size > 1000


class Breaking(Supervised):
    """Its loss is not finite from some call on."""

    def loss(self, policy: Policy, examples: Sequence[Told], /) -> Loss:
        """As it is, but for one token whose log-probability is not finite."""
        from gadfly.train.losses.sft import sft

        found = policy.logprobs([example.row for example in examples])
        broken = found.values.clone()
        CALLS.append(1)
        if len(CALLS) >= 4:
            broken[found.mask.bool()] = math.nan
        return sft(broken, found.mask)


CALLS: list[int] = []


def test_a_loss_that_is_not_finite_names_its_step_and_keeps_the_checkpoint_before(
    tiny: Path, tmp_path: Path
) -> None:
    CALLS.clear()
    training = replace(supervised(tiny), objective=Breaking())
    with pytest.raises(InputError, match=r"^step 4 of 6: logprobs holds nan"):
        run(training, tmp_path)
    assert (tmp_path / "state" / "step-2" / "state.pt").is_file()
    assert [line.step for line in read_log(tmp_path)] == [1, 2, 3]
    again = supervised(tiny)
    run(again, tmp_path)
    assert all(torch.isfinite(weight).all() for weight in again.learner.trained.values())


def test_a_rate_that_is_much_too_high_ends_with_words(tiny: Path, tmp_path: Path) -> None:
    training = supervised(tiny, rate=1e30, tuning=WHOLE)
    with pytest.raises(InputError, match=r"^step \d of 6: .*finite"):
        run(training, tmp_path)


def test_a_step_without_examples_is_logged_and_nothing_moves(tiny: Path, tmp_path: Path) -> None:
    training = supervised(tiny)

    def batches(step: int, /) -> tuple[Sequence[Told], dict[str, float]]:
        return [], {"reward": float(step)}

    before = weights(training.learner)
    run(replace(training, batches=batches), tmp_path)
    assert told_figures(tmp_path) == [(step + 1, {"reward": float(step)}) for step in range(6)]
    assert same(weights(training.learner), before)


def test_several_passes_are_several_gradient_steps_on_one_batch(tiny: Path, tmp_path: Path) -> None:
    once, twice = supervised(tiny, steps=1), supervised(tiny, steps=1, passes=2)
    run(once, tmp_path / "once")
    run(twice, tmp_path / "twice")
    assert not same(weights(once.learner), weights(twice.learner))
    assert read_log(tmp_path / "twice")[0].figures["loss"] < read_log(tmp_path / "once")[0].figures["loss"]


def test_rows_that_are_too_long_are_counted_and_when_all_are_it_says_so(tiny: Path) -> None:
    codec = supervised(tiny).learner.policy.codec
    rows = [*TOLD, told("How?", "so " * 200)]
    found = examples_of(rows, Supervised(), codec, Plan())
    assert len(found.kept) == 7
    assert found.left_out == {"too long": 1}
    with pytest.raises(InputError, match=r"no rows to learn from: .*1 .*200 tokens"):
        examples_of(rows[-1:], Supervised(), codec, Plan())
    with pytest.raises(InputError, match="no rows to learn from: there are none"):
        examples_of([], Supervised(), codec, Plan())
    with pytest.raises(InputError, match="sft learns from completions and chats, not from preference rows"):
        examples_of([pair("a", "b", "c")], Supervised(), codec, Plan())


def test_every_step_has_its_own_batch_and_the_same_one_every_time(tiny: Path) -> None:
    examples: Any = supervised(tiny).batches
    first, _ = examples(0)
    assert [one.row for one in first] == [one.row for one in examples(0)[0]]
    assert [one.row for one in first] != [one.row for one in examples(1)[0]]
