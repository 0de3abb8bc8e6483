"""A random room with furniture, and random rigid objects that move in its middle; all from one seed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from models.simulation.procedural_texture import Paint, paint_atlas, random_lattice
from models.simulation.ray_casting import Box, Cylinder, Ellipsoid, Part, Shape
from models.simulation.shading import Lighting, LitScene
from pipeline.cameras import rigid
from pipeline.config import SimulateSceneConfig
from pipeline.runtime.threads import one_thread_each
from pipeline.simulation.motion import axis_rotations, clip_times, random_wave

ACTION_RADIUS = 2.3  # moving objects stay within this distance of the middle
TYPICAL_DEPTH = 5.0  # of the objects from the camera: textures are made for it
WALL_PATTERNS = ("bricks", "cells", "camouflage", "planks", "veins")
FLOOR_PATTERNS = ("planks", "cells", "camouflage")
OBJECT_PATTERNS = ("camouflage", "cells", "veins", "bricks")
KINDS = ("box", "ball", "cylinder", "ellipsoid", "mallet", "corner")
THIN_KINDS = ("rod", "frame", "stool")
THIN = 0.045  # half width of what is thin: about two pixels of 256 across the view


@dataclass(frozen=True)
class Thing:
    """A rigid thing: shapes with their places in its frame."""

    kind: str
    shapes: Sequence[Shape]
    places: Float[np.ndarray, "part 4 4"]

    @property
    def radius(self) -> float:
        """Of the ball about its centre that holds it."""
        reach = [np.linalg.norm(shape_corners(shape, place), axis=1).max() for shape, place in self.each()]
        return float(max(reach))

    def each(self) -> list[tuple[Shape, np.ndarray]]:
        return list(zip(self.shapes, self.places, strict=True))


def shape_corners(shape: Shape, place: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "point xyz=3"]:
    """Points that span the shape, in the frame that `place` leads to."""
    corners = np.stack(np.meshgrid(*[[-1.0, 1.0]] * 3), axis=-1).reshape(-1, 3)
    if isinstance(shape, Ellipsoid):
        corners = np.concatenate([np.eye(3), -np.eye(3), corners / np.sqrt(3)])
    elif isinstance(shape, Cylinder):
        corners = corners * np.array([np.sqrt(0.5), 1, np.sqrt(0.5)])
    return corners * np.array(shape.half_extent) @ place[:3, :3].T + place[:3, 3]


def at(x: float, y: float, z: float, yaw: float = 0.0) -> Float[np.ndarray, "4 4"]:
    """A place, turned about the vertical."""
    return rigid(axis_rotations(np.array([0.0, 1.0, 0.0]), np.array([yaw]))[0], np.array([x, y, z]))


def random_object(random: np.random.Generator, kind: str, size: float) -> Thing:
    """A moving object of a kind, centred."""
    a, b, c = size * random.uniform(0.8, 1.15, size=3)
    if kind == "box":
        return Thing(kind, [Box((0.85 * a, 0.75 * b, 0.85 * c))], at(0.0, 0.0, 0.0)[None])
    if kind == "ball":
        return Thing(kind, [Ellipsoid((a, a, a))], at(0.0, 0.0, 0.0)[None])
    if kind == "cylinder":
        return Thing(kind, [Cylinder((0.75 * a, 0.95 * b, 0.75 * a))], at(0.0, 0.0, 0.0)[None])
    if kind == "ellipsoid":
        return Thing(kind, [Ellipsoid((1.15 * a, 0.8 * b, 0.9 * c))], at(0.0, 0.0, 0.0)[None])
    if kind == "mallet":
        head, handle = Box((0.9 * a, 0.45 * a, 0.5 * a)), Cylinder((0.24 * a, 0.6 * a, 0.24 * a))
        return Thing(kind, [head, handle], np.stack([at(0.0, -0.5 * a, 0.0), at(0.0, 0.5 * a, 0.0)]))
    foot, back = Box((0.9 * a, 0.3 * a, 0.6 * a)), Box((0.3 * a, 0.55 * a, 0.6 * a))
    return Thing(kind, [foot, back], np.stack([at(0.0, 0.4 * a, 0.0), at(-0.6 * a, -0.45 * a, 0.0)]))


def thin_object(random: np.random.Generator, kind: str, size: float) -> Thing:
    """A thing made of bars: a rod, an empty frame, or a stool."""
    a, b = size * random.uniform(1.1, 1.5, size=2)
    if kind == "rod":
        return Thing(kind, [Cylinder((THIN, 1.2 * a, THIN))], at(0.0, 0.0, 0.0)[None])
    if kind == "frame":
        upright, level = Box((THIN, b, THIN)), Box((a, THIN, THIN))
        places = [at(a, 0.0, 0.0), at(-a, 0.0, 0.0), at(0.0, b, 0.0), at(0.0, -b, 0.0)]
        return Thing(kind, [upright, upright, level, level], np.stack(places))
    seat, leg = Box((0.7 * a, THIN, 0.7 * a)), Cylinder((THIN, 0.6 * b, THIN))
    corners = [at(x, 0.6 * b, z) for x in (-0.6 * a, 0.6 * a) for z in (-0.6 * a, 0.6 * a)]
    return Thing(kind, [seat, leg, leg, leg, leg], np.stack([at(0.0, 0.0, 0.0), *corners]))


def with_wires(random: np.random.Generator, background: Thing) -> Thing:
    """The background with poles and wires in it, as thin as `thin_object`s."""
    shapes, places = list(background.shapes), list(background.places)
    room, room_place = background.each()[0]
    level = np.eye(4)
    level[:3, :3] = axis_rotations(np.array([0.0, 0.0, 1.0]), np.array([np.pi / 2]))[0]
    for _ in range(4):
        angle, distance = np.radians(random.uniform(-70, 70)), random.uniform(2.6, 3.4)
        shapes.append(Cylinder((0.03, room.half_extent[1], 0.03)))
        places.append(at(distance * np.sin(angle), room_place[1, 3], distance * np.cos(angle)))
    for _ in range(3):
        shapes.append(Cylinder((0.025, 0.98 * room.half_extent[0], 0.025)))
        places.append(at(0.0, random.uniform(-2.6, -1.4), random.uniform(2.4, 3.2), random.uniform(-0.2, 0.2)) @ level)
    return Thing(background.kind, shapes, np.stack(places))


def cleared(background: Thing, eyes: Float[np.ndarray, "eye xyz=3"], margin: float) -> Thing:
    """The background without the furniture that stands where a camera (or an object) passes; the room stays."""
    kept = [
        number
        for number, (shape, place) in enumerate(background.each())
        if shape.inside or np.hypot(*(eyes - place[:3, 3])[:, ::2].T).min() > shape_reach(shape) + margin
    ]
    return Thing(background.kind, [background.shapes[number] for number in kept], background.places[kept])


def shape_reach(shape: Shape) -> float:
    """How far a standing shape reaches from its middle, level."""
    return float(np.hypot(shape.half_extent[0], shape.half_extent[2]))


def random_room(random: np.random.Generator) -> tuple[Box, np.ndarray]:
    """A room that holds the camera's arc behind the middle, a little turned."""
    half = np.array([random.uniform(5.6, 6.4), random.uniform(1.75, 2.2), random.uniform(5.6, 6.0)])
    yaw = np.radians(random.uniform(8, 22)) * random.choice([-1, 1])
    return Box(tuple(half.tolist()), inside=True), at(0.0, -half[1], -1.3, yaw)


