"""How far cameras move when a part of the points is left out: the delete-a-group jackknife, each time by one Newton step.

What tracks claim of their accuracy leaves out what they share: neighbours err alike, a track errs alike all its life, and
all points of one side of a thing do, as that side turns away or falls into shade. So points are left out in groups as large
as a side (block jackknife: Kuensch, 1989; groups of a survey: Wolter, Introduction to Variance Estimation, ch. 4). Beside the
cluster-robust sandwich it has the leverage of a group, on which poses may hang alone (CR3 of MacKinnon and White, 1985).
The focal length hangs on the path, too: for it, parts of the time are left out as well.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from scipy.cluster.vq import kmeans2

from pipeline.sfm.bundle_adjustment import (
    Freedom,
    cholesky_solve,
    gradients_of_groups,
    information_of_cameras,
)
from pipeline.sfm.rigid_model import Observations, RigidModel, usable

# A solid thing has about as many sides. (n - 1) / n of the variance is left out: few groups tell a variance badly, and the
# interval that allows for it (Student's t of 5 degrees of freedom) is wider by as much.
GROUPS = 6
PARTITIONS = 5  # k-means ends elsewhere from every start: variances are means over several
FEWEST_IN_GROUP = 4
KEPT = 0.01  # weight of a group that is left out: frames that only it sees stay where they are


@dataclass(frozen=True)
class PoseCoordinates:
    """Changes of registered poses as (turn of the camera, its centre in units of `radius`) per frame, in place of twists."""

    model: RigidModel
    frames: Int[np.ndarray, "frame"]
    radius: float

    @classmethod
    def of_model(cls, model: RigidModel) -> "PoseCoordinates":
        """Of all registered frames, in units of the mean distance of their centres from the middle."""
        frames = np.flatnonzero(model.registered)
        centres = model.object_from_camera[frames, :3, 3]
        return cls(model, frames, max(float(np.linalg.norm(centres - centres.mean(0), axis=1).mean()), 1e-9))

    @cached_property
    def index(self) -> Int[np.ndarray, "parameter"]:
        """Which of the cameras' parameters are twists of registered frames."""
        return (6 * self.frames[:, None] + np.arange(6)).ravel()

    @cached_property
    def twists(self) -> Float[np.ndarray, "frame 6 6"]:
        """Change of each frame's twist with these coordinates."""
        change = np.zeros((len(self.frames), 6, 6))
        # A step (w, v) is applied after the pose: R' = exp(w) R, T' = exp(w) T + v, so the centre moves by -R^T v.
        change[:, :3, :3] = np.eye(3)
        change[:, 3:, 3:] = -self.radius * self.model.camera_from_object[self.frames, :3, :3]
        return change

    @cached_property
    def gauge(self) -> Float[np.ndarray, "parameter direction=7"]:
        """The 7 gauge freedoms: how a turn, a shift and a growth of the object's frame move all poses; no image shows them."""
        rotation = self.model.camera_from_object[self.frames, :3, :3]
        centres = self.model.object_from_camera[self.frames, :3, 3]
        arm = (centres - centres.mean(0)) / self.radius
        columns = []
        for axis in np.eye(3):
            # Turning the object's frame by `axis` turns camera_from_object by -R axis on its left.
            columns.append(np.concatenate([-(rotation @ axis), np.cross(axis, arm)], axis=1).ravel())
            columns.append(np.concatenate([np.zeros_like(arm), np.tile(axis, (len(self.frames), 1))], axis=1).ravel())
        columns.append(np.concatenate([np.zeros_like(arm), arm], axis=1).ravel())
        return np.linalg.qr(np.stack(columns, axis=1))[0]


