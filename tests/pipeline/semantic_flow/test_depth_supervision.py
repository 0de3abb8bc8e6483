"""Given depth maps in the units of the scene."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.formats.scene_file import Scene, read_scene
from pipeline.scene.depth_maps import aligned_depths, best_alignment, robust_line
from pipeline.semantic_flow.depth_supervision import depth_points
from pipeline.semantic_flow.labels import training_labels
from pipeline.train_semantic_flow import train_semantic_flow
from pipeline.truth.truth_file import Truth, read_truth
from tests.pipeline.small_semantic_flow import small
from tests.synthetic import SyntheticScene, write_synthetic_scene


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> SyntheticScene:
    return write_synthetic_scene(tmp_path_factory.mktemp("depth"))


@pytest.fixture(scope="module")
def scene(written: SyntheticScene) -> Scene:
    return read_scene(written.scene)


@pytest.fixture(scope="module")
def truth(written: SyntheticScene) -> Truth:
    return read_truth(written.truth)


def unit(scene: Scene, truth: Truth) -> float:
    """World units of the scene in one of truth's."""
    chosen = scene.observation_object == 0
    column, row = scene.observation_xy[chosen].astype(int).T
    return float(
        np.median(scene.observation_depth[chosen] / truth.train.depth[scene.observation_frame[chosen], row, column])
    )


@pytest.mark.parametrize("form", ["depth", "inverse"])
def test_maps_known_up_to_scale_and_shift_become_true_depth(scene: Scene, truth: Truth, form: str) -> None:
    true = unit(scene, truth) * truth.train.depth.astype(np.float64)
    rng = np.random.default_rng(0)
    scale, shift = rng.uniform(0.2, 9, (len(true), 1, 1)), rng.uniform(0.01, 0.05, (len(true), 1, 1))
    maps = scale * true + shift if form == "depth" else 1 / (scale / true + shift)
    aligned, used = aligned_depths(maps.astype(np.float32), scene)
    assert used.all()
    assert np.median(np.abs(aligned / true - 1)) < 0.02


def test_a_line_is_not_moved_by_a_third_of_outliers() -> None:
    rng = np.random.default_rng(1)
    x = rng.uniform(1, 5, 300)
    y = 2 * x + 3
    y[:100] *= rng.uniform(1.5, 4, 100)
    assert robust_line(x, y) == pytest.approx((2, 3), abs=1e-2)


def test_unknown_pixels_stay_unknown_and_a_map_of_something_else_is_not_believed(scene: Scene) -> None:
    given = np.linspace(1, 4, 50)
    whole = np.array([[1.0, np.nan], [2.0, 4.0]])
    aligned, error = best_alignment(given, 3 * given, whole)
    np.testing.assert_allclose(aligned, [[3.0, 0.0], [6.0, 12.0]], rtol=1e-6)
    assert error < 1e-6
    noise = np.random.default_rng(0).uniform(0.1, 20, scene.object_ids.shape) ** 3
    assert not aligned_depths(noise, scene)[1].all()


def test_depths_of_moving_things_are_taken_where_labels_say_what_moves(
    written: SyntheticScene, scene: Scene, truth: Truth, tmp_path: Path
) -> None:
    for frame, depth in enumerate(truth.train.depth):
        np.save(tmp_path / f"{frame}.npy", 7 * depth)
    labels = training_labels(scene, None, small(task="tracking", labelled_fraction=0.5))
    points = depth_points(tmp_path, scene, labels, 0)
    column, row = points.xy.long().numpy().T
    frame = points.frame.numpy()
    expected = unit(scene, truth) * truth.train.depth[frame, row, column]
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
