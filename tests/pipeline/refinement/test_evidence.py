"""What each combination of colour, depth and flow says of a pixel."""

import numpy as np
import pytest

from pipeline.refinement.background_plate import Plate
from pipeline.refinement.evidence import in_front
from pipeline.refinement.still_world import StillWorld


@pytest.mark.parametrize(
    ("depth", "residual", "difference", "front"),
    [
        (0.1, -0.2, 1.0, False),
        (0.1, -0.2, 9.0, False),  # an edge in depth: its colour is off, but it stands still where it should
        (0.2, -0.2, 9.0, True),  # rests, nearer than the background
        (0.01, -0.2, 9.0, True),  # along the epipolar line: seems to be behind the wall
        (0.1, 1.5, 9.0, True),
        (0.0, 0.0, 9.0, True),  # too fast for flow
        (0.1, 1.5, 1.0, False),  # flow is smeared over it
        (0.2, 1.5, np.nan, False),  # nobody saw what is behind
    ],
)
def test_a_pixel_before_a_wall_at_depth_10(depth: float, residual: float, difference: float, front: bool) -> None:
    still = StillWorld(np.full((1, 1, 1), depth), np.full((1, 1, 1), residual))
    plate = Plate(np.full((1, 1), 0.1), np.full((1, 1), difference))
    assert in_front(still, [plate])[0, 0, 0] == front
