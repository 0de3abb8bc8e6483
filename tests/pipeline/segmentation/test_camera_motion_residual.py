"""What a camera's motion explains of flow that is known, and what it does not."""

import cv2
import numpy as np

from pipeline.correspondence.flow_chain import FlowChain, Step
from pipeline.segmentation.camera_motion_residual import (
    background_residuals,
    camera_motion_residual,
    filled_in,
    moves_along_its_axis,
)
from tests.pipeline.segmentation.small_videos import still_chain
from tests.pipeline.test_segment_objects import texture


def steps_of_a_moving_camera(along_the_line: float, across: float) -> tuple[list[Step], np.ndarray]:
    """Exact flow to four views of a still relief, in which one block moves; and which pixels those are."""
    rng = np.random.default_rng(0)
    depth = cv2.GaussianBlur(rng.uniform(2, 8, (60, 80)).astype(np.float32), (0, 0), 4)
    depth = (5 + 2 * (depth - depth.mean()) / depth.std()).clip(2, 9)
    x, y = np.meshgrid(np.arange(80) - 40.0, np.arange(60) - 30.0)
    moving = np.zeros((60, 80), bool)
    moving[20:40, 30:50] = True
    steps = []
    for number in (1, 2, 3, 4):
        points = np.stack([x / 70 * depth, y / 70 * depth, depth], -1) - number * np.array([0.15, 0, 0])
        landed = 70 * points[..., :2] / points[..., 2:]
        flow = (landed - np.stack([x, y], -1)).astype(np.float32)
        flow[moving] += [along_the_line * number**2, across * number]
        steps.append(Step(number, number, flow, np.ones((60, 80), bool)))
    return steps, moving


def test_what_leaves_its_epipolar_line_moves_and_a_still_world_does_not() -> None:
    steps, moving = steps_of_a_moving_camera(0.0, 3.0)
    everywhere = np.broadcast_to(np.eye(2, dtype=np.float32), (60, 80, 2, 2))
    residual = np.mean(background_residuals(steps, everywhere, np.zeros((60, 80), int)), axis=0)
    assert np.percentile(residual[~moving], 99) < 0.5
    assert np.median(residual[moving]) > 2


def test_what_speeds_up_along_its_epipolar_line_fits_no_depth() -> None:
    steps, moving = steps_of_a_moving_camera(1.0, 0.0)
    everywhere = np.broadcast_to(np.eye(2, dtype=np.float32), (60, 80, 2, 2))
    residual = np.mean(background_residuals(steps, everywhere, np.zeros((60, 80), int)), axis=0)
    assert np.percentile(residual[~moving], 99) < 1, "more than noise explains"
    assert np.median(residual[moving]) > 3


def test_the_residual_of_a_still_video_is_negative_everywhere() -> None:
    images = np.zeros((10, 40, 60, 3), np.uint8)
    assert (camera_motion_residual(images, still_chain(10, (40, 60))) < 0).all()


def test_a_region_without_texture_takes_the_residual_of_its_border() -> None:
    image = texture(0, (60, 80), (90, 90, 110))
    image[20:40, 30:50], image[5:15, 5:25] = (200, 60, 50), (60, 160, 70)
    residual = np.full((60, 80, 2), -0.2, np.float32)
    residual[17:43, 27:53, 1] = 0.9
    residual[24:36, 34:46] = -0.2
    filled = filled_in(residual, image)
    assert (filled[22:38, 32:48] > 0.8).all(), "all of what is bordered by motion"
    assert (filled[5:15, 5:25] < 0).all(), "what is bordered by stillness stays still"


def test_a_camera_that_drives_ahead_is_told_from_one_that_goes_sideways() -> None:
    ahead, sideways = (driven(way) for way in ((0.0, 0.0, 0.1), (0.1, 0.0, 0.01)))
    assert moves_along_its_axis(ahead) and not moves_along_its_axis(sideways)
    assert not moves_along_its_axis(still_chain(10, (60, 80)))


def driven(way: tuple[float, float, float]) -> FlowChain:
    """Flow of a still relief before a camera that goes the same way in each of six frames."""
    rng = np.random.default_rng(0)
    depth = cv2.GaussianBlur(rng.uniform(2, 8, (60, 80)).astype(np.float32), (0, 0), 4)
    depth = (5 + 2 * (depth - depth.mean()) / depth.std()).clip(3, 9)
    x, y = np.meshgrid(np.arange(80) - 40.0, np.arange(60) - 30.0)
    points = np.stack([x / 70 * depth, y / 70 * depth, depth], -1)
    flows = []
    for sign in (-1, 1):
        there = points + sign * np.array(way)
        flow = 70 * there[..., :2] / there[..., 2:] - np.stack([x, y], -1)
        flows.append(np.broadcast_to(flow.astype(np.float16), (5, 60, 80, 2)))
    valid = np.ones((5, 60, 80), bool)
    return FlowChain(*flows, valid, valid)


def test_what_flow_loses_after_one_frame_moves_by_what_that_one_tells() -> None:
    flows, valid = np.zeros((2, 9, 40, 120, 2), np.float16), np.ones((2, 9, 40, 120), bool)
    shown = np.zeros((10, 40, 120), bool)
    for t in range(10):
        shown[t, 12:24, 2 + 11 * t : 14 + 11 * t] = True
    for t in range(9):
        flows[0, t, shown[t]], flows[1, t, shown[t + 1]] = [11, 0], [-11, 0]
        if t % 2:  # every second pair is lost, so that no two frames farther apart are compared
            valid[0, t, shown[t]] = valid[1, t, shown[t + 1]] = False
    images = np.stack([texture(0, (40, 120), (90, 90, 110))] * 10)
    residual = camera_motion_residual(images, FlowChain(*flows, *valid))
    assert all(np.median(frame[inside]) > 0.7 for frame, inside in zip(residual, shown, strict=True))
    assert (residual[:, :8] < 0).all(), "where it never passes"
