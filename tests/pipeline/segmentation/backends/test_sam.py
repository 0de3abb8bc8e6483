"""SAM in the stage: real loading and real calls, with random weights; and its answers used as they should be."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.config import EstimateFlowConfig, Prompt, SegmentObjectsConfig
from pipeline.estimate_flow import estimate_flow
from pipeline.formats.masks_file import read_masks, read_objects
from pipeline.runtime.errors import StageError
from pipeline.segment_objects import segment_objects
from pipeline.segmentation.backends.sam import SamSegmenter, thing_at
from tests.pipeline.test_segment_objects import moving_squares
from tests.tiny_sam import tiny_sam


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    (tmp_path / "weights").mkdir()
    torch.save(tiny_sam(seed=1).state_dict(), tmp_path / "weights" / "sam_vit_b_01ec64.pth")
    return tmp_path / "weights"


@pytest.fixture
def segmenter(weights: Path) -> SamSegmenter:
    return SamSegmenter(weights / "sam_vit_b_01ec64.pth", torch.device("cpu"))


def test_the_surest_of_three_masks_is_taken(segmenter: SamSegmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    masks = np.zeros((3, 20, 30), bool)
    masks[1, 3:9, 4:12] = True
    asked = {}

    def predict(**arguments: object) -> tuple:
        asked.update(arguments)
        return masks, np.array([0.2, 0.9, 0.5]), None

    monkeypatch.setattr(segmenter.predictor, "predict", predict)
    image = np.zeros((20, 30, 3), np.uint8)
    mask, score = segmenter.segment(image, np.array([[6.5, 4.5]]), [1], (4.0, 3.0, 12.0, 9.0))
    assert mask.sum() == 48 and score == 0.9 and asked["multimask_output"]
    np.testing.assert_array_equal(asked["point_coords"], [[6, 4]])


def test_an_image_is_embedded_once_for_many_questions(segmenter: SamSegmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    encode = segmenter.predictor.set_image
    monkeypatch.setattr(segmenter.predictor, "set_image", lambda image: (calls.append(1), encode(image))[1])
    image = np.random.default_rng(0).integers(0, 255, (40, 60, 3)).astype(np.uint8)
    for x in (10.5, 20.5):
        mask, score = segmenter.segment(image, np.array([[x, 12.5]]), [1], None)
        assert mask.shape == (40, 60) and np.isfinite(score)
    assert len(calls) == 1


@pytest.mark.parametrize("prompts", [[], [Prompt(object=2, frame=3, points=[(50.0, 29.0)], name="red")]])
def test_the_stage_runs_with_sam(tmp_path: Path, weights: Path, prompts: list[Prompt]) -> None:
    moving_squares(tmp_path / "frames", [(3, 0)])
    estimate_flow(tmp_path / "frames", None, tmp_path / "flow.h5", EstimateFlowConfig())
    config = SegmentObjectsConfig(prompts=prompts, sam_points_per_side=2)
    outputs = tmp_path / "masks.h5", tmp_path / "objects.json"
    segment_objects(tmp_path / "frames", None, tmp_path / "flow.h5", None, weights, *outputs, config)
    found = read_objects(outputs[1])
    assert found["backend"] == ("sam, prompts" if prompts else "sam")
    assert set(np.unique(read_masks(outputs[0]))) <= ({0, 2, 255} if prompts else {0, 1, 255})


def test_a_thing_that_fits_the_moving_region_gives_its_border(segmenter: SamSegmenter) -> None:
    region, thing, room = (np.zeros((40, 60), bool) for _ in range(3))
    region[10:20, 10:22], thing[9:21, 9:21], room[:, :40] = True, True, True
    image = np.zeros((40, 60, 3), np.uint8)
    np.testing.assert_array_equal(thing_at(region, [room, thing], segmenter, image), thing)


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "sam_vit_b_01ec64.pth").write_bytes(b"no checkpoint")
    with pytest.raises(StageError, match="not a SAM checkpoint"):
        SamSegmenter(tmp_path / "sam_vit_b_01ec64.pth", torch.device("cpu"))
