"""What is hidden is carried by its motion in the world, with an uncertainty that holds and grows with the gap."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from pipeline.cameras import Intrinsics, inverse, rigid, rotation_angle_deg, transform
from pipeline.sfm.bundle_adjustment import rotation_exp
from pipeline.sfm.motion_prior import World, carried_poses, kriging, predicted_pose
from pipeline.sfm.rigid_model import RigidModel

FRAMES = 24
CAMERA = Intrinsics.centred(100.0, 96, 96)
POINTS = np.random.default_rng(0).uniform(-0.5, 0.5, (30, 3))


def world(shake: float) -> World:
    """A camera that drifts, and shakes in the hand."""
    random = np.random.default_rng(1)
    step = np.arange(FRAMES)[:, None]
    turn = rotation_exp(0.01 * step * [0, 1, 0] + 0.3 * shake * random.standard_normal((FRAMES, 3)))
    return World(rigid(turn, 0.03 * step * [1, 0, 0] + shake * random.standard_normal((FRAMES, 3))), 6.0)


def body(before: World, noise: float = 0.0, seed: int = 2) -> RigidModel:
    """A thing that turns and flies in a curve, as that camera sees it, in the world's own units."""
    random = np.random.default_rng(seed)
    time = np.arange(FRAMES)[:, None] / FRAMES
    turn = rotation_exp(1.5 * time * [0.3, 1, 0.2] + noise * random.standard_normal((FRAMES, 3)))
    place = [0, 0, 3.0] + time * [1.0, -1.0, 0.5] + time**2 * [0, 1.5, 0] + noise * random.standard_normal((FRAMES, 3))
    return RigidModel(inverse(before.world_from_camera) @ rigid(turn, place), POINTS, CAMERA, "true")


def hidden_in(model: RigidModel, frames: slice) -> RigidModel:
    poses = model.camera_from_object.copy()
    poses[frames] = np.nan
    return replace(model, camera_from_object=poses)


def place_error(one: np.ndarray, other: np.ndarray) -> float:
    centre = np.median(POINTS, axis=0)[None]
    return float(np.linalg.norm(transform(one, centre) - transform(other, centre)))


def turn_error_deg(one: np.ndarray, other: np.ndarray) -> float:
    return float(rotation_angle_deg(one[None, :3, :3] @ other[None, :3, :3].swapaxes(1, 2))[0])


def test_a_hidden_span_is_carried_to_near_the_truth() -> None:
    before = world(shake=0.0)
    truth = body(before)
    carried = carried_poses(hidden_in(truth, slice(10, 15)), before)
    assert sorted(carried) == [10, 11, 12, 13, 14]
    for frame, pose in carried.items():
        assert turn_error_deg(pose.camera_from_object, truth.camera_from_object[frame]) < 0.2
        assert place_error(pose.camera_from_object, truth.camera_from_object[frame]) < 0.01


def test_a_camera_that_shakes_does_not_shake_what_is_carried() -> None:
    before = world(shake=0.02)
    truth = body(before)
    carried = carried_poses(hidden_in(truth, slice(10, 13)), before)
    errors = [place_error(pose.camera_from_object, truth.camera_from_object[f]) for f, pose in carried.items()]
    assert len(errors) == 3 and max(errors) < 0.01


def test_the_truth_lies_within_two_standard_deviations_of_what_is_predicted() -> None:
    before, within = world(shake=0.0), []
    for seed in range(12):
        noisy = hidden_in(body(before, noise=0.01, seed=seed), slice(9, 13))
        pose, exact = predicted_pose(noisy, before, 11), body(before).camera_from_object[11]
        assert pose is not None
        turn = np.radians(turn_error_deg(pose.camera_from_object, exact))
        # Three axes: a length within two deviations of each is within 2.8 of one.
        within += [turn < 2.8 * pose.turn_std, place_error(pose.camera_from_object, exact) < 2.8 * pose.place_std]
    assert np.mean(within) > 0.85


def test_uncertainty_grows_with_the_gap() -> None:
    before = world(shake=0.0)
    known = hidden_in(body(before, noise=0.005), slice(12, FRAMES))
    stds = [predicted_pose(known, before, frame) for frame in (12, 14, 16, 18)]
    assert all(a and b and a.place_std < b.place_std and a.turn_std < b.turn_std for a, b in pairwise(stds))


def test_two_poses_tell_no_motion() -> None:
    before = world(shake=0.0)
    assert predicted_pose(hidden_in(body(before), slice(2, FRAMES)), before, 5) is None
    assert carried_poses(hidden_in(body(before), slice(2, FRAMES)), before) == {}


def test_kriging_goes_on_along_a_line_and_is_sure_of_it() -> None:
    times = np.arange(6.0)
    value, variance = kriging(times, np.stack([1 + 2 * times, -times], axis=1), 8.0)
    np.testing.assert_allclose(value, [17.0, -8.0], atol=1e-6)
    assert variance < 1e-9
