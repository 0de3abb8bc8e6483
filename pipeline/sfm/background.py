"""The camera's motion before the background: standing, turning, or moving; and its focal length where nobody gave it."""

import logging
from dataclasses import dataclass, replace

import numpy as np

from pipeline.cameras import Intrinsics
from pipeline.formats.geometry_file import Motion
from pipeline.sfm.bundle_adjustment import Adjustment, Freedom
from pipeline.sfm.degenerate_motion import (
    camera_is_static,
    imagined_observations,
    points_at_unit_depth,
    rotating_camera,
    static_camera,
)
from pipeline.sfm.mapping import (
    MappingOptions,
    candidate_models,
    refined_points,
    subsampled,
    with_all_tracks,
    without_outliers,
)
from pipeline.sfm.pose_uncertainty import pose_std
from pipeline.sfm.rigid_model import Observations, RigidModel, reprojection_errors_px
from pipeline.sfm.verdicts import Judgement, fit_numbers, judge, uncertainty_numbers

log = logging.getLogger(__name__)
FEWEST_TRACKS = 12
# Tracks of moving things that no mask covers may be a quarter of all.
TURNING_MEDIAN_PX, TURNING_P75_PX = 0.35, 1.0
LEAST_ANGLE_DEG = 0.5  # below it, motion in depth cannot be told from the errors of the tracks
PLAUSIBLE_FOCAL = (0.35, 6.0)  # times the longer side: 110 to 10 degrees of view


@dataclass(frozen=True)
class Reconstructed:
    """An object's model, the observations behind it, and the verdict."""

    model: RigidModel
    seen: Observations
    judgement: Judgement
    focal_std_px: float | None = None


def reconstruct_background(seen: Observations, options: MappingOptions) -> tuple[Reconstructed, Motion]:
    """A usable background in every case, and whether the camera is moving, static or rotating."""
    if seen.track_count < FEWEST_TRACKS:
        return untracked(seen, options.camera), "static"
    if camera_is_static(seen):
        reason = "the camera stands still: no parallax, the background is a flat picture at unit depth"
        return without_parallax(static_camera(seen, options.camera), seen, reason), "static"
    freedom = Freedom(focal=not options.focal_known)
    few = subsampled(seen, options.mapping_tracks, options.seed)
    turning = rotating_camera(few, options.camera, freedom)
    if is_pure_rotation(turning.model, few):
        reason = "the camera only turns: no parallax, the background is a picture at unit depth all around"
        return rotating_background(turning, seen, options, reason), "rotating"
    candidates = [c for c in candidate_models(seen, options) if plausible(c.adjusted.model)]
    if not candidates:
        reason = "structure from motion found no model; the camera is taken to turn about a fixed place"
        return rotating_background(turning, seen, options, reason), "moving"
    training = subsampled(seen, options.adjustment_tracks, options.seed)
    adjusted = with_all_tracks(candidates[0].adjusted.model, training, freedom)
    found = refined_points(adjusted.model, seen)
    numbers = fit_numbers(found, seen)
    if numbers["triangulation_angle_deg"] < LEAST_ANGLE_DEG:
        reason = f"its points are seen under {numbers['triangulation_angle_deg']:.1f} degrees only: next to no parallax"
        return rotating_background(
            turning, seen, options, f"{reason}, the camera is taken to turn about a fixed place"
        ), "rotating"
    numbers |= uncertainty_numbers(*pose_std(adjusted, training, candidates[0].adjusted.model))
    judgement = judge(numbers)
    focal_std = None if options.focal_known else focal_uncertainty_px(adjusted)
    return Reconstructed(without_outliers(found, seen), seen, judgement, focal_std), "moving"


def plausible(model: RigidModel) -> bool:
    """Whether most frames are registered with a focal length that a camera could have."""
    relative = model.camera.fx / max(model.camera.width, model.camera.height)
    return bool(
        PLAUSIBLE_FOCAL[0] < relative < PLAUSIBLE_FOCAL[1] and model.registered.sum() >= 0.5 * len(model.registered)
    )


def untracked(seen: Observations, camera: Intrinsics) -> Reconstructed:
    """A standing camera before an imagined far plane."""
    imagined = imagined_observations(seen.frame_count, camera)
    reason = f"only {seen.track_count} points of the background could be followed; it is taken as a still flat picture"
    judgement = Judgement("failed", reason, {"tracks": seen.track_count, "registered_frames": seen.frame_count})
    return Reconstructed(static_camera(imagined, camera), imagined, judgement)


def without_parallax(model: RigidModel, seen: Observations, reason: str) -> Reconstructed:
    """A background without depth."""
    error = reprojection_errors_px(model, seen)
    numbers = {
        "registered_frames": int(model.registered.sum()),
        "frames_with_tracks": int((seen.per_frame > 0).sum()),
        "tracks": seen.track_count,
        "points": int(model.has_point.sum()),
        "reprojection_error_px": round(float(np.nanmedian(error)), 4),
        "triangulation_angle_deg": 0.0,
    }
    return Reconstructed(without_outliers(model, seen), seen, Judgement("weak", reason, numbers))


def rotating_background(turning: Adjustment, seen: Observations, options: MappingOptions, reason: str) -> Reconstructed:
    """A turning camera with the points of every track."""
    sound = plausible(turning.model)
    camera = turning.model.camera if sound else options.camera
    blank = replace(turning.model, points=np.full((seen.track_count, 3), np.nan), camera=camera)
    found = without_parallax(points_at_unit_depth(blank, seen), seen, reason)
    calibrated = sound and not options.focal_known
    return replace(found, focal_std_px=focal_uncertainty_px(turning)) if calibrated else found


def is_pure_rotation(model: RigidModel, seen: Observations) -> bool:
    """Whether turning alone leaves residuals no larger than the tracks' own errors."""
    error = reprojection_errors_px(model, seen)
    long = (seen.lengths >= 4)[seen.track]
    error = error[np.isfinite(error) & long]
    if not len(error):
        return False
    middle, upper = np.percentile(error, [50, 75])
    log.info("a turning camera leaves %.2f px, %.2f px at the 75th percentile", middle, upper)
    return bool(middle < TURNING_MEDIAN_PX and upper < TURNING_P75_PX)


def focal_uncertainty_px(adjusted: Adjustment) -> float:
    """Standard deviation of the focal length, the 7 gauge freedoms (the smallest eigenvalues) left out."""
    values, vectors = np.linalg.eigh(adjusted.information)
    kept = values > 1e-9 * values[-1]
    kept[:7] = False
    variance = float((vectors[-1, kept] ** 2 / values[kept]).sum())
    return float(adjusted.model.camera.fx * np.sqrt(variance))
