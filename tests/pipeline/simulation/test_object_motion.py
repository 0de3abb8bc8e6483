"""Things fall, bounce, rest, cross and drive as they should."""

import numpy as np

from pipeline.cameras import rotation_angle_deg
from pipeline.config import SimulateSceneConfig
from pipeline.simulation.camera_work import drive
from pipeline.simulation.object_motion import GRAVITY, crossing, resting, support, thrown, traffic
from pipeline.simulation.street import random_car
from pipeline.simulation.world import random_object

CONFIG = SimulateSceneConfig(frames=48, fps=24)
BOX = random_object(np.random.default_rng(0), "box", 0.4)


def lowest(poses: np.ndarray) -> np.ndarray:
    """Height of the lowest point above the floor."""
    return -(poses[:, 1, 3] + support(BOX, poses[:, :3, :3]))


def test_what_is_thrown_falls_freely_bounces_and_stays_above_the_floor() -> None:
    for seed in range(5):
        poses = thrown(np.random.default_rng(seed), CONFIG, BOX)
        assert lowest(poses).min() > -1e-9
        fall = np.diff(poses[:, 1, 3], n=2) * CONFIG.fps**2
        assert np.isclose(fall[:5], GRAVITY, rtol=0.05).any()
        assert (np.diff(poses[:, 1, 3]) < -1e-3).any()  # upward again


def test_what_rests_lies_on_the_floor_for_half_of_the_clip_and_moves_in_the_other() -> None:
    for seed in range(4):
        poses = resting(np.random.default_rng(seed), CONFIG, BOX, np.zeros(3))
        still = np.abs(np.diff(poses, axis=0)).max((1, 2)) < 1e-12
        assert 0.4 < still.mean() < 0.6
        assert np.allclose(lowest(poses)[:-1][still], 0, atol=1e-9)
        assert rotation_angle_deg(poses[0, :3, :3].T @ poses[-1, :3, :3][None]) > 60


def test_what_crosses_goes_from_one_side_to_the_other() -> None:
    poses = crossing(np.random.default_rng(0), CONFIG, BOX, lane=0.5, reach=4.0)
    assert np.ptp(poses[:, 0, 3]) == 8.0 and lowest(poses).min() > 0
    assert np.abs(poses[:, 2, 3] - 0.5).max() < 0.2


def test_cars_drive_before_the_camera_and_oncoming_ones_head_back() -> None:
    random = np.random.default_rng(1)
    camera = drive(random, CONFIG)
    first, second = traffic(random, CONFIG, [random_car(random), random_car(random)], camera)
    assert (first[:, 2, 3] - camera[:, 2, 3] > 5).all() and (first[:, 2, 2] > 0.95).all()
    assert (second[:, 2, 2] < -0.95).all() and (np.diff(second[:, 2, 3]) < 0).all()
