"""How simulated things move beyond tumbling and rolling: thrown, at rest for half of the clip, through the view, in traffic."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from models.simulation.ray_casting import Box, Cylinder, Shape
from pipeline.cameras import rigid
from pipeline.config import SimulateSceneConfig
from pipeline.simulation.motion import (
    DOWN,
    axis_rotations,
    clip_times,
    random_direction,
    random_rotation,
    random_wave,
)
from pipeline.simulation.world import Thing

GRAVITY, RESTITUTION, GRIP = 9.81, 0.6, 0.75  # world units a second^2; what a bounce leaves of speed upward, and along
STEPS = 40  # of a throw's integration in each frame
LANES = (1.7, -1.7)  # middle of our lane and of the other, in x


def support(thing: Thing, rotations: Float[np.ndarray, "frame 3 3"]) -> Float[np.ndarray, "frame"]:
    """How far a turned thing reaches below its centre."""
    return np.max([part_support(shape, rotations @ place[:3]) for shape, place in thing.each()], axis=0)


def part_support(shape: Shape, placed: Float[np.ndarray, "frame 3 4"]) -> Float[np.ndarray, "frame"]:
    """How far a part at a place reaches down: its middle, and its support function in that direction."""
    across = placed[:, 1, :3] * np.array(shape.half_extent)
    if isinstance(shape, Box):
        reach = np.abs(across).sum(-1)
    elif isinstance(shape, Cylinder):
        reach = np.abs(across[:, 1]) + np.hypot(across[:, 0], across[:, 2])
    else:
        reach = np.linalg.norm(across, axis=-1)
    return placed[:, 1, 3] + reach


def thrown(random: np.random.Generator, config: SimulateSceneConfig, thing: Thing) -> Float[np.ndarray, "frame 4 4"]:
    """Thrown in from aside, it falls, bounces and skids; its spin lessens with each bounce."""
    angle = random.uniform(0, 2 * np.pi)
    heading = np.array([np.cos(angle), 0.0, np.sin(angle)])
    aside = np.array([-heading[2], 0.0, heading[0]])
    place = -random.uniform(1.2, 1.8) * heading + random.uniform(-0.7, 0.7) * aside - random.uniform(1.0, 1.8) * DOWN
    velocity = random.uniform(1.2, 2.4) * heading - random.uniform(0.0, 1.5) * DOWN
    axis, spin = random_direction(random), np.radians(random.uniform(120, 300))
    rotation, step = random_rotation(random), 1 / (config.fps * STEPS)
    poses = []
    for number in range(config.frames * STEPS):
        if number % STEPS == 0:
            poses.append(rigid(rotation, place))
        velocity = velocity + step * GRAVITY * DOWN
        place = place + step * velocity
        below = place[1] + thing.radius * 0.75
        if below > 0 and velocity[1] > 0:
            place = place - below * DOWN
            velocity = velocity * [GRIP, -RESTITUTION if velocity[1] > 0.6 else 0.0, GRIP]
            spin = spin * GRIP if velocity[1] else spin * 0.995
            velocity = velocity if velocity[1] else velocity / GRIP * 0.995
        rotation = axis_rotations(axis, np.array([spin * step]))[0] @ rotation
    return above_floor(thing, np.stack(poses))


def above_floor(thing: Thing, poses: Float[np.ndarray, "frame 4 4"]) -> Float[np.ndarray, "frame 4 4"]:
    """The poses, lifted where a corner would be below the floor."""
    lifted = poses.copy()
    lifted[:, 1, 3] = np.minimum(poses[:, 1, 3], -support(thing, poses[:, :3, :3]))
    return lifted


def resting(
    random: np.random.Generator, config: SimulateSceneConfig, thing: Thing, place: Float[np.ndarray, "xyz=3"]
) -> Float[np.ndarray, "frame 4 4"]:
    """On the floor for the first or the last half of the clip; in the other it is lifted, turned and carried."""
    u = clip_times(config.frames)
    first_half = random.uniform() < 0.6
    busy = np.clip(2 * u - 1 if first_half else 1 - 2 * u, 0, 1)
    eased = busy * busy * (3 - 2 * busy)
    rotations = axis_rotations(random_direction(random), np.radians(random.uniform(80, 130)) * eased)
    rotations = rotations @ random_rotation(random)
    heading = random.uniform(0, 2 * np.pi)
    along = random.uniform(0.4, 0.8) * eased[:, None] * np.array([np.cos(heading), 0.0, np.sin(heading)])
    lift = random.uniform(0.3, 0.7) * np.sin(0.5 * np.pi * eased)
    height = support(thing, rotations) + lift
    return rigid(rotations, place + along - height[:, None] * DOWN)


def crossing(
    random: np.random.Generator, config: SimulateSceneConfig, thing: Thing, lane: float, reach: float
) -> Float[np.ndarray, "frame 4 4"]:
    """Across the view from one side to the other, at depth `lane`, turning; `reach` is how far from the middle it starts."""
    u = clip_times(config.frames)
    direction = random.choice([-1.0, 1.0])
    begin, end = random.uniform(0.0, 0.12), random.uniform(0.88, 1.0)
    along = np.clip((u - begin) / (end - begin), 0, 1)
    x = direction * reach * (2 * along - 1)
    z = lane + 0.15 * random_wave(random, 1.0)(u)
    rotations = axis_rotations(random_direction(random), np.radians(random.uniform(100, 170)) * u)
    rotations = rotations @ random_rotation(random)
    height = (
        support(thing, rotations) + random.uniform(0.05, 0.35) + 0.1 * np.sin(2 * np.pi * (u + random.uniform())) ** 2
    )
    return rigid(rotations, np.stack([x, -height, z], axis=-1))


def traffic(
    random: np.random.Generator,
    config: SimulateSceneConfig,
    things: Sequence[Thing],
    world_from_camera: Float[np.ndarray, "frame 4 4"],
) -> list[Float[np.ndarray, "frame 4 4"]]:
    """Cars before the camera: the first in its lane, others behind one another there, or coming the other way."""
    u, seconds = clip_times(config.frames), config.frames / config.fps
    camera_z = world_from_camera[:, 2, 3]
    paths, gap = [], random.uniform(7.5, 9.5)
    for number, thing in enumerate(things):
        oncoming = number % 2 == 1
        drift = random.uniform(1.2, 3.0) * random.choice([-1.0, 1.0]) * seconds / 2
        ahead = gap + max(-drift, 0) + drift * u + random_wave(random, 0.2)(u)
        if oncoming:
            z = camera_z[0] + random.uniform(22, 30) + 6 * number - random.uniform(3.0, 5.0) * seconds * u
        else:
            z, gap = camera_z + ahead, gap + abs(drift) + random.uniform(7.0, 9.0)
        x = LANES[oncoming] + random_wave(random, 0.2)(u)
        heading = np.arctan2(np.gradient(x), np.gradient(z))
        lift = -support(thing, np.eye(3)[None])[0]
        centres = np.stack([x, np.full_like(x, lift), z], axis=-1)
        paths.append(rigid(np.stack([axis_rotations(DOWN, heading[[k]])[0] for k in range(len(u))]), centres))
    return paths
