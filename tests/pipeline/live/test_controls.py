"""Names and ends of the controls."""

import numpy as np
import pytest

from pipeline.live.controls import slider_bounds, unlike


@pytest.mark.parametrize("scale_range", [[0.0721, 1.9278], [0.5, 2.0], [0.9999, 1.0001]])
def test_slider_ends_within_the_range(scale_range: list[float]) -> None:
    low, high = slider_bounds(np.array(scale_range, np.float32))
    assert low < high
    if scale_range[1] / scale_range[0] > 1.01:
        assert np.log10(scale_range[0]) - 1e-6 <= low and high <= np.log10(scale_range[1]) + 1e-6


def test_names_that_come_again_are_numbered() -> None:
    assert unlike(["car (2)", "car", "car", "cup"]) == ["car (2)", "car", "car (3)", "cup"]
