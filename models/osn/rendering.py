"""Images of a trained scene from any camera, under any scales."""

import torch
from jaxtyping import Float
from torch import Tensor

from models.osn.object_scene import Grids, ObjectScene
from models.osn.training import composed
from models.rays import Rays
from models.rendering import Rendering, in_chunks


def render_world(scene: ObjectScene, grids: Grids, rays: Rays, scales: Float[Tensor, "object"]) -> Rendering:
    """Render a flat batch of world rays in chunks, without gradients."""
    return in_chunks(lambda chunk: render_chunk(scene, grids, chunk, scales), rays)


def render_chunk(scene: ObjectScene, grids: Grids, rays: Rays, scales: Float[Tensor, "object"]) -> Rendering:
    """Render a few thousand rays."""
    with torch.no_grad():
        local = scene.world_rays(rays, scales)
        per_ray = scales.expand(len(rays.frames), -1).contiguous()
        sums = scene.render_per_object(grids, local, rays.frames, per_ray)
        colour, object_weights = composed(scene, sums, local.directions[0])
    opacity = sums.weight.sum(dim=1)
    depth = sums.depth.sum(dim=1) + (1 - opacity).clamp(min=0) * scene.far
    return Rendering(colour.clamp(0, 1), depth, opacity.clamp(0, 1), object_weights)
