"""Where the report looks from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cameras import rigid, rotation_angle_deg, transform
from pipeline.geometry.camera_paths import (
    LEAST_AMPLITUDE,
    MOST_AMPLITUDE,
    aside_view,
    evenly_chosen,
    orbit,
    orbit_amplitude,
    path_frames,
    path_through,
    smoothed_poses,
)
from tests.analytic_world import world_from_camera

STILL = np.tile(np.eye(4), (10, 1, 1))
MOVING = np.stack([world_from_camera(frame) for frame in range(20)])


def test_a_still_camera_gets_a_small_orbit_that_looks_at_one_point() -> None:
    path = orbit(STILL, 5.0, 12)
    assert np.linalg.norm(path[:, :3, 3], axis=1).max() == pytest.approx(LEAST_AMPLITUDE * 5)
    to_target = np.array([0, 0, 5.0]) - path[:, :3, 3]
    assert np.allclose(path[:, :3, 2], to_target / np.linalg.norm(to_target, axis=1, keepdims=True))


def test_an_orbit_is_rigid_and_smooth() -> None:
    path = orbit(MOVING, 3.0, 40)
    assert np.allclose(path[:, :3, :3] @ np.swapaxes(path[:, :3, :3], 1, 2), np.eye(3))
    assert np.allclose(np.linalg.det(path[:, :3, :3]), 1)
    assert rotation_angle_deg(np.swapaxes(path[:-1, :3, :3], 1, 2) @ path[1:, :3, :3]).max() < 3


def test_an_orbit_never_goes_farther_than_a_share_of_the_depth() -> None:
    wild = MOVING.copy()
    wild[:, :3, 3] *= 100
    assert orbit_amplitude(wild, 3.0) == pytest.approx(3 * MOST_AMPLITUDE)


def test_smoothing_leaves_a_still_camera_and_stays_near_a_turning_one() -> None:
    assert np.allclose(smoothed_poses(STILL), STILL)
    angle = np.radians(np.linspace(0, 90, 30))
    zero, one = np.zeros(30), np.ones(30)
    turn = np.stack([np.cos(angle), zero, np.sin(angle), zero, one, zero, -np.sin(angle), zero, np.cos(angle)], -1)
    turning = rigid(turn.reshape(-1, 3, 3), np.zeros((30, 3)))
    difference = np.swapaxes(smoothed_poses(turning)[:, :3, :3], 1, 2) @ turning[:, :3, :3]
    assert rotation_angle_deg(difference).max() < 20


def test_the_view_aside_looks_at_the_same_point_from_elsewhere() -> None:
    moved = aside_view(MOVING, 5, 3.0)
    target = transform(MOVING[5], np.array([0, 0, 3.0]))
    direction = target - moved[:3, 3]
    assert np.allclose(moved[:3, 2], direction / np.linalg.norm(direction))
    assert np.linalg.norm(moved[:3, 3] - MOVING[5, :3, 3]) > LEAST_AMPLITUDE * 3


def test_the_view_aside_is_on_the_side_where_the_camera_was() -> None:
    poses = STILL.copy()
    poses[:, 0, 3] = np.linspace(0, 1, 10)
    assert aside_view(poses, 0, 5.0)[0, 3] > 0
    assert aside_view(poses, 9, 5.0)[0, 3] < 1


@given(count=st.integers(1, 300), most=st.integers(1, 60))
def test_frames_are_chosen_evenly_with_both_ends(count: int, most: int) -> None:
    chosen = evenly_chosen(count, most)
    assert chosen == sorted(set(chosen)) and len(chosen) == min(count, most)
    if most > 1:
        assert chosen[0] == 0 and chosen[-1] == count - 1


def test_time_passes_once_over_the_path() -> None:
    assert path_frames(5, 9) == [0, 0, 1, 2, 2, 2, 3, 4, 4]


def test_laid_path_goes_through_its_views_and_straight_between_two() -> None:
    keys = np.stack([world_from_camera(t) for t in (0, 2, 7)])
    poses, at = path_through(keys, 21)
    np.testing.assert_allclose(poses[[0, 10, 20]], keys, atol=1e-9)
    np.testing.assert_allclose(at[[0, 10, 20]], [0, 1, 2])
    np.testing.assert_allclose(np.linalg.det(poses[:, :3, :3]), 1, atol=1e-9)
    straight, _ = path_through(keys[:2], 3)
    np.testing.assert_allclose(straight[1, :3, 3], keys[:2, :3, 3].mean(0))
    halves = rotation_angle_deg(straight[1, :3, :3].T @ keys[:2, :3, :3])
    assert halves[0] == pytest.approx(halves[1], rel=1e-6)
