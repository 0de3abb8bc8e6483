"""The camera's motion before the background: standing, turning, or moving; and its focal length where nobody gave it."""

import logging
from dataclasses import dataclass, replace

import numpy as np

from pipeline.cameras import Intrinsics
from pipeline.formats.geometry_file import Motion
from pipeline.sfm.bundle_adjustment import Adjustment, Freedom, adjust
from pipeline.sfm.degenerate_motion import (
    camera_is_static,
    imagined_observations,
    points_at_unit_depth,
    rotating_camera,
    static_camera,
)
from pipeline.sfm.focal_curve import TWO_SIGMAS, FocalPrior
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
from pipeline.sfm.self_calibration import Calibration, as_all_tracks_say, self_calibration, stretched
from pipeline.sfm.verdicts import AT_FOCAL, Judgement, fit_numbers, judge, uncertainty_numbers

log = logging.getLogger(__name__)
FEWEST_TRACKS = 12
# Tracks of moving things that no mask covers may be a quarter of all.
TURNING_MEDIAN_PX, TURNING_P75_PX = 0.35, 1.0
LEAST_ANGLE_DEG = 0.5  # below it, motion in depth cannot be told from the errors of the tracks
SHARP = 0.1  # width of an interval, over its middle, under which tracks alone settle a focal length
PLAUSIBLE_FOCAL = (0.35, 6.0)  # times the longer side: 110 to 10 degrees of view


@dataclass(frozen=True)
class Reconstructed:
    """An object's model, the observations behind it, and the verdict."""

    model: RigidModel
    seen: Observations
    judgement: Judgement
    focal_std_px: float | None = None
    calibration: Calibration | None = None

    @property
    def focal_std(self) -> float:
        """Of the logarithm of the focal length; 0 of one that is given."""
        return self.focal_std_px / self.model.camera.fx if self.focal_std_px else 0.0


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
    calibration = None
    prior = prior_of(options)
    if prior is not None:
        adjusted, calibration = calibrated(adjusted, training, options, prior)
    found = refined_points(adjusted.model, seen)
    numbers = fit_numbers(found, seen)
    if numbers["triangulation_angle_deg"] < LEAST_ANGLE_DEG:
        reason = f"its points are seen under {numbers['triangulation_angle_deg']:.1f} degrees only: next to no parallax"
        return rotating_background(
            turning, seen, options, f"{reason}, the camera is taken to turn about a fixed place"
        ), "rotating"
    focal_std = calibration.curve.relative_std if calibration else 0.0
    fewer = candidates[0].adjusted.model
    at_focal = uncertainty_numbers(*pose_std(adjusted, training, fewer)[:2])
    numbers |= uncertainty_numbers(*pose_std(adjusted, training, fewer, focal_std)[:2])
    numbers |= {f"{name}{AT_FOCAL}": value for name, value in at_focal.items()}
    judgement = judge(numbers | focal_numbers(calibration), doubts=focal_doubts(calibration))
    spread = calibration.curve.std_px if calibration else None
    return Reconstructed(without_outliers(found, seen), seen, judgement, spread, calibration), "moving"


def prior_of(options: MappingOptions) -> FocalPrior | None:
    """What is known of the focal length before the tracks; None where a person gave it."""
    return options.focal_prior or (None if options.focal_known else FocalPrior.of_common_cameras(options.camera))


def calibrated(
    adjusted: Adjustment, seen: Observations, options: MappingOptions, prior: FocalPrior
) -> tuple[Adjustment, Calibration]:
    """The model under the focal length that tracks and prior knowledge agree on, and the curve behind it."""
    freedom = Freedom(focal=True)
    found = self_calibration(adjusted.model, seen, prior, freedom, options.seed)
    low, high = found.curve.interval(TWO_SIGMAS)
    if not options.focal_known and low <= adjusted.model.camera.fx <= high and found.curve.relative_width < SHARP:
        # The curve is of a few tracks; where it is sharp, all of them say the rest. How unsure they are, they tell only under
        # the camera that took them: errors of a wrong one do not become less with more tracks.
        if found.contradicts(adjusted.model.camera):
            return adjusted, replace(found, focal_px=adjusted.model.camera.fx)
        return adjusted, as_all_tracks_say(found, adjusted, seen, prior, freedom)
    moved = stretched(adjusted.model, found.focal_px / adjusted.model.camera.fx)
    return adjust(moved, seen, Freedom()), found


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
    prior = prior_of(options)
    if prior is None or not sound:
        return found
    few = subsampled(seen, options.mapping_tracks, options.seed)
    own = self_calibration(turning.model, few, prior, Freedom(translation=False, focal=True), options.seed)
    doubts = "; ".join([reason, *focal_doubts(own)])
    numbers = {**found.judgement.numbers, **focal_numbers(own)}
    judgement = replace(found.judgement, reason=doubts, numbers=numbers)
    return replace(found, judgement=judgement, focal_std_px=own.curve.std_px, calibration=own)


def focal_numbers(calibration: Calibration | None) -> dict[str, float | int]:
    """How wide the focal length's interval is, by the name that the report shows."""
    return {"focal_std_percent": round(50 * calibration.curve.relative_width, 3)} if calibration else {}


def focal_doubts(calibration: Calibration | None) -> tuple[str, ...]:
    """What the calibration says against its own focal length."""
    return calibration.doubts if calibration else ()


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
