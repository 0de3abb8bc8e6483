"""The camera's motion before the background: standing, turning, or moving; and its focal length where nobody gave it."""

import logging
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from pipeline.cameras import Intrinsics
from pipeline.formats.geometry_file import Motion
from pipeline.sfm.bundle_adjustment import Adjustment, Freedom
from pipeline.sfm.degenerate_motion import (
    camera_stands,
    imagined_observations,
    points_at_unit_depth,
    standing_camera,
    turning_camera,
)
from pipeline.sfm.mapping import Search, best_model, refined_points, strongest, with_all_tracks, without_outliers
from pipeline.sfm.pose_uncertainty import pose_spread
from pipeline.sfm.rigid_model import Observations, RigidModel, reprojection_errors_px
from pipeline.sfm.verdicts import Judgement, fit_numbers, judge, spread_numbers

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


def reconstruct_background(seen: Observations, search: Search) -> tuple[Reconstructed, Motion]:
    """A usable background in every case, and whether the camera is moving, static or rotating."""
    if seen.track_count < FEWEST_TRACKS:
        return untracked(seen, search.camera), "static"
    if camera_stands(seen):
        reason = "the camera stands still: no parallax, the background is a flat picture at unit depth"
        return without_parallax(standing_camera(seen, search.camera), seen, reason), "static"
    freedom = Freedom(focal=not search.focal_known)
    few = strongest(seen, search.mapping_tracks, search.seed)
    turning = turning_camera(few, search.camera, freedom)
    if explains_turning(turning.model, few):
        reason = "the camera only turns: no parallax, the background is a picture at unit depth all around"
        return all_turning(turning, seen, search, reason), "rotating"
    candidates = [c for c in best_model(seen, search) if plausible(c.adjusted.model)]
    if not candidates:
        reason = "structure from motion found no model; the camera is taken to turn about a fixed place"
        return all_turning(turning, seen, search, reason), "moving"
    training = strongest(seen, search.adjustment_tracks, search.seed)
    adjusted = with_all_tracks(candidates[0].adjusted.model, training, freedom)
    found = refined_points(adjusted.model, seen)
    numbers = fit_numbers(found, seen)
    if numbers["triangulation_angle_deg"] < LEAST_ANGLE_DEG:
        reason = f"its points are seen under {numbers['triangulation_angle_deg']:.1f} degrees only: next to no parallax"
        return all_turning(
            turning, seen, search, f"{reason}, the camera is taken to turn about a fixed place"
        ), "rotating"
    numbers |= spread_numbers(*pose_spread(adjusted, training, candidates[0].adjusted.model))
    judgement = judge(numbers)
    focal_std = None if search.focal_known else focal_uncertainty_px(adjusted)
    return Reconstructed(without_outliers(found, seen), seen, judgement, focal_std), "moving"


def imported_background(
    seen: Observations, camera_from_world: Float[np.ndarray, "frame 4 4"], search: Search
) -> tuple[Reconstructed, Motion]:
    """The background under poses that a person gave: they stay as they are, and are held against the tracks."""
    blank = RigidModel(camera_from_world, np.full((seen.track_count, 3), np.nan), search.camera, "imported")
    if seen.track_count < FEWEST_TRACKS:
        kept = imagined_observations(seen.frame_count, search.camera)
        reason = f"only {seen.track_count} points of the background could be followed; the poses were not checked"
        model = points_at_unit_depth(replace(blank, points=np.full((kept.track_count, 3), np.nan)), kept)
        counts = {"tracks": seen.track_count, "registered_frames": int(blank.registered.sum())}
        return Reconstructed(model, kept, Judgement("weak", reason, counts)), "moving"
    found = refined_points(blank, seen)
    numbers = fit_numbers(found, seen)
    if numbers["triangulation_angle_deg"] < LEAST_ANGLE_DEG:
        reason = "the given poses only turn: no parallax, the background is a picture at unit depth all around"
        return without_parallax(points_at_unit_depth(blank, seen), seen, reason), "rotating"
    return Reconstructed(without_outliers(found, seen), seen, judge(numbers)), "moving"


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
    return Reconstructed(standing_camera(imagined, camera), imagined, judgement)


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


def all_turning(turning: Adjustment, seen: Observations, search: Search, reason: str) -> Reconstructed:
    """A turning camera with the points of every track."""
    sound = plausible(turning.model)
    camera = turning.model.camera if sound else search.camera
    blank = replace(turning.model, points=np.full((seen.track_count, 3), np.nan), camera=camera)
    found = without_parallax(points_at_unit_depth(blank, seen), seen, reason)
    calibrated = sound and not search.focal_known
    return replace(found, focal_std_px=focal_uncertainty_px(turning)) if calibrated else found


def explains_turning(model: RigidModel, seen: Observations) -> bool:
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
    """Standard deviation of the focal length."""
    values, vectors = np.linalg.eigh(adjusted.information)
    kept = values > 1e-9 * values[-1]
    kept[:7] = False
    variance = float((vectors[-1, kept] ** 2 / values[kept]).sum())
    return float(adjusted.model.camera.fx * np.sqrt(variance))
