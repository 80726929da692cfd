"""A training on disk: what it says of itself, and what it does with what a killed process left."""

from pathlib import Path

import pytest

from gadfly.errors import InputError
from gadfly.train.folder import StepLine, TrainFolder, describe_training, read_log, read_manifest


def opened(path: Path, *, steps: int = 4, rate: float = 0.1, writes: bool = True) -> TrainFolder:
    manifest = describe_training(
        {"rate": rate, "model": "tiny"}, steps=steps, rows=3, left_out={"too long": 2}
    )
    return TrainFolder(path, manifest, writes=writes)


def line(step: int) -> StepLine:
    return StepLine(step=step, figures={"loss": 1 / step}, seconds=0.5)


def checkpoint(folder: TrainFolder, step: int) -> None:
    folder.checkpoint(step).mkdir(parents=True)
    (folder.checkpoint(step) / "state.pt").write_bytes(b"weights")


def test_a_folder_says_what_is_trained_before_the_first_step(tmp_path: Path) -> None:
    opened(tmp_path / "new" / "folder")
    manifest = read_manifest(tmp_path / "new" / "folder")
    assert dict(manifest.request) == {"rate": 0.1, "model": "tiny"}
    assert (manifest.steps, manifest.rows, dict(manifest.left_out)) == (4, 3, {"too long": 2})
    assert manifest.ended is None


def test_the_log_ends_where_the_newest_whole_checkpoint_does(tmp_path: Path) -> None:
    folder = opened(tmp_path)
    for step in (1, 2, 3):
        folder.add(line(step))
    checkpoint(folder, 2)
    folder.checkpoint(3).mkdir()  # its state was never written whole
    again = opened(tmp_path)
    assert again.saved == 2
    assert [found.step for found in again.lines] == [1, 2]
    again.begin()
    again.add(line(3))
    assert [found.step for found in read_log(tmp_path)] == [1, 2, 3]


def test_a_torn_line_is_passed_over(tmp_path: Path) -> None:
    folder = opened(tmp_path)
    folder.add(line(1))
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write(line(2).model_dump_json()[:20])
    assert [found.step for found in read_log(tmp_path)] == [1]


def test_older_checkpoints_go_and_strangers_stay(tmp_path: Path) -> None:
    folder = opened(tmp_path)
    for step in (2, 4, 10):
        checkpoint(folder, step)
    (tmp_path / "state" / "step-mine").mkdir()
    folder.forget_before(10)
    assert sorted(entry.name for entry in (tmp_path / "state").iterdir()) == ["step-10", "step-mine"]


def test_finishing_says_where_the_weights_are_and_takes_checkpoints_away(tmp_path: Path) -> None:
    folder = opened(tmp_path)
    folder.add(line(1))
    folder.add(line(2))
    checkpoint(folder, 2)
    folder.finish(model="transformers:here")
    assert opened(tmp_path).finished
    manifest = read_manifest(tmp_path)
    assert (manifest.model, manifest.seconds) == ("transformers:here", 1.0)
    assert not (tmp_path / "state").exists()


def test_another_request_is_refused_and_the_first_difference_named(tmp_path: Path) -> None:
    opened(tmp_path)
    with pytest.raises(InputError, match=r"another training \(rate was 0.1 and now is 0.2\); give another"):
        opened(tmp_path, rate=0.2)


def test_a_process_that_does_not_write_leaves_no_trace(tmp_path: Path) -> None:
    silent = opened(tmp_path / "none", writes=False)
    silent.begin()
    silent.add(line(1))
    silent.forget_before(5)
    silent.finish(model="x")
    assert not (tmp_path / "none").exists()
    assert [found.step for found in silent.lines] == [1]


def test_what_is_no_training_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no training"):
        read_manifest(tmp_path)
    (tmp_path / "train.json").write_text("{}")
    with pytest.raises(InputError, match="cannot be read"):
        read_manifest(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        opened(tmp_path / "file" / "below")
