"""One trained object alone, from cameras in its own frame."""

import torch
from torch import Tensor

from models.osn.marching import ObjectRays
from models.osn.object_scene import Grids, ObjectScene
from models.osn.training import composed
from models.rays import Rays
from models.rendering import Rendering, in_chunks

LEAST_OPACITY = 1e-3


def render_alone(scene: ObjectScene, grids: Grids, index: int, rays: Rays) -> Rendering:
    """What rays in an object's own frame and units see of it, in the light of their frames, without gradients.

    The background comes with what lies beyond it, and is opaque. Of a moving object colours are over black.
    """
    return in_chunks(lambda chunk: alone_chunk(scene, grids, index, chunk), rays)


def alone_chunk(scene: ObjectScene, grids: Grids, index: int, rays: Rays) -> Rendering:
    """A few thousand rays."""
    with torch.no_grad():
        sums = scene.render_per_object(grids, only_through(rays, index, scene.object_count), rays.frames, None)
        weight = sums.weight[:, index]
        object_weights = torch.zeros_like(sums.weight)
        object_weights[:, index] = weight
        colour, opacity, depth = sums.colour[:, index], weight, sums.depth[:, index] / weight.clamp(min=LEAST_OPACITY)
        if index == 0:
            colour, object_weights = composed(scene, sums, rays.directions)
            depth = sums.depth[:, 0] + (1 - weight).clamp(min=0) * scene.far
            opacity = torch.ones_like(weight)
    return Rendering(colour.clamp(0, 1), depth, opacity.clamp(0, 1), object_weights)


def only_through(rays: Rays, index: int, objects: int) -> ObjectRays:
    """Rays that meet one object only."""
    present = torch.zeros(objects, len(rays.frames), dtype=torch.bool, device=rays.frames.device)
    present[index] = True
    return ObjectRays(everywhere(rays.origins, objects), everywhere(rays.directions, objects), present)


def everywhere(vectors: Tensor, objects: int) -> Tensor:
    return vectors.expand(objects, -1, -1).contiguous()
