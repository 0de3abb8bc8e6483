"""Paths are smooth and rigid, and what rolls does not slip."""

import numpy as np

from pipeline.cameras import rotation_angle_deg
from pipeline.config import SimulateSceneConfig
from pipeline.simulation.motion import Wave, axis_rotations, camera_path, held_out_path, rolling, tumbling


def steps_deg(poses: np.ndarray) -> np.ndarray:
    return rotation_angle_deg(np.swapaxes(poses[:-1, :3, :3], 1, 2) @ poses[1:, :3, :3])


def test_a_quarter_turn_about_an_axis() -> None:
    (turn,) = axis_rotations(np.array([0.0, 1.0, 0.0]), np.array([np.pi / 2]))
    np.testing.assert_allclose(turn @ [0.0, 0.0, 1.0], [1.0, 0.0, 0.0], atol=1e-12)


def test_a_wave_keeps_within_its_amplitude_and_repeats_with_its_phase() -> None:
    u, wave = np.linspace(0, 1, 200), Wave(0.3, np.array([0.2, 0.6]))
    assert np.abs(wave(u)).max() <= 0.3
    np.testing.assert_allclose(Wave(0.3, np.array([1.2, -0.4]))(u), wave(u), atol=1e-12)


def test_what_rolls_touches_the_floor_and_turns_by_the_way_it_goes() -> None:
    poses = rolling(np.random.default_rng(2), 40, np.array([0.3, 0.0, -0.2]), 0.5, upright=True)
    centres = poses[:, :3, 3]
    np.testing.assert_allclose(centres[:, 1], -0.5)
    way = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    np.testing.assert_allclose(np.radians(steps_deg(poses)) * 0.5, way, atol=1e-9)
    # The contact point, the lowest of the ball, stands still in the instant that it touches the floor.
    contact = np.einsum("fji,j->fi", poses[:, :3, :3], [0.0, 0.5, 0.0])
    moved = (
        np.einsum("fij,fj->fi", poses[1:, :3, :3], contact[:-1])
        + centres[1:]
        - centres[:-1]
        - np.array([0.0, 0.5, 0.0])
    )
    assert np.linalg.norm(moved, axis=1).max() < 0.1 * way.max()


def test_what_tumbles_stays_above_the_floor_and_turns_smoothly() -> None:
    poses = tumbling(np.random.default_rng(1), 60, np.zeros(3), 0.4, 1.0)
    assert (poses[:, 1, 3] < -0.4).all()
    assert 0 < steps_deg(poses).max() < 8


def test_held_out_cameras_keep_their_distance_from_the_video_s() -> None:
    random = np.random.default_rng(0)
    cameras = camera_path(random, SimulateSceneConfig(frames=24))
    baseline = np.linalg.norm(held_out_path(random, cameras)[:, :3, 3] - cameras[:, :3, 3], axis=1)
    share = baseline / np.linalg.norm(cameras[:, :3, 3] - [0.0, -0.85, 0.0], axis=1)
    assert share.min() > 0.07 and share.max() < 0.17


def test_a_tripod_has_one_pose() -> None:
    cameras = camera_path(np.random.default_rng(0), SimulateSceneConfig(frames=6, camera="static"))
    assert np.ptp(cameras[:, :3, 3] - cameras[0, :3, 3], axis=0).max() < 1e-12
