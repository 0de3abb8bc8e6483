"""How far a model's poses may be off, as the tracks' own disagreement tells it, and whether another shape would do as well.

A standard deviation has four parts: groups of points that are left out (`jackknife`), the focal length that a thing is given
and which may be off itself, what the tracks alone had said before points were looked for again, and other shapes, each with the
chance that it is the right one.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import orth
from scipy.stats import norm

from pipeline.geometry.similarity_alignment import rotation_error_deg, trajectory_error_percent
from pipeline.sfm.bundle_adjustment import ROBUST_SIGMAS, Adjustment, Freedom, residuals
from pipeline.sfm.jackknife import LinearSystem, PoseCoordinates, focal_response
from pipeline.sfm.mapping import HELD_OUT_EVERY, Candidate, refined_points
from pipeline.sfm.rigid_model import Observations, RigidModel, usable

# Delete-a-group jackknife: leaving out one of n parts moves poses by their standard deviation over the root of n - 1.
JACKKNIFE = (HELD_OUT_EVERY - 1) ** 0.5
UNKNOWN = (180.0, 100.0, 100.0)
SURE_SIGMAS = 2.58  # 99 %
FAR_WORSE_SIGMAS = 6.0  # the search leaves minima half way: what it holds against a shape may be its own doing
MOST_SHAPES = 3
OTHER_DEG, OTHER_PERCENT = 3.0, 10.0  # closer than this, two shapes count as one
LEAST_FRAMES_SHARE = 0.9
FARTHEST_COST = 50.0  # of an observation that a shape does not have


@dataclass(frozen=True)
class Rival:
    """A shape that the tracks do not rule out: how far its poses are from the chosen one's, and its chance of being right."""

    rotation_deg: float
    trajectory_percent: float
    model: RigidModel
    chance: float = 0.5

    @classmethod
    def beside(cls, chosen: RigidModel, model: RigidModel, statistic: float) -> "Rival":
        """A shape that is worse than the chosen one by so many standard errors.

        Its chance is how often other tracks of the same kind would have spoken for it, at most one half.
        """
        return cls(*pose_difference(model, chosen), model, float(norm.sf(max(statistic, 0.0))))


def pose_std(
    adjusted: Adjustment,
    seen: Observations,
    without_held_out: RigidModel,
    focal_std: float = 0.0,
    rival: Rival | None = None,
    by_tracks: RigidModel | None = None,
) -> tuple[float, float, float]:
    """Standard deviations of the orientation (degrees), the camera's path (% of its radius), up to a similarity, and depths.

    The last is that of the distance to the object's middle in each frame (%), up to a scale of all frames.
    `focal_std` is that of the logarithm of the focal length. Where poses really moved farther when the held-out tracks joined
    than one Newton step tells, that counts. A rival is as far off as it is, with its chance. `by_tracks` is the model before
    points were looked for again: what all points share, no group tells, but two ways to measure differ by it. The square of
    what they differ by is the sum of both errors' squares, half of it that of each.
    """
    model = adjusted.model
    if model.registered.sum() < 3 or not np.isfinite(adjusted.cost) or model.has_point.sum() < 4:
        return UNKNOWN
    system = LinearSystem.of_model(model, seen, Freedom())
    steps = np.vstack([system.without_groups(), focal_std * focal_response(model, seen)])
    own = (*spread_of_poses(system.at, steps), spread_of_depths(system.at, steps))
    moved = (*pose_difference(without_held_out, model), depth_difference(without_held_out, model))
    nothing = (0.0, 0.0, 0.0)
    far = (rival.rotation_deg, rival.trajectory_percent, depth_difference(rival.model, model)) if rival else nothing
    ways = (*pose_difference(by_tracks, model), depth_difference(by_tracks, model)) if by_tracks else nothing
    chance = rival.chance if rival else 0.0
    rotation, path, depth = (
        min(float(np.linalg.norm([max(near, JACKKNIFE * shift), way / 2**0.5, chance**0.5 * other])), most)
        for near, shift, way, other, most in zip(own, moved, ways, far, UNKNOWN, strict=True)
    )
    return rotation, path, depth


def spread_of_poses(at: PoseCoordinates, steps: Float[np.ndarray, "step parameter"]) -> tuple[float, float]:
    """Root mean square over frames of the sum of some changes of the poses, independent of each other.

    Orientations are aligned among themselves and the path by a similarity of its own, as errors are.
    """
    by_frame = steps.reshape(len(steps), len(at.frames), 6)
    gauge = at.gauge.reshape(len(at.frames), 6, -1)
    turn, place = (
        np.linalg.norm(
            outside(by_frame[..., part].reshape(len(steps), -1), gauge[:, part].reshape(-1, gauge.shape[-1]))
        )
        for part in (slice(0, 3), slice(3, 6))
    )
    return float(np.degrees(turn / len(at.frames) ** 0.5)), float(100 * place / len(at.frames) ** 0.5)


