"""The background under camera poses that a person gave: they stay as they are, where the tracks do not contradict them.

A focal length that came without is calibrated under the poses; frames without a pose are registered against the others.
"""

import logging
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from pipeline.cameras import Intrinsics
from pipeline.formats.geometry_file import Motion
from pipeline.runtime.errors import StageError
from pipeline.sfm.background import FEWEST_TRACKS, LEAST_ANGLE_DEG, Reconstructed, without_parallax
from pipeline.sfm.bundle_adjustment import Freedom, adjust
from pipeline.sfm.degenerate_motion import imagined_observations, points_at_unit_depth
from pipeline.sfm.mapping import MappingOptions, refined_points, register_missing, without_outliers
from pipeline.sfm.pose_check import COARSE_FOCALS, contradiction, long_tracks, with_best_focal
from pipeline.sfm.rigid_model import Observations, RigidModel, triangulate
from pipeline.sfm.verdicts import Judgement, fit_numbers, judge

log = logging.getLogger(__name__)
Poses = Float[np.ndarray, "frame 4 4"]


def imported_background(
    seen: Observations, camera_from_world: Poses, options: MappingOptions, trust_poses: bool = False
) -> tuple[Reconstructed, Motion]:
    """The background under given poses, and whether they move."""
    blank = RigidModel(camera_from_world, np.full((seen.track_count, 3), np.nan), options.camera, "imported")
    if seen.track_count < FEWEST_TRACKS:
        return unchecked(blank, seen), "moving"
    focal_std = None
    if not options.focal_known:
        camera, focal_std = focal_under_poses(blank, seen, options.seed)
        blank = replace(blank, camera=camera)
    check_poses(blank, seen, options.focal_known, trust_poses)
    found = with_missing_frames(blank, seen, options.seed)
    numbers = fit_numbers(found, seen)
    if numbers["triangulation_angle_deg"] < LEAST_ANGLE_DEG:
        reason = "the given poses only turn: no parallax, the background is a picture at unit depth all around"
        return without_parallax(points_at_unit_depth(blank, seen), seen, reason), "rotating"
    return Reconstructed(without_outliers(found, seen), seen, judge(numbers), focal_std), "moving"


def unchecked(blank: RigidModel, seen: Observations) -> Reconstructed:
    """Given poses before an imagined far plane, where too little could be followed to check them."""
    kept = imagined_observations(seen.frame_count, blank.camera)
    reason = f"only {seen.track_count} points of the background could be followed; the poses were not checked"
    model = points_at_unit_depth(replace(blank, points=np.full((kept.track_count, 3), np.nan)), kept)
    counts = {"tracks": seen.track_count, "registered_frames": int(blank.registered.sum())}
    return Reconstructed(model, kept, Judgement("weak", reason, counts))


def check_poses(blank: RigidModel, seen: Observations, focal_known: bool, trust_poses: bool) -> None:
    """Stop where the tracks contradict given poses, unless a person trusts them; then warn."""
    found = contradiction(blank, seen, focal_known)
    if found is None:
        return
    if not trust_poses:
        raise StageError(f"{found}; correct the poses, or go on with them all the same by trust_poses: true")
    log.warning("%s; they are used because of trust_poses", found)


def focal_under_poses(blank: RigidModel, seen: Observations, seed: int) -> tuple[Intrinsics, float]:
    """The focal length under which the tracks agree best with given poses, and its standard deviation, in pixels."""
    few = long_tracks(seen, seed)
    best = with_best_focal(blank, few, COARSE_FOCALS)
    placed = triangulate(replace(best, points=np.full((few.track_count, 3), np.nan)), few)
    adjusted = adjust(placed, few, Freedom(rotation=False, translation=False, focal=True))
    # The last parameter of the information matrix is the logarithm of the focal length; poses are fixed.
    deviation = adjusted.model.camera.fx / np.sqrt(max(float(adjusted.information[-1, -1]), 1e-12))
    log.info("the focal length is %.1f +- %.1f px under the given poses", adjusted.model.camera.fx, deviation)
    return adjusted.model.camera, float(deviation)


def with_missing_frames(blank: RigidModel, seen: Observations, seed: int) -> RigidModel:
    """Points under given poses, and the poses of further frames that see enough of these points."""
    found = refined_points(blank, seen)
    while (extended := register_missing(found, seen, seed)).registered.sum() > found.registered.sum():
        found = refined_points(extended, seen)
    added = int(found.registered.sum() - blank.registered.sum())
    if added:
        log.warning("%d frames without a given pose were registered against those that have one", added)
    return found
