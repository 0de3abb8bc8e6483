"""Poses that a person gave, held against the tracks: what contradicts them is named by the mistake that would explain it.

A disturbance is undone by the right change of the poses, or of the tracks, so each common one is tried: those of
`pose_mistakes`, another focal length, a lens that was left out. The change under which the tracks agree far better is the
likely cause; where none is, rarer ones are tried. The poses of a few frames may be wrong alone.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from pipeline.cameras import Intrinsics
from pipeline.sfm.pose_mistakes import common_mistakes, rare_mistakes
from pipeline.sfm.rigid_model import Observations, RigidModel, reprojection_errors_px, triangulate

MOST_TRACKS, LEAST_LENGTH = 300, 3
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
MOST_ALONE = 0.2  # share of the frames whose poses are wrong while the others agree,
FAR_WORSE = 8.0  # and how many times as far off they are
Mistakes = Callable[[Float[np.ndarray, "frame 4 4"]], Iterable[tuple[str, Float[np.ndarray, "frame 4 4"]]]]


@dataclass(frozen=True)
class Contradiction:
    """How far the tracks contradict poses, and the likely cause, empty where no common mistake explains it.

    `frames` are those whose poses are contradicted, where the others are not.
    """

    error_px: float
    cause: str
    explained_px: float
    frames: tuple[int, ...] = ()

    def __str__(self) -> str:
        if self.frames:
            return (
                f"the tracks contradict the given poses of frames {', '.join(map(str, self.frames))} by {self.error_px:.2f} px, "
                f"those of the others by {self.explained_px:.2f} px only: leave these frames out of the poses, and they are "
                "found from the others"
            )
        if self.cause:
            return (
                f"the tracks contradict the given poses by {self.error_px:.2f} px, but by {self.explained_px:.2f} px only "
                f"if {self.cause}"
            )
        return (
            f"the tracks contradict the given poses by {self.error_px:.2f} px, and no common mistake (shifted, inverted, "
            "other axes, order, mirrored, focal length or lens) explains it: are they of this video?"
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
    limit = max(CONTRADICTED_SHARE * longer_side(model.camera), 3 * NOISE_SIGMAS * sigma)
    if given <= max(NOISE_PX, NOISE_SIGMAS * sigma):
        return wrong_alone(model, few, limit)
    for mistakes in (common_mistakes, rare_mistakes):
        cause, explained = likely_cause(model, few, focal_known, mistakes)
        if explained < min(BETTER * given, limit):
            return Contradiction(given, cause, explained)
    return wrong_alone(model, few, limit) or (Contradiction(given, "", given) if given > limit else None)


def wrong_alone(model: RigidModel, few: Observations, limit: float) -> Contradiction | None:
    """A few frames whose poses the tracks contradict, while they agree with all others; None where that is not so.

    The worst frame is left out, one after another, until the rest agrees.
    """
    kept, left_out = model, dict[int, float]()
    for _ in range(int(MOST_ALONE * model.registered.sum())):
        errors = frame_errors_px(kept, few)
        worst = int(np.nanargmax(errors))
        if errors[worst] <= limit:
            break
        left_out[worst] = float(errors[worst])
        poses = kept.camera_from_object.copy()
        poses[worst] = np.nan
        kept = replace(kept, camera_from_object=poses)
    errors = frame_errors_px(kept, few)
    if not left_out or np.nanmax(errors) > limit or np.nanmedian(errors) > min(left_out.values()) / FAR_WORSE:
        return None
    return Contradiction(max(left_out.values()), "", float(np.nanmedian(errors)), tuple(sorted(left_out)))


def frame_errors_px(model: RigidModel, seen: Observations) -> Float[np.ndarray, "frame"]:
    """Median reprojection error in each frame of tracks placed under poses; NaN where a frame has none."""
    error = reprojection_errors_px(triangulate(model, seen), seen)
    known = model.registered[seen.frame] & ~np.isnan(error)
    result = np.full(seen.frame_count, np.nan)
    for t in np.unique(seen.frame[known]):
        result[t] = np.median(error[known & (seen.frame == t)])
    return result


def likely_cause(model: RigidModel, few: Observations, focal_known: bool, mistakes: Mistakes) -> tuple[str, float]:
    """The mistake whose undoing the tracks agree with best, in words, and the error that is left, in pixels."""
    changes = ((name, replace(model, camera_from_object=poses)) for name, poses in mistakes(model.camera_from_object))
    tried = [(name, other, few) for name, other in (*changes, *(focal_changes(model) if focal_known else ()))]
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


def zoomed(camera: Intrinsics, factor: float) -> Intrinsics:
    """A camera with another focal length."""
    return replace(camera, fx=factor * camera.fx, fy=factor * camera.fy)


def focal_words(camera: Intrinsics, factor: float) -> str:
    return (
        f"the focal length is about {factor * camera.fx:.0f} px and not {camera.fx:.0f} px (is it of images of another size, "
        "or a field of view of the other side?)"
    )
