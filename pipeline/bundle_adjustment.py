"""Bundle adjustment with an uncertainty per observation, a robust loss, and the covariance of the result.

pycolmap's own adjustment weighs all observations alike and runs in threads whose order changes the last digits; this one
uses what the tracks know of their accuracy and repeats exactly. Levenberg-Marquardt on the Schur complement, all dense.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_matrix

from pipeline.cameras import Intrinsics, transform
from pipeline.rigid_model import Observations, RigidModel, usable

ROBUST_SIGMAS = 2.0
NEAREST = 1e-6
POINTS_AT_ONCE = 2000


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


@dataclass(frozen=True)
class Linearised:
    """Normal equations: cameras (6 per frame, then log focal), points, and their coupling."""

    cameras: Float[np.ndarray, "parameter parameter"]
    points: Float[np.ndarray, "track 3 3"]
    coupling: Float[np.ndarray, "parameter track xyz=3"]
    camera_gradient: Float[np.ndarray, "parameter"]
    point_gradient: Float[np.ndarray, "track xyz=3"]


def adjust(
    model: RigidModel, seen: Observations, freedom: Freedom, iterations: int = 40, tolerance: float = 1e-5
) -> Adjustment:
    """The model that minimises the robust, weighted reprojection error."""
    mask = usable(model, seen)
    part, damping = seen.kept(mask), 1e-4
    if not len(part.track):
        return Adjustment(model, np.inf, np.eye(6 * seen.frame_count + 1))
    cost = robust_cost(model, part)
    for _ in range(iterations):
        system = linearise(model, part)
        while True:
            trial = apply_step(model, *solve(system, damping, freedom))
            trial_cost = robust_cost(trial, part)
            if trial_cost < cost or damping > 1e6:
                break
            damping *= 8
        gain = (cost - trial_cost) / max(cost, 1e-12)
        if trial_cost < cost:
            model, cost, damping = trial, trial_cost, max(damping / 4, 1e-9)
        if gain < tolerance:
            break
    return Adjustment(model, cost, reduced_information(linearise(model, part), freedom))


def residuals(model: RigidModel, seen: Observations) -> Float[np.ndarray, "observation xy=2"]:
    """Observed minus projected, in standard deviations."""
    xyz = transform(model.camera_from_object[seen.frame], model.points[seen.track])
    z = np.where(xyz[:, 2] > NEAREST, xyz[:, 2], NEAREST)
    camera = model.camera
    u = camera.fx * xyz[:, 0] / z + camera.cx
    v = camera.fy * xyz[:, 1] / z + camera.cy
    return (seen.xy - np.stack([u, v], axis=1)) / seen.sigma_px[:, None]


def robust_cost(model: RigidModel, seen: Observations) -> float:
    """Mean Cauchy loss of the observations."""
    squared = (residuals(model, seen) ** 2).sum(1)
    return float(np.log1p(squared / ROBUST_SIGMAS**2).mean() * ROBUST_SIGMAS**2)


def linearise(model: RigidModel, seen: Observations) -> Linearised:
    """Normal equations around a model, observations weighted by the slope of the robust loss."""
    frames, tracks = seen.frame_count, seen.track_count
    by_camera, by_point = jacobians(model, seen)
    error = residuals(model, seen)
    before_camera = transform(model.camera_from_object[seen.frame], model.points[seen.track])[:, 2] > NEAREST
    root = before_camera / np.sqrt(1 + (error**2).sum(1) / ROBUST_SIGMAS**2)
    by_camera, by_point, error = by_camera * root[:, None, None], by_point * root[:, None, None], error * root[:, None]
    size, in_frames, in_tracks = 6 * frames + 1, gatherer(seen.frame, frames), gatherer(seen.track, tracks)
    pose, focal = by_camera[..., :6], by_camera[..., 6:]
    cameras = np.zeros((size, size))
    blocks = in_frames(products(pose, pose))
    index = 6 * np.arange(frames)[:, None] + np.arange(6)
    cameras[index[:, :, None], index[:, None, :]] = blocks
    cameras[-1, :-1] = cameras[:-1, -1] = in_frames(products(pose, focal)).ravel()
    cameras[-1, -1] = (focal**2).sum()
    coupling = np.zeros((size, tracks, 3))
    # A track is seen once in a frame at most: blocks are set, not summed.
    coupling[index[seen.frame], seen.track[:, None]] = products(pose, by_point)
    coupling[-1] = in_tracks(products(focal, by_point))[:, 0]
    camera_gradient = np.append(in_frames(products(pose, error[..., None])).ravel(), (focal[..., 0] * error).sum())
    point_gradient = in_tracks(products(by_point, error[..., None]))[..., 0]
    return Linearised(cameras, in_tracks(products(by_point, by_point)), coupling, camera_gradient, point_gradient)


def products(
    a: Float[np.ndarray, "observation xy=2 left"], b: Float[np.ndarray, "observation xy=2 right"]
) -> Float[np.ndarray, "observation left right"]:
    """a'b of each observation."""
    return a[:, 0, :, None] * b[:, 0, None, :] + a[:, 1, :, None] * b[:, 1, None, :]