@dataclass(frozen=True)
class LinearSystem:
    """The cameras' normal equations at a minimum, in PoseCoordinates and, if it is free, the logarithm of the focal length."""

    at: PoseCoordinates
    seen: Observations
    freedom: Freedom

    @classmethod
    def of_model(cls, model: RigidModel, seen: Observations, freedom: Freedom) -> "LinearSystem":
        """Of the observations that have both a pose and a point."""
        return cls(PoseCoordinates.of_model(model), seen.kept(usable(model, seen)), freedom)

    @cached_property
    def index(self) -> Int[np.ndarray, "parameter"]:
        """Which of the cameras' parameters take part."""
        focal = [6 * self.seen.frame_count + 1] if self.freedom.focal else []
        return np.append(self.at.index, focal).astype(int)

    def changed(self, rows: Float[np.ndarray, "parameter column"]) -> Float[np.ndarray, "parameter column"]:
        """Derivatives by these coordinates, of derivatives by twists; those by the focal length stay."""
        size = len(self.at.index)
        by_frame = rows[:size].reshape(len(self.at.frames), 6, -1)
        turned = (np.swapaxes(self.at.twists, 1, 2) @ by_frame).reshape(size, -1)
        return np.concatenate([turned, rows[size:]])

    def information(self, seen: Observations) -> Float[np.ndarray, "parameter parameter"]:
        """Of some of the observations."""
        matrix = information_of_cameras(self.at.model, seen, self.freedom)[np.ix_(self.index, self.index)]
        return self.changed(self.changed(matrix).T).T

    @cached_property
    def whole(self) -> Float[np.ndarray, "parameter parameter"]:
        """Information of all observations, gauge freedoms filled up: what is solved then stays outside of them."""
        matrix, size = self.information(self.seen), len(self.at.index)
        matrix[:size, :size] += np.trace(matrix) / len(matrix) * self.at.gauge @ self.at.gauge.T
        return matrix

    def solve(
        self, matrix: Float[np.ndarray, "parameter parameter"], right: Float[np.ndarray, "parameter"]
    ) -> Float[np.ndarray, "parameter"]:
        """The step that such a matrix makes of a gradient; parameters that nothing is known of stay."""
        free = np.diag(self.whole) > 1e-9
        step = np.zeros(len(right))
        step[free] = cholesky_solve(matrix[np.ix_(free, free)], right[free])
        return step

    def without_groups(self) -> Float[np.ndarray, "left_out parameter"]:
        """How far the minimum moves without each group of points, of several partitions; times 1 / PARTITIONS^(1/2)."""
        steps = []
        for seed in range(PARTITIONS):
            label, count = point_groups(self.at.model, seed)
            gradients = gradients_of_groups(self.at.model, self.seen, label, count, self.freedom)[:, self.index]
            for number, gradient in enumerate(self.changed(gradients.T).T):
                own = self.seen.kept(label[self.seen.track] == number)
                if len(own.track):
                    steps.append(self.solve(self.whole - (1 - KEPT) * self.information(own), -gradient))
        return np.array(steps).reshape(-1, len(self.index)) / PARTITIONS**0.5

    def without_times(self) -> Float[np.ndarray, "left_out parameter"]:
        """How far the minimum moves without what is seen in each of as many parts of the time."""
        part, steps = self.seen.frame * GROUPS // self.seen.frame_count, []
        for number in np.unique(part):
            left = self.seen.kept(part != number)
            left = left.kept(left.lengths[left.track] >= 2)
            together = np.zeros(left.track_count, int)
            gradient = gradients_of_groups(self.at.model, left, together, 1, self.freedom)[:, self.index]
            matrix = (1 - KEPT) * self.information(left) + KEPT * self.whole
            steps.append(self.solve(matrix, self.changed(gradient.T)[:, 0]))
        return np.array(steps).reshape(-1, len(self.index))


def point_groups(model: RigidModel, seed: int) -> tuple[Int[np.ndarray, "track"], int]:
    """Number of the group of each track's point, by place (k-means++), and how many there are; 0 without a point, too."""
    known = np.flatnonzero(model.has_point)
    count = max(1, min(GROUPS, len(known) // FEWEST_IN_GROUP))
    labels = np.zeros(len(model.points), int)
    labels[known] = kmeans2(model.points[known], count, seed=seed, minit="++")[1]
    return labels, count


def focal_response(model: RigidModel, seen: Observations) -> Float[np.ndarray, "parameter"]:
    """How far poses move with the logarithm of a focal length that is held, in PoseCoordinates."""
    joint = LinearSystem.of_model(model, seen, Freedom(focal=True))
    alone = LinearSystem(joint.at, joint.seen, Freedom())
    return alone.solve(alone.whole, -joint.whole[:-1, -1])


def focal_spread(model: RigidModel, seen: Observations, freedom: Freedom) -> float:
    """Standard deviation of the logarithm of the focal length by what groups of points say of it."""
    steps = LinearSystem.of_model(model, seen, freedom).without_groups()
    return float(np.linalg.norm(steps[:, -1])) if len(steps) else np.inf


def focal_spread_over_time(model: RigidModel, seen: Observations, freedom: Freedom) -> float:
    """The same by parts of the time that are left out, so that each estimate has nearly the whole path.

    Parts on their own have a short one each, and are off by far more than the root of their number times the whole.
    """
    steps = LinearSystem.of_model(model, seen, freedom).without_times()
    return float(np.linalg.norm(steps[:, -1])) if len(steps) > 1 else np.inf