def random_background(random: np.random.Generator, empty_middle: bool) -> Thing:
    """The room and its furniture, which stands at many depths but leaves room for the action."""
    room, room_place = random_room(random)
    shapes: list[Shape] = [room]
    places = [room_place]
    standing: list[np.ndarray] = []
    for _ in range(400):
        shape, place = random_furniture(random, empty_middle)
        reach = float(np.hypot(shape.half_extent[0], shape.half_extent[2]))
        circle = np.array([place[0, 3], place[2, 3], reach])
        clear = all(np.hypot(*(circle[:2] - other[:2])) > reach + other[2] + 0.15 for other in standing)
        if clear and inside_room(shape, place, room, room_place):
            standing.append(circle)
            shapes.append(shape)
            places.append(place)
            if random.uniform() < 0.4 and shape.half_extent[1] < 0.6:
                shapes.append(random_topping(random, shape))
                lift = shape.half_extent[1] + shapes[-1].half_extent[1]
                places.append(place @ at(0.0, -lift, 0.0, random.uniform(0, 3)))
        if len(standing) == 7:
            break
    return Thing("background", shapes, np.stack(places))


def random_furniture(random: np.random.Generator, empty_middle: bool) -> tuple[Shape, np.ndarray]:
    """A box or a column on the floor, behind or beside the action."""
    tall = random.uniform() < 0.4
    half_height = random.uniform(0.6, 1.2) if tall else random.uniform(0.25, 0.5)
    half = random.uniform(0.25, 0.55 if tall else 0.8, size=2)
    shape: Shape = Box((half[0], half_height, half[1]))
    if random.uniform() < 0.35:
        shape = Cylinder((half[0], half_height, half[0]))
    reach = float(np.hypot(shape.half_extent[0], shape.half_extent[2]))
    nearest = ACTION_RADIUS + reach + 0.2 if empty_middle else 0.0
    distance = random.uniform(nearest, nearest + 2.4)
    # In front of the action it would stand before the camera.
    azimuth = random.uniform(-105, 105) if empty_middle else random.uniform(-180, 180)
    x, z = distance * np.sin(np.radians(azimuth)), distance * np.cos(np.radians(azimuth))
    return shape, at(x, -half_height, z, random.uniform(0, np.pi))


