"""Still things and cars ahead over a road, of which the flow is known exactly."""

import numpy as np
import pytest

from pipeline.correspondence.flow_chain import Step
from pipeline.segmentation.camera_motion_residual import background_residuals
from pipeline.segmentation.possible_depth import Told, ground_plane

HEIGHT, WIDTH, FOCAL, EYE = 120, 160, 150.0, 1.4  # pixels; the camera's height over the road
STRIDES, SPEED = (-5, -2, 2, 5, 8), 0.3  # frames; way of the camera in a frame
CAR = (slice(60, 84), slice(70, 92))  # its wheels on the road 8.75 ahead, its roof over the horizon
AHEAD = EYE * FOCAL / (CAR[0].stop - HEIGHT / 2)


def rays() -> np.ndarray:
    """(x, y, 1) of every pixel; the horizon is the middle row."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    return np.stack([(columns - WIDTH / 2) / FOCAL, (rows - HEIGHT / 2) / FOCAL, np.ones((HEIGHT, WIDTH))], -1)


def street() -> np.ndarray:
    """Depth of a road between two rows of houses that differ, before a last house."""
    x, y, _ = np.moveaxis(rays(), -1, 0)
    rough = np.random.default_rng(0).uniform(0.9, 1.1, (HEIGHT // 8, WIDTH // 8)).repeat(8, 0).repeat(8, 1)
    with np.errstate(divide="ignore"):
        houses = np.where(np.abs(x) > 0.02, 5 / np.abs(x), np.inf) * rough
        road = np.where(y > 0, EYE / y, np.inf)
    return np.minimum(np.minimum(houses, road), 40.0)


def residual(depth: np.ndarray, speeds: np.ndarray) -> np.ndarray:
    """What a camera that drives ahead and turns a little finds of points that move ahead by themselves."""
    steps, start = [], rays()
    for stride in STRIDES:
        angle = 0.004 * stride
        turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
        there = start * depth[..., None] + np.array([0, 0, 1]) * stride * (speeds - SPEED)[..., None]
        there = there @ turn.T
        flow = FOCAL * (there[..., :2] / there[..., 2:] - start[..., :2])
        steps.append(Step(20 + stride, abs(stride), flow.astype(np.float32), there[..., 2] > 0.5))
    trusted = np.broadcast_to(np.eye(2, dtype=np.float32), (HEIGHT, WIDTH, 2, 2))
    return np.mean(background_residuals(steps, trusted, np.zeros((HEIGHT, WIDTH), int)), axis=0)


@pytest.mark.parametrize("faster", [0.0, 0.1])
def test_a_car_ahead_that_keeps_its_distance_or_drives_away_is_found(faster: float) -> None:
    depth, speeds = street(), np.zeros((HEIGHT, WIDTH))
    depth[CAR], speeds[CAR] = AHEAD, SPEED + faster
    found = residual(depth, speeds)
    assert np.percentile(found[CAR], 20) > 1.5, "with its roof, which nothing contradicts"
    found[CAR] = 0
    assert np.mean(found > 1) < 0.01


def test_what_stands_on_the_road_is_still() -> None:
    depth = street()
    depth[CAR] = AHEAD
    assert np.percentile(residual(depth, np.zeros((HEIGHT, WIDTH))), 99.5) < 1


def test_what_is_far_over_the_horizon_is_still() -> None:
    depth = street()
    depth[20:58, 70:92] = 1e4
    assert np.percentile(residual(depth, np.zeros((HEIGHT, WIDTH))), 99.5) < 1


def test_a_floor_beyond_a_table_is_not_under_the_ground() -> None:
    depth = street()
    _, y, _ = np.moveaxis(rays(), -1, 0)
    table = slice(90, HEIGHT), slice(20, 150)
    depth[table] = 0.7 * EYE / y[table]
    assert np.percentile(residual(depth, np.zeros((HEIGHT, WIDTH))), 99.5) < 1


def told(nearness: np.ndarray) -> Told:
    """Points all over the image, all of them sure."""
    xy = rays()[::6, ::6, :2].reshape(-1, 2) * 2 * FOCAL / WIDTH
    return Told(xy, nearness, np.full(len(xy), 1e-3), np.ones(len(xy)))


def test_the_ground_is_what_lies_lowest_and_a_wall_is_none() -> None:
    blank = told(np.zeros(20 * 27))
    road = np.maximum(2.0 * blank.xy[:, 1] + 0.1, 0.05)
    assert np.allclose(ground_plane(told(road)), [0, 2, 0.1], atol=0.02)
    assert ground_plane(told(np.full(20 * 27, 0.5))) is None
    one_side = np.where(blank.xy[:, 0] > 0.1, road, 0.05)
    assert ground_plane(told(one_side)) is None, "it goes on to both sides"
