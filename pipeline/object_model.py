"""One moving object: its best rigid model, or a flat picture of it where there is none."""

import numpy as np
from jaxtyping import Bool

from pipeline.background import Reconstructed
from pipeline.bundle_adjustment import Freedom
from pipeline.model_search import Search, best_model, refined_points, strongest, with_all_tracks, without_outliers
from pipeline.pose_fallback import flat_object
from pipeline.pose_spread import pose_spread, strongest_rival
from pipeline.rigid_model import Observations
from pipeline.verdicts import Judgement, Numbers, fit_numbers, judge, spread_numbers

FEWEST_FRAMES = 3
SMALLEST_AREA_PX = 30
FEWEST_TRACKS = 12
RIGID_PERCENT = 50.0
FEWEST_REGISTERED_SHARE = 0.5


def reconstruct_object(
    seen: Observations, masks: Bool[np.ndarray, "frame height width"], search: Search
) -> Reconstructed:
    """A model by structure from motion where it explains the tracks, else a flat one; failed where nothing can be placed."""
    areas = masks.sum(axis=(1, 2))
    if (areas >= SMALLEST_AREA_PX).sum() < FEWEST_FRAMES:
        return too_small(seen, masks, search, int(areas.max(initial=0)))
    if seen.track_count < FEWEST_TRACKS:
        return flat(seen, masks, search, f"only {seen.track_count} points could be followed: small or without texture")
    candidates = best_model(seen, search)
    if not candidates:
        return flat(seen, masks, search, "structure from motion found no rigid model")
    training = strongest(seen, search.adjustment_tracks, search.seed)
    best = candidates[0].adjusted.model
    adjusted = with_all_tracks(best, training, Freedom())
    found = refined_points(adjusted.model, seen)
    numbers = fit_numbers(found, seen) | spread_numbers(*pose_spread(adjusted, training, best))
    if numbers["explained_percent"] < RIGID_PERCENT:
        reason = f"not rigid: one motion explains only {numbers['explained_percent']:.0f} % of the observations"
        return flat(seen, masks, search, reason, numbers)
    if numbers["registered_frames"] < FEWEST_REGISTERED_SHARE * numbers["frames_with_tracks"]:
        reason = f"only {numbers['registered_frames']:.0f} of {numbers['frames_with_tracks']:.0f} frames are registered"
        return flat(seen, masks, search, reason, numbers)
    rival = strongest_rival(candidates, strongest(seen, search.mapping_tracks, search.seed))
    return Reconstructed(without_outliers(found, seen), seen, judge(numbers, rival))


def flat(
    seen: Observations,
    masks: Bool[np.ndarray, "frame height width"],
    search: Search,
    reason: str,
    numbers: Numbers | None = None,
) -> Reconstructed:
    """A flat picture that faces the camera, always doubtful."""
    model, kept = flat_object(seen, masks, search.camera)
    numbers = {"tracks": seen.track_count, **(numbers or {}), "registered_frames": int(model.registered.sum())}
    return Reconstructed(model, kept, Judgement("weak", f"{reason}; placed as a flat picture", numbers))


def too_small(
    seen: Observations, masks: Bool[np.ndarray, "frame height width"], search: Search, area: int
) -> Reconstructed:
    """An object that cannot be used."""
    model, kept = flat_object(seen, masks, search.camera)
    reason = f"covers at least {SMALLEST_AREA_PX} pixels in fewer than {FEWEST_FRAMES} frames (at most {area} pixels)"
    return Reconstructed(model, kept, Judgement("failed", reason, {"tracks": seen.track_count}))
