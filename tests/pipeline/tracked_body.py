"""Points on a solid that turns before a camera, as exact or noisy tracks: what reconstruction should undo."""

import numpy as np

from pipeline.cameras import Intrinsics, inverse, project, rigid, transform
from pipeline.geometry.similarity_alignment import rotation_error_deg, trajectory_error_percent
from pipeline.sfm.bundle_adjustment import rotation_exp
from pipeline.sfm.rigid_model import Observations, RigidModel, equal_errors

CAMERA = Intrinsics.centred(250.0, 192, 256)
FRAMES = 12


def turning_poses(frames: int = FRAMES, turn: float = 1.2, distance: float = 5.0) -> np.ndarray:
    """camera_from_object of an object that turns about a slanted axis and comes a little nearer."""
    steps = np.linspace(0, 1, frames)
    axis = np.array([0.3, 0.9, 0.2])
    rotation = rotation_exp(turn * steps[:, None] * axis)
    place = np.stack([0.4 * steps - 0.2, 0.1 * np.sin(3 * steps), distance - 0.5 * steps], axis=1)
    return rigid(rotation, place)


def solid(count: int, seed: int = 0) -> np.ndarray:
    """Points in a box of unequal sides."""
    return np.random.default_rng(seed).uniform(-1, 1, (count, 3)) * [0.8, 0.6, 0.7]


def tracked(
    poses: np.ndarray, points: np.ndarray, noise: float = 0.0, length: int | None = None, seed: int = 1
) -> tuple[RigidModel, Observations]:
    """The model and its observations, each point seen for `length` frames from some frame on."""
    random, frames = np.random.default_rng(seed), len(poses)
    length = min(length or frames, frames)
    start = random.integers(0, frames - length + 1, len(points))
    track, frame = np.repeat(np.arange(len(points)), length), (start[:, None] + np.arange(length)).ravel()
    xy = project(CAMERA, transform(poses[frame], points[track]))
    xy = xy + noise * random.standard_normal(xy.shape)
    sigma = equal_errors(np.full(len(track), max(noise, 0.05)))
    seen = Observations(track, frame, xy, sigma, len(points), frames)
    return RigidModel(poses, points, CAMERA, "true"), seen


def masks_around(seen: Observations, radius: int = 6) -> np.ndarray:
    """Masks that cover the observations."""
    masks = np.zeros((seen.frame_count, CAMERA.height, CAMERA.width), bool)
    for frame, (x, y) in zip(seen.frame, seen.xy.astype(int), strict=True):
        masks[frame, max(0, y - radius) : y + radius, max(0, x - radius) : x + radius] = True
    return masks


def orbit(frames: int = FRAMES, turn: float = 0.0, shift: float = 1.0) -> np.ndarray:
    """camera_from_world of a camera that goes sideways and turns."""
    steps = np.linspace(-0.5, 0.5, frames)
    rotation = rotation_exp(turn * steps[:, None] * np.array([0.1, 1.0, 0.05]))
    centre = shift * np.stack([steps, 0.2 * steps**2, 0.1 * steps], axis=1)
    return inverse(rigid(np.swapaxes(rotation, 1, 2), centre))


def room(count: int, seed: int = 3) -> np.ndarray:
    """Points at many depths before the camera."""
    random = np.random.default_rng(seed)
    depth = random.uniform(2.5, 8.0, count)
    return np.stack([*(random.uniform(-0.45, 0.45, (2, count)) * depth), depth], axis=1)


def pose_errors(model: RigidModel, poses: np.ndarray) -> tuple[float, float]:
    """Degrees and % against true camera_from_object."""
    known = model.registered
    source, target = model.object_from_camera[known], inverse(poses[known])
    return rotation_error_deg(source, target), trajectory_error_percent(source, target)
