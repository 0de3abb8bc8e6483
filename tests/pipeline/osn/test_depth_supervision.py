"""What OSN is told of depth: the sparse points, maps that say nothing of scales, or nothing."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.config import TrainOsnConfig
from pipeline.formats.scene_file import Scene, read_scene, read_scene_frames
from pipeline.osn.depth_supervision import told_depths
from pipeline.osn.pixels import depths_within, pixel_source
from pipeline.osn.setup import sparse_depths
from pipeline.runtime.errors import StageError
from tests.synthetic import synthetic_truth, write_synthetic_scene

CPU = torch.device("cpu")
MAPS, NONE = TrainOsnConfig(depth_supervision="maps"), TrainOsnConfig(depth_supervision="none")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_synthetic_scene(tmp_path_factory.mktemp("osn_depth")).scene


@pytest.fixture(scope="module")
def scene(path: Path) -> Scene:
    return read_scene(path)


def written(folder: Path, factors: tuple[float, ...]) -> Path:
    """True depth in another unit than the scene's, that of each object times a factor."""
    train = synthetic_truth().train
    folder.mkdir()
    np.save(folder / "depth.npy", (3 * train.depth * np.array(factors)[train.object_ids]).astype(np.float32))
    return folder


def test_maps_tell_shapes_but_not_scales(scene: Scene, tmp_path: Path) -> None:
    """An object twice as far in all maps is the same object: only its scale differs, which OSN has to find."""
    told = told_depths(MAPS, scene, written(tmp_path / "true", (1, 1, 1)))
    moved = told_depths(MAPS, scene, written(tmp_path / "moved", (1, 2, 0.4)))
    assert told is not None and moved is not None and torch.equal(told.pixel, moved.pixel)
    assert (moved.depth / told.depth - 1).abs().max() < 0.02  # points on borders, which maps give the wrong object
    true = torch.from_numpy(synthetic_truth().train.depth).flatten()[told.pixel].float()
    assert (told.depth / true - 1).abs().median() < 0.01  # at scale 1, as this scene's objects are
    assert set(torch.from_numpy(scene.object_ids).flatten()[told.pixel].tolist()) == {0, 1, 2}


def test_sparse_points_are_told_as_ever_and_none_tells_nothing(path: Path, scene: Scene) -> None:
    assert told_depths(TrainOsnConfig(), scene, None) is None
    assert told_depths(TrainOsnConfig(depth_supervision="sfm"), scene, None) is None
    nothing = told_depths(NONE, scene, None)
    batch = pixel_source(path, scene, NONE, CPU, nothing)(0).draw(50, torch.Generator().manual_seed(0))
    assert len(batch.depth) >= 48 and not batch.depth_weight.any()
    with pytest.raises(StageError, match="maps needs depth maps"):
        told_depths(MAPS, scene, None)


def test_depths_of_some_frames_are_those_that_reading_these_frames_gives(path: Path, scene: Scene) -> None:
    frames = [2, 3, 7]
    part, alone = depths_within(sparse_depths(scene), frames, scene), sparse_depths(read_scene_frames(path, frames))
    assert torch.equal(part.pixel, alone.pixel) and torch.equal(part.depth, alone.depth)


def test_without_depth_the_stage_says_what_that_costs(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    depths = told_depths(NONE, scene, None)
    assert depths is not None and len(depths.pixel) == 0
    assert "no depth is told" in caplog.text and "depth_supervision: sfm" in caplog.text
    weightless = told_depths(TrainOsnConfig(depth_weight=0), scene, None)
    assert weightless is not None and len(weightless.pixel) == 0  # the background must not be asked to be opaque then
