"""Smooth paths of simulated cameras and objects, in a world whose floor is y = 0 and whose up is -y."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from pipeline.cameras import look_at, rigid
from pipeline.config import SimulateSceneConfig

DOWN = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True)
class Wave:
    """A smooth wobble about 0: two sines of random phase."""

    amplitude: float
    phases: Float[np.ndarray, "wave=2"]

    def __call__(self, u: Float[np.ndarray, "frame"]) -> Float[np.ndarray, "frame"]:
        slow, fast = np.sin(2 * np.pi * (0.7 * u + self.phases[0])), np.sin(2 * np.pi * (1.7 * u + self.phases[1]))
        return self.amplitude * (0.75 * slow + 0.25 * fast)


def random_wave(random: np.random.Generator, amplitude: float) -> Wave:
    return Wave(amplitude, random.uniform(size=2))


def clip_times(frames: int) -> Float[np.ndarray, "frame"]:
    """The clip from 0 to 1."""
    return np.linspace(0, 1, frames)


def camera_path(random: np.random.Generator, config: SimulateSceneConfig) -> Float[np.ndarray, "frame 4 4"]:
    """The video's camera: an arc around the middle with a bob, looking a little beside it; or a tripod."""
    u = clip_times(config.frames) if config.camera == "moving" else np.full(config.frames, 0.5)
    reach = np.radians(random.uniform(17, 24)) * random.choice([-1.0, 1.0])
    azimuth = reach * (2 * u - 1) + random_wave(random, 0.03)(u)
    radius = random.uniform(4.9, 5.3) + random_wave(random, 0.25)(u)
    height = random.uniform(1.5, 2.1) + random_wave(random, 0.3)(u)
    eyes = np.stack([radius * np.sin(azimuth), -height, -radius * np.cos(azimuth)], axis=-1)
    middle = np.array([random.uniform(-0.15, 0.15), -random.uniform(0.75, 1.0), 0.0])
    wobble = np.stack([random_wave(random, 0.12)(u) for _ in range(3)], axis=-1)
    return np.stack([look_at(eye, middle + shift, DOWN) for eye, shift in zip(eyes, wobble, strict=True)])


def held_out_path(
    random: np.random.Generator, world_from_camera: Float[np.ndarray, "frame 4 4"]
) -> Float[np.ndarray, "frame 4 4"]:
    """A camera that circles the video's camera, 10 to 16 % of the distance to the middle away, and never meets it."""
    u = clip_times(len(world_from_camera))
    turn = 2 * np.pi * (random.uniform() + random.choice([-1.0, 1.0]) * random.uniform(0.6, 1.0) * u)
    eyes, right, down = (world_from_camera[:, :3, column] for column in (3, 0, 1))
    middle = np.array([0.0, -0.85, 0.0])
    distance = np.linalg.norm(eyes - middle, axis=1)
    baseline = (distance * (0.13 + random_wave(random, 0.025)(u)))[:, None]
    shifted = eyes + baseline * (np.cos(turn)[:, None] * right + 0.8 * np.sin(turn)[:, None] * down)
    return np.stack([look_at(eye, middle, DOWN) for eye in shifted])


def tumbling(
    random: np.random.Generator, frames: int, place: Float[np.ndarray, "xyz=3"], radius: float, drift: float
) -> Float[np.ndarray, "frame 4 4"]:
    """An object that drifts through the air about `place` while it turns over by 100 to 150 degrees."""
    u = clip_times(frames)
    heading = random.uniform(0, 2 * np.pi)
    along = drift * random.uniform(0.5, 1.0) * (u - 0.5)
    hover = random.uniform(0.08, 0.3) + random.uniform(0.15, 0.5) * np.sin(np.pi * (u + random.uniform())) ** 2
    centres = place + np.stack(
        [
            along * np.cos(heading) + random_wave(random, 0.15 * drift)(u),
            -radius - hover,
            along * np.sin(heading) + random_wave(random, 0.15 * drift)(u),
        ],
        axis=-1,
    )
    total = np.radians(random.uniform(100, 150))
    first = axis_rotations(random_direction(random), total * (u + 0.06 * np.sin(2 * np.pi * u)))
    second = axis_rotations(random_direction(random), 0.35 * np.sin(2 * np.pi * (u + random.uniform())))
    return rigid(first @ second @ random_rotation(random), centres)


def rolling(
    random: np.random.Generator, frames: int, place: Float[np.ndarray, "xyz=3"], radius: float, upright: bool
) -> Float[np.ndarray, "frame 4 4"]:
    """A ball, or a cylinder on its side, that rolls on the floor through `place` without slipping."""
    u = clip_times(frames)
    heading = random.uniform(0, 2 * np.pi)
    direction = np.array([np.cos(heading), 0.0, np.sin(heading)])
    length = radius * np.radians(random.uniform(110, 190))
    travelled = length * (u - 0.5 + 0.07 * np.sin(2 * np.pi * (u + random.uniform())))
    centres = place + travelled[:, None] * direction - DOWN * radius
    axis = np.cross(direction, DOWN)
    start = random_rotation(random) if upright else np.stack([direction, axis, np.cross(direction, axis)], axis=1)
    return rigid(axis_rotations(axis, travelled / radius) @ start, centres)


def axis_rotations(axis: Float[np.ndarray, "xyz=3"], angles: Float[np.ndarray, "frame"]) -> np.ndarray:
    """Rotations about a unit axis (Rodrigues)."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    sine, rest = np.sin(angles)[:, None, None], (1 - np.cos(angles))[:, None, None]
    return np.eye(3) + sine * cross + rest * (cross @ cross)


def random_direction(random: np.random.Generator) -> Float[np.ndarray, "xyz=3"]:
    vector = random.normal(size=3)
    return vector / np.linalg.norm(vector)


def random_rotation(random: np.random.Generator) -> Float[np.ndarray, "3 3"]:
    return axis_rotations(random_direction(random), random.uniform(0, np.pi, size=1))[0]
