"""How far a model's poses may be off, as the tracks' own disagreement tells it, and whether another shape would do as well.

What tracks claim of their accuracy leaves out what they share: neighbours err alike, and a track errs alike all its life.
So points are taken in clusters, and each cluster's gradient counts as one
observation: the cluster-robust sandwich covariance (Liang and Zeger, 1986).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.cluster.vq import kmeans2

from pipeline.geometry.similarity_alignment import rotation_error_deg, trajectory_error_percent
from pipeline.sfm.bundle_adjustment import ROBUST_SIGMAS, Adjustment, gradients_of_groups, residuals
from pipeline.sfm.mapping import HELD_OUT_EVERY, Candidate, refined_points
from pipeline.sfm.rigid_model import Observations, RigidModel, usable

CLUSTERS, PARTITIONS = 40, 5  # k-means ends elsewhere from every start: variances are means over several
FEWEST_IN_CLUSTER = 4
INFLATION = 2.4  # against truth, errors are that much larger: all clusters share what curved patches and shading do
# Delete-a-group jackknife: leaving out one of n parts moves poses by their standard deviation over the root of n - 1.
JACKKNIFE = (HELD_OUT_EVERY - 1) ** 0.5
UNKNOWN = (180.0, 100.0)
SURE_SIGMAS = 2.58  # 99 %
FAR_WORSE_SIGMAS = 6.0  # the search leaves minima half way: what it holds against a shape may be its own doing
MOST_SHAPES = 3
OTHER_DEG, OTHER_PERCENT = 3.0, 10.0  # closer than this, two shapes count as one
LEAST_FRAMES_SHARE = 0.9
FARTHEST_COST = 50.0  # of an observation that a shape does not have


@dataclass(frozen=True)
class Rival:
    """A shape that the tracks do not rule out, and how far its poses are from the chosen one's."""

    rotation_deg: float
    trajectory_percent: float
    model: RigidModel


def pose_std(adjusted: Adjustment, seen: Observations, without_held_out: RigidModel) -> tuple[float, float]:
    """Standard deviations of the orientation (degrees) and of the camera's path (% of its radius), up to a similarity.

    The larger of two: what clusters of points disagree by, and how far the poses moved when the held-out tracks joined.
    """
    model = adjusted.model
    frames = np.flatnonzero(model.registered)
    if len(frames) < 3 or not np.isfinite(adjusted.cost) or model.has_point.sum() < 4:
        return UNKNOWN
    moved = pose_difference(without_held_out, model)
    clustered = clustered_pose_std(adjusted, seen, frames)
    pairs = zip(clustered, moved, UNKNOWN, strict=True)
    rotation, trajectory = (min(max(INFLATION * own, JACKKNIFE * shift), most) for own, shift, most in pairs)
    return rotation, trajectory


def pose_difference(one: RigidModel, other: RigidModel) -> tuple[float, float]:
    """Degrees, and % of the path, between two models of the same tracks."""
    both = one.registered & other.registered
    if both.sum() < 3:
        return UNKNOWN
    a, b = one.object_from_camera[both], other.object_from_camera[both]
    return rotation_error_deg(a, b), trajectory_error_percent(a, b)


def is_another(one: RigidModel, other: RigidModel) -> bool:
    """Whether two models are far enough from each other to count as different shapes."""
    rotation, trajectory = pose_difference(one, other)
    return rotation > OTHER_DEG or trajectory > OTHER_PERCENT


