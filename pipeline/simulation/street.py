"""A random street for dash cameras: houses, pavements, lane marks, lamp posts, trees, parked cars, and cars that drive.

It lies along z, its ground is y = 0. The room that encloses all is its sky. One unit is about a metre.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from models.simulation.procedural_texture import Paint, random_lattice
from models.simulation.ray_casting import Box, Cylinder, Ellipsoid, Shape
from models.simulation.shading import Lighting
from pipeline.cameras import rigid
from pipeline.config import SimulateSceneConfig
from pipeline.simulation.motion import axis_rotations
from pipeline.simulation.world import PLAINNESS, Thing, at, random_palette

STREET_DEPTH = 12.0  # typical of what a dash camera sees: textures are made for it
BEGIN, END = -6.0, 60.0  # of the houses, in z
KERB, HOUSE = 4.2, 6.5  # from the middle of the street, in x
SKY = (0.55, 0.7, 0.9)
ON_SIDE = axis_rotations(np.array([0.0, 0.0, 1.0]), np.array([np.pi / 2]))[0]
FACADES = ("bricks", "planks", "cells")


@dataclass(frozen=True)
class Street:
    """All that stands, and what each of its parts is."""

    thing: Thing
    names: Sequence[str]


def random_street(random: np.random.Generator) -> Street:
    """Sky and ground first, then what is built on it."""
    parts: list[tuple[str, Shape, np.ndarray]] = [("sky", Box((16.0, 12.0, 45.0), inside=True), at(0.0, -12.0, 28.0))]
    middle, half = (BEGIN + END) / 2, (END - BEGIN) / 2
    for side in (-1.0, 1.0):
        x = side * (KERB + HOUSE) / 2
        parts.append(("pavement", Box(((HOUSE - KERB) / 2, 0.08, half)), at(x, -0.08, middle)))
        parts += houses(random, side) + furniture(random, side)
    parts += [("mark", Box((0.07, 0.01, 1.1)), at(0.0, -0.01, z)) for z in np.arange(2.0, 42.0, 5.0)]
    names, shapes, places = zip(*parts, strict=True)
    return Street(Thing("street", shapes, np.stack(places)), names)


def houses(random: np.random.Generator, side: float) -> list[tuple[str, Shape, np.ndarray]]:
    """A row of houses with gaps, higher and lower, nearer and farther."""
    found: list[tuple[str, Shape, np.ndarray]] = []
    z = BEGIN
    while z < END:
        half = np.array([3.0, random.uniform(2.0, 4.5), random.uniform(2.5, 5.0)])
        x = side * (HOUSE + half[0] + random.uniform(0.0, 1.5))
        found.append(("house", Box(tuple(half.tolist())), at(x, -half[1], z + half[2])))
        z += 2 * half[2] + random.uniform(0.5, 4.0)
    return found


def furniture(random: np.random.Generator, side: float) -> list[tuple[str, Shape, np.ndarray]]:
    """Lamp posts, trees, and cars that are parked."""
    found: list[tuple[str, Shape, np.ndarray]] = []
    for z in np.arange(random.uniform(2.0, 8.0), 45.0, random.uniform(11.0, 14.0)):
        x = side * random.uniform(KERB + 0.3, KERB + 0.6)
        if random.uniform() < 0.5:
            found.append(("post", Cylinder((0.07, 2.5, 0.07)), at(x, -2.5, z)))
        else:
            found.append(("trunk", Cylinder((0.14, 1.2, 0.14)), at(x, -1.2, z)))
            crown = random.uniform(0.8, 1.3)
            found.append(("crown", Ellipsoid((crown, 1.2 * crown, crown)), at(x, -2.2 - crown, z)))
    for z in random.uniform((9.0, 24.0), (16.0, 32.0)):
        if random.uniform() < 0.7:
            car = random_car(random)
            place = at(side * (KERB - 1.0), -car_height(car), z, np.pi * (side < 0))
            found += [("parked", shape, place @ own) for shape, own in car.each()]
    return found


def random_car(random: np.random.Generator) -> Thing:
    """Body, cabin and four wheels, about its middle; it heads along z."""
    half = np.array([random.uniform(0.82, 0.92), random.uniform(0.3, 0.42), random.uniform(1.9, 2.3)])
    cabin = Box((0.85 * half[0], random.uniform(0.24, 0.38), random.uniform(0.5, 0.65) * half[2]))
    wheel = Cylinder((0.32, 0.1, 0.32))
    shapes: list[Shape] = [Box(tuple(half.tolist())), cabin]
    places = [at(0.0, 0.0, 0.0), at(0.0, -half[1] - cabin.half_extent[1], -0.15 * half[2])]
    for x in (-1.0, 1.0):
        for z in (-0.62, 0.62):
            shapes.append(wheel)
            places.append(rigid(ON_SIDE, np.array([x * (half[0] - 0.08), half[1], z * half[2]])))
    return Thing("car", shapes, np.stack(places))


def car_height(car: Thing) -> float:
    """Of a car's middle above the ground on which its wheels stand."""
    return float(car.shapes[0].half_extent[1] + car.shapes[2].half_extent[0])