def gatherer(group: Int[np.ndarray, "observation"], count: int) -> Callable[[np.ndarray], np.ndarray]:
    """A function that sums blocks of observations by group."""
    ones = np.ones(len(group))
    summing = csr_matrix((ones, (group, np.arange(len(group)))), shape=(count, len(group)))
    return lambda blocks: (summing @ blocks.reshape(len(group), -1)).reshape(count, *blocks.shape[1:])


def jacobians(
    model: RigidModel, seen: Observations
) -> tuple[Float[np.ndarray, "observation xy=2 parameter=7"], Float[np.ndarray, "observation xy=2 xyz=3"]]:
    """Change of the projection, in standard deviations, with (rotation, translation, log focal) and with the point."""
    pose = model.camera_from_object[seen.frame]
    x, y, z = transform(pose, model.points[seen.track]).T
    z = np.where(z > NEAREST, z, NEAREST)
    zero, fx, fy = np.zeros_like(x), model.camera.fx, model.camera.fy
    by_xyz = np.stack([np.stack([fx / z, zero, -fx * x / z**2], -1), np.stack([zero, fy / z, -fy * y / z**2], -1)], 1)
    # d(R(w) X)/dw = -[X]x
    turn = np.stack([np.stack([zero, z, -y], -1), np.stack([-z, zero, x], -1), np.stack([y, -x, zero], -1)], 1)
    by_focal = np.stack([fx * x / z, fy * y / z], -1)[..., None]
    by_camera = np.concatenate([by_xyz @ turn, by_xyz, by_focal], axis=2)
    sigma = seen.sigma_px[:, None, None]
    return by_camera / sigma, (by_xyz @ pose[:, :3, :3]) / sigma


def solve(
    system: Linearised, damping: float, freedom: Freedom
) -> tuple[Float[np.ndarray, "parameter"], Float[np.ndarray, "track xyz=3"]]:
    """The damped step of cameras and points."""
    diagonal = np.einsum("pii->pi", system.points)
    points = system.points + np.einsum("pi,ij->pij", damping * diagonal + 1e-12, np.eye(3))
    points_inverse = np.linalg.inv(points + 1e-9 * np.trace(points, axis1=1, axis2=2)[:, None, None] * np.eye(3))
    cameras = system.cameras + np.diag(damping * np.diag(system.cameras) + 1e-12)
    reduced, gradient = eliminate_points(system, cameras, points_inverse)
    hold(reduced, gradient, freedom)
    camera_step = cholesky_solve(reduced, gradient)
    remaining = system.point_gradient - np.tensordot(camera_step, system.coupling, axes=1)
    return camera_step, np.einsum("pij,pj->pi", points_inverse, remaining)


def cholesky_solve(
    matrix: Float[np.ndarray, "parameter parameter"], right: Float[np.ndarray, "parameter"]
) -> Float[np.ndarray, "parameter"]:
    """Solution of a system that should be positive definite; rounding that made it otherwise is damped away."""
    scale, ridge = np.sqrt(np.maximum(np.diag(matrix), 1e-12)), 1e-12
    balanced = matrix / scale[:, None] / scale[None, :]
    while True:
        try:
            return cho_solve(cho_factor(balanced + ridge * np.eye(len(matrix))), right / scale) / scale
        except np.linalg.LinAlgError:
            ridge *= 100


def eliminate_points(
    system: Linearised,
    cameras: Float[np.ndarray, "parameter parameter"],
    points_inverse: Float[np.ndarray, "track 3 3"],
) -> tuple[Float[np.ndarray, "parameter parameter"], Float[np.ndarray, "parameter"]]:
    """Schur complement of the points, a block of points at a time."""
    reduced, gradient = cameras.copy(), system.camera_gradient.copy()
    for start in range(0, len(points_inverse), POINTS_AT_ONCE):
        block = slice(start, start + POINTS_AT_ONCE)
        coupling = system.coupling[:, block]
        carried = np.einsum("cpi,pij->cpj", coupling, points_inverse[block], optimize=False).reshape(len(reduced), -1)
        reduced -= carried @ coupling.reshape(len(reduced), -1).T
        gradient -= carried @ system.point_gradient[block].ravel()
    return (reduced + reduced.T) / 2, gradient


def hold(
    reduced: Float[np.ndarray, "parameter parameter"], gradient: Float[np.ndarray, "parameter"], freedom: Freedom
) -> None:
    """Take parameters that are not free, or not seen, out of the system (in place)."""
    frames = len(gradient) // 6
    free = np.append(np.tile(np.repeat([freedom.rotation, freedom.translation], 3), frames), freedom.focal)
    free &= np.diag(reduced) > 1e-9
    reduced[~free], reduced[:, ~free], gradient[~free] = 0, 0, 0
    reduced[~free, ~free] = 1


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


def reduced_information(system: Linearised, freedom: Freedom) -> Float[np.ndarray, "parameter parameter"]:
    """Information on the cameras alone, points being free."""
    scale = np.trace(system.points, axis1=1, axis2=2)[:, None, None] * np.eye(3)
    reduced, gradient = eliminate_points(
        system, system.cameras, np.linalg.inv(system.points + 1e-9 * scale + 1e-12 * np.eye(3))
    )
    hold(reduced, gradient, freedom)
    return reduced
