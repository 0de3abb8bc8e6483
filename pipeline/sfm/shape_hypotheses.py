"""Several shapes of one object, each looked at as closely as the others: the one whose points are found again best is kept.

Before points are looked for again, tracks are short, and a shape with its depth reversed may explain them as well as the
right one. Points that are found under each shape, and under the right one in more frames, tell the two apart.
"""

from dataclasses import dataclass, replace

import numpy as np

from pipeline.sfm.bundle_adjustment import Adjustment, Freedom
from pipeline.sfm.guided_matching import ObjectImages, guided_adjustment
from pipeline.sfm.mapping import (
    Candidate,
    MappingOptions,
    sampled_tracks,
    subsampled,
    with_all_tracks,
    without_outliers,
)
from pipeline.sfm.motion_prior import World
from pipeline.sfm.pose_outliers import without_pose_outliers, without_unseen_frames
from pipeline.sfm.pose_uncertainty import (
    SURE_SIGMAS,
    Rival,
    distinct_shapes,
    is_another,
    most_different,
    strongest_rival,
    track_costs,
    vuong_statistic,
)
from pipeline.sfm.rigid_model import Observations, RigidModel

LOOSE_PERCENT = 20.0  # of the path
TOLD_SIGMAS = 0.5  # by which points found again must speak for a shape that the tracks placed behind another
MOST_OBSERVATIONS = 240_000  # points times frames: more of them hardly move the poses, and each takes its time


@dataclass(frozen=True)
class ShapeHypothesis:
    """A shape before and after points were looked for where it has them, and those points; `number` among the candidates."""

    number: int
    before: RigidModel
    adjusted: Adjustment
    seen: Observations


def best_shape_hypothesis(
    candidates: list[Candidate],
    seen: Observations,
    options: MappingOptions,
    images: ObjectImages,
    world: World | None = None,
) -> tuple[ShapeHypothesis, Rival | None]:
    """The shape that explains the points found again best, and the farthest that they do not rule out."""
    few = subsampled(seen, options.mapping_tracks, options.seed)
    training = subsampled(seen, options.adjustment_tracks, options.seed)
    shapes = [
        shape_hypothesis(number, candidates[number], training, options, images, world)
        for number in distinct_shapes(candidates, few)
    ]
    best = shapes[0]
    for shape in shapes[1:]:
        if advantage(best, shape) < -TOLD_SIGMAS:
            best = shape
    told = [best, *(shape for shape in shapes if is_ruled_out(best, shape))]
    known = [candidates[shape.number].adjusted.model for shape in told]
    left = [c for c in candidates if all(is_another(c.adjusted.model, model) for model in known)]
    settled = with_all_tracks(best.adjusted.model, few, Freedom())
    loose = strongest_rival([Candidate(settled, settled.cost), *left], few)
    return best, rival_hypothesis(best, shapes, loose)


def shape_hypothesis(
    number: int,
    candidate: Candidate,
    training: Observations,
    options: MappingOptions,
    images: ObjectImages,
    world: World | None,
) -> ShapeHypothesis:
    """One shape, adjusted to all its tracks, then to the points that are looked for where it has them.

    Where the world is known, poses that leave the motion are tried anew, before and after.
    """
    whole = with_all_tracks(candidate.adjusted.model, training, Freedom())
    before = (without_pose_outliers(whole, training, world) if world else whole).model
    start = without_outliers(before, training)
    chosen = sampled_tracks(training, MOST_OBSERVATIONS // training.frame_count, options.seed)
    start, looked_for = replace(start, points=start.points[chosen]), training.of_tracks(chosen)
    adjusted, seen = guided_adjustment(start, looked_for, images, options.guided_matching_rounds)
    adjusted = replace(adjusted, model=without_unseen_frames(adjusted.model, seen))
    return ShapeHypothesis(number, before, without_pose_outliers(adjusted, seen, world) if world else adjusted, seen)


def advantage(one: ShapeHypothesis, other: ShapeHypothesis) -> float:
    """By how many standard errors one shape explains the points that either of them found better than the other does.

    In frames that both have: where one gave up its pose, it says nothing, and whatever the other found would look impossible.
    """
    both = one.adjusted.model.registered & other.adjusted.model.registered
    found = [shape.seen.kept(both[shape.seen.frame]) for shape in (one, other)]
    costs = [track_costs(other.adjusted.model, seen) - track_costs(one.adjusted.model, seen) for seen in found]
    return vuong_statistic(np.concatenate(costs))


def is_ruled_out(best: ShapeHypothesis, other: ShapeHypothesis) -> bool:
    """Whether a shape stayed another, and the points found again tell it from the best one."""
    return is_another(other.adjusted.model, best.adjusted.model) and advantage(best, other) >= SURE_SIGMAS


def rival_hypothesis(best: ShapeHypothesis, shapes: list[ShapeHypothesis], loose: Rival | None) -> Rival | None:
    """The farthest other shape that the points found again do not rule out.

    Points are looked for near where a shape has them, so it moves slowly: one with quite another path, which the tracks
    leave open, tells how loosely the video holds the object even if the two meet in the end.
    """
    chosen = best.adjusted.model
    others = [
        shape
        for shape in shapes
        if shape is not best and is_another(shape.adjusted.model, chosen) and not is_ruled_out(best, shape)
    ]
    rivals = [Rival.beside(chosen, shape.adjusted.model, advantage(best, shape)) for shape in others]
    if loose is not None and loose.trajectory_percent > LOOSE_PERCENT:
        rivals.append(loose)
    return most_different(rivals)
