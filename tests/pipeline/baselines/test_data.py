"""What baselines are shown."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.baselines.data import draw, scene_views
from pipeline.baselines.depth_supervision import known_depths, mapped_depths, sparse_depths
from pipeline.cameras import inverse, project, transform
from pipeline.formats.scene_file import Scene, read_scene
from pipeline.runtime.errors import StageError
from pipeline.scene.object_scales import slowest_scale
from tests.synthetic import synthetic_truth, write_synthetic_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return read_scene(write_synthetic_scene(tmp_path_factory.mktemp("synthetic")).scene)


def test_drawn_pixels_lie_on_their_rays_and_have_their_colour(scene: Scene) -> None:
    views = scene_views(scene, sparse_depths(scene))
    batch = draw(views, 40, 10, torch.Generator().manual_seed(0))
    assert len(batch.colour) == 50 and int((batch.confidence > 0).sum()) == 10
    for ray in range(0, 50, 5):
        frame, point = int(batch.rays.frames[ray]), (batch.rays.origins + batch.rays.directions)[ray].double().numpy()
        x, y = project(scene.camera, transform(inverse(scene.object_from_camera[0, frame].astype(float)), point))
        image = scene.images[frame] / 255
        row, column = min(int(y), image.shape[0] - 1), min(int(x), image.shape[1] - 1)
        if abs(x - round(x)) > 1e-2 and abs(y - round(y)) > 1e-2:  # not on the border of two pixels
            np.testing.assert_allclose(batch.colour[ray].numpy(), image[row, column], atol=1e-6)


def test_frames_without_a_camera_are_never_drawn(scene: Scene) -> None:
    visible = scene.visible.copy()
    visible[0, 1:] = False
    with pytest.raises(StageError, match="fewer than two frames"):
        scene_views(replace(scene, visible=visible), None)
    visible[0, 3] = True
    views = scene_views(replace(scene, visible=visible), None)
    assert set(draw(views, 60, 0, torch.Generator().manual_seed(0)).rays.frames.tolist()) == {0, 3}


def test_sparse_depths_are_those_of_the_scene_by_each_objects_slowest_motion(scene: Scene) -> None:
    depths, frames = sparse_depths(scene), np.ones(scene.frame_count, bool)
    scale = slowest_scale(scene, 1, frames)
    assert scale is not None
    low, high = scene.scale_range[1]
    first = np.flatnonzero(scene.observation_object == 1)[0]
    here = torch.from_numpy(scene.observation_xy[first])
    row = ((depths.xy - here).abs().sum(1) + (depths.view != int(scene.observation_frame[first]))).argmin()
    assert depths.depth[row].item() == pytest.approx(
        float(np.clip(scale, low, high)) * float(scene.observation_depth[first]), rel=1e-4
    )
    background = scene.observation_object == 0
    assert np.isin(scene.observation_depth[background][:5], depths.depth.numpy()).all()


def test_maps_up_to_an_affine_of_disparity_give_depths_of_the_scene(scene: Scene, tmp_path: Path) -> None:
    truth = synthetic_truth().train.depth
    np.save(tmp_path / "depth.npy", (3.0 / truth + 0.1).astype(np.float32))
    depths = mapped_depths(tmp_path, scene, 0)
    column, row = depths.xy.long().unbind(1)
    true = torch.from_numpy(truth)[depths.view, row, column]
    ratio = depths.depth / true
    assert (ratio / ratio.median() - 1).abs().quantile(0.9) < 0.02


def test_supervision_that_cannot_be_had_says_what_to_do(scene: Scene) -> None:
    assert known_depths("none", scene, None, 0) is None
    with pytest.raises(StageError, match="maps needs depth maps; give the scene `depth:`"):
        known_depths("maps", scene, None, 0)
    with pytest.raises(StageError, match="no depth in any frame"):
        known_depths("sfm", replace(scene, visible=np.zeros_like(scene.visible)), None, 0)
