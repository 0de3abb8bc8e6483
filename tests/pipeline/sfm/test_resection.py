"""A pose follows its points as far as they are sure, and the prediction where they are not."""

import numpy as np

from pipeline.cameras import Intrinsics, project, rigid, transform
from pipeline.sfm.bundle_adjustment import rotation_exp
from pipeline.sfm.motion_prior import PosePrediction
from pipeline.sfm.resection import moved, resected, whitened
from pipeline.sfm.rigid_model import RigidModel

CAMERA = Intrinsics.centred(100.0, 96, 96)
POINTS = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 3))
TRUTH = rigid(rotation_exp(np.array([0.2, -0.3, 0.1])), np.array([0.1, -0.1, 3.0]))
OFF = rigid(rotation_exp(np.array([0.25, -0.3, 0.1])), np.array([0.15, -0.1, 3.0]))


def solved(count: int, turn_std: float, place_std: float, wrong: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The pose from exact places of some points, a few of them wrong, and a prediction that is off."""
    model = RigidModel(OFF[None].copy(), POINTS, CAMERA, "off")
    xy = project(CAMERA, transform(TRUTH, POINTS[:count]))
    xy[:wrong] += 15.0
    covariance = np.tile(0.01 * np.eye(2), (count, 1, 1))
    return resected(model, np.arange(count), xy, covariance, PosePrediction(OFF, turn_std, place_std), 0)


def test_many_points_tell_the_pose_whatever_was_expected() -> None:
    pose, agrees = solved(20, 0.2, 0.5)
    assert agrees.all()
    np.testing.assert_allclose(pose, TRUTH, atol=2e-3)


def test_points_that_are_wrong_do_not_agree_and_do_not_move_it() -> None:
    pose, agrees = solved(20, 0.2, 0.5, wrong=4)
    assert agrees.tolist() == [False] * 4 + [True] * 16
    np.testing.assert_allclose(pose, TRUTH, atol=2e-2)


def test_two_points_move_it_and_what_they_leave_open_stays_as_expected() -> None:
    pose, agrees = solved(2, 1e-4, 0.2)
    assert agrees.all() and abs(pose[0, 3] - TRUTH[0, 3]) < abs(OFF[0, 3] - TRUTH[0, 3])
    np.testing.assert_allclose(pose[:3, :3], OFF[:3, :3], atol=2e-3)


def test_a_sure_prediction_is_kept() -> None:
    np.testing.assert_allclose(solved(2, 1e-6, 1e-6)[0], OFF, atol=1e-4)


def test_the_jacobian_is_the_slope_of_the_projection() -> None:
    xy, eye = np.zeros((20, 2)), np.tile(np.eye(2), (20, 1, 1))
    centre = np.median(POINTS, axis=0)
    error, jacobian = whitened(CAMERA, TRUTH, POINTS, centre, xy, eye)
    for index in range(6):
        step = 1e-6 * np.eye(6)[index]
        after, _ = whitened(CAMERA, moved(TRUTH, step, centre), POINTS, centre, xy, eye)
        np.testing.assert_allclose((error - after) / 1e-6, jacobian[..., index], rtol=1e-3, atol=1e-2)
