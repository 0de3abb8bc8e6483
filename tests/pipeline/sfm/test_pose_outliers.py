"""A pose in the other minimum of its frame comes back to the motion; what really jumps stays, and what nothing shows is dropped."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.cameras import rotation_angle_deg
from pipeline.sfm.bundle_adjustment import Freedom, adjust, rotation_exp
from pipeline.sfm.motion_prior import World
from pipeline.sfm.pose_outliers import farthest_outliers, stretches, without_pose_outliers, without_unseen_frames
from pipeline.sfm.registration import FEWEST_INLIERS
from pipeline.sfm.rigid_model import RigidModel
from tests.pipeline.tracked_body import FRAMES, pose_errors, solid, tracked, turning_poses

DISTANCE = 16.0
WORLD = World(np.tile(np.eye(4), (FRAMES, 1, 1)), 10.0)


def reversed_in(model: RigidModel, frame: int, side: np.ndarray) -> RigidModel:
    """The model with the pose of one frame in which a flat side leans the other way, as its mirror image along the view would."""
    flip, poses = np.diag([1.0, 1.0, -1.0]), model.camera_from_object.copy()
    points = model.points[side]
    normal = np.linalg.svd(points - points.mean(0))[2][2]
    rotation, centre = poses[frame, :3, :3], points.mean(0)
    # A reflection of the camera's depth and one across the side together are a rotation that leaves the side's image alike.
    turned = flip @ rotation @ (np.eye(3) - 2 * np.outer(normal, normal))
    poses[frame, :3, 3] += (rotation - turned) @ centre
    poses[frame, :3, :3] = turned
    return replace(model, camera_from_object=poses)


@pytest.mark.parametrize("frames", [[0], [0, 1], [0, 1, 2], [FRAMES - 2, FRAMES - 1]])
def test_a_flat_side_that_leans_the_wrong_way_is_turned_back(frames: list[int]) -> None:
    points = solid(120)
    points[:40, 2] = 0.7 * points[:40, 0]  # one flat side, slanted
    true, seen = tracked(turning_poses(distance=DISTANCE), points, noise=0.05)
    side = np.arange(len(points)) < 40
    seen = seen.kept(~np.isin(seen.frame, frames) | side[seen.track])  # all that these frames show
    wrong = true
    for frame in frames:
        wrong = reversed_in(wrong, frame, side)
    stuck = adjust(wrong, seen, Freedom())
    turned = stuck.model.camera_from_object[frames, :3, :3] @ np.swapaxes(true.camera_from_object[frames, :3, :3], 1, 2)
    assert rotation_angle_deg(turned).min() > 15
    found = without_pose_outliers(stuck, seen, WORLD)
    assert found.cost < stuck.cost and pose_errors(found.model, true.camera_from_object)[0] < 1.0


def test_what_really_turned_in_one_frame_keeps_its_pose() -> None:
    poses = turning_poses()
    poses[5, :3, :3] = rotation_exp(np.array([0.0, 0.6, 0.0])) @ poses[5, :3, :3]
    true, seen = tracked(poses, solid(80), noise=0.05)
    found = adjust(true, seen, Freedom())
    outlier = farthest_outliers(found.model, WORLD, set())
    assert outlier is not None and outlier[0] == (5,)
    assert farthest_outliers(found.model, WORLD, {(5,)}) is None
    assert pose_errors(without_pose_outliers(found, seen, WORLD).model, poses)[0] < 0.5


def test_a_steady_motion_has_no_outlier() -> None:
    true, _ = tracked(turning_poses(), solid(20))
    assert farthest_outliers(true, WORLD, set()) is None


def test_frames_are_tried_alone_and_a_few_at_the_ends_together() -> None:
    assert stretches(np.array([1, 3, 4, 6])) == [(1,), (3,), (4,), (6,), (1, 3), (4, 6)]
    assert stretches(np.array([2])) == [(2,)]


def test_frames_that_show_too_few_points_have_no_pose() -> None:
    true, seen = tracked(turning_poses(), solid(30))
    few = seen.kept((seen.frame != 3) | (seen.track < FEWEST_INLIERS - 1))
    assert np.flatnonzero(~without_unseen_frames(true, few).registered).tolist() == [3]
    nearly_none = seen.kept(seen.track < FEWEST_INLIERS - 1)
    assert without_unseen_frames(true, nearly_none).registered.all()
