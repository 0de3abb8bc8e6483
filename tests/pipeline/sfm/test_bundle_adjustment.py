"""The adjustment finds the minimum, knows its slopes, and says the same twice."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pycolmap
from scipy.spatial.transform import Rotation

from models.ops.bundle_adjustment import reduced_system
from pipeline.cameras import rigid
from pipeline.geometry.similarity_alignment import rotation_error_deg, trajectory_error_percent
from pipeline.sfm.bundle_adjustment import (
    ROBUST_SIGMAS,
    Freedom,
    Shape,
    adjust,
    apply_step,
    by_track,
    cholesky_solve,
    free_parameters,
    layout,
    reduced_information,
    residuals,
    robust_cost,
    rotation_exp,
    sane_radials,
    state,
)
from pipeline.sfm.colmap import read_model, write_model
from pipeline.sfm.rigid_model import Observations, RigidModel, equal_errors, triangulate
from tests.pipeline.tracked_body import CAMERA, orbit, room, solid, tracked, turning_poses


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


def slopes_by_differences(model: RigidModel, seen: Observations, shape: Shape, step: float = 1e-6) -> np.ndarray:
    """Change of all projections, in standard deviations, with poses, each frame's lens and points, one by one."""
    columns, frames = [], len(model.camera_from_object)
    for parameter in range(7 * frames + 1):
        change = np.zeros(7 * frames + 1)
        change[parameter] = step
        moved = apply_step(model, change, np.zeros_like(model.points), shape)
        columns.append((residuals(model, seen, shape) - residuals(moved[0], seen, moved[1])).ravel() / step)
    for coordinate in range(model.points.size):
        shift = np.zeros(model.points.size)
        shift[coordinate] = step
        moved = replace(model, points=model.points + shift.reshape(-1, 3))
        columns.append((residuals(model, seen, shape) - residuals(moved, seen, shape)).ravel() / step)
    return np.stack(columns, axis=1)


def slanted(seen: Observations) -> Observations:
    """The same observations, less certain along one direction."""
    along = np.array([0.8, 0.6])
    return replace(seen, covariance=seen.covariance + 0.3 * along[:, None] * along)


def test_points_are_eliminated_as_a_dense_system_says() -> None:
    model, seen = tracked(turning_poses(4), solid(9), noise=0.3, length=3)
    seen = slanted(seen)
    shape = Shape(-0.1, np.array([0.8, 0.9, 1.1, 1.3]))
    seen = replace(seen, xy=seen.xy + 0.5 * residuals(model, seen, shape) * seen.sigma_px[:, None])
    error, cameras = residuals(model, seen, shape), 7 * seen.frame_count + 1
    root = np.repeat(1 / np.sqrt(1 + (error**2).sum(1) / ROBUST_SIGMAS**2), 2)
    slopes = slopes_by_differences(model, seen, shape) * root[:, None]
    normal, gradient = slopes.T @ slopes, slopes.T @ (error.ravel() * root)
    carried = normal[:cameras, cameras:] @ np.linalg.inv(normal[cameras:, cameras:])
    reduced = normal[:cameras, :cameras] - carried @ normal[cameras:, :cameras]
    matrix, found, diagonal = reduced_system(
        *state(model, shape), *layout(Freedom(zoom=True), 4), *by_track(seen), ROBUST_SIGMAS, 0.0
    )
    scale = np.sqrt(np.outer(diagonal, diagonal))
    np.testing.assert_allclose(matrix / scale, np.tril(reduced) / scale, atol=1e-5)
    expected = (gradient[:cameras] - carried @ gradient[cameras:]) / np.sqrt(diagonal)
    np.testing.assert_allclose(found / np.sqrt(diagonal), expected, atol=1e-3)
    np.testing.assert_allclose(diagonal, np.diag(normal)[:cameras], rtol=1e-4)


def test_places_that_are_uncertain_along_edges_are_used_across_them() -> None:
    true, seen = tracked(turning_poses(), solid(120))
    random = np.random.default_rng(2)
    angle = random.uniform(0, np.pi, len(seen.track))
    edge = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    slid = seen.xy + 2.0 * random.standard_normal((len(edge), 1)) * edge
    covariance = 4.0 * edge[:, :, None] * edge[:, None, :] + 0.05**2 * np.eye(2)
    informed = replace(seen, xy=slid, covariance=covariance)
    ignorant = replace(informed, covariance=equal_errors(informed.sigma_px))
    errors = [
        rotation_error_deg(adjust(true, part, Freedom()).model.object_from_camera, true.object_from_camera)
        for part in (informed, ignorant)
    ]
    assert errors[0] < 0.3 * errors[1]


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