def clustered_pose_std(
    adjusted: Adjustment, seen: Observations, frames: Int[np.ndarray, "frame"]
) -> tuple[float, float]:
    """Standard deviations of the poses by the sandwich covariance over clusters of points: A^-1 (sum of g g^T) A^-1."""
    model = adjusted.model
    centres = model.object_from_camera[frames, :3, 3]
    radius = max(float(np.linalg.norm(centres - centres.mean(0), axis=1).mean()), 1e-9)
    index = (6 * frames[:, None] + np.arange(6)).ravel()
    change = twist_from_centre(model, frames, radius)
    information = change.T @ adjusted.information[np.ix_(index, index)] @ change
    inverse = inverse_outside_gauge(information, gauge_directions(model, frames, radius))
    variance = np.zeros((len(frames), 6))
    for seed in range(PARTITIONS):
        gradients = gradients_of_groups(model, seen, point_clusters(model, seed), CLUSTERS + 1)[:, index] @ change
        variance = variance + ((inverse @ gradients.T) ** 2).sum(1).reshape(-1, 6) / PARTITIONS
    rotation, place = (float(np.sqrt(part.sum(1).mean())) for part in (variance[:, :3], variance[:, 3:]))
    return float(np.degrees(rotation)), 100 * place


def point_clusters(model: RigidModel, seed: int) -> Int[np.ndarray, "track"]:
    """Number of the cluster of each track's point, by place (k-means++); 0 without a point."""
    known = np.flatnonzero(model.has_point)
    count = max(1, min(CLUSTERS, len(known) // FEWEST_IN_CLUSTER))
    labels = np.zeros(len(model.points), int)
    labels[known] = 1 + kmeans2(model.points[known], count, seed=seed, minit="++")[1]
    return labels


def twist_from_centre(
    model: RigidModel, frames: Int[np.ndarray, "frame"], radius: float
) -> Float[np.ndarray, "parameter parameter"]:
    """Change of the poses' twists with (turn of the camera, its centre in units of `radius`), per frame."""
    change = np.zeros((6 * len(frames), 6 * len(frames)))
    # A step (w, v) is applied after the pose: R' = exp(w) R, T' = exp(w) T + v, so the centre moves by -R^T v.
    for i, pose in enumerate(model.camera_from_object[frames]):
        turn, place = slice(6 * i, 6 * i + 3), slice(6 * i + 3, 6 * i + 6)
        change[turn, turn], change[place, place] = np.eye(3), -radius * pose[:3, :3]
    return change


def inverse_outside_gauge(
    information: Float[np.ndarray, "parameter parameter"], gauge: Float[np.ndarray, "parameter direction"]
) -> Float[np.ndarray, "parameter parameter"]:
    """Inverse outside the gauge directions: the covariance under the inner constraints of a free network.

    Triggs et al., Bundle Adjustment - A Modern Synthesis (2000), sec. 9 on gauge freedom.
    """
    projector = np.eye(len(information)) - gauge @ gauge.T
    values, vectors = np.linalg.eigh(projector @ information @ projector)
    inverse = np.where(values > 1e-9 * values[-1], 1 / np.maximum(values, 1e-300), 0.0)
    inverse[: gauge.shape[1]] = 0.0
    return (vectors * inverse) @ vectors.T


def gauge_directions(
    model: RigidModel, frames: Int[np.ndarray, "frame"], radius: float
) -> Float[np.ndarray, "parameter direction=7"]:
    """The 7 gauge freedoms: how a turn, a shift and a growth of the object's frame move all poses; no image shows them."""
    rotation = model.camera_from_object[frames, :3, :3]
    centres = model.object_from_camera[frames, :3, 3]
    arm = (centres - centres.mean(0)) / radius
    columns = []
    for axis in np.eye(3):
        # Turning the object's frame by `axis` turns camera_from_object by -R axis on its left.
        columns.append(np.concatenate([-(rotation @ axis), np.cross(axis, arm)], axis=1).ravel())
        columns.append(np.concatenate([np.zeros_like(arm), np.tile(axis, (len(frames), 1))], axis=1).ravel())
    columns.append(np.concatenate([np.zeros_like(arm), arm], axis=1).ravel())
    return np.linalg.qr(np.stack(columns, axis=1))[0]


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
        other = complete and is_another(model, best)
        if other and vuong_statistic(track_costs(model, seen) - costs) < SURE_SIGMAS:
            rivals.append(Rival(*pose_difference(model, best), model))
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
