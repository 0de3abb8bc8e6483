"""Things have the sizes that their shapes say, and a seed makes one world."""

import numpy as np
import pytest

from models.simulation.ray_casting import Box, Cylinder, Ellipsoid
from pipeline.config import SimulateSceneConfig
from pipeline.simulation.world import KINDS, Thing, at, random_background, random_object, random_paints, shape_corners


def test_the_radius_is_that_of_the_ball_that_holds_a_thing() -> None:
    assert Thing("box", [Box((1.0, 2.0, 2.0))], at(0.0, 0.0, 0.0)[None]).radius == pytest.approx(3.0)
    assert Thing("ball", [Ellipsoid((0.5, 0.5, 0.5))], at(0.0, 0.0, 0.0)[None]).radius == pytest.approx(0.5)
    assert Thing("can", [Cylinder((3.0, 4.0, 3.0))], at(0.0, 0.0, 0.0)[None]).radius == pytest.approx(5.0)
    assert Thing("aside", [Box((1.0, 2.0, 2.0))], at(0.0, 0.0, 7.0)[None]).radius == pytest.approx(np.sqrt(1 + 4 + 81))


def test_corners_are_in_the_frame_that_the_place_leads_to() -> None:
    corners = shape_corners(Box((1.0, 2.0, 3.0)), at(10.0, 0.0, 0.0, yaw=np.pi / 2))
    np.testing.assert_allclose(corners.max(0), [13.0, 2.0, 1.0], atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_objects_of_every_kind_are_about_as_large_as_asked(kind: str) -> None:
    radii = [random_object(np.random.default_rng(seed), kind, 0.5).radius for seed in range(20)]
    assert min(radii) > 0.3 and max(radii) < 0.9


def test_furniture_stands_on_the_floor_or_on_the_piece_before() -> None:
    background = random_background(np.random.default_rng(0), empty_middle=True)
    heights = [shape_corners(shape, place)[:, 1] for shape, place in background.each()[1:]]
    tops = [0.0, *(height.min() for height in heights)]
    assert len(heights) > 3
    for height, below in zip(heights, tops[:-1], strict=True):
        assert height.max() in (pytest.approx(0.0, abs=1e-6), pytest.approx(below, abs=1e-6))


def test_every_part_has_a_paint_and_the_last_objects_are_bare() -> None:
    random = np.random.default_rng(0)
    background = random_background(random, empty_middle=True)
    objects = [random_object(random, kind, 0.5) for kind in ("mallet", "ball")]
    config = SimulateSceneConfig(objects=2, textureless_objects=1)
    paints = random_paints(random, background, objects, config, 0.01)
    assert len(paints) == len(background.shapes) + 3
    assert [paints[-3][0].pattern != "plain", paints[-1][0].pattern] == [True, "plain"]
