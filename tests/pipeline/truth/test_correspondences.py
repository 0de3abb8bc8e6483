import dataclasses

import numpy as np
import pytest

from pipeline.cameras import directions_at_unit_depth, inverse, pixel_centres, project, transform
from pipeline.truth.correspondences import reproject, surface_points, true_flow, truth_intrinsics
from tests.synthetic import FRAMES, synthetic_truth


def test_flow_of_one_pixel_matches_the_point_followed_by_hand():
    truth = synthetic_truth()
    views, camera = truth.train, truth_intrinsics(truth)
    for number in range(3):
        row, column = (int(place[0]) for place in np.nonzero(views.object_ids[2] == number))
        xy = np.array([column + 0.5, row + 0.5])
        point = transform(
            views.world_from_camera[2], directions_at_unit_depth(camera, xy) * views.depth[2, row, column]
        )
        if number > 0:
            poses = views.world_from_object[:, number - 1]
            point = transform(poses[3] @ inverse(poses[2]), point)
        expected = project(camera, transform(inverse(views.world_from_camera[3]), point)) - xy
        flow, _ = true_flow(truth, 2)
        np.testing.assert_allclose(flow[row, column], expected, atol=1e-9)


def test_forward_flow_followed_back_returns_where_the_point_is_seen():
    truth = synthetic_truth()
    forward, seen = true_flow(truth, 3, 4)
    backward, _ = true_flow(truth, 4, 3)
    landed = pixel_centres(*truth.size) + forward
    columns, rows = np.floor(landed[seen]).astype(int).T
    home = forward[seen] + backward[rows, columns]
    # The nearest pixel's own flow differs by a fraction of a pixel; at edges another surface may lie there.
    assert np.quantile(np.linalg.norm(home, axis=-1), 0.95) < 0.5


def test_flow_to_the_same_frame_is_zero_and_everything_is_visible():
    flow, visible = true_flow(synthetic_truth(), 1, 1)
    assert np.abs(flow).max() < 1e-4 and visible.mean() > 0.999


def test_visible_pixels_land_on_pixels_of_nearly_the_same_colour():
    truth = synthetic_truth()
    flow, visible = true_flow(truth, 0, 1)
    columns, rows = np.floor((pixel_centres(*truth.size) + flow)[visible]).astype(int).T
    here, there = truth.train.images[0][visible].astype(float), truth.train.images[1][rows, columns].astype(float)
    still = truth.train.images[1][visible].astype(float)
    assert np.abs(here - there).mean() < 0.7 * np.abs(here - still).mean()
    same = truth.train.object_ids[0][visible] == truth.train.object_ids[1][rows, columns]
    assert same.mean() > 0.97


def test_background_hidden_by_a_moving_box_is_not_visible():
    truth = synthetic_truth()
    _, visible = true_flow(truth, 0, FRAMES - 1)
    points, background = surface_points(truth, truth.train, 0), truth.train.object_ids[0] == 0
    reprojection = reproject(truth, points, np.zeros(truth.size, np.uint8), FRAMES - 1)
    height, width = truth.size
    columns, rows = np.floor(reprojection.xy).astype(int).reshape(-1, 2).T
    inside = (columns >= 1) & (columns < width - 1) & (rows >= 1) & (rows < height - 1)
    covered = np.zeros(height * width, bool)
    ids = truth.train.object_ids[-1]
    # Covered for sure: the whole neighbourhood of the reprojected place shows a box.
    covered[inside] = np.all(
        [ids[rows[inside] + i, columns[inside] + j] > 0 for i in (-1, 0, 1) for j in (-1, 0, 1)], axis=0
    )
    covered = covered.reshape(height, width) & background
    assert covered.sum() > 50
    assert not visible[covered].any()


def test_surface_points_of_two_frames_lie_on_one_box():
    truth = synthetic_truth()
    for frame in (0, FRAMES - 1):
        points = np.abs(surface_points(truth, truth.train, frame)[truth.train.object_ids[frame] == 1])
        faces = np.abs(points - [0.6, 0.5, 0.45]).min(-1)
        assert faces.max() < 1e-4


def test_pixels_that_hit_nothing_have_no_flow():
    truth = synthetic_truth()
    depth = truth.train.depth.copy()
    depth[:, 10, 20] = np.inf
    flow, visible = true_flow(dataclasses.replace(truth, train=dataclasses.replace(truth.train, depth=depth)), 0)
    assert not visible[10, 20] and (flow[10, 20] == 0).all()
    assert np.isfinite(flow).all()


def test_flow_agrees_with_what_is_seen_in_the_sample_scene(shared_data):
    import cv2

    from pipeline.truth.truth_file import read_truth

    truth = read_truth(shared_data / "workshop" / "truth.h5")
    flow, visible = true_flow(truth, 5)
    first, second = (cv2.cvtColor(truth.train.images[frame], cv2.COLOR_RGB2GRAY) for frame in (5, 6))
    estimated = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(first, second, None)
    assert np.median(np.linalg.norm(estimated - flow, axis=-1)[visible]) < 0.3
    assert visible.mean() == pytest.approx(0.97, abs=0.03)