def spread_of_depths(at: PoseCoordinates, steps: Float[np.ndarray, "step parameter"]) -> float:
    """The same of the distance to the object's middle, % of it; a scale that all frames share is no change."""
    gauge = at.gauge.reshape(len(at.frames), 6, -1)[:, 3:].reshape(3 * len(at.frames), -1)
    place = outside(steps.reshape(len(steps), -1, 6)[..., 3:].reshape(len(steps), -1), gauge)
    away = offsets(at.model, at.frames)
    change = np.einsum("sfi,fi->sf", place.reshape(len(steps), -1, 3), away / (away**2).sum(1, keepdims=True))
    change = at.radius * (change - change.mean(1, keepdims=True))
    return float(100 * np.linalg.norm(change) / len(at.frames) ** 0.5)


def offsets(model: RigidModel, frames: Int[np.ndarray, "frame"]) -> Float[np.ndarray, "frame xyz=3"]:
    """From the middle of an object's points to the camera, in the object's frame."""
    return model.object_from_camera[frames, :3, 3] - np.median(model.points[model.has_point], axis=0)


def depth_difference(one: RigidModel, other: RigidModel) -> float:
    """How much the distances to the object's middle differ between two models, %, but for a scale that all frames share."""
    both = np.flatnonzero(one.registered & other.registered)
    if len(both) < 3 or not one.has_point.any() or not other.has_point.any():
        return UNKNOWN[2]
    ratio = np.log([np.linalg.norm(offsets(model, both), axis=1) for model in (one, other)])
    return float(100 * (ratio[0] - ratio[1]).std())


def outside(
    steps: Float[np.ndarray, "step parameter"], directions: Float[np.ndarray, "parameter direction"]
) -> Float[np.ndarray, "step parameter"]:
    """What of some changes is left when such directions are free."""
    base = orth(directions, rcond=1e-9)
    return steps - steps @ base @ base.T


def pose_difference(one: RigidModel, other: RigidModel) -> tuple[float, float]:
    """Degrees, and % of the path, between two models of the same tracks."""
    both = one.registered & other.registered
    if both.sum() < 3:
        return UNKNOWN[:2]
    a, b = one.object_from_camera[both], other.object_from_camera[both]
    return rotation_error_deg(a, b), trajectory_error_percent(a, b)


def is_another(one: RigidModel, other: RigidModel) -> bool:
    """Whether two models are far enough from each other to count as different shapes."""
    rotation, trajectory = pose_difference(one, other)
    return rotation > OTHER_DEG or trajectory > OTHER_PERCENT


def strongest_rival(candidates: list[Candidate], seen: Observations) -> Rival | None:
    """The most different shape that the tracks do not rule out; None where the first one stands alone.

    Two minima are compared track by track (Vuong, 1989): the costs' mean difference against its own standard error.
    """
    if not candidates:
        return None
    best, *others = [candidate.adjusted.model for candidate in candidates]
    costs, rivals = track_costs(best, seen), []
    for model in others:
        complete = model.registered.sum() >= LEAST_FRAMES_SHARE * best.registered.sum()
        if complete and is_another(model, best):
            statistic = vuong_statistic(track_costs(model, seen) - costs)
            if statistic < SURE_SIGMAS:
                rivals.append(Rival.beside(best, model, statistic))
    return most_different(rivals)


def most_different(rivals: list[Rival]) -> Rival | None:
    """The one farthest from the chosen shape."""
    return max(
        rivals,
        key=lambda rival: rival.rotation_deg / OTHER_DEG + rival.trajectory_percent / OTHER_PERCENT,
        default=None,
    )


def distinct_shapes(candidates: list[Candidate], seen: Observations) -> list[int]:
    """Which shapes to look at more closely: the best one, and a few others that are not far worse."""
    models = [candidate.adjusted.model for candidate in candidates]
    costs, kept = track_costs(models[0], seen), [0]
    for number, model in enumerate(models[1:], start=1):
        complete = model.registered.sum() >= LEAST_FRAMES_SHARE * models[0].registered.sum()
        if len(kept) == MOST_SHAPES or not complete:
            continue
        another = all(is_another(model, models[other]) for other in kept)
        if another and vuong_statistic(track_costs(model, seen) - costs) < FAR_WORSE_SIGMAS:
            kept.append(number)
    return kept


def vuong_statistic(difference: Float[np.ndarray, "track"]) -> float:
    """By how many standard errors a mean over tracks is above zero: the statistic of Vuong (1989) without a penalty."""
    error = np.sqrt(((difference - difference.mean()) ** 2).sum())
    return float(difference.sum() / max(error, 1e-9))


def track_costs(model: RigidModel, seen: Observations) -> Float[np.ndarray, "track"]:
    """Robust cost of every track under a model's poses."""
    placed = refined_points(model, seen)
    kept = usable(placed, seen)
    cost = np.full(len(seen.track), FARTHEST_COST)
    squared = (residuals(placed, seen.kept(kept)) ** 2).sum(1)
    cost[kept] = np.minimum(np.log1p(squared / ROBUST_SIGMAS**2) * ROBUST_SIGMAS**2, FARTHEST_COST)
    return np.bincount(seen.track, cost, minlength=seen.track_count)
