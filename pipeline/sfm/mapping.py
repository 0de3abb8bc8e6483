"""Mapping: candidate models of one object's tracks, ranked by tracks that took no part.

Candidates come from COLMAP's global mapper (GLOMAP; Pan et al., ECCV 2024) and its incremental one (Schoenberger and Frahm,
CVPR 2016), from hemispheres, and from the mirrored shape. A fifth of the tracks is held out and ranks them.
"""

import logging
from dataclasses import dataclass, replace

import numpy as np
import pycolmap
from jaxtyping import Bool, Float

from pipeline.cameras import Intrinsics
from pipeline.sfm.bundle_adjustment import Adjustment, Freedom, adjust, robust_cost
from pipeline.sfm.colmap import colmap_camera, homogeneous, map_globally, map_incrementally, verified_pairs
from pipeline.sfm.focal_curve import FocalPrior
from pipeline.sfm.hemisphere_init import frames_around, hemisphere_initialisation, reference_frames
from pipeline.sfm.rigid_model import Observations, RigidModel, reprojection_errors_px, triangulate, usable

log = logging.getLogger(__name__)
HELD_OUT_EVERY = 5
FEWEST_STARTS, MOST_STARTS, STARTS_TIMES_FRAMES = 3, 8, 1000  # starts, and starts times frames: each takes its time
MAPPING_OBSERVATIONS = 100_000  # tracks times frames: of long videos fewer tracks are enough to tell shapes apart
FEWEST_POINTS = 8
RESECTION_ERROR_PX = 2.0
OUTLIER_SIGMAS, OUTLIER_PX = 5.0, 2.0
SURE_SHARE = 0.95
MAPPING_TOLERANCE = 1e-4


@dataclass(frozen=True)
class MappingOptions:
    """How a model is found; `focal_known` is False for a background that calibrates itself.

    `focal_prior` is what metadata say of a focal length: known well enough to search with, and measured anew in the end.
    `focal_std` is how uncertain a known one is, as a share of it.
    """

    camera: Intrinsics
    focal_known: bool
    seed: int
    mapping_tracks: int
    adjustment_tracks: int
    guided_matching_rounds: int = 2
    focal_prior: FocalPrior | None = None
    focal_std: float = 0.0


@dataclass(frozen=True)
class Candidate:
    """A model with what the held-out tracks say of it."""

    adjusted: Adjustment
    held_out_cost: float

    @property
    def merit(self) -> tuple[int, float]:
        """More registered frames first, then the lower cost."""
        return int(self.adjusted.model.registered.sum()), -(self.held_out_cost + self.adjusted.cost)