def random_topping(random: np.random.Generator, below: Shape) -> Shape:
    """Something that stands on a low piece of furniture."""
    half = min(below.half_extent[0], below.half_extent[2]) * random.uniform(0.35, 0.6)
    height = half * random.uniform(0.7, 1.4)
    kinds: tuple[type[Shape], ...] = (Box, Ellipsoid, Cylinder)
    return kinds[random.integers(3)]((half, height, half))


def inside_room(shape: Shape, place: np.ndarray, room: Box, room_place: np.ndarray) -> bool:
    """Whether a standing shape keeps off the walls."""
    corners = shape_corners(shape, place) - room_place[:3, 3]
    local = np.abs(corners @ room_place[:3, :3])[:, [0, 2]]
    return bool((local < np.array(room.half_extent)[[0, 2]] - 0.05).all())


def random_palette(random: np.random.Generator, hue: float) -> Float[torch.Tensor, "colour rgb=3"]:
    """Five linear colours about a hue, from dark to light, one of another hue, in any order."""
    hues = hue + random.normal(scale=0.05, size=5)
    hues[random.integers(5)] += random.uniform(0.25, 0.5)
    saturation, value = random.uniform(0.05, 0.42, size=5), np.linspace(0.4, 0.95, 5)
    wheel = np.abs((hues[:, None] * 6 + np.array([0, 4, 2])) % 6 - 3) - 1
    rgb = value[:, None] * (1 - saturation[:, None] * (1 - wheel.clip(0, 1)))
    return torch.tensor(random.permutation(rgb**2.2), dtype=torch.float32)


