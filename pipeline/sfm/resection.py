"""Resection with a prediction: the pose of a frame from a few points and from what the motion expects, weighed by their errors."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial.transform import Rotation

from pipeline.cameras import Intrinsics, project, rigid, transform
from pipeline.sfm.bundle_adjustment import ROBUST_SIGMAS, rotation_exp
from pipeline.sfm.motion_prior import PosePrediction
from pipeline.sfm.rigid_model import RigidModel

ITERATIONS = 12
INLIER_SIGMAS = 4.0
MODEL_PX = 0.3  # how well the model itself knows where its points are


def resected(
    model: RigidModel,
    tracks: Int[np.ndarray, "point"],
    xy: Float[np.ndarray, "point xy=2"],
    covariance: Float[np.ndarray, "point 2 2"],
    expected: PosePrediction,
    frame: int,
) -> tuple[Float[np.ndarray, "4 4"], Bool[np.ndarray, "point"]]:
    """The likeliest pose under places of points, robustly, and what the motion expects (Gauss-Newton), and which points agree."""
    pose, camera = model.camera_from_object[frame], model.camera
    whitening = np.linalg.inv(np.linalg.cholesky(covariance + MODEL_PX**2 * np.eye(2)))
    points = model.points[tracks]
    centre = np.median(model.points, axis=0)
    weight = np.array([expected.turn_std] * 3 + [expected.place_std] * 3)
    prior = np.diag(1 / np.maximum(weight, 1e-9) ** 2)
    for _ in range(ITERATIONS):
        error, jacobian = whitened(camera, pose, points, centre, xy, whitening)
        robust = 1 / (1 + (error**2).sum(1) / ROBUST_SIGMAS**2)
        information = prior + np.einsum("p,pij,pik->jk", robust, jacobian, jacobian)
        right = np.einsum("p,pij,pi->j", robust, jacobian, error) - prior @ offset_from(pose, expected, centre)
        step = np.linalg.solve(information, right)
        pose = moved(pose, step, centre)
        if np.abs(step / np.maximum(weight, 1e-9)).max() < 1e-4:
            break
    error, _ = whitened(camera, pose, points, centre, xy, whitening)
    return pose, (error**2).sum(1) < INLIER_SIGMAS**2


def whitened(
    camera: Intrinsics,
    pose: Float[np.ndarray, "4 4"],
    points: Float[np.ndarray, "point xyz=3"],
    centre: Float[np.ndarray, "xyz=3"],
    xy: Float[np.ndarray, "point xy=2"],
    whitening: Float[np.ndarray, "point 2 2"],
) -> tuple[Float[np.ndarray, "point xy=2"], Float[np.ndarray, "point xy=2 six=6"]]:
    """Observed less projected places in standard deviations, and how these projections move with turn and place."""
    here = transform(pose, points)
    arm = here - transform(pose, centre[None])[0]
    depth = np.maximum(here[:, 2], 1e-6)
    flat = np.zeros((len(points), 2, 3))
    flat[:, 0, 0], flat[:, 1, 1] = camera.fx / depth, camera.fy / depth
    flat[:, 0, 2], flat[:, 1, 2] = -camera.fx * here[:, 0] / depth**2, -camera.fy * here[:, 1] / depth**2
    turn = np.zeros((len(points), 3, 3))  # w x arm = -[arm] w
    turn[:, 0, 1], turn[:, 0, 2], turn[:, 1, 2] = arm[:, 2], -arm[:, 1], arm[:, 0]
    turn -= np.swapaxes(turn, 1, 2)
    jacobian = whitening @ np.concatenate([flat @ turn, flat], axis=2)
    error = np.einsum("pij,pj->pi", whitening, xy - project(camera, np.c_[here[:, :2], depth]))
    return error, jacobian


def moved(
    pose: Float[np.ndarray, "4 4"], step: Float[np.ndarray, "six=6"], centre: Float[np.ndarray, "xyz=3"]
) -> Float[np.ndarray, "4 4"]:
    """A pose after a turn about the object's centre and a shift, both along the camera's axes."""
    rotation = rotation_exp(step[:3]) @ pose[:3, :3]
    place = transform(pose, centre[None])[0] + step[3:]
    return rigid(rotation, place - rotation @ centre)


def offset_from(
    pose: Float[np.ndarray, "4 4"], expected: PosePrediction, centre: Float[np.ndarray, "xyz=3"]
) -> Float[np.ndarray, "six=6"]:
    """Turn and shift that lead from the expected pose to this one."""
    before = expected.camera_from_object
    turn = Rotation.from_matrix(pose[:3, :3] @ before[:3, :3].T).as_rotvec()
    place = transform(pose, centre[None])[0] - transform(before, centre[None])[0]
    return np.concatenate([turn, place])
