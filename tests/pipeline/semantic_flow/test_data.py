"""What Semantic Flow trains on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.formats.scene_file import Scene, SceneFlow, read_scene
from pipeline.scene.region import scene_cameras
from pipeline.semantic_flow.data import Pixels, draw, neighbours, random_signs, training_points, widened
from pipeline.semantic_flow.labels import Labels, training_labels
from pipeline.semantic_flow.pixels import Video
from tests.pipeline.small_semantic_flow import small
from tests.synthetic import SyntheticScene, write_synthetic_scene


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> SyntheticScene:
    return write_synthetic_scene(tmp_path_factory.mktemp("data"))


def all_pixels(scene: Scene, labels: Labels) -> Pixels:
    return Video.of(scene, SceneFlow.of(scene), labels, small()).pixels(list(range(scene.frame_count)))


def test_held_out_labels_cannot_reach_training_through_masks_or_points(written: SyntheticScene, tmp_path: Path) -> None:
    scene = read_scene(written.scene)
    config = small(task="tracking", labelled_fraction=0.5)
    labels = training_labels(scene, None, config)
    hidden = ~labels.labelled
    other = scene.object_ids.copy()
    other[hidden] = 0
    changed = replace(scene, object_ids=other)
    pixels = all_pixels(scene, labels)
    same = all_pixels(changed, training_labels(changed, None, config))
    for name in ("label", "moving", "anywhere", "still", "active"):
        torch.testing.assert_close(getattr(same, name), getattr(pixels, name), rtol=0, atol=0)
    points = training_points(scene, labels, np.ones(scene.object_count))
    moving = points.moving > 0
    assert not hidden[points.frame[moving].numpy()].any()
    assert bool((points.moving[torch.from_numpy(hidden)[points.frame]] == -1).all())
    known = points.motion_known.any(dim=1)
    assert bool(known.any())
    forward = points.motion_known[:, 0]
    assert not hidden[(points.frame[forward] + 1).numpy()].any()


def test_known_motion_carries_points_to_where_the_object_is_next(written: SyntheticScene) -> None:
    """Moved points project to where the true flow leads."""
    scene = read_scene(written.scene)
    labels = training_labels(scene, None, small())
    points = training_points(scene, labels, np.ones(scene.object_count))
    cameras = scene_cameras(scene)
    chosen = points.motion_known[:, 0]
    frame, xy = points.frame[chosen], points.xy[chosen]
    rays = cameras.rays(xy, frame)
    later = rays.origins + points.depth[chosen][:, None] * rays.directions + points.motion[chosen, 0]
    landed, _ = cameras.project(later, frame + 1)
    flow = scene.flow_forward[frame.numpy(), xy[:, 1].long().numpy(), xy[:, 0].long().numpy()]
    error = (landed - xy - torch.from_numpy(flow)).norm(dim=-1)
    assert float(error.median()) < 0.1


def test_neighbours_are_one_frame_away_and_exist() -> None:
    frames = torch.arange(5).repeat(50)
    neighbour = neighbours(frames, 5, random_signs(250, torch.Generator().manual_seed(0)))
    assert set(neighbour.tolist()) == {-1, 1}
    assert ((frames + neighbour >= 0) & (frames + neighbour < 5)).all()
    assert len(neighbour[frames == 2].unique()) == 2


def test_a_mask_is_widened_by_pixels_in_every_direction() -> None:
    mask = np.zeros((1, 9, 9), bool)
    mask[0, 4, 4] = True
    wide = widened(mask, 2)
    assert wide.sum() == 25 and wide[0, 2:7, 2:7].all()


def test_a_batch_has_its_share_of_moving_pixels_and_its_sparse_points(written: SyntheticScene) -> None:
    scene = read_scene(written.scene)
    labels = training_labels(scene, None, small())
    pixels, points = all_pixels(scene, labels), training_points(scene, labels, np.ones(scene.object_count))
    cameras, generator = scene_cameras(scene), torch.Generator().manual_seed(0)
    batch = draw(pixels, points, cameras, 200, 1.0, 30, generator)
    assert len(batch.xy) == 230 and (batch.moving[:200] == 1).all()
    assert (batch.confidence[:200] == 0).all() and (batch.confidence[200:] > 0).all()
    assert (batch.label[200:] == -1).all()  # points say where things are, not what
    still = draw(pixels, points, cameras, 200, 1.0, 30, generator, still_only=True)
    assert (still.moving <= 0).all()
