"""The depth of what stands still is exact, and what moves across the epipolar lines fits none."""

import numpy as np
import pytest

from pipeline.refinement.still_world import Pixels, StillWorld, still_world
from tests.pipeline.refinement.sliding_square import DEPTH, FRAMES, chain, images, known_camera, true_ids


@pytest.fixture(scope="module")
def still() -> StillWorld:
    return still_world(images(), chain(), known_camera(), true_ids() == 0)


def test_the_wall_is_where_it_is(still: StillWorld) -> None:
    wall = (true_ids() == 0) & (still.inverse_depth > 0)
    assert wall.mean() > 0.8
    np.testing.assert_allclose(still.inverse_depth[wall], 1 / DEPTH, rtol=0.02)
    assert (still.residual[wall] < 0).all()


def test_a_square_that_slides_against_the_wall_is_no_still_thing(still: StillWorld) -> None:
    square = true_ids() == 1
    # It goes the other way: the nearest that a still thing could come to it is infinitely far away.
    assert (still.residual[square] > 0.3).mean() > 0.95
    assert (still.inverse_depth[square] < 0.1 / DEPTH).mean() > 0.95


def test_pixels_that_are_reduced_keep_their_places() -> None:
    pixels = Pixels((30, 50), 0.5, known_camera())
    np.testing.assert_allclose(pixels.grid[:2], [[1, 1], [3, 1]])
    np.testing.assert_allclose(pixels.index(pixels.places(np.array([[7.0, 3.0]]))), [[7, 3]])


def test_landing_views_agree_with_the_flow() -> None:
    views = known_camera().views(0, [FRAMES - 1])
    start = np.array([50.0, 30.0, 1.0])
    landed = views.plane[0] @ start + views.epipole[0] / DEPTH
    np.testing.assert_allclose(landed[:2] / landed[2], [50 - 2 * (FRAMES - 1), 30], atol=1e-9)
