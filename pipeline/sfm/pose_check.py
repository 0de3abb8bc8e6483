"""Poses that a person gave, held against the tracks: what contradicts them is named by the mistake that would explain it.

A disturbance is undone by the right change of the poses, or of the tracks, so each common one is tried: shifted by some
frames, inverted, other axes, other order, a quaternion's numbers in another order, another focal length, a lens that was
left out. The change under which the tracks agree far better is the likely cause.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from pipeline.cameras import Intrinsics, inverse
from pipeline.sfm.rigid_model import Observations, RigidModel, reprojection_errors_px, triangulate

OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
MOST_TRACKS, LEAST_LENGTH = 300, 3
SHIFTS = (-5, -4, -3, -2, -1, 1, 2, 3, 4, 5)
# Image radius in focal lengths, squared, times this: what a lens that the poses do not know moves points by.
RADIAL_TERMS = (-0.4, -0.3, -0.2, -0.15, -0.1, -0.07, -0.04, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.8)
FOCAL_FACTORS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.1, 1.25, 1.4, 1.7, 2.0)
# Where the focal length is not known, in units of the longer side, and around the best of these: 110 to 10 degrees.
COARSE_FOCALS = np.geomspace(0.35, 6.0, 16)
FINE_FACTORS = np.geomspace(1 / 1.2, 1.2, 13)
BETTER = 0.6  # of the error that a change must leave at most to be the cause
# Errors of the tracks themselves, in pixels and in their own standard deviations; below both nothing is contradicted.
NOISE_PX, NOISE_SIGMAS = 0.15, 2.0
CONTRADICTED_SHARE = 0.006  # of the longer side: median error at which poses are wrong whatever the cause
Poses = Float[np.ndarray, "frame 4 4"]


@dataclass(frozen=True)
class Contradiction:
    """How far the tracks contradict poses, and the likely cause, empty where no common mistake explains it."""

    error_px: float
    cause: str
    explained_px: float

    def __str__(self) -> str:
        if self.cause:
            return (
                f"the tracks contradict the given poses by {self.error_px:.2f} px, but by {self.explained_px:.2f} px only "
                f"if {self.cause}"
            )
        return (
            f"the tracks contradict the given poses by {self.error_px:.2f} px, and no common mistake (shifted, inverted, "
            "other axes, order, focal length or lens) explains it: are they of this video?"
        )


def contradiction(
    model: RigidModel, seen: Observations, focal_known: bool = True, seed: int = 0
) -> Contradiction | None:
    """What speaks against given poses; None where the tracks agree with them.

    A focal length that was calibrated under wrong poses is wrong itself: each change is then tried under several.
    """
    few = long_tracks(seen, seed)
    if not few.track_count:
        return None
    given = median_error_px(model, few)
    sigma = float(np.median(few.sigma_px))
    if given <= max(NOISE_PX, NOISE_SIGMAS * sigma):
        return None
    cause, explained = likely_cause(model, few, focal_known)
    limit = max(CONTRADICTED_SHARE * longer_side(model.camera), 3 * NOISE_SIGMAS * sigma)
    if explained < min(BETTER * given, limit):
        return Contradiction(given, cause, explained)
    return Contradiction(given, "", given) if given > limit else None


def likely_cause(model: RigidModel, few: Observations, focal_known: bool) -> tuple[str, float]:
    """The common mistake whose undoing the tracks agree with best, in words, and the error that is left, in pixels."""
    tried = [
        (name, other, few) for name, other in (*pose_changes(model), *(focal_changes(model) if focal_known else ()))
    ]
    tried += [(name, model, straightened) for name, straightened in lens_changes(model.camera, few)]
    if not focal_known:
        tried = [(name, with_best_focal(other, seen, COARSE_FOCALS), seen) for name, other, seen in tried]
    cause, best, seen = min(tried, key=lambda item: median_error_px(*item[1:]))
    if not focal_known:
        best = with_best_focal(best, seen, best.camera.fx / longer_side(best.camera) * FINE_FACTORS)
    return cause, median_error_px(best, seen)


def long_tracks(seen: Observations, seed: int) -> Observations:
    """Some tracks that are long enough to disagree with poses."""
    long = np.flatnonzero(seen.lengths >= LEAST_LENGTH)
    few = np.random.default_rng(seed).permutation(long)[:MOST_TRACKS]
    chosen = np.zeros(seen.track_count, bool)
    chosen[few] = True
    return seen.of_tracks(chosen)


def median_error_px(model: RigidModel, seen: Observations) -> float:
    """Median reprojection error of tracks placed under poses; what lies behind a camera is infinitely far off."""
    error = reprojection_errors_px(triangulate(model, seen), seen)
    error = error[model.registered[seen.frame] & ~np.isnan(error)]
    return float(np.median(error)) if len(error) else np.inf


def with_best_focal(model: RigidModel, seen: Observations, focals: Float[np.ndarray, "focal"]) -> RigidModel:
    """The model under the focal length, of some in units of the longer side, with which its tracks agree best."""
    longer = longer_side(model.camera)
    trials = [replace(model, camera=zoomed(model.camera, float(focal) * longer / model.camera.fx)) for focal in focals]
    return min(trials, key=lambda trial: median_error_px(trial, seen))


def longer_side(camera: Intrinsics) -> int:
    return max(camera.width, camera.height)


def pose_changes(model: RigidModel) -> Iterator[tuple[str, RigidModel]]:
    """Every common mistake of poses undone, by what was done wrong, in words."""
    poses = model.camera_from_object
    for name, changed in (
        *shifted(poses),
        *inverted(poses),
        *turned(poses),
        *reordered(poses),
        *quaternions(poses),
    ):
        yield name, replace(model, camera_from_object=changed)


def focal_changes(model: RigidModel) -> Iterator[tuple[str, RigidModel]]:
    """Other focal lengths, in words."""
    for factor in FOCAL_FACTORS:
        yield focal_words(model.camera, factor), replace(model, camera=zoomed(model.camera, factor))


def lens_changes(camera: Intrinsics, seen: Observations) -> Iterator[tuple[str, Observations]]:
    """Tracks as a pinhole would have seen them, for lenses that the poses do not know."""
    centred = seen.xy - [camera.cx, camera.cy]
    squared_radius = (centred**2).sum(axis=1, keepdims=True) / camera.fx**2
    for term in RADIAL_TERMS:
        straight = centred * (1 + term * squared_radius) + [camera.cx, camera.cy]
        yield lens_words(-term), replace(seen, xy=straight)


def lens_words(radial: float) -> str:
    bent = "barrel" if radial < 0 else "pincushion"
    return (
        f"the video has a {bent} distortion that they do not tell (a radial term k1 of about {radial:+.2g}), or they tell one "
        "that was undistorted before"
    )


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


def zoomed(camera: Intrinsics, factor: float) -> Intrinsics:
    """A camera with another focal length."""
    return replace(camera, fx=factor * camera.fx, fy=factor * camera.fy)


def focal_words(camera: Intrinsics, factor: float) -> str:
    return (
        f"the focal length is about {factor * camera.fx:.0f} px and not {camera.fx:.0f} px (is it of images of another size, "
        "or a field of view of the other side?)"
    )
