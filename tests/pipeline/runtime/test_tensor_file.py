"""A flipped byte in a file of tensors is found, wherever it lies."""

import random
from pathlib import Path

import pytest
import torch

from pipeline.runtime.errors import StageError
from pipeline.runtime.tensor_file import load_tensors, save_tensors


@pytest.fixture
def written(tmp_path: Path) -> Path:
    save_tensors(tmp_path / "a.pt", {"weights": torch.arange(3000.0), "step": 7})
    return tmp_path / "a.pt"


def test_contents_come_back_and_nothing_is_left_beside(written: Path) -> None:
    contents = load_tensors(written)
    assert contents["step"] == 7 and torch.equal(contents["weights"], torch.arange(3000.0))
    assert list(written.parent.iterdir()) == [written]


@pytest.mark.parametrize("seed", range(30))
def test_a_changed_byte_is_refused_or_changes_nothing(written: Path, seed: int) -> None:
    content, place = bytearray(written.read_bytes()), random.Random(seed)
    content[place.randrange(len(content))] ^= place.randrange(1, 256)
    written.write_bytes(content)
    try:
        contents = load_tensors(written)
    except StageError as error:
        assert str(written) in str(error)
        return
    assert contents["step"] == 7 and torch.equal(contents["weights"], torch.arange(3000.0))


@pytest.mark.parametrize("size", [0, 10, 5000])
def test_a_torn_file_is_refused(written: Path, size: int) -> None:
    written.write_bytes(written.read_bytes()[:size])
    with pytest.raises(StageError, match="cannot be read"):
        load_tensors(written)