def random_paints(
    random: np.random.Generator, background: Thing, objects: Sequence[Thing], config: SimulateSceneConfig, pixel: float
) -> list[list[Paint]]:
    """Paints for every part: walls, floor and ceiling differ; the last `textureless_objects` objects get almost none.

    Features keep some pixels' size (`pixel`: of one at the objects), so that small videos show them too.
    """
    lattice = random_lattice(torch.Generator().manual_seed(int(random.integers(2**31))))
    hue = random.uniform()

    def paint(patterns: Sequence[str], own_hue: float, size: tuple[float, float], contrast: float) -> Paint:
        feature = max(random.uniform(*size), 6 * pixel)
        palette = random_palette(random, own_hue)
        return Paint(str(random.choice(patterns)), palette, feature, 2.2 * pixel, contrast, lattice)

    wall = paint(WALL_PATTERNS, hue, (0.3, 0.5), 0.6)
    other = paint(WALL_PATTERNS, hue + 0.1, (0.3, 0.5), 0.6)
    floor = paint(FLOOR_PATTERNS, hue + random.uniform(0.3, 0.6), (0.35, 0.55), 0.6)
    paints = [[other, other, floor, wall, wall, wall]]
    for number in range(1, len(background.shapes)):
        paints.append([paint(OBJECT_PATTERNS, hue + 0.13 * number, (0.2, 0.35), 0.5)])
    for number, thing in enumerate(objects):
        bare = number >= len(objects) - config.textureless_objects
        own_hue = hue + (number + 0.5) / len(objects)
        patterns, contrast = (("plain",), 0.02) if bare else (OBJECT_PATTERNS, 0.55)
        paints += [[paint(patterns, own_hue, (0.18, 0.3), contrast)] for _ in thing.shapes]
    return [[PLAINNESS[config.texture](one) for one in own] for own in paints]


def smoothed(paint: Paint) -> Paint:
    """Faint soft bands in place of a pattern."""
    middle = paint.palette.mean(0)
    palette = middle + 0.35 * (paint.palette - middle)
    return replace(
        paint, pattern="veins", palette=palette, feature=4 * paint.feature, finest=paint.feature, contrast=0.1
    )


def bared(paint: Paint) -> Paint:
    """One colour, hardly uneven."""
    return replace(paint, pattern="plain", contrast=0.015)


PLAINNESS: dict[str, Callable[[Paint], Paint]] = {"rich": lambda paint: paint, "smooth": smoothed, "none": bared}


def random_lighting(random: np.random.Generator) -> Lighting:
    """A lamp under the ceiling on the camera's side, and the soft light of a room."""
    warm = random.uniform(-0.08, 0.08)
    lamp = np.array([random.uniform(-2.0, 2.0), -3.2, random.uniform(-3.0, -1.0)])
    sky = np.array([random.uniform(-0.5, 0.5), -1.0, -0.4])
    return Lighting(
        lamp=torch.tensor(lamp, dtype=torch.float32),
        lamp_size=torch.tensor(0.18),
        lamp_colour=0.6 * torch.tensor([1 + warm, 1.0, 1 - warm]),
        sky=torch.tensor(sky / np.linalg.norm(sky), dtype=torch.float32),
        sky_colour=0.3 * torch.tensor([1 - warm, 1.0, 1 + warm]),
        ambient_colour=torch.full((3,), 0.42),
    )


def wandering_lamp(random: np.random.Generator, lighting: Lighting, frames: int) -> Float[np.ndarray, "frame xyz=3"]:
    """Where a lamp is that somebody carries from one side of the room to the other."""
    u = clip_times(frames)
    side = random.choice([-1.0, 1.0])
    shift = np.stack([side * 2.4 * (2 * u - 1), 0.3 * np.sin(6 * u), random_wave(random, 1.0)(u)], axis=-1)
    return lighting.lamp.numpy() * [0.2, 0.9, 1.0] + shift


def painted_scene(
    parts: Sequence[Part], paints: Sequence[Sequence[Paint]], lighting: Lighting, pixel: float
) -> LitScene:
    """Everything that is rendered; `pixel` is the size of a pixel at the objects."""
    with one_thread_each():
        atlas = paint_atlas([part.shape for part in parts], paints, 0.6 * pixel)
    return LitScene(parts, atlas, lighting)
