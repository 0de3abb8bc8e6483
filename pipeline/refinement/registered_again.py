"""Objects that got pixels back are looked for again in the frames that have them: only there, by the model that is known."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from pipeline.formats.geometry_file import ObjectGeometry
from pipeline.sfm.guided_matching import ObjectImages
from pipeline.sfm.mapping import without_outliers
from pipeline.sfm.motion_prior import World, carried
from pipeline.sfm.registration import extended
from pipeline.sfm.rigid_model import Observations, RigidModel, equal_errors, reprojection_errors_px, usable
from pipeline.sfm.verdicts import fit_numbers, frame_points, frame_residuals_px

LEAST_SIGMA_PX = 0.1


@dataclass(frozen=True)
class Registered:
    """An object's model with its observations, what geometry.json says of it, and the frames that it was found in anew."""

    model: RigidModel
    seen: Observations
    entry: ObjectGeometry
    frames: list[int]


def registered_again(
    entry: ObjectGeometry,
    model: RigidModel,
    seen: Observations,
    shown: Bool[np.ndarray, "frame"],
    images: ObjectImages,
    world: World,
) -> Registered | None:
    """The model in those of the frames shown in which it had no pose; None where it is not found in any of them."""
    if not is_rigid(entry) or not (shown & ~model.registered).any():
        return None
    seen = replace(seen, covariance=equal_errors(np.full(len(seen.track), residual_px(model, seen))))
    grown = extended(model, seen, images, world, shown)
    frames = np.flatnonzero(grown.model.registered & ~model.registered).tolist()
    if not frames:
        return None
    found = without_outliers(grown.model, grown.seen)
    return Registered(found, grown.seen, judged_again(entry, found, grown.seen, world), frames)


def is_rigid(entry: ObjectGeometry) -> bool:
    """Whether structure from motion made the object's model: a flat picture has nothing to be recognised by."""
    return entry.verdict != "failed" and "rotation_std_deg" in entry.numbers


def residual_px(model: RigidModel, seen: Observations) -> float:
    """How well the model's observations fit it: the error that they are taken to have, which its files do not keep."""
    error = reprojection_errors_px(model, seen)[usable(model, seen)]
    return max(LEAST_SIGMA_PX, float(np.median(error[np.isfinite(error)])))


def judged_again(entry: ObjectGeometry, model: RigidModel, seen: Observations, world: World) -> ObjectGeometry:
    """What geometry.json says of the object, with its new frames; verdict and uncertainty stay those of the frames before."""
    fit = fit_numbers(model, seen)
    kept = (
        "registered_frames",
        "points",
        "observations",
        "reprojection_error_px",
        "triangulation_angle_deg",
        "planarity",
    )
    numbers = {**entry.numbers, **{name: fit[name] for name in kept}}
    numbers["frames_with_tracks"] = max(numbers.get("frames_with_tracks", 0), fit["registered_frames"])
    return entry.model_copy(
        update={
            "reason": entry.reason.replace("frames are registered", "frames were registered in the first pass"),
            "numbers": numbers,
            "residual_px": frame_residuals_px(model, seen),
            "points": frame_points(model, seen),
            "carried": carried(model, numbers, world),
        }
    )
