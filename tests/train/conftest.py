"""A tiny model, written once, and one thread: as fast on a busy machine, and the same bits every time."""

from collections.abc import Generator
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Generator[None]:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of some ten thousand weights that babbles variedly."""
    from gadfly.train.tiny import write_tiny

    return write_tiny(tmp_path_factory.mktemp("tiny") / "tiny", width=32, layers=2, spread=0.3)
