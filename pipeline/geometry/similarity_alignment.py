"""Similarity alignment of camera trajectories (Umeyama, 1991)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from pipeline.cameras import rigid, rotation_angle_deg


@dataclass(frozen=True)
class Similarity:
    """x -> scale * rotation x + translation."""

    scale: float
    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, "xyz=3"]

    def points(self, points: Float[np.ndarray, "*batch xyz=3"]) -> Float[np.ndarray, "*batch xyz=3"]:
        return self.scale * points @ self.rotation.T + self.translation

    def poses(self, poses: Float[np.ndarray, "*batch 4 4"]) -> Float[np.ndarray, "*batch 4 4"]:
        """world_from_camera matrices moved to the new world; the camera's own units scale with it."""
        return rigid(self.rotation @ poses[..., :3, :3], self.points(poses[..., :3, 3]))

    def inverse(self) -> "Similarity":
        rotation = self.rotation.T
        return Similarity(1 / self.scale, rotation, -rotation @ self.translation / self.scale)


def align_points(source: Float[np.ndarray, "point xyz=3"], target: Float[np.ndarray, "point xyz=3"]) -> Similarity:
    """The similarity that takes `source` nearest to `target` in least squares (Umeyama, 1991, eq. 34 to 43).

    Points that all coincide, for which eq. 42 divides by 0, get the scale 1.
    """
    source_mean, target_mean = source.mean(0), target.mean(0)
    a, b = source - source_mean, target - target_mean
    u, singular, vt = np.linalg.svd(b.T @ a / len(a))
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = u @ np.diag(sign) @ vt
    variance = (a**2).sum() / len(a)
    scale = float((singular * sign).sum() / variance) if variance > 0 else 1.0
    return Similarity(scale, rotation, target_mean - scale * rotation @ source_mean)


def align_poses(source: Float[np.ndarray, "frame 4 4"], target: Float[np.ndarray, "frame 4 4"]) -> Similarity:
    """The similarity that takes world_from_camera `source` to `target`: rotation from the orientations, the rest from the centres.

    Centres alone leave the rotation loose where the camera moves along a line. The rotation is the chordal mean of the
    relative orientations (Hartley et al., Rotation Averaging, 2013), the scale the least squares one given the rotation.
    """
    u, _, vt = np.linalg.svd((target[:, :3, :3] @ np.swapaxes(source[:, :3, :3], -1, -2)).sum(0))
    rotation = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
    a = (source[:, :3, 3] - source[:, :3, 3].mean(0)) @ rotation.T
    b = target[:, :3, 3] - target[:, :3, 3].mean(0)
    scale = float((a * b).sum() / (a * a).sum()) if (a * a).sum() > 0 else 1.0
    return Similarity(scale, rotation, target[:, :3, 3].mean(0) - scale * rotation @ source[:, :3, 3].mean(0))


def rotation_error_deg(source: Float[np.ndarray, "frame 4 4"], target: Float[np.ndarray, "frame 4 4"]) -> float:
    """Mean angle between orientations after alignment by the poses."""
    aligned = align_poses(source, target).poses(source)
    return float(rotation_angle_deg(np.swapaxes(aligned[:, :3, :3], -1, -2) @ target[:, :3, :3]).mean())


def trajectory_error_percent(source: Float[np.ndarray, "frame 4 4"], target: Float[np.ndarray, "frame 4 4"]) -> float:
    """Absolute trajectory error (Sturm et al., IROS 2012) after Sim(3) alignment, as % of the trajectory's radius.

    The radius is the mean distance to the centre; objects, which have no common unit, become comparable.
    """
    centres, wanted = source[:, :3, 3], target[:, :3, 3]
    error = np.linalg.norm(align_points(centres, wanted).points(centres) - wanted, axis=1)
    radius = np.linalg.norm(wanted - wanted.mean(0), axis=1).mean()
    return float(100 * np.sqrt((error**2).mean()) / radius)
