"""Smoothing that stops at edges."""

import numpy as np

from pipeline.segmentation.guided_filter import guided_filter


def test_values_are_smoothed_within_a_colour_and_not_over_its_edge() -> None:
    image = np.zeros((30, 40, 3), np.float32)
    image[:, 20:] = [0.9, 0.4, 0.1]
    rng = np.random.default_rng(0)
    values = (np.where(np.arange(40) < 20, -1, 1) + rng.normal(0, 0.5, (30, 40))).astype(np.float32)
    smooth = guided_filter(image, values, 4, 1e-3)
    assert smooth[:, 14:20].max() < -0.5 and smooth[:, 20:26].min() > 0.5
    assert smooth[:, :20].std() < 0.3 * values[:, :20].std()


def test_a_constant_stays_what_it_is() -> None:
    image = np.random.default_rng(1).random((12, 15, 3)).astype(np.float32)
    np.testing.assert_allclose(guided_filter(image, np.full((12, 15), 2.0, np.float32), 3, 1e-3), 2, atol=1e-4)
