"""A street leaves the lanes free, and every part has its paint."""

import numpy as np

from pipeline.config import SimulateSceneConfig
from pipeline.simulation.object_motion import LANES, support
from pipeline.simulation.street import car_height, random_car, random_street, street_paints
from pipeline.simulation.world import shape_corners


def test_nothing_stands_in_the_lanes() -> None:
    for seed in range(3):
        street = random_street(np.random.default_rng(seed))
        for name, (shape, place) in zip(street.names, street.thing.each(), strict=True):
            if name not in ("sky", "mark"):
                corners = shape_corners(shape, place)
                assert np.abs(corners[:, 0]).min() > abs(LANES[0]) + 0.4, name
                assert corners[:, 1].max() < 0.01  # nothing below the ground


def test_every_part_has_paints_and_a_car_stands_on_its_wheels() -> None:
    random = np.random.default_rng(0)
    street, car = random_street(random), random_car(random)
    paints = street_paints(random, street, [car], SimulateSceneConfig(), 0.1)
    assert len(paints) == len(street.names) + len(car.shapes)
    assert abs(support(car, np.eye(3)[None])[0] - car_height(car)) < 1e-9