def candidate_models(seen: Observations, options: MappingOptions) -> list[Candidate]:
    """Models of the object, the best first; none where no mapper finds one."""
    if seen.track_count < FEWEST_POINTS:
        return []
    held_out = np.arange(seen.track_count) % HELD_OUT_EVERY == HELD_OUT_EVERY // 2
    training, held_out_tracks = seen.of_tracks(~held_out), seen.of_tracks(held_out)
    # Adjustment costs frames squared times tracks: the search makes do with few, the winner gets them all.
    training = subsampled(training, options.mapping_tracks, options.seed)
    pairs = verified_pairs(training, options.camera, options.seed)
    freedom = Freedom(focal=not options.focal_known)
    found: list[Candidate] = []
    for mapper in (map_globally, map_incrementally):
        for model in mapper(training, options.camera, pairs, options.focal_known, options.seed):
            if model.registered.sum() > 2:
                found.append(scored(completed(model, training, freedom, options.seed), held_out_tracks))
        if found and beyond_doubt(max(found, key=lambda candidate: candidate.merit), training):
            break
    if options.focal_known:
        few = subsampled(training, MAPPING_OBSERVATIONS // seen.frame_count, options.seed)
        found += [
            scored(with_points_of(grown, training), held_out_tracks) for grown in grown_from_hemispheres(few, options)
        ]
    if found and options.focal_known:
        best = max(found, key=lambda candidate: candidate.merit)
        mirror = mirrored(best.adjusted.model)
        found.append(scored(adjust(mirror, training, freedom, tolerance=MAPPING_TOLERANCE), held_out_tracks))
    return sorted(found, key=lambda candidate: candidate.merit, reverse=True)


def grown_from_hemispheres(seen: Observations, options: MappingOptions) -> list[Adjustment]:
    """Models that start as a hemisphere in one frame, are adjusted to the frames around it, then to all."""
    models = []
    starts = min(max(STARTS_TIMES_FRAMES // seen.frame_count, FEWEST_STARTS), MOST_STARTS)
    for reference in reference_frames(seen, starts).tolist():
        around, start = frames_around(seen, reference), hemisphere_initialisation(seen, options.camera, reference)
        placed = register_missing(start, around, options.seed)
        if placed.registered.sum() > 2:
            local = adjust(placed, around, Freedom(), tolerance=MAPPING_TOLERANCE).model
            models.append(completed(triangulate(local, seen), seen, Freedom(), options.seed))
    return models


def with_points_of(adjusted: Adjustment, seen: Observations) -> Adjustment:
    """A model of some of the tracks with the points of all of them."""
    if len(adjusted.model.points) == seen.track_count:
        return adjusted
    return replace(adjusted, model=refined_points(adjusted.model, seen))


def beyond_doubt(candidate: Candidate, seen: Observations) -> bool:
    """Whether a model has every frame and has nearly all observations as inliers: another mapper could only find it again."""
    model = candidate.adjusted.model
    everywhere = bool(model.registered[seen.per_frame >= FEWEST_POINTS].all())
    return everywhere and float(inliers(model, seen)[usable(model, seen)].mean()) > SURE_SHARE


def subsampled(seen: Observations, count: int, seed: int) -> Observations:
    """At most `count` tracks, the long ones first of all."""
    return seen.of_tracks(sampled_tracks(seen, count, seed)) if seen.track_count > count else seen


def sampled_tracks(seen: Observations, count: int, seed: int) -> Bool[np.ndarray, "track"]:
    """At most `count` tracks, drawn with a chance that grows with their length: long ones tie the frames together."""
    if seen.track_count <= count:
        return np.ones(seen.track_count, bool)
    chance = seen.lengths / seen.lengths.sum()
    chosen = np.random.default_rng(seed).choice(seen.track_count, count, replace=False, p=chance)
    return np.isin(np.arange(seen.track_count), chosen)


def scored(adjusted: Adjustment, held_out_tracks: Observations) -> Candidate:
    """A candidate with the robust cost of tracks that took no part, triangulated from its poses."""
    placed = refined_points(adjusted.model, held_out_tracks)
    kept = held_out_tracks.kept(usable(placed, held_out_tracks))
    held_out_cost = robust_cost(placed, kept) if len(kept.track) else adjusted.cost
    frames = int(adjusted.model.registered.sum())
    log.info("a shape by %s: %d frames, cost %.2f on held-out tracks", adjusted.model.method, frames, held_out_cost)
    return Candidate(adjusted, held_out_cost)


def refined_points(model: RigidModel, seen: Observations) -> RigidModel:
    """The model with the points of other tracks, its poses fixed."""
    placed = triangulate(replace(model, points=np.full((seen.track_count, 3), np.nan)), seen)
    return adjust(placed, seen, Freedom(rotation=False, translation=False), iterations=8).model


def completed(model: RigidModel, seen: Observations, freedom: Freedom, seed: int) -> Adjustment:
    """A mapper's poses adjusted to all tracks, with frames it left out registered to the points."""
    adjusted = adjust(triangulate(model, seen), seen, freedom, tolerance=MAPPING_TOLERANCE)
    while True:
        extended = register_missing(adjusted.model, seen, seed)
        if extended.registered.sum() == adjusted.model.registered.sum():
            return adjusted
        adjusted = adjust(triangulate(extended, seen), seen, freedom, tolerance=MAPPING_TOLERANCE)


def register_missing(model: RigidModel, seen: Observations, seed: int) -> RigidModel:
    """The model with every further frame whose pose follows from points that it sees."""
    poses = model.camera_from_object.copy()
    for frame in np.flatnonzero(~model.registered):
        own = seen.kept((seen.frame == frame) & model.has_point[seen.track])
        if len(own.track) >= FEWEST_POINTS:
            poses[frame] = resection(model.points[own.track], own.xy, model.camera, seed)
    return replace(model, camera_from_object=poses)


def resection(
    points: Float[np.ndarray, "point xyz=3"], xy: Float[np.ndarray, "point xy=2"], camera: Intrinsics, seed: int
) -> Float[np.ndarray, "4 4"]:
    """Pose of a camera that sees points (P3P in RANSAC, then refined: COLMAP's); NaN where most of them disagree."""
    options = pycolmap.AbsolutePoseEstimationOptions()
    options.ransac.max_error, options.ransac.random_seed = RESECTION_ERROR_PX, seed
    answer = pycolmap.estimate_and_refine_absolute_pose(xy, points, colmap_camera(camera, True), options)
    if answer is None or answer["num_inliers"] < max(FEWEST_POINTS, len(points) / 2):
        return np.full((4, 4), np.nan)
    return homogeneous(answer["cam_from_world"].matrix())


def mirrored(model: RigidModel) -> RigidModel:
    """The other shape that an object far away could have: depth and turning both reversed.

    The Necker reversal, exact under orthographic projection (Szeliski and Kang, Shape ambiguities in structure from
    motion, PAMI 1997).
    """
    flip = np.diag([1.0, 1.0, -1.0])
    first = int(np.flatnonzero(model.registered)[0])
    reference = model.camera_from_object[first]
    points = model.points @ reference[:3, :3].T + reference[:3, 3]
    centre = np.nanmedian(points, axis=0)
    relative = model.camera_from_object @ np.linalg.inv(reference)
    rotation = flip @ relative[:, :3, :3] @ flip
    poses = relative.copy()
    poses[:, :3, :3] = rotation
    poses[:, :3, 3] = relative[:, :3, :3] @ centre + relative[:, :3, 3] - rotation @ centre
    return replace(
        model, camera_from_object=poses, points=(points - centre) @ flip + centre, method=f"{model.method}_mirrored"
    )


def with_all_tracks(model: RigidModel, seen: Observations, freedom: Freedom) -> Adjustment:
    """The winner adjusted to every track, held-out ones too."""
    return adjust(refined_points(model, seen), seen, freedom)


def inliers(model: RigidModel, seen: Observations) -> Bool[np.ndarray, "observation"]:
    """Observations that lie near their projected point, in pixels and in their own standard deviations."""
    limit = np.minimum(OUTLIER_SIGMAS * seen.sigma_px, OUTLIER_PX)
    with np.errstate(invalid="ignore"):
        return reprojection_errors_px(model, seen) < limit


def without_outliers(model: RigidModel, seen: Observations) -> RigidModel:
    """The model without points that most of their observations contradict."""
    good = np.bincount(seen.track, inliers(model, seen), minlength=seen.track_count)
    kept = (good >= 2) & (good > 0.6 * seen.lengths)
    return replace(model, points=np.where(kept[:, None], model.points, np.nan))
