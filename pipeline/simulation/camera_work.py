"""How simulated cameras move: a tripod or an arc, a walk, a drive, an orbit; a hand that shakes; a hard cut."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from pipeline.cameras import look_at, rigid
from pipeline.config import SimulateSceneConfig
from pipeline.simulation.motion import DOWN, axis_rotations, camera_path, clip_times, held_out_path, random_wave

STEPS_PER_SECOND = 1.9  # of somebody who walks
CUT_AT, CUT_ANGLE_DEG = 0.6, (55.0, 80.0)
SHAKE_FRAMES = 1.0  # a hand's tremor keeps its direction about so long
SHIFT_PER_DEG = 0.012  # a hand that turns also moves
BESIDE = 0.55  # held-out cameras of paths that do not look at the middle, in world units


def cameras(
    random: np.random.Generator, config: SimulateSceneConfig
) -> tuple[Float[np.ndarray, "frame 4 4"], Float[np.ndarray, "frame 4 4"]]:
    """The video's camera, and the held-out one beside it."""
    train = PATHS[config.camera](random, config)
    test = beside(random, train) if config.camera in ("walking", "driving") else held_out_path(random, train)
    if config.shake:
        train = shaken(random, train, config.shake)
    if config.cut:
        train, test = cut(random, train, test)
    return train, test


def walk(random: np.random.Generator, config: SimulateSceneConfig) -> Float[np.ndarray, "frame 4 4"]:
    """Somebody who walks towards the middle and a little past it: bobbing, swaying, looking about."""
    u = clip_times(config.frames)
    way = min(1.2 * config.frames / config.fps, 2.3)
    phase = 2 * np.pi * (STEPS_PER_SECOND * config.frames / config.fps * u + random.uniform())
    side = random.choice([-1.0, 1.0])
    x = side * random.uniform(0.4, 1.0) + side * 0.35 * way * u + 0.03 * np.sin(phase / 2)
    height = random.uniform(1.45, 1.7) + 0.035 * np.sin(phase)
    eyes = np.stack([x, -height, -5.6 + way * u], axis=-1)
    gaze = [random_wave(random, amplitude)(u) for amplitude in (0.25, 0.15)]
    targets = np.stack([gaze[0], gaze[1] - 0.8, np.zeros_like(u)], axis=-1)
    roll = np.radians(0.8) * np.sin(phase / 2)
    looking = np.stack([look_at(eye, target, DOWN) for eye, target in zip(eyes, targets, strict=True)])
    return turned_by(looking, np.stack([0.2 * roll, 0.3 * roll, roll], axis=-1))


def drive(random: np.random.Generator, config: SimulateSceneConfig) -> Float[np.ndarray, "frame 4 4"]:
    """A dash camera: forward along the street, hardly turning, shaken a little by the road."""
    u = clip_times(config.frames)
    way = random.uniform(5.0, 8.0) * config.frames / config.fps
    x = 1.7 + random_wave(random, 0.15)(u)
    height = random.uniform(1.25, 1.45) + random_wave(random, 0.015)(3 * u)
    eyes = np.stack([x, -height, way * u], axis=-1)
    heading = random_wave(random, np.radians(1.2))(u)
    pitch = np.radians(random.uniform(0.5, 2.5)) + random_wave(random, np.radians(0.3))(2 * u)
    straight = rigid(np.tile(np.eye(3), (len(u), 1, 1)), eyes)
    return turned_by(straight, np.stack([-pitch, heading, np.zeros_like(u)], axis=-1))


def orbit(random: np.random.Generator, config: SimulateSceneConfig) -> Float[np.ndarray, "frame 4 4"]:
    """More than a third of a turn around the middle."""
    u = clip_times(config.frames)
    reach = np.radians(random.uniform(65, 95)) * random.choice([-1.0, 1.0])
    azimuth = reach * (2 * u - 1)
    radius = random.uniform(4.1, 4.4) + random_wave(random, 0.15)(u)
    height = random.uniform(1.5, 2.0) + random_wave(random, 0.2)(u)
    eyes = np.stack([radius * np.sin(azimuth), -height, -radius * np.cos(azimuth)], axis=-1)
    return np.stack([look_at(eye, np.array([0.0, -0.75, 0.0]), DOWN) for eye in eyes])


PATHS = {"moving": camera_path, "static": camera_path, "walking": walk, "driving": drive, "orbiting": orbit}


def turned_by(
    world_from_camera: Float[np.ndarray, "frame 4 4"], angles: Float[np.ndarray, "frame xyz=3"]
) -> Float[np.ndarray, "frame 4 4"]:
    """Cameras turned in their own frames by rotation vectors, radians."""
    turn = Rotation.from_rotvec(angles).as_matrix()
    return rigid(world_from_camera[:, :3, :3] @ turn, world_from_camera[:, :3, 3])


def beside(
    random: np.random.Generator, world_from_camera: Float[np.ndarray, "frame 4 4"]
) -> Float[np.ndarray, "frame 4 4"]:
    """A camera that circles the video's camera and looks the same way."""
    u = clip_times(len(world_from_camera))
    turn = 2 * np.pi * (random.uniform() + random.choice([-1.0, 1.0]) * random.uniform(0.6, 1.0) * u)
    right, down = world_from_camera[:, :3, 0], world_from_camera[:, :3, 1]
    shift = BESIDE * (np.cos(turn)[:, None] * right + 0.6 * np.sin(turn)[:, None] * down)
    return rigid(world_from_camera[:, :3, :3], world_from_camera[:, :3, 3] + shift)


def shaken(
    random: np.random.Generator, world_from_camera: Float[np.ndarray, "frame 4 4"], degrees: float
) -> Float[np.ndarray, "frame 4 4"]:
    """Cameras in a hand: turned by so many degrees (standard deviation) and moved, anew in almost every frame."""
    tremor = gaussian_filter1d(random.normal(size=(len(world_from_camera), 6)), SHAKE_FRAMES, axis=0, mode="wrap")
    tremor /= np.maximum(tremor.std(axis=0), 1e-9)
    moved = world_from_camera.copy()
    moved[:, :3, 3] += SHIFT_PER_DEG * degrees * tremor[:, 3:]
    return turned_by(moved, np.radians(degrees) * tremor[:, :3] * [1.0, 1.0, 0.7])


def cut(
    random: np.random.Generator, train: Float[np.ndarray, "frame 4 4"], test: Float[np.ndarray, "frame 4 4"]
) -> tuple[Float[np.ndarray, "frame 4 4"], Float[np.ndarray, "frame 4 4"]]:
    """Both cameras go on from another side of the middle."""
    angle = np.radians(random.uniform(*CUT_ANGLE_DEG)) * random.choice([-1.0, 1.0])
    other = rigid(axis_rotations(DOWN, np.array([angle]))[0], np.zeros(3))
    first = cut_frame(len(train))
    return np.concatenate([train[:first], other @ train[first:]]), np.concatenate([test[:first], other @ test[first:]])


def cut_frame(frames: int) -> int:
    """The first frame after the cut."""
    return round(CUT_AT * frames)
