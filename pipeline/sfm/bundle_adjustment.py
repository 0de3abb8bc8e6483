"""Bundle adjustment with an uncertainty per observation, a robust loss, and the covariance of the result.

pycolmap's own adjustment weighs all observations alike and runs in threads whose order changes the last digits; this one
uses what the tracks know of their accuracy, which is another along an edge than across it, and repeats exactly.

Levenberg-Marquardt with Marquardt's scaling on the reduced camera system (Triggs et al., Bundle Adjustment - A Modern
Synthesis, 2000, sec. 6.1). The robust loss reweights the observations; the second-order term of their sec. 3.3 is left out.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.linalg import cho_factor, cho_solve

from models.ops.bundle_adjustment import grouped_gradients, point_steps, reduced_system, whitened_errors
from pipeline.cameras import Intrinsics
from pipeline.sfm.rigid_model import Observations, RigidModel, usable

ROBUST_SIGMAS = 2.0
LARGEST_STEP = 0.3  # of the logarithm of a focal length
MOST_PULLED_IN, MOST_PUSHED_OUT = -0.14, 1.0  # of a radial term, at the corners of the image


@dataclass(frozen=True)
class Freedom:
    """What may change besides the points."""

    rotation: bool = True
    translation: bool = True
    focal: bool = False
    radial: bool = False
    zoom: bool = False  # each frame has a focal length of its own

    @property
    def lens(self) -> bool:
        return self.focal or self.radial or self.zoom


@dataclass(frozen=True)
class Shape:
    """What self-calibration finds beside the pinhole: a radial term, and each frame's focal length over the pinhole's.

    COLMAP's SIMPLE_RADIAL: a point at (u, v) at unit depth is seen at (u, v) (1 + radial (u^2 + v^2)), times the focal length.
    """

    radial: float
    zoom: Float[np.ndarray, "frame"]

    @classmethod
    def straight(cls, frame_count: int) -> "Shape":
        """A pinhole that does not zoom."""
        return cls(0.0, np.ones(frame_count))


@dataclass(frozen=True)
class Adjustment:
    """An adjusted model, its robust cost per observation, the information matrix, and the lens beside the pinhole.

    The matrix is of poses (6 each), the radial term, and the logarithm of the focal length (of each frame, if it zooms).
    """

    model: RigidModel
    cost: float
    information: Float[np.ndarray, "parameter parameter"]
    shape: Shape | None = None


def adjust(
    model: RigidModel,
    seen: Observations,
    freedom: Freedom,
    iterations: int = 40,
    tolerance: float = 1e-5,
    shape: Shape | None = None,
) -> Adjustment:
    """The model that minimises the robust, weighted reprojection error."""
    part, damping = seen.kept(usable(model, seen)), 1e-4
    shape = shape or Shape.straight(seen.frame_count)
    if not len(part.track):
        return Adjustment(model, np.inf, np.eye(6 * seen.frame_count + 2), shape)
    cost = robust_cost(model, part, shape)
    for _ in range(iterations):
        while True:
            trial, trial_shape = stepped(model, part, freedom, damping, shape)
            trial_cost = robust_cost(trial, part, trial_shape)
            if trial_cost < cost or damping > 1e6:
                break
            damping *= 8
        gain = (cost - trial_cost) / max(cost, 1e-12)
        if trial_cost < cost:
            model, shape, cost, damping = trial, trial_shape, trial_cost, max(damping / 4, 1e-9)
        if gain < tolerance:
            break
    return Adjustment(model, cost, reduced_information(model, part, freedom, shape), shape)


def state(model: RigidModel, shape: Shape | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Poses, points and each frame's (fx, fy, cx, cy, k1), as the kernels take them."""
    frames = len(model.camera_from_object)
    shape = shape or Shape.straight(frames)
    lens = np.tile(np.append(model.camera.values, shape.radial), (frames, 1))
    lens[:, :2] *= shape.zoom[:, None]
    return np.ascontiguousarray(model.camera_from_object), np.ascontiguousarray(model.points), lens


def layout(freedom: Freedom, frame_count: int) -> tuple[Int[np.ndarray, "frame"], int]:
    """Which frames share a focal length, and how many parameters an observation depends on, as the kernels take them."""
    groups = np.arange(frame_count) if freedom.zoom else np.zeros(frame_count, int)
    return groups, 8 if freedom.lens else 6