def colmap_pose_covariance(folder: Path, model: RigidModel, seen: Observations, frame: int) -> np.ndarray:
    """COLMAP's covariance of a frame's pose under errors of 1 px, the first and the last pose and the camera held."""
    write_model(folder, model, seen)
    colmap_model = read_model(folder)
    config, options = pycolmap.BundleAdjustmentConfig(), pycolmap.BundleAdjustmentOptions()
    for number in range(1, seen.frame_count + 1):
        config.add_image(number)
    config.set_constant_cam_intrinsics(1)
    for number in (1, seen.frame_count):
        config.set_constant_rig_from_world_pose(colmap_model.image(number).frame_id)
    options.refine_sensor_from_rig, options.print_summary = False, False
    adjuster = pycolmap.create_default_ceres_bundle_adjuster(options, config, colmap_model)
    adjuster.solve()
    wanted = pycolmap.BACovarianceOptions()
    wanted.params, wanted.damping = pycolmap.BACovarianceOptionsParams.POSES, 0.0
    return pycolmap.estimate_ba_covariance(wanted, colmap_model, adjuster).get_cam_cov_from_world(frame + 1)


def colmap_steps(model: RigidModel) -> np.ndarray:
    """Our steps (w, v) by COLMAP's (q, t): half the rotation vector, and the change of the translation by itself.

    R' = exp(w) R and T' = exp(w) T + v here, R' = exp(2 q) R and T' = T + t there; so w = 2 q and v = t - w x T.
    """
    change = np.zeros((len(model.camera_from_object), 6, len(model.camera_from_object), 6))
    for frame, (x, y, z) in enumerate(model.camera_from_object[:, :3, 3]):
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        change[frame, :, frame] = np.block([[2 * np.eye(3), np.zeros((3, 3))], [2 * cross, np.eye(3)]])
    return change.reshape(6 * len(change), -1)


def test_covariances_are_those_of_colmap(tmp_path: Path) -> None:
    frames = 6
    model, seen = tracked(turning_poses(frames), solid(60))  # exact, so that no observation is weighed down
    change = colmap_steps(model)
    information = change.T @ reduced_information(model, seen, Freedom())[:-2, :-2] @ change
    free = slice(6, 6 * (frames - 1))
    covariance = np.linalg.inv(information[free, free]) / seen.sigma_px[0] ** 2
    for frame in (1, 2, 4):
        own = slice(6 * (frame - 1), 6 * frame)
        theirs = colmap_pose_covariance(tmp_path / str(frame), model, seen, frame)
        scale = np.sqrt(np.outer(np.diag(theirs), np.diag(theirs)))
        np.testing.assert_allclose(covariance[own, own] / scale, theirs / scale, atol=1e-4)


def test_rotations_by_vectors_are_those_of_scipy_and_stay_exact_near_zero() -> None:
    vectors = np.array([[0.3, -0.2, 0.5], [1e-9, 0.0, 0.0], [0.0, np.pi, 0.0]])
    np.testing.assert_allclose(rotation_exp(vectors), Rotation.from_rotvec(vectors).as_matrix(), atol=1e-12)
    assert rotation_exp(vectors)[1, 2, 1] == 1e-9


def test_what_is_held_or_unknown_is_not_free() -> None:
    matrix = np.diag([1.0] * 6 + [0.0] * 6 + [1.0, 1.0])
    assert free_parameters(matrix, Freedom(translation=False), 2).tolist() == [True] * 3 + [False] * 11
    focal = free_parameters(matrix, Freedom(rotation=False, focal=True), 2)
    assert focal.tolist() == [False] * 3 + [True] * 3 + [False] * 7 + [True]
    radial = free_parameters(matrix, Freedom(rotation=False, translation=False, radial=True), 2)
    assert radial.tolist() == [False] * 12 + [True, False]


def test_a_radial_term_is_found() -> None:
    true, seen = tracked(orbit(20, turn=0.5, shift=2.5), room(200), noise=0.1)
    ray = (seen.xy - [CAMERA.cx, CAMERA.cy]) / CAMERA.fx
    bent = replace(seen, xy=seen.xy + CAMERA.fx * -0.2 * (ray**2).sum(1, keepdims=True) * ray)
    found = adjust(true, bent, Freedom(focal=True, radial=True), iterations=100, tolerance=1e-8)
    assert abs(found.shape.radial + 0.2) < 0.02 and abs(found.model.camera.fx - CAMERA.fx) < 5
    assert sane_radials(CAMERA)[0] < found.shape.radial


def test_the_focal_length_of_every_frame_is_found() -> None:
    true, seen = tracked(orbit(20, turn=0.5, shift=2.5), room(200), noise=0.1)
    zoom = np.linspace(0.9, 1.1, 20)
    zoomed = replace(seen, xy=[CAMERA.cx, CAMERA.cy] + zoom[seen.frame, None] * (seen.xy - [CAMERA.cx, CAMERA.cy]))
    found = adjust(true, zoomed, Freedom(zoom=True), iterations=100, tolerance=1e-8)
    np.testing.assert_allclose(found.model.camera.fx * found.shape.zoom, CAMERA.fx * zoom, rtol=0.02)


def test_a_system_that_rounding_made_indefinite_is_still_solved() -> None:
    matrix, right = np.array([[4.0, 2.0], [2.0, 3.0]]), np.array([2.0, 5.0])
    np.testing.assert_allclose(cholesky_solve(matrix, right), [-0.5, 2.0])
    assert np.isfinite(cholesky_solve(np.array([[1.0, 1.0], [1.0, 1.0 - 1e-9]]), right)).all()
