"""RAFT, SAM and SAM 2 with tiny random weights: on the simulated device, and on a real one where there is one, as on the CPU."""

from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import torch

from tests.simulated_cuda import simulated_cuda

CPU = torch.device("cpu")
REAL = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]


@pytest.fixture(params=["simulated", pytest.param("real", marks=REAL)])
def cuda(request: pytest.FixtureRequest) -> Iterator[torch.device]:
    """A CUDA device. Checks of shapes cost more than what they check where tensors are wrapped."""
    if request.param == "real":
        yield torch.device("cuda")
        return
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        with simulated_cuda():
            yield torch.device("cuda")
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


def images(count: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (count, height, width, 3)).astype(np.uint8)


def test_raft_finds_the_same_flow(cuda: torch.device, tmp_path: Path) -> None:
    from torchvision.models.optical_flow import raft_small

    from models.raft import predict_flow
    from pipeline.config import EstimateFlowConfig
    from pipeline.correspondence.backends import raft

    torch.manual_seed(0)
    torch.save(raft_small().state_dict(), tmp_path / "tiny.pth")
    pair = images(2, 128, 136)
    first, second = (torch.from_numpy(image)[None] for image in pair)
    flows = []
    for device in (CPU, cuda):
        network = raft.load(tmp_path / "tiny.pth", device)
        flows.append(predict_flow(network, first.to(device), second.to(device), 1.0, 2, half=False).cpu())
    scale = flows[0].abs().max()
    assert scale > 0.1 and (flows[0] - flows[1]).abs().max() < 2e-2 * scale
    config = EstimateFlowConfig(enlargements=[1.0], iterations=2)
    (found,) = raft.find(raft.load(tmp_path / "tiny.pth", cuda), [(pair[0], pair[1])], config)
    assert np.abs(found - flows[0][0].numpy()).max() < 0.3 * float(scale)  # bfloat16


def test_sam_finds_the_same_masks(cuda: torch.device, tmp_path: Path) -> None:
    pytest.importorskip("segment_anything", reason="segment_anything is not installed")
    from pipeline.segmentation.backends.sam import SamSegmenter
    from tests.tiny_sam import tiny_sam

    torch.save(tiny_sam(seed=1).state_dict(), tmp_path / "sam_vit_b_01ec64.pth")
    found = []
    for device in (CPU, cuda):
        segmenter = SamSegmenter(tmp_path / "sam_vit_b_01ec64.pth", device)
        found.append(segmenter.segment(images(1, 40, 60)[0], np.array([[20.5, 12.5]]), [1], (4.0, 3.0, 32.0, 29.0)))
    (mask, score), (other, other_score) = found
    assert (mask == other).mean() > 0.99 and score == pytest.approx(other_score, abs=1e-2)


def test_sam2_follows_the_same_masks(cuda: torch.device, tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="the sam2 extra is not installed")
    from pipeline.segmentation.propagators.sam2 import TRACKER
    from pipeline.segmentation.sam_video import SamVideo
    from tests.tiny_sam2 import write_video_model

    write_video_model(tmp_path, "sam2_video", seed=1)
    given = np.zeros((40, 56), bool)
    given[8:24, 10:30] = True
    walks = [
        list(SamVideo(tmp_path, TRACKER, device).walk(images(2, 40, 56), {3: {0: given}})) for device in (CPU, cuda)
    ]
    pairs = list(zip(*walks, strict=True))
    assert len(pairs) == 2
    for (frame, logits), (other_frame, other) in pairs:
        size = np.abs(logits[3]).max()
        assert frame == other_frame and np.abs(logits[3] - other[3]).max() < 2e-2 * size
