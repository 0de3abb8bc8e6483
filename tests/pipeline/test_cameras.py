import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cameras import (
    Intrinsics,
    directions_at_unit_depth,
    inverse,
    look_at,
    pixel_centres,
    project,
    rigid,
    rotation_angle_deg,
    transform,
    unproject,
)

CAMERA = Intrinsics(300.0, 280.0, 160.5, 118.0, 320, 240)
number = st.floats(-5, 5)


def random_pose(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(random.normal(size=(3, 3)))
    return rigid(rotation * np.sign(np.linalg.det(rotation)), random.normal(size=3))


def test_projection_matches_a_point_worked_out_by_hand():
    np.testing.assert_allclose(project(CAMERA, np.array([1.0, -0.5, 2.0])), [300 * 0.5 + 160.5, 280 * -0.25 + 118])


def test_first_pixel_has_its_centre_at_one_half():
    centres = pixel_centres(2, 3)
    assert centres.shape == (2, 3, 2)
    np.testing.assert_array_equal(centres[0, 0], [0.5, 0.5])
    np.testing.assert_array_equal(centres[1, 2], [2.5, 1.5])  # x from the column, y from the row


@given(x=number, y=number, depth=st.floats(0.1, 100))
def test_unprojecting_then_projecting_returns(x, y, depth):
    xy = np.array([160 + 30 * x, 120 + 20 * y])
    directions = directions_at_unit_depth(CAMERA, xy)
    assert directions[2] == 1
    np.testing.assert_allclose(project(CAMERA, depth * directions), xy, atol=1e-9)
    point = unproject(CAMERA, xy, np.array(depth))
    assert point[2] == depth
    np.testing.assert_allclose(project(CAMERA, point), xy, atol=1e-9)


@given(seed=st.integers(0, 1000))
def test_inverse_undoes_a_pose_and_transform_is_the_matrix_product(seed):
    pose = random_pose(seed)
    np.testing.assert_allclose(inverse(pose) @ pose, np.eye(4), atol=1e-12)
    points = np.random.default_rng(seed).normal(size=(5, 3))
    expected = (pose @ np.c_[points, np.ones(5)].T).T[:, :3]
    np.testing.assert_allclose(transform(pose, points), expected, atol=1e-12)
    np.testing.assert_allclose(transform(inverse(pose), transform(pose, points)), points, atol=1e-12)


def test_poses_of_many_frames_transform_frame_by_frame():
    poses = np.stack([random_pose(0), random_pose(1)])
    points = np.random.default_rng(0).normal(size=(2, 3))
    expected = [transform(pose, point) for pose, point in zip(poses, points, strict=True)]
    np.testing.assert_allclose(transform(poses, points), expected)


def test_camera_that_looks_at_a_point_sees_it_in_the_middle_with_down_below():
    eye, target, down = np.array([1.0, -2.0, -5.0]), np.array([0.3, -1.0, 2.0]), np.array([0.0, 1.0, 0.0])
    pose = look_at(eye, target, down)
    np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
    seen, below = transform(inverse(pose), np.stack([target, target + 0.1 * down]))
    np.testing.assert_allclose(seen, [0, 0, np.linalg.norm(target - eye)], atol=1e-12)
    assert below[1] > 0 and abs(below[0]) < 1e-12


def test_resized_camera_sees_points_at_scaled_places():
    point = np.array([0.4, 0.3, 2.0])
    small = CAMERA.resized(120, 80)
    np.testing.assert_allclose(project(small, point), project(CAMERA, point) * [80 / 320, 120 / 240])


def test_values_and_matrix_describe_the_same_camera():
    again = Intrinsics.from_values(CAMERA.values, CAMERA.height, CAMERA.width)
    assert again == CAMERA
    ray = CAMERA.matrix @ np.array([0.2, 0.1, 1.0])
    np.testing.assert_allclose(ray[:2], project(CAMERA, np.array([0.2, 0.1, 1.0])))


@given(angle=st.floats(1e-6, 179.9))
def test_rotation_angle_is_exact_near_zero_and_near_half_a_turn(angle):
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    rotation = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    assert rotation_angle_deg(rotation[None])[0] == pytest.approx(angle, rel=1e-6)
