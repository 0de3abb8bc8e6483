"""The depth that a trained method sees at every pixel of frames, in the units of another world that has their poses too."""

import numpy as np
import torch
from jaxtyping import Float, Int

from models.ops.parallel import side_by_side
from pipeline.geometry.similarity_alignment import align_poses
from pipeline.rendering.trained_method import TrainedMethod
from pipeline.rendering.view_pictures import render_chunks, view_rays
from pipeline.runtime.errors import StageError
from pipeline.runtime.progress import progress

LEAST_OPACITY = 0.5  # below it a ray ends nowhere


def dense_depth(
    method: TrainedMethod,
    number: Int[np.ndarray, "frame"],
    world_from_camera: Float[np.ndarray, "frame 4 4"],
    chunk: int,
) -> Float[np.ndarray, "frame height width"]:
    """Depth along the axis under the best valid scales, 0 where a ray sees nothing; `number` are the scene's frames."""
    scene = method.scene
    if hidden := [int(frame) for frame in number if not scene.visible[0, frame]]:
        raise StageError(
            f"scene.h5 has no pose of frame {hidden[0]}, the reconstruction has; run pack_scene and train again"
        )
    poses = scene.object_from_camera[0, number].astype(np.float64)
    unit = align_poses(poses, world_from_camera).scale

    def seen(view: tuple[int, np.ndarray]) -> Float[np.ndarray, "height width"]:
        frame, pose = view
        rays = view_rays(scene.camera, pose, frame).to(method.device)
        rendering = render_chunks(method, rays, method.scales[0], chunk)
        depth = torch.where(rendering.opacity > LEAST_OPACITY, rendering.depth, 0)
        return unit * depth.double().cpu().numpy().reshape(scene.size)

    with side_by_side(method.device) as ordered_map:
        views = list(zip(number.tolist(), poses, strict=True))
        return np.stack(list(progress(ordered_map(seen, views), "rendering depth", len(views), "views")))
