"""The plate is the wall behind the square; shadows are no other thing."""

import numpy as np
import pytest

from pipeline.cameras import directions_at_unit_depth
from pipeline.refinement.background_plate import (
    Plate,
    background_plates,
    carried_depth,
    in_light,
    in_typical,
    median_of_known,
)
from pipeline.refinement.still_world import Pixels, still_world
from tests.pipeline.refinement.sliding_square import (
    CAMERA,
    DEPTH,
    FRAMES,
    HEIGHT,
    WALL_PX,
    WIDTH,
    chain,
    images,
    known_camera,
    true_ids,
)


@pytest.fixture(scope="module")
def plates() -> list[Plate]:
    wall = np.ones((FRAMES, HEIGHT, WIDTH), bool)  # the first pass saw no square at all
    return background_plates(images(), still_world(images(), chain(), known_camera(), wall), known_camera(), wall)


def test_the_square_differs_from_what_other_frames_show_behind_it(plates: list[Plate]) -> None:
    ids = true_ids()
    for t in (0, 4, FRAMES - 1):
        square = (ids[t] == 1) & np.isfinite(plates[t].difference)
        assert square.sum() > 0.8 * (ids[t] == 1).sum()
        assert (plates[t].difference[square] > 5).mean() > 0.9
        wall = (ids[t] == 0) & np.isfinite(plates[t].difference)
        assert (plates[t].difference[wall] < 1.3).mean() > 0.85
        np.testing.assert_allclose(plates[t].inverse_depth[square], 1 / DEPTH, rtol=0.02)


def test_depth_is_carried_as_far_as_the_wall_shifts() -> None:
    pixels = Pixels((HEIGHT, WIDTH), 1.0, known_camera())
    depth = np.zeros((HEIGHT, WIDTH), np.float32)
    depth[10, 40] = 1 / DEPTH
    found = carried_depth(depth, directions_at_unit_depth(CAMERA, pixels.grid), pixels, 1, 4)
    assert np.argwhere(found > 0).tolist() == [[10, 40 + 3 * WALL_PX]]


def test_the_median_is_of_those_that_know() -> None:
    layers = np.array([[[3.0, np.inf]], [[1.0, 7.0]], [[9.0, np.inf]], [[2.0, np.inf]]])
    np.testing.assert_array_equal(median_of_known(layers, 2), [[2.0, np.nan]])
    np.testing.assert_array_equal(median_of_known(layers, 1), [[2.0, 7.0]])


def test_a_shadow_is_the_same_surface_in_less_light_and_another_colour_is_not() -> None:
    surface = np.random.default_rng(0).uniform(40, 200, (20, 20, 3)).astype(np.float32)
    np.testing.assert_allclose(in_light(surface, 0.6 * surface), 0.6 * surface, rtol=1e-5)
    assert np.abs(in_light(surface, 0.1 * surface) - 0.1 * surface).mean() > 20  # darker than any shadow
    assert np.abs(in_light(surface, surface[..., ::-1]) - surface[..., ::-1]).mean() > 20


def test_differences_are_counted_in_those_of_the_background() -> None:
    difference = np.array([[8.0, 8.0, 80.0, np.nan]])
    found = in_typical(difference, np.array([[True, True, False, True]]))
    np.testing.assert_array_equal(found, [[1, 1, 10, np.nan]])
    assert in_typical(difference, np.zeros((1, 4), bool))[0, 2] == 20  # nothing is known: the least typical one