def by_track(seen: Observations) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where each track starts, and frames, places and whitening of its observations, as the kernels take them."""
    starts = np.searchsorted(seen.track, np.arange(seen.track_count + 1))
    return starts, seen.frame, np.ascontiguousarray(seen.xy), seen.whitening


def residuals(
    model: RigidModel, seen: Observations, shape: Shape | None = None
) -> Float[np.ndarray, "observation xy=2"]:
    """Observed less projected places, in standard deviations."""
    return whitened_errors(*state(model, shape), seen.frame, seen.track, np.ascontiguousarray(seen.xy), seen.whitening)


def robust_costs(model: RigidModel, seen: Observations, shape: Shape | None = None) -> Float[np.ndarray, "observation"]:
    """Cauchy loss of each observation."""
    squared = (residuals(model, seen, shape) ** 2).sum(1)
    return np.log1p(squared / ROBUST_SIGMAS**2) * ROBUST_SIGMAS**2


def robust_cost(model: RigidModel, seen: Observations, shape: Shape | None = None) -> float:
    """Mean Cauchy loss of the observations."""
    return float(robust_costs(model, seen, shape).mean())


def stepped(
    model: RigidModel, seen: Observations, freedom: Freedom, damping: float, shape: Shape
) -> tuple[RigidModel, Shape]:
    """The model after the damped step of cameras and points."""
    inputs = *state(model, shape), *layout(freedom, seen.frame_count), *by_track(seen), ROBUST_SIGMAS, damping
    matrix, gradient, diagonal = reduced_system(*inputs)
    matrix[np.diag_indices_from(matrix)] += damping * diagonal + 1e-12
    free, camera_step = free_parameters(matrix, freedom, seen.frame_count), np.zeros_like(gradient)
    camera_step[free] = cholesky_solve(matrix[np.ix_(free, free)], gradient[free])
    return apply_step(model, camera_step, point_steps(camera_step, *inputs), shape)


def cholesky_solve(
    matrix: Float[np.ndarray, "parameter parameter"], right: Float[np.ndarray, "parameter"]
) -> Float[np.ndarray, "parameter"]:
    """Solution of a system, given by its lower triangle, that should be positive definite.

    Rounding that made it otherwise is damped away.
    """
    if not len(right):
        return right
    scale, ridge = np.sqrt(np.maximum(np.diag(matrix), 1e-12)), 1e-12
    balanced = matrix / scale[:, None] / scale[None, :]
    while True:
        try:
            factor = cho_factor(balanced + ridge * np.eye(len(matrix)), lower=True, check_finite=False)
            return cho_solve(factor, right / scale, check_finite=False) / scale
        except np.linalg.LinAlgError:
            ridge *= 100


def free_parameters(
    matrix: Float[np.ndarray, "parameter parameter"], freedom: Freedom, frame_count: int
) -> Bool[np.ndarray, "parameter"]:
    """Parameters that may change and that anything is known of."""
    poses = np.tile(np.repeat([freedom.rotation, freedom.translation], 3), frame_count)
    focals = np.full(len(matrix) - len(poses) - 1, freedom.focal or freedom.zoom)
    return np.concatenate([poses, [freedom.radial], focals]) & (np.diag(matrix) > 1e-9)


def apply_step(
    model: RigidModel,
    camera_step: Float[np.ndarray, "parameter"],
    point_step: Float[np.ndarray, "track xyz=3"],
    shape: Shape | None = None,
) -> tuple[RigidModel, Shape]:
    """The model and its lens moved by a step; the pinhole has the geometric mean of the frames' focal lengths."""
    frames, old = len(model.camera_from_object), model.camera
    shape = shape or Shape.straight(frames)
    twist = camera_step[: 6 * frames].reshape(-1, 6)
    step = np.zeros((frames, 4, 4))
    step[:, :3, :3], step[:, :3, 3], step[:, 3, 3] = rotation_exp(twist[:, :3]), twist[:, 3:], 1
    stretch = np.clip(camera_step[6 * frames + 1 :], -LARGEST_STEP, LARGEST_STEP)
    factor = float(np.exp(stretch.mean()))
    camera = Intrinsics(old.fx * factor, old.fy * factor, old.cx, old.cy, old.width, old.height)
    radial = float(np.clip(shape.radial + camera_step[6 * frames], *sane_radials(camera)))
    moved = replace(
        model, camera_from_object=step @ model.camera_from_object, points=model.points + point_step, camera=camera
    )
    return moved, Shape(radial, shape.zoom * np.exp(stretch - stretch.mean()))


def sane_radials(camera: Intrinsics) -> tuple[float, float]:
    """Radial terms under which the image does not fold over before its corners."""
    corner = ((camera.width / 2) ** 2 + (camera.height / 2) ** 2) / (camera.fx * camera.fy)
    # u (1 + k u^2) grows while 3 k u^2 > -1; undistorted, the corner lies farther out than it is seen.
    return MOST_PULLED_IN / corner, MOST_PUSHED_OUT / corner


def rotation_exp(vectors: Float[np.ndarray, "*batch xyz=3"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Rotations by vectors (axis times angle); Rodrigues' formula."""
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([np.stack([zero, -z, y], -1), np.stack([z, zero, -x], -1), np.stack([-y, x, zero], -1)], -2)
    one = np.sinc(angle / np.pi)
    two = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    return np.eye(3) + one * cross + two * cross @ cross


def information_of_cameras(
    model: RigidModel, seen: Observations, freedom: Freedom, shape: Shape | None = None
) -> Float[np.ndarray, "parameter parameter"]:
    """What observations tell of all cameras' parameters, points being free, whether they may change or not."""
    groups = layout(freedom, seen.frame_count)
    matrix, _, _ = reduced_system(*state(model, shape), *groups, *by_track(seen), ROBUST_SIGMAS, 0.0)
    return np.tril(matrix) + np.tril(matrix, -1).T


def reduced_information(
    model: RigidModel, seen: Observations, freedom: Freedom, shape: Shape | None = None
) -> Float[np.ndarray, "parameter parameter"]:
    """Information on the cameras alone, points being free: the Schur complement, gauge freedoms left in (Triggs, sec. 6.1)."""
    matrix = information_of_cameras(model, seen, freedom, shape)
    held = ~free_parameters(matrix, freedom, seen.frame_count)
    matrix[held], matrix[:, held] = 0, 0
    matrix[held, held] = 1
    return matrix


def gradients_of_groups(
    model: RigidModel,
    seen: Observations,
    group: Int[np.ndarray, "track"],
    count: int,
    freedom: Freedom = Freedom(),
    shape: Shape | None = None,
) -> Float[np.ndarray, "group parameter"]:
    """Each group's share of the gradient, points being free; at the minimum the shares add up to zero."""
    part = seen.kept(usable(model, seen))
    inputs = *state(model, shape), *layout(freedom, seen.frame_count), *by_track(part)
    return grouped_gradients(group, count, *inputs, ROBUST_SIGMAS)
