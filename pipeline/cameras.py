"""Cameras, and every convention of this project.

Axes are OpenCV's: x right, y down, z forward. The centre of the pixel in row i and column j is (j + 0.5, i + 0.5); points
are (x, y), sizes are (height, width). Intrinsics are in pixels. `a_from_b` is a 4x4 matrix that takes points of frame b to
frame a. The world is the frame of object 0, the background. Depth is z in the camera, distance is along the ray. There are
no metres: each object has the units of its own reconstruction until a scale is chosen. A ray's direction has unit depth (z = 1
in its camera), not unit length, so that its parameter is depth: point = origin + depth * direction. Where a ray is taken to
another frame its direction is turned, and keeps its length. Distance, which densities are integrated over, is depth times
the direction's length; only what needs a unit vector (a view direction that a network sees, a rotation, a sum over rays)
normalises it, on the spot. Time is the integer frame index.
Object id 0 is the background, 255 means "ignore". Images are sRGB, 8 bits a channel.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

IGNORE_ID = 255
BACKGROUND_ID = 0


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole camera, in pixels."""

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    @staticmethod
    def centred(focal_px: float, height: int, width: int) -> "Intrinsics":
        """Square pixels, principal point in the middle."""
        return Intrinsics(focal_px, focal_px, width / 2, height / 2, width, height)

    @staticmethod
    def from_values(values: Float[np.ndarray, "value=4"], height: int, width: int) -> "Intrinsics":
        """From (fx, fy, cx, cy)."""
        fx, fy, cx, cy = (float(value) for value in values)
        return Intrinsics(fx, fy, cx, cy, width, height)

    @property
    def values(self) -> Float[np.ndarray, "value=4"]:
        """(fx, fy, cx, cy)."""
        return np.array([self.fx, self.fy, self.cx, self.cy])

    @property
    def matrix(self) -> Float[np.ndarray, "3 3"]:
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1.0]])

    def resized(self, height: int, width: int) -> "Intrinsics":
        """The same camera for an image of another size."""
        x, y = width / self.width, height / self.height
        return Intrinsics(self.fx * x, self.fy * y, self.cx * x, self.cy * y, width, height)


def pixel_centres(height: int, width: int) -> Float[np.ndarray, "height width xy=2"]:
    """Centres of all pixels."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return np.stack([x, y], axis=-1)


def directions_at_unit_depth(
    intrinsics: Intrinsics, xy: Float[np.ndarray, "*batch xy=2"]
) -> Float[np.ndarray, "*batch xyz=3"]:
    """Directions through image points, in the camera's frame, with z = 1."""
    x = (xy[..., 0] - intrinsics.cx) / intrinsics.fx
    y = (xy[..., 1] - intrinsics.cy) / intrinsics.fy
    return np.stack([x, y, np.ones_like(x)], axis=-1)


def unproject(
    intrinsics: Intrinsics, xy: Float[np.ndarray, "*batch xy=2"], depth: Float[np.ndarray, "*batch"]
) -> Float[np.ndarray, "*batch xyz=3"]:
    """Points in the camera's frame of image points at a depth: the inverse of `project`."""
    return directions_at_unit_depth(intrinsics, xy) * depth[..., None]


def project(intrinsics: Intrinsics, points: Float[np.ndarray, "*batch xyz=3"]) -> Float[np.ndarray, "*batch xy=2"]:
    """Image points of points in the camera's frame (z > 0)."""
    x, y, z = np.moveaxis(points, -1, 0)
    return np.stack([intrinsics.fx * x / z + intrinsics.cx, intrinsics.fy * y / z + intrinsics.cy], axis=-1)


def transform(
    a_from_b: Float[np.ndarray, "*#batch 4 4"], points: Float[np.ndarray, "*#batch xyz=3"]
) -> Float[np.ndarray, "*#batch xyz=3"]:
    """Points of frame b in frame a; one transform serves many points, and the reverse."""
    return np.einsum("...ij,...j->...i", a_from_b[..., :3, :3], points) + a_from_b[..., :3, 3]


def rigid(
    rotation: Float[np.ndarray, "*batch 3 3"], translation: Float[np.ndarray, "*batch xyz=3"]
) -> Float[np.ndarray, "*batch 4 4"]:
    """A transform from its rotation and translation."""
    matrix = np.zeros((*rotation.shape[:-2], 4, 4))
    matrix[..., :3, :3], matrix[..., :3, 3], matrix[..., 3, 3] = rotation, translation, 1.0
    return matrix


def inverse(a_from_b: Float[np.ndarray, "*batch 4 4"]) -> Float[np.ndarray, "*batch 4 4"]:
    """b_from_a of a rigid a_from_b."""
    transposed = np.swapaxes(a_from_b[..., :3, :3], -1, -2)
    return rigid(transposed, -np.einsum("...ij,...j->...i", transposed, a_from_b[..., :3, 3]))


def look_at(
    eye: Float[np.ndarray, "xyz=3"], target: Float[np.ndarray, "xyz=3"], down: Float[np.ndarray, "xyz=3"]
) -> Float[np.ndarray, "4 4"]:
    """world_from_camera of a camera at `eye` that looks at `target`, with `down` towards the image's bottom."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(down, forward)
    right /= np.linalg.norm(right)
    return rigid(np.stack([right, np.cross(forward, right), forward], axis=1), eye)


def rotation_angle_deg(rotation: Float[np.ndarray, "*batch 3 3"]) -> Float[np.ndarray, "*batch"]:
    """Angle of rotations; by arctan2, which stays exact near 0 where arccos does not."""
    skew = rotation - np.swapaxes(rotation, -1, -2)
    sine = np.linalg.norm(np.stack([skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]], axis=-1), axis=-1) / 2
    return np.degrees(np.arctan2(sine, (np.trace(rotation, axis1=-2, axis2=-1) - 1) / 2))
