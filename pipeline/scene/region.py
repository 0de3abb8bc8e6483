"""Where a packed scene lies: its cameras, its points in the world, and the region that holds what does not move."""

import numpy as np
import torch
from jaxtyping import Float

from models.ops.space import Cameras, Region
from pipeline.cameras import transform, unproject
from pipeline.formats.scene_file import Scene

STATIC_SHELL, STATIC_BOUNDS = 0.25, (1.0, 99.0)
MARGIN, LEAST_EXTENT = 1.1, 0.1


def scene_cameras(scene: Scene) -> Cameras:
    """The cameras of all frames; a frame without a pose repeats its predecessor's and is never drawn from."""
    known = np.flatnonzero(scene.visible[0])
    nearest = known[np.abs(np.arange(scene.frame_count)[:, None] - known).argmin(1)]
    poses = torch.from_numpy(scene.object_from_camera[0, nearest].astype(np.float32))
    intrinsics = torch.from_numpy(scene.intrinsics.astype(np.float32))
    return Cameras(poses, intrinsics, scene.camera.height, scene.camera.width)


def box(points: Float[np.ndarray, "point xyz=3"], bounds: tuple[float, float], shell: float) -> Region:
    """The region that holds points but for outliers; never flatter than a tenth of its length."""
    low, high = np.percentile(points, bounds, axis=0)
    half = MARGIN * (high - low) / 2
    half = np.maximum(half, max(LEAST_EXTENT * half.max(), 1e-3))
    return Region(torch.from_numpy((low + high) / 2).float(), torch.from_numpy(half).float(), shell)


def world_points(scene: Scene, chosen: np.ndarray, scales: Float[np.ndarray, "object"]) -> np.ndarray:
    """Chosen observations as points of the world."""
    frame, owner = scene.observation_frame[chosen], scene.observation_object[chosen]
    depth = scene.observation_depth[chosen] * scales[owner]
    in_camera = unproject(scene.camera, scene.observation_xy[chosen], depth)
    return transform(scene.object_from_camera[0, frame].astype(np.float64), in_camera)


def static_region(scene: Scene) -> Region:
    """The box of the background's points and all cameras; the scene's own box where there are no points."""
    centres = scene.object_from_camera[0, scene.visible[0], :3, 3].astype(np.float64)
    points = world_points(
        scene, (scene.observation_object == 0) & scene.visible[0, scene.observation_frame], np.ones(256)
    )
    if len(points) < 8:
        half = torch.from_numpy(scene.box_half_extent[0].astype(np.float32)).clamp(min=1e-3)
        return Region(torch.zeros(3), half, STATIC_SHELL)
    each = max(len(points) // (20 * len(centres)), 1)
    return box(np.concatenate([points, np.repeat(centres, each, axis=0)]), STATIC_BOUNDS, STATIC_SHELL)
