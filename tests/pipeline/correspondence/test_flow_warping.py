"""Flow followed from pixels to where they land, and back."""

import numpy as np

from pipeline.correspondence.flow_warping import consistent_pixels, flow_endpoint, warp


def test_a_pixel_lands_at_column_and_row() -> None:
    flow = np.zeros((3, 5, 2), np.float32)
    flow[2, 4] = [0.5, -1]
    np.testing.assert_array_equal(flow_endpoint(flow)[2, 4], [4.5, 1])
    np.testing.assert_array_equal(flow_endpoint(flow)[1, 3], [3, 1])


def test_values_come_from_where_a_pixel_lands_and_are_mixed_between_pixels() -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    flow = np.zeros((3, 4, 2), np.float32)
    flow[0, 0], flow[1, 1], flow[2, 2] = [2, 1], [0.5, 0], [0, 5]
    warped = warp(values, flow, outside=-7.0)
    assert (warped[0, 0], warped[1, 1], warped[2, 2], warped[2, 3]) == (6, 5.5, -7, 11)
    nearest = warp(np.array([[0, 9]], np.uint8), np.full((1, 2, 2), [0.4, 0], np.float32), nearest=True)
    assert nearest.tolist() == [[0, 9]], "ids are never mixed"


def test_a_pixel_that_does_not_return_is_not_consistent() -> None:
    forward, backward = np.zeros((8, 8, 2), np.float32), np.zeros((8, 8, 2), np.float32)
    forward[..., 0] = 1
    backward[..., 0] = -1
    backward[3, 4] = [1, 0]
    consistent = consistent_pixels(forward, backward, 0.5)
    assert not consistent[3, 3] and consistent[3, 2] and consistent[5, 5]
    assert not consistent[:, 7].any()
