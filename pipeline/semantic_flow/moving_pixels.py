"""Which pixels move, told without any mask: their flow cannot come from the camera's own motion."""

import numpy as np
from jaxtyping import Bool, Float

from pipeline.cameras import Intrinsics, directions_at_unit_depth, inverse, pixel_centres
from pipeline.formats.scene_file import Scene, SceneFlow

LEAST_RESIDUAL_PX, LEAST_RESIDUAL_SHARE = 0.5, 0.003  # the latter of the width
SMALL_PARALLAX_PX = 0.3  # below it the baseline is too short for an epipolar line, and the rotation must explain all


def moving_pixels(scene: Scene, flow: SceneFlow, frame: int) -> Bool[np.ndarray, "height width"]:
    """Pixels of a frame whose valid flow to a neighbouring frame disagrees with the camera's motion, whatever their depth.

    Motion along the epipolar line is not noticed unless it demands a depth outside the scene's range.
    """
    moving = np.zeros(scene.size, bool)
    least = max(LEAST_RESIDUAL_PX, LEAST_RESIDUAL_SHARE * scene.camera.width)
    poses, known = scene.object_from_camera[0].astype(np.float64), scene.visible[0]
    for other, read in ((frame + 1, flow.to_next), (frame - 1, flow.to_previous)):
        if 0 <= other < scene.frame_count and known[frame] and known[other]:
            there, valid = read(frame)
            residual = flow_residual(scene.camera, inverse(poses[other]) @ poses[frame], there, scene.depth_range)
            moving |= valid & (residual > least)
    return moving


def flow_residual(
    camera: Intrinsics,
    other_from_camera: Float[np.ndarray, "4 4"],
    flow: Float[np.ndarray, "height width xy=2"],
    depth_range: Float[np.ndarray, "bound=2"],
) -> Float[np.ndarray, "height width"]:
    """Distance, in pixels, of where pixels land from where a still point between near and far could land."""
    xy = pixel_centres(camera.height, camera.width)
    rays = directions_at_unit_depth(camera, xy) @ other_from_camera[:3, :3].T
    near, far = (landing_at(camera, rays + other_from_camera[:3, 3] / float(depth)) for depth in depth_range)
    landed = xy + flow
    along = near - far
    length = np.linalg.norm(along, axis=-1)
    share = ((landed - far) * along).sum(-1) / np.maximum(length, SMALL_PARALLAX_PX) ** 2
    nearest = far + np.clip(share, 0, 1)[..., None] * along
    return np.linalg.norm(landed - nearest, axis=-1)


def landing_at(
    camera: Intrinsics, points: Float[np.ndarray, "height width xyz=3"]
) -> Float[np.ndarray, "height width xy=2"]:
    """Projections, far outside where a point is behind the camera."""
    depth = np.maximum(points[..., 2:], 1e-3)
    return points[..., :2] / depth * np.array([camera.fx, camera.fy]) + np.array([camera.cx, camera.cy])
