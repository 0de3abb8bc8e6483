"""Cameras walk, drive, orbit, shake and cut as they should."""

import numpy as np
import pytest

from pipeline.cameras import rotation_angle_deg
from pipeline.config import SimulateSceneConfig
from pipeline.simulation.camera_work import beside, cameras, cut_frame, drive, orbit, shaken, walk

CONFIG = SimulateSceneConfig(frames=24)


def steps(poses: np.ndarray) -> np.ndarray:
    return np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1)


@pytest.mark.parametrize(("path", "least"), [(walk, 1.5), (drive, 9.0)])
def test_walking_and_driving_go_forward(path, least) -> None:
    poses = path(np.random.default_rng(0), CONFIG)
    way = poses[-1, :3, 3] - poses[0, :3, 3]
    assert way[2] > least and (np.diff(poses[:, 2, 3]) > 0).all()
    assert (poses[:, :3, 2] @ [0.0, 0.0, 1.0] > 0.8).all()  # and look there


def test_an_orbit_looks_at_the_middle_from_much_of_a_circle() -> None:
    poses = orbit(np.random.default_rng(0), CONFIG)
    towards = np.array([0.0, -0.75, 0.0]) - poses[:, :3, 3]
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    np.testing.assert_allclose((towards * poses[:, :3, 2]).sum(1), 1, atol=1e-9)
    assert rotation_angle_deg(poses[0, :3, :3].T @ poses[-1, :3, :3][None]) > 120


def test_a_hand_shakes_by_as_much_as_asked() -> None:
    still = walk(np.random.default_rng(0), SimulateSceneConfig(frames=200))
    trembling = shaken(np.random.default_rng(1), still, 1.0)
    turned = rotation_angle_deg(np.swapaxes(still[:, :3, :3], 1, 2) @ trembling[:, :3, :3])
    assert np.sqrt((turned**2).mean()) == pytest.approx(np.sqrt(1 + 1 + 0.49), rel=0.1)
    assert rotation_angle_deg(trembling[0, :3, :3].T @ trembling[1, :3, :3][None]) > 0.05


def test_held_out_cameras_beside_look_the_same_way() -> None:
    poses = drive(np.random.default_rng(0), CONFIG)
    other = beside(np.random.default_rng(1), poses)
    np.testing.assert_array_equal(other[:, :3, :3], poses[:, :3, :3])
    apart = np.linalg.norm(other[:, :3, 3] - poses[:, :3, 3], axis=1)
    assert apart.min() > 0.3 and apart.max() < 0.6


def test_a_cut_is_one_jump_of_a_camera_that_else_goes_on() -> None:
    train, _ = cameras(np.random.default_rng(0), CONFIG.model_copy(update={"cut": True}))
    way = steps(train)
    assert way.argmax() == cut_frame(len(train)) - 1
    assert way.max() > 10 * np.median(way)
