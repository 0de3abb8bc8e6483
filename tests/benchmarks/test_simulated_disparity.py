"""Simulated disparity: what a network's errors look like, and no more."""

import numpy as np

from benchmarks.simulated_disparity import simulated_disparity


def test_a_frame_without_borders_differs_from_true_disparity_by_a_scale_and_a_shift() -> None:
    depth = np.repeat(np.linspace(2.0, 6.0, 64)[None, :, None], 40, axis=2).astype(np.float32)[[0, 0]]
    found = simulated_disparity(depth, np.zeros(depth.shape, np.uint8), np.random.default_rng(0))
    lines = [np.polyfit(1 / depth[0, 5:-5, 0], one[5:-5, 0], 1) for one in found]
    for one, (slope, shift) in zip(found, lines, strict=True):
        np.testing.assert_allclose(slope / depth[0, 5:-5, 0] + shift, one[5:-5, 0], rtol=2e-3)
    assert abs(lines[0][0] / lines[1][0] - 1) > 0.02  # each frame has its own


def test_each_object_is_off_by_a_factor_of_its_own_in_all_frames_and_unknown_stays_unknown() -> None:
    depth, ids = np.full((3, 40, 60), 4.0, np.float32), np.zeros((3, 40, 60), np.uint8)
    ids[:, 10:30, 10:25], ids[:, 10:30, 40:55] = 1, 2
    depth[:, :3] = 0
    found = simulated_disparity(depth, ids, np.random.default_rng(1)).astype(np.float64)
    assert (found[:, :3] == 0).all() and (found[:, 3:] > 0).all()
    background, first, second = found[:, 35, 30], found[:, 20, 17], found[:, 20, 47]
    ratio = (first - background) / (second - background)  # free of each frame's scale and shift
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)
    assert abs(ratio[0] - 1) > 0.05
