"""How far objects may be from where their poses say."""

import numpy as np

from pipeline.osn.depth_margins import UNKNOWN, depth_margins


def test_margins_are_two_deviations_and_without_one_nothing_is_known() -> None:
    objects = [{"id": 0}, {"id": 1, "depth_std_percent": 1.5}, {"id": 4, "depth_std_percent": None}, {"id": 7}]
    np.testing.assert_allclose(depth_margins(objects), [0, 0.03, UNKNOWN, UNKNOWN])
