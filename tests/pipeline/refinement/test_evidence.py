"""What each combination of colour, depth and flow says of a pixel."""

import numpy as np
import pytest

from pipeline.refinement.background_plate import Plate
from pipeline.refinement.evidence import Evidence
from pipeline.refinement.still_world import StillWorld

UNKNOWN = np.nan


@pytest.mark.parametrize(
    ("depth", "residual", "behind", "difference", "said"),
    [
        (0.1, -0.2, 0.1, 1.0, "background"),
        (0.1, -0.2, 0.1, 9.0, "neither"),  # an edge in depth: its colour is off, but it stands still where it should
        (0.2, -0.2, 0.1, 9.0, "in front"),  # rests, nearer than the background
        (0.01, -0.2, 0.1, 9.0, "in front"),  # along the epipolar line: seems to be behind the wall
        (0.1, 1.5, 0.1, 9.0, "in front"),
        (0.0, 0.0, 0.1, 9.0, "in front"),  # too fast for flow
        (0.1, 1.5, 0.1, 1.0, "background"),  # flow is smeared over it
        (0.1, 1.5, 0.0, UNKNOWN, "neither"),
        (0.1, -0.2, 0.1, UNKNOWN, "background"),
    ],
)
def test_a_pixel(depth: float, residual: float, behind: float, difference: float, said: str) -> None:
    still = StillWorld(np.full((1, 1, 1), depth), np.full((1, 1, 1), residual))
    found = Evidence.of(still, [Plate(np.full((1, 1), behind), np.full((1, 1), difference))])
    words = {(True, False): "in front", (False, True): "background", (False, False): "neither"}
    assert words[bool(found.in_front[0, 0, 0]), bool(found.background[0, 0, 0])] == said
