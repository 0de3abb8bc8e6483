"""Where to look from: an orbit around what the camera saw, and one view from aside."""

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation, RotationSpline

from pipeline.cameras import look_at, rigid

SMOOTHING_SHARE = 6  # the base of the orbit is the camera's path, smoothed over this share of the clip
LEAST_AMPLITUDE, MOST_AMPLITUDE = (
    0.06,
    0.14,
)  # of the depth looked at: enough parallax to see, not so much as to see holes


def orbit(
    world_from_camera: Float[np.ndarray, "frame 4 4"], depth: float, count: int, turns: float = 1.0
) -> Float[np.ndarray, "view 4 4"]:
    """A smooth loop around the smoothed camera path, each view looking at the point `depth` in front of it."""
    base = smoothed_poses(world_from_camera)
    amplitude = orbit_amplitude(world_from_camera, depth)
    angles = 2 * np.pi * turns * np.arange(count) / max(count, 1)
    frames = path_frames(len(base), count)
    return np.stack(
        [
            moved_aside(base[frame], depth, amplitude * np.cos(angle), 0.6 * amplitude * np.sin(angle))
            for frame, angle in zip(frames, angles, strict=True)
        ]
    )


def path_frames(frame_count: int, count: int) -> list[int]:
    """Time passes once over the path's `count` views."""
    return np.linspace(0, frame_count - 1, count).round().astype(int).tolist()


def aside_view(world_from_camera: Float[np.ndarray, "frame 4 4"], frame: int, depth: float) -> Float[np.ndarray, "4 4"]:
    """A view of one frame's time from its camera moved up and to the side with the most room: scales differ there."""
    amplitude = 1.8 * orbit_amplitude(world_from_camera, depth)
    local = (world_from_camera[:, :3, 3] - world_from_camera[frame, :3, 3]) @ world_from_camera[frame, :3, :3]
    side = (
        1.0 if local[:, 0].mean() >= 0 else -1.0
    )  # towards where the camera was at other times, so that surfaces were seen
    return moved_aside(world_from_camera[frame], depth, side * amplitude, -0.8 * amplitude)


def orbit_amplitude(world_from_camera: Float[np.ndarray, "frame 4 4"], depth: float) -> float:
    """As far as the camera itself went from its smoothed path, within a share of the depth."""
    farthest = np.linalg.norm(world_from_camera[:, :3, 3] - smoothed_poses(world_from_camera)[:, :3, 3], axis=1).max()
    return float(np.clip(farthest, LEAST_AMPLITUDE * depth, MOST_AMPLITUDE * depth))


def moved_aside(
    world_from_camera: Float[np.ndarray, "4 4"], depth: float, right: float, down: float
) -> Float[np.ndarray, "4 4"]:
    """The camera moved in its image plane, still looking at the point `depth` in front of where it was."""
    rotation, centre = world_from_camera[:3, :3], world_from_camera[:3, 3]
    eye = centre + rotation @ np.array([right, down, 0.0])
    return look_at(eye, centre + depth * rotation[:, 2], rotation[:, 1])


def smoothed_poses(world_from_camera: Float[np.ndarray, "frame 4 4"]) -> Float[np.ndarray, "frame 4 4"]:
    """Poses averaged over a Gaussian window in time; rotations by the nearest rotation to their mean (chordal mean)."""
    count = len(world_from_camera)
    sigma = max(count / SMOOTHING_SHARE, 1e-6)
    offsets = np.arange(count)[:, None] - np.arange(count)[None]
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    weights /= weights.sum(1, keepdims=True)
    mean = np.einsum("ij,jkl->ikl", weights, world_from_camera.astype(np.float64))
    u, _, vt = np.linalg.svd(mean[:, :3, :3])
    u[:, :, 2] *= np.linalg.det(u @ vt)[:, None]
    return rigid(u @ vt, mean[:, :3, 3])


def evenly_chosen(count: int, most: int) -> list[int]:
    """At most `most` of `count` indices, the first and the last among them."""
    if most == 1:
        return [count // 2]
    return sorted(set(np.linspace(0, count - 1, min(count, most)).round().astype(int).tolist()))


def path_through(
    world_from_camera: Float[np.ndarray, "key 4 4"], count: int
) -> tuple[Float[np.ndarray, "view 4 4"], Float[np.ndarray, "view"]]:
    """A smooth path through some views, evenly in time, and where between them each of its views is (0 to key - 1).

    Places on a natural cubic spline, turns on a spline of rotations with continuous angular velocity and acceleration.
    """
    from scipy.interpolate import CubicSpline  # half a second that most stages need not wait

    keys = np.arange(len(world_from_camera))
    at = np.linspace(0, keys[-1], count)
    places = CubicSpline(keys, world_from_camera[:, :3, 3], bc_type="natural")(at)
    turns = RotationSpline(keys, Rotation.from_matrix(world_from_camera[:, :3, :3]))(at)
    return rigid(turns.as_matrix(), places), at
