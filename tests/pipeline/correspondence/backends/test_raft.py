"""RAFT as a backend: files that are no checkpoint, the mean over enlargements, and flow of a known shift."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torchvision.models.optical_flow import raft_small

from models.raft import predict_flow
from pipeline.config import EstimateFlowConfig
from pipeline.correspondence.backends import raft
from pipeline.runtime.errors import StageError

CPU = torch.device("cpu")


def test_a_file_that_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pth")
    (tmp_path / "text.pth").write_text("not a checkpoint")
    for name in ("other.pth", "text.pth"):
        with pytest.raises(StageError, match=rf"{name} is not a RAFT checkpoint"):
            raft.load(tmp_path / name, CPU)


def test_raft_finds_a_shift_of_an_odd_small_image(shared_data: Path) -> None:
    network = raft.load(shared_data / "weights" / "raft-small.pth", CPU)
    noise = np.random.default_rng(0).integers(0, 255, (110, 140, 3)).astype(np.uint8)
    texture = (cv2.GaussianBlur(noise, (0, 0), 3) * 4 % 255).astype(np.uint8)
    config = EstimateFlowConfig(enlargements=[2.0], iterations=8)
    (flow,) = raft.find(network, [(texture[5:96, 5:126], texture[3:94, 9:130])], config)
    assert flow.shape == (91, 121, 2)
    np.testing.assert_allclose(np.median(flow[15:-15, 15:-15], axis=(0, 1)), [-4, 2], atol=0.4)


def test_small_images_get_the_mean_over_enlargements_and_large_ones_none() -> None:
    torch.manual_seed(0)
    network = raft_small().eval()
    images = np.random.default_rng(0).integers(0, 255, (2, 128, 136, 3)).astype(np.uint8)
    first, second = (torch.from_numpy(image)[None] for image in images)
    alone = {by: predict_flow(network, first, second, by, 1)[0].numpy() for by in (1.0, 1.5)}
    for below, expected in ((137, (alone[1.0] + alone[1.5]) / 2), (136, alone[1.0])):
        config = EstimateFlowConfig(enlargements=[1.0, 1.5], iterations=1, enlarge_below_px=below)
        (found,) = raft.find(network, [(images[0], images[1])], config)
        np.testing.assert_allclose(found, expected, atol=1e-5)
