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


@dataclass(frozen=True)
class Freedom:
    """What may change besides the points."""

    rotation: bool = True
    translation: bool = True
    focal: bool = False


@dataclass(frozen=True)
class Adjustment:
    """An adjusted model, its robust cost per observation, and the information matrix of poses (6 each) and focal length."""

    model: RigidModel
    cost: float
    information: Float[np.ndarray, "parameter parameter"]


def adjust(
    model: RigidModel, seen: Observations, freedom: Freedom, iterations: int = 40, tolerance: float = 1e-5
) -> Adjustment:
    """The model that minimises the robust, weighted reprojection error."""
    part, damping = seen.kept(usable(model, seen)), 1e-4
    if not len(part.track):
        return Adjustment(model, np.inf, np.eye(6 * seen.frame_count + 1))
    cost = robust_cost(model, part)
    for _ in range(iterations):
        while True:
            trial = stepped(model, part, freedom, damping)
            trial_cost = robust_cost(trial, part)
            if trial_cost < cost or damping > 1e6:
                break
            damping *= 8
        gain = (cost - trial_cost) / max(cost, 1e-12)
        if trial_cost < cost:
            model, cost, damping = trial, trial_cost, max(damping / 4, 1e-9)
        if gain < tolerance:
            break
    return Adjustment(model, cost, reduced_information(model, part, freedom))


def state(model: RigidModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Poses, points and (fx, fy, cx, cy), as the kernels take them."""
    return np.ascontiguousarray(model.camera_from_object), np.ascontiguousarray(model.points), model.camera.values


def by_track(seen: Observations) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where each track starts, and frames, places and whitening of its observations, as the kernels take them."""
    starts = np.searchsorted(seen.track, np.arange(seen.track_count + 1))
    return starts, seen.frame, np.ascontiguousarray(seen.xy), seen.whitening


def residuals(model: RigidModel, seen: Observations) -> Float[np.ndarray, "observation xy=2"]:
    """Observed less projected places, in standard deviations."""
    return whitened_errors(*state(model), seen.frame, seen.track, np.ascontiguousarray(seen.xy), seen.whitening)


def robust_cost(model: RigidModel, seen: Observations) -> float:
    """Mean Cauchy loss of the observations."""
    squared = (residuals(model, seen) ** 2).sum(1)
    return float(np.log1p(squared / ROBUST_SIGMAS**2).mean() * ROBUST_SIGMAS**2)


def stepped(model: RigidModel, seen: Observations, freedom: Freedom, damping: float) -> RigidModel:
    """The model after the damped step of cameras and points."""
    inputs = *state(model), *by_track(seen), ROBUST_SIGMAS, damping
    matrix, gradient, diagonal = reduced_system(*inputs)
    matrix[np.diag_indices_from(matrix)] += damping * diagonal + 1e-12
    free, camera_step = free_parameters(matrix, freedom), np.zeros_like(gradient)
    camera_step[free] = cholesky_solve(matrix[np.ix_(free, free)], gradient[free])
    return apply_step(model, camera_step, point_steps(camera_step, *inputs))


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
    matrix: Float[np.ndarray, "parameter parameter"], freedom: Freedom
) -> Bool[np.ndarray, "parameter"]:
    """Parameters that may change and that anything is known of."""
    frames = len(matrix) // 6
    free = np.append(np.tile(np.repeat([freedom.rotation, freedom.translation], 3), frames), freedom.focal)
    return free & (np.diag(matrix) > 1e-9)


def apply_step(
    model: RigidModel, camera_step: Float[np.ndarray, "parameter"], point_step: Float[np.ndarray, "track xyz=3"]
) -> RigidModel:
    """The model moved by a step."""
    twist = camera_step[:-1].reshape(-1, 6)
    step = np.zeros((len(twist), 4, 4))
    step[:, :3, :3], step[:, :3, 3], step[:, 3, 3] = rotation_exp(twist[:, :3]), twist[:, 3:], 1
    factor = float(np.exp(np.clip(camera_step[-1], -0.3, 0.3)))
    old = model.camera
    camera = Intrinsics(old.fx * factor, old.fy * factor, old.cx, old.cy, old.width, old.height)
    return replace(
        model, camera_from_object=step @ model.camera_from_object, points=model.points + point_step, camera=camera
    )


def rotation_exp(vectors: Float[np.ndarray, "*batch xyz=3"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Rotations by vectors (axis times angle); Rodrigues' formula."""
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([np.stack([zero, -z, y], -1), np.stack([z, zero, -x], -1), np.stack([-y, x, zero], -1)], -2)
    one = np.sinc(angle / np.pi)
    two = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    return np.eye(3) + one * cross + two * cross @ cross


def reduced_information(
    model: RigidModel, seen: Observations, freedom: Freedom
) -> Float[np.ndarray, "parameter parameter"]:
    """Information on the cameras alone, points being free: the Schur complement, gauge freedoms left in (Triggs, sec. 6.1)."""
    matrix, _, _ = reduced_system(*state(model), *by_track(seen), ROBUST_SIGMAS, 0.0)
    matrix = np.tril(matrix) + np.tril(matrix, -1).T
    held = ~free_parameters(matrix, freedom)
    matrix[held], matrix[:, held] = 0, 0
    matrix[held, held] = 1
    return matrix


def gradients_of_groups(
    model: RigidModel, seen: Observations, group: Int[np.ndarray, "track"], count: int
) -> Float[np.ndarray, "group parameter"]:
    """Each group's share of the gradient by the poses, points being free; at the minimum the shares add up to zero."""
    part = seen.kept(usable(model, seen))
    return grouped_gradients(group, count, *state(model), *by_track(part), ROBUST_SIGMAS)
