"""One moving object: its best rigid model, or a flat picture of it where there is none."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool

from pipeline.formats.geometry_file import ObjectGeometry
from pipeline.sfm.background import Reconstructed
from pipeline.sfm.bundle_adjustment import Freedom, adjust
from pipeline.sfm.degenerate_motion import fronto_parallel_object
from pipeline.sfm.guided_matching import ObjectImages
from pipeline.sfm.mapping import (
    HELD_OUT_EVERY,
    MAPPING_TOLERANCE,
    Candidate,
    MappingOptions,
    candidate_models,
    mirrored,
    refined_points,
    subsampled,
    with_all_tracks,
    without_outliers,
)
from pipeline.sfm.motion_prior import World, carried
from pipeline.sfm.pose_uncertainty import Rival, pose_std, strongest_rival
from pipeline.sfm.registration import extended
from pipeline.sfm.rigid_model import Observations, RigidModel
from pipeline.sfm.shape_hypotheses import ShapeHypothesis, best_shape_hypothesis
from pipeline.sfm.verdicts import (
    Judgement,
    Numbers,
    bends,
    depth_number,
    fit_numbers,
    frame_points,
    frame_residuals_px,
    judge,
    uncertainty_numbers,
)

FEWEST_FRAMES = 3
SMALLEST_AREA_PX = 30
FEWEST_TRACKS = 12
RIGID_PERCENT = 50.0
FEWEST_REGISTERED_SHARE = 0.5


def reconstruct_object(
    seen: Observations,
    masks: Bool[np.ndarray, "frame height width"],
    options: MappingOptions,
    images: ObjectImages | None = None,
    world: World | None = None,
) -> Reconstructed:
    """A model by structure from motion where it explains the tracks, else a flat one; failed where nothing can be placed.

    Where the images can be seen, and the tracks follow a rigid motion, points are looked for again as the best few shapes
    have them; in frames that no track reaches too, where the motion in the world says in which pose.
    """
    areas = masks.sum(axis=(1, 2))
    if (areas >= SMALLEST_AREA_PX).sum() < FEWEST_FRAMES:
        return too_small(seen, masks, options, int(areas.max(initial=0)))
    if seen.track_count < FEWEST_TRACKS:
        return flat(seen, masks, options, f"only {seen.track_count} points could be followed: small or without texture")
    candidates = candidate_models(seen, options)
    if not candidates:
        return flat(seen, masks, options, "structure from motion found no rigid model")
    if images is not None and world is not None:
        candidates, seen = in_more_frames(candidates, seen, areas >= SMALLEST_AREA_PX, options, images, world)
    training = subsampled(seen, options.adjustment_tracks, options.seed)
    adjusted = with_all_tracks(candidates[0].adjusted.model, training, Freedom())
    found = refined_points(adjusted.model, seen)
    numbers = fit_numbers(found, seen)
    reason = why_not_rigid(numbers)
    if reason:
        return flat(seen, masks, options, reason, numbers)
    if images is None or bends(numbers):
        rival = strongest_rival(candidates, subsampled(seen, options.mapping_tracks, options.seed))
        before = without_held_out(adjusted.model, training)
        *poses, depth = pose_std(adjusted, training, before, options.focal_std, rival)
        numbers = numbers | uncertainty_numbers(*poses) | depth_number(depth)
        return Reconstructed(without_outliers(found, seen), seen, judge(numbers, rival))
    best, rival = best_shape_hypothesis(candidates, seen, options, images, world)
    if best.number > 0:
        numbers = fit_numbers(refined_points(best.before, seen), seen)
    return guided_result(best, numbers, rival, options.focal_std)


def in_more_frames(
    candidates: list[Candidate],
    seen: Observations,
    visible: Bool[np.ndarray, "frame"],
    options: MappingOptions,
    images: ObjectImages,
    world: World,
) -> tuple[list[Candidate], Observations]:
    """Candidates with the best known one registered in more frames first, and the observations that link these.

    Where tracks end, at an occlusion, mappers know one stretch of time only: the one with most observations carries on.
    """
    base = max(candidates, key=lambda candidate: int(seen.per_frame[candidate.adjusted.model.registered].sum()))
    if not (visible & ~base.adjusted.model.registered).any():
        return candidates, seen
    start = without_outliers(with_all_tracks(base.adjusted.model, seen, Freedom()).model, seen)
    if why_not_rigid(fit_numbers(start, seen) | {"frames_with_tracks": 0}):
        return candidates, seen
    grown = extended(start, seen, images, world, visible)
    if grown.model.registered.sum() <= candidates[0].adjusted.model.registered.sum():
        return candidates, seen
    shapes = [
        adjust(model, grown.seen, Freedom(), tolerance=MAPPING_TOLERANCE)
        for model in (grown.model, mirrored(grown.model))
    ]
    in_order = sorted(
        (Candidate(shape, shape.cost) for shape in shapes), key=lambda candidate: candidate.merit, reverse=True
    )
    return [*in_order, *candidates], grown.seen  # the others stay as rivals


def why_not_rigid(numbers: Numbers) -> str | None:
    """What keeps a model from standing for the object at all."""
    if numbers["inlier_ratio_percent"] < RIGID_PERCENT:
        return f"not rigid: one motion explains only {numbers['inlier_ratio_percent']:.0f} % of the observations"
    if numbers["registered_frames"] < FEWEST_REGISTERED_SHARE * numbers["frames_with_tracks"]:
        return f"only {numbers['registered_frames']:.0f} of {numbers['frames_with_tracks']:.0f} frames are registered"
    return None


def guided_result(best: ShapeHypothesis, before: Numbers, rival: Rival | None, focal_std: float) -> Reconstructed:
    """The model of points that were looked for again; whether it is rigid, the tracks told that did not know it."""
    adjusted, seen = best.adjusted, best.seen
    unguided = ("tracks", "frames_with_tracks", "inlier_ratio_percent", "normalised_residual")
    numbers = fit_numbers(adjusted.model, seen) | {name: before[name] for name in unguided}
    fewer = without_held_out(adjusted.model, seen)
    *poses, depth = pose_std(adjusted, seen, fewer, focal_std, rival, best.before)
    numbers |= uncertainty_numbers(*poses) | depth_number(depth)
    return Reconstructed(without_outliers(adjusted.model, seen), seen, judge(numbers, rival))


def without_held_out(model: RigidModel, seen: Observations) -> RigidModel:
    """The poses that a model would have without a fifth of its tracks."""
    kept = np.arange(seen.track_count) % HELD_OUT_EVERY != HELD_OUT_EVERY // 2
    part = replace(model, points=model.points[kept])
    return adjust(part, seen.of_tracks(kept), Freedom(), tolerance=MAPPING_TOLERANCE).model


def flat(
    seen: Observations,
    masks: Bool[np.ndarray, "frame height width"],
    options: MappingOptions,
    reason: str,
    numbers: Numbers | None = None,
) -> Reconstructed:
    """A flat picture that faces the camera, always doubtful."""
    model, kept = fronto_parallel_object(seen, masks, options.camera)
    numbers = {"tracks": seen.track_count, **(numbers or {}), "registered_frames": int(model.registered.sum())}
    return Reconstructed(model, kept, Judgement("weak", f"{reason}; placed as a flat picture", numbers))


def too_small(
    seen: Observations, masks: Bool[np.ndarray, "frame height width"], options: MappingOptions, area: int
) -> Reconstructed:
    """An object that cannot be used."""
    model, kept = fronto_parallel_object(seen, masks, options.camera)
    reason = f"covers at least {SMALLEST_AREA_PX} pixels in fewer than {FEWEST_FRAMES} frames (at most {area} pixels)"
    return Reconstructed(model, kept, Judgement("failed", reason, {"tracks": seen.track_count}))


def geometry_entry(k: int, name: str, found: Reconstructed, world: World | None) -> ObjectGeometry:
    """What geometry.json says of an object; without a world, which the background has not, no pose is carried."""
    numbers = dict(found.judgement.numbers)
    return ObjectGeometry(
        id=k,
        name=name,
        verdict=found.judgement.verdict,
        reason=found.judgement.reason,
        method=found.model.method,
        numbers=numbers,
        residual_px=frame_residuals_px(found.model, found.seen),
        points=frame_points(found.model, found.seen),
        carried=carried(found.model, numbers, world) if world is not None else [],
    )
