import numpy as np
import pycolmap
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cameras import look_at, rigid
from pipeline.geometry.similarity_alignment import (
    Similarity,
    align_points,
    align_poses,
    rotation_error_deg,
    trajectory_error_percent,
)

SEEDS = st.integers(0, 1000)


def random_similarity(random: np.random.Generator) -> Similarity:
    rotation, _ = np.linalg.qr(random.normal(size=(3, 3)))
    return Similarity(float(random.uniform(0.2, 5)), rotation * np.sign(np.linalg.det(rotation)), random.normal(size=3))


def arc(frames: int = 8) -> np.ndarray:
    angles = np.linspace(-0.5, 0.5, frames)
    eyes = np.stack([3 * np.sin(angles), 0.2 * np.cos(5 * angles), -3 * np.cos(angles)], axis=-1)
    return np.stack([look_at(eye, np.zeros(3), np.array([0.0, 1.0, 0.0])) for eye in eyes])


@given(seed=SEEDS)
def test_known_similarity_is_found_from_points(seed):
    random = np.random.default_rng(seed)
    wanted, points = random_similarity(random), random.normal(size=(10, 3))
    found = align_points(points, wanted.points(points))
    assert found.scale == pytest.approx(wanted.scale)
    np.testing.assert_allclose(found.rotation, wanted.rotation, atol=1e-9)
    np.testing.assert_allclose(found.points(points), wanted.points(points), atol=1e-9)


@given(seed=SEEDS)
def test_inverse_similarity_returns_points_and_poses(seed):
    random = np.random.default_rng(seed)
    similarity, poses = random_similarity(random), arc()
    there = similarity.poses(poses)
    np.testing.assert_allclose(similarity.inverse().poses(there), poses, atol=1e-9)
    np.testing.assert_allclose(
        there[:, :3, :3] @ np.swapaxes(there[:, :3, :3], 1, 2), np.tile(np.eye(3), (8, 1, 1)), atol=1e-9
    )


@given(seed=SEEDS)
def test_noisy_points_are_aligned_as_colmap_aligns_them(seed):
    random = np.random.default_rng(seed)
    points = random.normal(size=(10, 3)) * [1.0, 2.0, 0.3]
    target = random_similarity(random).points(points) + 0.3 * random.normal(size=points.shape)
    ours, theirs = align_points(points, target), pycolmap.estimate_sim3d(points, target)
    assert ours.scale == pytest.approx(theirs.scale)
    np.testing.assert_allclose(ours.rotation, theirs.rotation.matrix(), atol=1e-9)
    np.testing.assert_allclose(ours.translation, theirs.translation, atol=1e-9)


def test_mirrored_points_are_not_aligned_by_a_reflection():
    points = np.random.default_rng(0).normal(size=(20, 3))
    found = align_points(points, points * [-1, 1, 1])
    assert np.linalg.det(found.rotation) == pytest.approx(1)


@given(seed=SEEDS)
def test_poses_along_a_line_are_aligned_by_their_orientation(seed):
    random = np.random.default_rng(seed)
    wanted = random_similarity(random)
    poses = rigid(arc()[:, :3, :3], np.linspace(0, 1, 8)[:, None] * np.array([[1.0, 0.0, 0.0]]))
    found = align_poses(poses, wanted.poses(poses))
    np.testing.assert_allclose(found.rotation, wanted.rotation, atol=1e-7)
    assert found.scale == pytest.approx(wanted.scale)


def test_errors_vanish_for_a_moved_copy_and_measure_known_deviations():
    poses = arc()
    moved = random_similarity(np.random.default_rng(3)).poses(poses)
    assert rotation_error_deg(moved, poses) < 1e-6
    assert trajectory_error_percent(moved, poses) < 1e-6
    half = np.radians(3.0)
    turn = np.array([[np.cos(half), -np.sin(half), 0], [np.sin(half), np.cos(half), 0], [0, 0, 1]])
    wobbly = poses.copy()
    wobbly[::2, :3, :3] = wobbly[::2, :3, :3] @ turn
    wobbly[1::2, :3, :3] = wobbly[1::2, :3, :3] @ turn.T
    assert rotation_error_deg(wobbly, poses) == pytest.approx(3.0, rel=0.05)


def test_noise_of_a_tenth_of_the_radius_is_about_ten_percent():
    random = np.random.default_rng(0)
    truth = rigid(np.tile(np.eye(3), (500, 1, 1)), random.normal(size=(500, 3)))
    radius = np.linalg.norm(truth[:, :3, 3], axis=1).mean()
    noisy = truth.copy()
    noisy[:, :3, 3] += 0.1 * radius / np.sqrt(3) * random.normal(size=(500, 3))
    assert trajectory_error_percent(noisy, truth) == pytest.approx(10, rel=0.08)


def test_one_standing_camera_has_scale_one():
    still = np.tile(np.eye(4), (5, 1, 1))
    assert align_points(still[:, :3, 3], still[:, :3, 3]).scale == 1.0
    assert align_poses(still, still).scale == 1.0
