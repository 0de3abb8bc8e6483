"""Units, bounds and boxes, by numbers one can check by hand."""

import numpy as np
import pytest

from pipeline.cameras import transform
from pipeline.scene.units import (
    FARTHEST_IN_MEDIANS,
    DepthSamples,
    background_bounds,
    depth_inliers,
    mask_grid,
    nearest_sample,
    object_units,
    observation_weights,
    oriented_box,
)
from pipeline.sfm.bundle_adjustment import rotation_exp


def samples(frame: list[int], depth: list[float]) -> DepthSamples:
    count = len(frame)
    return DepthSamples(np.array(frame), np.zeros((count, 2)), np.array(depth), np.ones(count))


def test_weights_fall_with_the_error_over_its_mean() -> None:
    np.testing.assert_allclose(observation_weights(np.array([0.0, 1.0, 2.0])), 2 * np.exp([-0.0, -1.0, -4.0]))
    np.testing.assert_allclose(observation_weights(np.zeros(3)), 2.0)
    assert len(observation_weights(np.zeros(0))) == 0


def test_the_nearest_and_farthest_of_a_frame_are_dropped() -> None:
    kept = depth_inliers(samples([0] * 21, [float(value) for value in range(21)]), 5.0, 95.0)
    assert np.flatnonzero(kept).tolist() == list(range(2, 20))  # 0 is no depth; 5 % of 1 ... 20 is 1.95


def test_few_depths_are_all_kept_but_for_those_behind_the_camera() -> None:
    assert depth_inliers(samples([0, 0, 1], [1.0, -2.0, 900.0]), 5.0, 95.0).tolist() == [True, False, True]


def test_the_background_is_in_units_of_its_median_depth() -> None:
    near, far, unit = background_bounds(np.array([2.0, 4.0, 8.0]), 0.1)
    assert unit == 0.25
    assert near == pytest.approx(0.1 * 0.5) and far == pytest.approx(2.0 / 0.95)


def test_sky_is_brought_nearer() -> None:
    _, far, _ = background_bounds(np.array([1.0, 1.0, 1e6]), 0.1)
    assert far == pytest.approx(FARTHEST_IN_MEDIANS / 0.95)


def test_an_object_at_its_smallest_and_largest_scale_touches_near_and_far() -> None:
    depth = np.array([3.0, 5.0])
    unit, smallest, largest = object_units(depth, 0.2, 4.0)
    assert smallest * unit * 3.0 == pytest.approx(1.05 * 0.2)
    assert largest * unit * 5.0 == pytest.approx(0.95 * 4.0)
    assert (smallest + largest) / 2 == pytest.approx(1.0)


def test_an_object_wider_than_the_scene_has_one_scale() -> None:
    unit, smallest, largest = object_units(np.array([0.1, 100.0]), 1.0, 2.0)
    assert smallest == largest == pytest.approx(1.0) and unit > 0


def test_the_box_of_a_turned_brick_is_the_brick() -> None:
    half = np.array([2.0, 1.0, 0.5])
    corners = np.stack(np.meshgrid([-1, 0, 1.0], [-1, 0, 1.0], [-1, 0, 1.0]), axis=-1).reshape(-1, 3) * half
    turned = corners @ rotation_exp(np.array([0.4, -0.7, 0.2])).T + [5.0, 1.0, -2.0]
    box = oriented_box(turned)
    np.testing.assert_allclose(np.sort(box.half_extent), np.sort(1.1 * half), rtol=1e-4)
    inside = np.abs(transform(box.box_from_object, turned)) / box.half_extent
    np.testing.assert_allclose(inside.max(0), 1 / 1.1, rtol=1e-4)


def test_a_sheet_gets_some_thickness() -> None:
    flat = np.random.default_rng(0).uniform(-1, 1, (50, 3)) * [1, 1, 0]
    assert oriented_box(flat).half_extent.min() > 0.05


def test_one_stray_point_does_not_blow_up_the_box() -> None:
    cloud = np.random.default_rng(0).uniform(-1, 1, (300, 3))
    assert oriented_box(np.concatenate([cloud, [[500.0, 0, 0]]])).half_extent.max() < 2


def test_the_grid_of_a_mask_has_its_ends() -> None:
    mask = np.zeros((40, 40), bool)
    mask[4:33, 10:31] = True
    grid = mask_grid(mask)
    assert mask[grid[:, 1].astype(int), grid[:, 0].astype(int)].all()
    assert grid[:, 0].min() == 10.5 and grid[:, 0].max() == 30.5 and grid[:, 1].max() == 32.5
    assert mask_grid(np.zeros((4, 4), bool)).shape == (0, 2)


def test_every_grid_point_takes_the_sample_beside_it() -> None:
    xy = np.array([[0.0, 0.0], [10.0, 0.0]])
    assert nearest_sample(xy, np.array([[1.0, 1.0], [9.0, 3.0], [4.9, 0.0]])).tolist() == [0, 1, 0]
