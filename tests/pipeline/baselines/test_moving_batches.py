"""What a step of NSFF and DynNeRF sees."""

from dataclasses import replace

import pytest
import torch

from pipeline.baselines.data import TrainingViews, scene_views
from pipeline.baselines.depth_supervision import sparse_depths
from pipeline.baselines.motion import KnownMotion
from pipeline.baselines.moving_batches import RayPlan, draw_moving
from pipeline.formats.scene_file import Scene, read_scene
from tests.synthetic import write_synthetic_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return read_scene(write_synthetic_scene(tmp_path_factory.mktemp("synthetic")).scene)


def told(scene: Scene) -> tuple[TrainingViews, KnownMotion]:
    views = scene_views(scene, sparse_depths(scene), with_motion=True)
    assert views.motion is not None
    return views, views.motion


def test_each_shard_sees_one_frame_with_what_is_known_of_its_pixels(scene: Scene) -> None:
    views, motion = told(scene)
    batch = draw_moving(views, motion, RayPlan(30, 12, 9, 8), 3, torch.Generator().manual_seed(1))
    assert len(batch.colour) == 60
    for shard in range(3):
        part = batch[shard::3]
        frame = int(part.rays.frames[0])
        assert (part.rays.frames == frame).all() and len(part.xy) == 20
        assert (part.moving[10:14] == 1).all() and (part.moving[14:17] == 0).all()
        assert (part.confidence[:17] == 0).all() and (part.confidence[17:] > 0).all()
        row, column = int(part.xy[11, 1]), int(part.xy[11, 0])
        torch.testing.assert_close(part.colour[11], torch.from_numpy(scene.images[frame, row, column] / 255).float())
        torch.testing.assert_close(part.flow[11, 0], motion.flow_next[frame, row, column].float())
        assert part.neighbours[11].tolist() == [min(frame + 1, scene.frame_count - 1), max(frame - 1, 0)]
        assert part.flow_valid[11].tolist() == [
            bool(motion.next_valid[frame, row, column]),
            bool(motion.previous_valid[frame, row, column]),
        ]


def test_where_nothing_moves_pixels_come_from_anywhere_and_no_depth_counts(scene: Scene) -> None:
    views, motion = told(scene)
    assert views.depths is not None
    elsewhere = replace(views.depths, view=torch.full_like(views.depths.view, 7))
    views = replace(views, used=torch.tensor([2]), depths=elsewhere)
    still = replace(motion, moving=torch.zeros_like(motion.moving))
    batch = draw_moving(views, still, RayPlan(0, 8, 0, 4), 2, torch.Generator().manual_seed(0))
    assert len(batch.colour) == 12 and (batch.moving == 0).all() and (batch.confidence == 0).all()