def street_paints(
    random: np.random.Generator, street: Street, cars: Sequence[Thing], config: SimulateSceneConfig, pixel: float
) -> list[list[Paint]]:
    """Plain sky, rough ground, patterned houses, cars of one colour with dark wheels."""
    lattice = random_lattice(torch.Generator().manual_seed(int(random.integers(2**31))))

    def paint(pattern: str, palette: Float[torch.Tensor, "colour rgb=3"], feature: float, contrast: float) -> Paint:
        return Paint(pattern, palette, max(feature, 5 * pixel), 2.2 * pixel, contrast, lattice)

    def one_colour(rgb: Sequence[float], contrast: float) -> Paint:
        return paint("plain", torch.tensor([rgb, rgb]), 0.4, contrast)

    def car_paints() -> list[list[Paint]]:
        body = random_palette(random, random.uniform())[:1].repeat(2, 1)
        shade = 0.3 + 0.7 * random.uniform()
        own = [paint("plain", shade * body, 0.5, 0.12), paint("plain", 0.4 * shade * body, 0.3, 0.25)]
        return [[own[0]], [own[1]], *[[one_colour((0.03, 0.03, 0.03), 0.3)]] * 4]

    sky, ground = one_colour(SKY, 0.0), one_colour((0.14, 0.14, 0.15), 0.45)
    plain = {
        "pavement": one_colour((0.35, 0.34, 0.32), 0.4),
        "mark": one_colour((0.85, 0.85, 0.82), 0.15),
        "post": one_colour((0.2, 0.22, 0.22), 0.2),
        "trunk": one_colour((0.16, 0.1, 0.06), 0.5),
        "crown": one_colour((0.1, 0.25, 0.07), 0.7),
    }
    paints = [[sky, sky, ground, sky, sky, sky]]
    parked: list[list[Paint]] = []
    for name in street.names[1:]:
        if name == "house":
            pattern = str(random.choice(FACADES))
            paints.append([paint(pattern, random_palette(random, random.uniform()), random.uniform(0.4, 0.9), 0.5)])
        elif name == "parked":
            parked = parked or car_paints()
            paints.append(parked.pop(0))
        else:
            paints.append([plain[name]])
    paints += [own for _ in cars for own in car_paints()]
    return [[PLAINNESS[config.texture](one) for one in own] for own in paints]


def daylight(random: np.random.Generator) -> Lighting:
    """A sun far away and a bright sky."""
    sun = np.array([random.uniform(-60, 60), -80.0, random.uniform(-60, 20)])
    return Lighting(
        lamp=torch.tensor(sun, dtype=torch.float32),
        lamp_size=torch.tensor(0.5),
        lamp_colour=torch.tensor([0.75, 0.72, 0.66]),
        sky=torch.tensor([0.0, -1.0, 0.0]),
        sky_colour=torch.tensor([0.3, 0.34, 0.4]),
        ambient_colour=torch.full((3,), 0.3),
    )
