"""Mistakes that files of poses have, each undone: poses as they would be without it, and what was done wrong, in words."""

from collections.abc import Iterator
from itertools import permutations, product

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from pipeline.cameras import inverse, rigid

OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
SHIFTS = (-5, -4, -3, -2, -1, 1, 2, 3, 4, 5)
STEPS = (2, 3, 4, 5)  # frames from one pose to the next
Poses = Float[np.ndarray, "frame 4 4"]


def common_mistakes(poses: Poses) -> Iterator[tuple[str, Poses]]:
    """What is seen most, for camera_from_world."""
    yield from shifted(poses)
    yield from inverted(poses)
    yield from turned(poses)
    yield from reordered(poses)
    yield from quaternions(poses)


def rare_mistakes(poses: Poses) -> Iterator[tuple[str, Poses]]:
    """What explains poses where nothing common does."""
    yield from halves_of_two_kinds(poses)
    yield from other_rate(poses)
    yield from other_axes(poses)


def shifted(poses: Poses) -> Iterator[tuple[str, Poses]]:
    """Poses that belong to other frames."""
    for shift in SHIFTS:
        if abs(shift) < len(poses) - 1:
            moved = np.full_like(poses, np.nan)
            moved[max(shift, 0) : len(poses) + min(shift, 0)] = poses[max(-shift, 0) : len(poses) + min(-shift, 0)]
            which = "later" if shift > 0 else "earlier"
            yield f"they are shifted: each pose is that of a frame {abs(shift)} {which}", moved


def inverted(poses: Poses) -> Iterator[tuple[str, Poses]]:
    """camera_from_world where world_from_camera is expected, or the reverse, with and without other axes."""
    yield "they are inverted (world_from_camera and camera_from_world exchanged)", inverse(poses)
    axes = "they are inverted, and their axes are OpenGL's where OpenCV's are expected or the reverse"
    yield axes, OPENGL @ inverse(poses)


def turned(poses: Poses) -> Iterator[tuple[str, Poses]]:
    """Other axes of the camera."""
    yield (
        "their axes are wrong: OpenGL's (y up, z backwards) where OpenCV's (y down, z forward) are expected",
        OPENGL @ poses,
    )
    yield "their axes are wrong: the images are upside down", np.diag([-1.0, -1.0, 1.0, 1.0]) @ poses
    for name, turn in (("clockwise", 1.0), ("counterclockwise", -1.0)):
        quarter = np.array([[0, -turn, 0, 0], [turn, 0, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 1]])
        yield f"their axes are wrong: the images are turned {name} by 90 degrees", quarter @ poses


def halves_of_two_kinds(poses: Poses) -> Iterator[tuple[str, Poses]]:
    """A rotation of one kind beside a place of another: of camera_from_world and of world_from_camera."""
    turns, places = np.swapaxes(poses[:, :3, :3], 1, 2), inverse(poses)[:, :3, 3]
    words = "their {} those of {} beside {} of {}"
    yield (
        words.format("rotations are", "camera_from_world", "places", "world_from_camera"),
        inverse(rigid(np.swapaxes(turns, 1, 2), places)),
    )
    yield (
        words.format("places are", "camera_from_world", "rotations", "world_from_camera"),
        rigid(np.swapaxes(turns, 1, 2), places),
    )
    yield "the signs of their places are wrong", inverse(rigid(turns, -places))


def other_rate(poses: Poses) -> Iterator[tuple[str, Poses]]:
    """Poses of every second, third, ... frame given as if of all, or of a video with so many more frames."""
    for step in STEPS:
        fewer, more = np.full_like(poses, np.nan), np.full_like(poses, np.nan)
        fewer[::step] = poses[: len(fewer[::step])]
        yield f"each pose is that of frame 0, {step}, {2 * step}, ... and not of 0, 1, 2, ...", fewer
        more[: len(poses[::step])] = poses[::step]
        yield f"only each pose 0, {step}, {2 * step}, ... is that of a frame: they are of {step} times as many", more


def other_axes(poses: Poses) -> Iterator[tuple[str, Poses]]:
    """All other ways to call the axes of a camera, also those of left-handed systems, whose world is mirrored."""
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    for order in permutations(range(3)):
        for signs in product((1.0, -1.0), repeat=3):
            turn = np.eye(4)
            turn[:3, :3] = np.diag(signs)[list(order)]
            if np.array_equal(turn[:3, :3], -np.eye(3)):
                continue  # the same as places of the other sign
            names = ["+-"[int(turn[k, :3].sum() < 0)] + "xyz"[int(np.abs(turn[k, :3]).argmax())] for k in range(3)]
            meant = f"right, down and forward are {', '.join(names)} of them"
            if np.linalg.det(turn) > 0:
                yield f"their axes are wrong: {meant}", turn @ poses
            else:
                yield (
                    f"they are of a left-handed system (as Unity's and Unreal's), so mirrored: {meant}",
                    turn @ poses @ mirror,
                )


def reordered(poses: Poses) -> Iterator[tuple[str, Poses]]:
    """Reversed in time, or sorted as text, where 10 comes before 2."""
    yield "their order is wrong: reversed in time", poses[::-1]
    for first in (0, 1):
        as_text = [index - first for index in sorted(range(first, len(poses) + first), key=str)]
        yield "their order is wrong: sorted as text, 10 before 2", poses[np.argsort(as_text)]
        yield "their order is wrong: sorted as text, 10 before 2", poses[as_text]


def quaternions(poses: Poses) -> Iterator[tuple[str, Poses]]:
    """The four numbers of a quaternion in another order: of the camera in the world beside its place (TUM), or of the world in
    the camera (COLMAP). The sign that a rotation leaves open does not matter."""
    for places, told, wanted in (((1, 2, 3, 0), "w x y z", "x y z w"), ((3, 0, 1, 2), "x y z w", "w x y z")):
        words = f"the order of their quaternions is wrong: {told} where {wanted} is expected"
        yield words, inverse(with_numbers_moved(inverse(poses), places))
        yield words, with_numbers_moved(poses, places)


def with_numbers_moved(poses: Poses, places: tuple[int, ...]) -> Poses:
    """Poses with the numbers of their quaternions taken from other places."""
    known = np.isfinite(poses).all(axis=(1, 2))
    moved = poses.copy()
    numbers = Rotation.from_matrix(poses[known, :3, :3]).as_quat()
    moved[known, :3, :3] = Rotation.from_quat(numbers[:, places]).as_matrix()
    return moved
