"""The adjustment finds the minimum, knows its slopes, and says the same twice."""

from dataclasses import replace

import numpy as np

from pipeline.alignment import rotation_error_deg, trajectory_error_percent
from pipeline.bundle_adjustment import Freedom, adjust, jacobians, residuals, robust_cost, rotation_exp
from pipeline.cameras import rigid
from pipeline.rigid_model import RigidModel, triangulate
from tests.pipeline.tracked_body import solid, tracked, turning_poses


def disturbed(model: RigidModel, degrees: float = 2.0) -> RigidModel:
    random = np.random.default_rng(5)
    frames = len(model.camera_from_object)
    turn = rotation_exp(np.radians(degrees) * random.standard_normal((frames, 3)))
    shake = rigid(turn, 0.02 * random.standard_normal((frames, 3)))
    return replace(model, camera_from_object=shake @ model.camera_from_object)


def test_exact_tracks_lead_back_to_the_exact_model() -> None:
    true, seen = tracked(turning_poses(), solid(60))
    found = adjust(triangulate(disturbed(true), seen), seen, Freedom(), iterations=60, tolerance=1e-12)
    assert found.cost < 1e-8
    assert rotation_error_deg(found.model.object_from_camera, true.object_from_camera) < 1e-3
    assert trajectory_error_percent(found.model.object_from_camera, true.object_from_camera) < 1e-2


def test_wrong_observations_hardly_move_the_model() -> None:
    true, seen = tracked(turning_poses(), solid(80), noise=0.1)
    wrong = np.random.default_rng(0).random(len(seen.track)) < 0.05
    spoilt = replace(seen, xy=np.where(wrong[:, None], seen.xy + 15.0, seen.xy))
    found = adjust(triangulate(true, spoilt), spoilt, Freedom())
    assert rotation_error_deg(found.model.object_from_camera, true.object_from_camera) < 0.5


def test_jacobians_are_finite_differences() -> None:
    model, seen = tracked(turning_poses(3), solid(8))
    by_camera, by_point = jacobians(model, seen)
    step = 1e-6
    for axis in range(3):
        moved = replace(model, points=model.points + step * np.eye(3)[axis])
        slope = -(residuals(moved, seen) - residuals(model, seen)) / step
        np.testing.assert_allclose(by_point[..., axis], slope, atol=1e-3)
        turn = rigid(rotation_exp(step * np.eye(3)[axis]), np.zeros(3))
        turned = replace(model, camera_from_object=turn @ model.camera_from_object)
        np.testing.assert_allclose(
            by_camera[..., axis], -(residuals(turned, seen) - residuals(model, seen)) / step, atol=1e-2
        )
        pushed = replace(model, camera_from_object=rigid(np.eye(3), step * np.eye(3)[axis]) @ model.camera_from_object)
        np.testing.assert_allclose(
            by_camera[..., 3 + axis], -(residuals(pushed, seen) - residuals(model, seen)) / step, atol=1e-3
        )


def test_a_wrong_focal_length_is_found() -> None:
    true, seen = tracked(turning_poses(20, turn=2.0, distance=3.0), solid(120))
    wrong = replace(true, camera=replace(true.camera, fx=235.0, fy=235.0))
    found = adjust(wrong, seen, Freedom(focal=True), iterations=100, tolerance=1e-12)
    assert abs(found.model.camera.fx - 250.0) < 0.5


def test_what_is_held_stays() -> None:
    true, seen = tracked(turning_poses(), solid(40), noise=0.2)
    found = adjust(true, seen, Freedom(rotation=False, translation=False))
    np.testing.assert_array_equal(found.model.camera_from_object, true.camera_from_object)
    assert robust_cost(found.model, seen) < robust_cost(true, seen)


def test_two_adjustments_are_bit_for_bit_the_same() -> None:
    true, seen = tracked(turning_poses(), solid(60), noise=0.1)
    first, second = (adjust(triangulate(disturbed(true), seen), seen, Freedom()).model for _ in range(2))
    np.testing.assert_array_equal(first.camera_from_object, second.camera_from_object)
    np.testing.assert_array_equal(first.points, second.points)
