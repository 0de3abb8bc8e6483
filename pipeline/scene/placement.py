"""Where objects stand in the world at each time, under their scales."""

from typing import Any

import numpy as np
from jaxtyping import Float

from pipeline.cameras import inverse
from pipeline.formats.scene_file import Scene


def world_from_object(scene: Scene, index: int, frame: int, scale: float) -> Float[np.ndarray, "4 4"] | None:
    """x_world = P0 (s camera_from_object X); None where object or world has no pose."""
    if not (scene.visible[index, frame] and scene.visible[0, frame]):
        return None
    poses = scene.object_from_camera[:, frame].astype(np.float64)
    return poses[0] @ np.diag([scale, scale, scale, 1.0]) @ inverse(poses[index])


def object_poses(scene: Scene, scales: Float[np.ndarray, "object"]) -> dict[str, Any]:
    """Where each object is at each time, under the scales, as plain values."""
    listed = []
    for k, entry in enumerate(scene.objects):
        placed = [world_from_object(scene, k, t, float(scales[k])) for t in range(scene.frame_count)]
        poses = [None if pose is None else pose.tolist() for pose in placed]
        listed.append({"id": entry["id"], "name": entry["name"], "scale": float(scales[k]), "world_from_object": poses})
    return {"intrinsics": scene.intrinsics.tolist(), "objects": listed}
