"""Disparity without a sign, and the real networks with random weights."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.depth.depth_network import DepthNetwork, positive
from pipeline.runtime.errors import StageError
from tests.tiny_depth_networks import MAKERS, write_depth_model

CPU = torch.device("cpu")
IMAGES = np.random.default_rng(0).integers(0, 255, (3, 64, 96, 3)).astype(np.uint8)


def test_disparity_is_shifted_to_be_positive_and_stays_linear() -> None:
    given = np.random.default_rng(1).normal(size=(2, 5, 6)).astype(np.float32)
    shifted = positive(given)
    assert (shifted > 0).all() and (positive(np.zeros_like(given)) > 0).all()
    moved = shifted - given
    np.testing.assert_allclose(moved, moved[:, :1, :1] * np.ones_like(given), rtol=1e-5)


@pytest.mark.parametrize("kind", list(MAKERS))
def test_the_real_networks_tell_a_map_of_every_image(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="the extra depth is not installed")
    write_depth_model(tmp_path / "tiny", kind, seed=1)
    network = DepthNetwork(tmp_path / "tiny", CPU)
    assert network.kind == ("disparity" if kind in ("dpt", "depth_anything relative") else "depth")
    maps = network.maps(IMAGES)
    assert maps.shape == (3, 64, 96) and maps.dtype == np.float32 and np.isfinite(maps).all()
    np.testing.assert_allclose(network.maps(IMAGES[1:2])[0], maps[1], rtol=1e-3, atol=1e-4)


def test_a_folder_with_missing_weights_is_named(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="the extra depth is not installed")
    folder = tmp_path / "tiny"
    write_depth_model(folder, "dpt", seed=1)
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(
        StageError, match=r"tiny cannot be read as a depth model by transformers .*; fetch the folder again"
    ):
        DepthNetwork(folder, CPU)
