"""Published weights are the learner's, under one specification, and stand there whole or not at all."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from pathlib import Path
from typing import Any

import pytest
import torch
from support.training import TUNING, WHOLE, learner_of, stirred

from gadfly.errors import InputError
from gadfly.models.transformers_weights import Source
from gadfly.train.learner import Learner
from gadfly.train.publish import gguf_like, publish_weights


def states(learner: Learner) -> torch.Tensor:
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.no_grad():
        return learner.policy.loaded.model(ids).logits


def test_what_is_published_answers_as_the_learner_does(tiny: Path, tmp_path: Path) -> None:
    learner = stirred(learner_of(tiny))
    assert publish_weights(learner, tmp_path) == f"transformers:{tmp_path / 'model'}"
    assert {entry.name for entry in tmp_path.iterdir()} == {"model", "adapter"}
    torch.testing.assert_close(states(learner_of(tmp_path / "model", WHOLE)), states(learner))
    assert (tmp_path / "adapter" / "adapter_model.safetensors").is_file()


def test_whole_weights_have_no_adapter(tiny: Path, tmp_path: Path) -> None:
    learner = stirred(learner_of(tiny, WHOLE))
    publish_weights(learner, tmp_path)
    assert {entry.name for entry in tmp_path.iterdir()} == {"model"}
    torch.testing.assert_close(states(learner_of(tmp_path / "model", WHOLE)), states(learner))


def test_publishing_again_replaces_what_was_there(tiny: Path, tmp_path: Path) -> None:
    learner = learner_of(tiny)
    publish_weights(learner, tmp_path)
    (tmp_path / "model" / "stray").write_text("")
    publish_weights(stirred(learner), tmp_path)
    assert not (tmp_path / "model" / "stray").exists()
    torch.testing.assert_close(states(learner_of(tmp_path / "model", WHOLE)), states(learner))


def test_a_folder_that_cannot_be_written_leaves_the_old_weights(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = learner_of(tiny)
    publish_weights(learner, tmp_path)
    before = (tmp_path / "model" / "model.safetensors").read_bytes()

    def full(self: Learner, folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Learner, "save_merged", full)
    with pytest.raises(InputError, match=r"cannot write .*model: No space left on device"):
        publish_weights(stirred(learner), tmp_path)
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == before
    assert {entry.name for entry in tmp_path.iterdir()} == {"model", "adapter"}


def test_the_file_to_be_like_is_the_source_or_stands_beside_the_round_before(tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    llama, other = (
        header(tmp_path / "a" / "m.Q4_1.gguf", "llama"),
        header(tmp_path / "b" / "m.gguf", "gemma3"),
    )
    (tmp_path / "a" / "model").mkdir()
    (tmp_path / "a" / "elsewhere").mkdir()
    assert gguf_like(Source(path=llama, label="m")) == llama
    assert gguf_like(Source(path=tmp_path / "a" / "model", label="m")) == llama
    assert gguf_like(Source(path=tmp_path / "a" / "elsewhere", label="m")) is None
    assert gguf_like(Source(path=other, label="m")) is None
    header(tmp_path / "a" / "second.gguf", "llama")
    assert gguf_like(Source(path=tmp_path / "a" / "model", label="m")) is None


def header(path: Path, architecture: str) -> Path:
    """A GGUF file that has no weights."""
    from gguf import GGUFWriter

    path.parent.mkdir(exist_ok=True)
    writer: Any = GGUFWriter(path, architecture)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.slow
def test_the_embedded_model_goes_out_and_comes_back_as_a_gguf_file(tmp_path: Path) -> None:
    from gadfly.models.gguf import embedded_model, read_header

    try:
        embedded_model()
    except InputError:
        pytest.skip("the embedded model is not installed")
    from gadfly.train.learner import open_learner

    learner = stirred(open_learner("", tuning=TUNING, device="cpu"), by=0.002)
    spec = publish_weights(learner, tmp_path)
    file = tmp_path / "SmolLM2-135M-Instruct-Q8_0.gguf"
    assert spec == f"embedded:{file}"
    assert read_header(file).architecture == "llama"
    back = open_learner(str(file), tuning=WHOLE, device="cpu")
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.no_grad():
        ours = learner.policy.loaded.model(ids).logits.log_softmax(-1)
        theirs = back.policy.loaded.model(ids).logits.log_softmax(-1)
    assert float((ours.exp() * (ours - theirs)).sum(-1).max()) < 0.05
    again = open_learner(str(tmp_path / "model"), tuning=TUNING, device="cpu")
    assert publish_weights(again, tmp_path / "second") == f"embedded:{tmp_path / 'second' / file.name}"
