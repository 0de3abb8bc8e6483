"""Lines against outliers, and pixels that nothing is known of; against true depths: tests/pipeline/test_estimate_depth.py."""

import numpy as np
import pytest

from pipeline.scene.depth_alignment import best_alignment, robust_line


def test_a_line_is_not_moved_by_a_third_of_outliers() -> None:
    rng = np.random.default_rng(1)
    x = rng.uniform(1, 5, 300)
    y = 2 * x + 3
    y[:100] *= rng.uniform(1.5, 4, 100)
    assert robust_line(x, y) == pytest.approx((2, 3), abs=1e-2)


def test_unknown_pixels_stay_unknown() -> None:
    given = np.linspace(1, 4, 50)
    whole = np.array([[1.0, np.nan], [2.0, 4.0]])
    aligned, error = best_alignment(given, 3 * given, whole)
    np.testing.assert_allclose(aligned, [[3.0, 0.0], [6.0, 12.0]], rtol=1e-6)
    assert error < 1e-6
