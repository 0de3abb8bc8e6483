"""Given depth maps in the units of the scene."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.formats.scene_file import Scene, SceneFlow, read_scene
from pipeline.runtime.errors import StageError
from pipeline.semantic_flow.data import training_points
from pipeline.semantic_flow.depth_supervision import depth_points, given_depths, told_points
from pipeline.semantic_flow.labels import training_labels
from pipeline.semantic_flow.pixels import Video
from pipeline.train_semantic_flow import train_semantic_flow
from pipeline.truth.truth_file import Truth, read_truth
from tests.pipeline.small_semantic_flow import small
from tests.synthetic import SyntheticScene, unit_of_scene, write_synthetic_scene


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> SyntheticScene:
    return write_synthetic_scene(tmp_path_factory.mktemp("depth"))


@pytest.fixture(scope="module")
def scene(written: SyntheticScene) -> Scene:
    return read_scene(written.scene)


@pytest.fixture(scope="module")
def truth(written: SyntheticScene) -> Truth:
    return read_truth(written.truth)


def test_depths_of_moving_things_are_taken_where_labels_say_what_moves(
    written: SyntheticScene, scene: Scene, truth: Truth, tmp_path: Path
) -> None:
    for frame, depth in enumerate(truth.train.depth):
        np.save(tmp_path / f"{frame}.npy", 7 * depth)
    labels = training_labels(scene, None, small(task="tracking", labelled_fraction=0.5))
    points = depth_points(tmp_path, Video.of(scene, SceneFlow.of(scene), labels, small()))
    column, row = points.xy.long().numpy().T
    frame = points.frame.numpy()
    expected = unit_of_scene(scene, truth) * truth.train.depth[frame, row, column]
    assert np.median(np.abs(points.depth.numpy() / expected - 1)) < 0.02
    known = labels.labelled[frame]
    np.testing.assert_array_equal(points.moving.numpy()[known], (scene.object_ids > 0)[frame, row, column][known])
    assert (points.moving.numpy()[~known] == -1).all() and (~known).any()
    config = small(static_steps=2, steps=2, rays=64)
    paths = {"checkpoint": tmp_path / "checkpoint.pt", "history": tmp_path / "history.csv"}
    train_semantic_flow(
        written.scene, labels=None, depth=tmp_path, weights=None, start_from=None, config=config, **paths
    )
    assert torch.load(paths["checkpoint"], weights_only=True)["depth_maps"]


def test_each_supervision_tells_what_it_says_and_nothing_else(scene: Scene, truth: Truth, tmp_path: Path) -> None:
    np.save(tmp_path / "depth.npy", truth.train.depth)
    labels = training_labels(scene, None, small())
    sparse = training_points(scene, labels, np.ones(scene.object_count))
    maps = depth_points(tmp_path, Video.of(scene, SceneFlow.of(scene), labels, small()))
    counts = {"own": len(sparse.frame) + len(maps.frame), "none": 0, "sfm": len(sparse.frame), "maps": len(maps.frame)}
    for supervision, count in counts.items():
        video = Video.of(scene, SceneFlow.of(scene), labels, small(depth_supervision=supervision))
        told = told_points(sparse, given_depths(tmp_path, video), supervision)
        assert len(told.frame) == count, supervision
        if supervision == "maps":
            with pytest.raises(StageError, match="maps needs depth maps"):
                given_depths(None, video)
    assert not told.motion_known.any()  # maps tell no motion


def test_training_without_any_depth_goes_through_both_stages(written: SyntheticScene, tmp_path: Path) -> None:
    config = small(static_steps=2, steps=2, rays=64, depth_supervision="none")
    paths = {"checkpoint": tmp_path / "checkpoint.pt", "history": tmp_path / "history.csv"}
    train_semantic_flow(written.scene, labels=None, depth=None, weights=None, start_from=None, config=config, **paths)
    assert not torch.load(paths["checkpoint"], weights_only=True)["depth_maps"]
