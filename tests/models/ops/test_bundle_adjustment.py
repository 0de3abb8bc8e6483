"""The compiled loops against projections and differences written out; a dense system is in the tests of the adjustment."""

import numpy as np

from models.ops.bundle_adjustment import inverse_of, jacobians, point_steps, reduced_system, whitened_errors

POSE = np.array([[0.8, 0.0, 0.6, 0.1], [0.0, 1.0, 0.0, -0.2], [-0.6, 0.0, 0.8, 4.0], [0.0, 0.0, 0.0, 1.0]])
POINT, LENS = np.array([0.3, -0.4, 0.5]), np.array([100.0, 110.0, 60.0, 40.0, -0.2])
WHITE = np.array([[2.0, 0.0], [-1.0, 3.0]])


def projected(pose: np.ndarray, point: np.ndarray, factor: float = 1.0, radial: float = -0.2) -> np.ndarray:
    x, y, z = pose[:3, :3] @ point + pose[:3, 3]
    factor = factor * (1 + radial * ((x / z) ** 2 + (y / z) ** 2))
    return np.array([factor * LENS[0] * x / z + LENS[2], factor * LENS[1] * y / z + LENS[3]])


def test_errors_are_observed_less_projected_and_whitened() -> None:
    xy = projected(POSE, POINT) + np.array([0.5, -0.25])
    found = whitened_errors(POSE[None], POINT[None], LENS[None], np.array([0]), np.array([0]), xy[None], WHITE[None])
    np.testing.assert_allclose(found[0], WHITE @ [0.5, -0.25], atol=1e-9)


def test_jacobians_are_differences_of_projections() -> None:
    by_camera, by_point, error = np.empty((2, 8)), np.empty((2, 3)), np.empty(2)
    jacobians(POSE, POINT, LENS, projected(POSE, POINT), WHITE, 2.0, by_camera, by_point, error)
    step = 1e-6
    for axis in range(3):
        turn, x = np.eye(4), np.eye(3)[axis] * step
        turn[:3, :3] += np.array([[0, -x[2], x[1]], [x[2], 0, -x[0]], [-x[1], x[0], 0]])
        shift = np.eye(4)
        shift[axis, 3] = step
        moved = (projected(turn @ POSE, POINT), projected(shift @ POSE, POINT), projected(POSE, POINT + x))
        for column, place in zip((by_camera[:, axis], by_camera[:, 3 + axis], by_point[:, axis]), moved, strict=True):
            np.testing.assert_allclose(column, WHITE @ (place - projected(POSE, POINT)) / step, rtol=1e-4, atol=1e-4)
    grown = WHITE @ (projected(POSE, POINT, np.exp(step)) - projected(POSE, POINT)) / step
    np.testing.assert_allclose(by_camera[:, 7], grown, rtol=1e-4)
    bent = WHITE @ (projected(POSE, POINT, radial=-0.2 + step) - projected(POSE, POINT)) / step
    np.testing.assert_allclose(by_camera[:, 6], bent, rtol=1e-4)
    np.testing.assert_allclose(error, 0, atol=1e-9)


def test_a_large_error_weighs_by_its_cauchy_weight() -> None:
    tables = [(np.empty((2, 8)), np.empty((2, 3)), np.empty(2)) for _ in range(2)]
    for off, table in zip((0.0, 3.0), tables, strict=True):
        jacobians(POSE, POINT, LENS, projected(POSE, POINT) + np.array([off, 0.0]), np.eye(2), 1.5, *table)
    weight = 1 / (1 + 3.0**2 / 1.5**2)
    np.testing.assert_allclose(tables[1][0], np.sqrt(weight) * tables[0][0], rtol=1e-9)
    np.testing.assert_allclose(tables[1][2], [np.sqrt(weight) * 3.0, 0.0], atol=1e-6)


def test_the_inverse_of_a_symmetric_matrix() -> None:
    matrix, found = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, -0.2], [0.5, -0.2, 2.0]]), np.empty((3, 3))
    inverse_of(matrix, found)
    np.testing.assert_allclose(found, np.linalg.inv(matrix), atol=1e-12)


def test_with_held_cameras_points_step_to_where_they_are_seen() -> None:
    poses = np.stack([POSE, POSE])
    poses[1, 0, 3] += 1.0
    xy = np.stack([projected(pose, POINT) for pose in poses])
    near = POINT + 1e-3
    by_track = (np.array([0, 2]), np.array([0, 1]), xy, np.tile(np.eye(2), (2, 1, 1)))
    inputs = (poses, near[None], np.stack([LENS, LENS]), np.zeros(2, int), 8, *by_track, 1e3, 0.0)
    step = point_steps(np.zeros(14), *inputs)
    np.testing.assert_allclose(near + step[0], POINT, atol=2e-6)
    assert reduced_system(*inputs)[0].shape == (14, 14)
