"""Objects of a trained scene taken as layers: some left out, some put elsewhere."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.osn.marching import ObjectRays
from models.osn.object_scene import Grids, ObjectScene
from models.osn.training import composed
from models.rays import Rays, TensorFields
from models.rendering import Rendering, in_chunks

PAPER = 1.0  # what is seen where nothing is and the background is left out: white


@dataclass(frozen=True)
class Layers(TensorFields):
    """Which objects are there, and how each was moved in the world: `old_from_new` leads back to its own place."""

    shown: Bool[Tensor, "object"]
    old_from_new: Float[Tensor, "object frame 4 4"]


def render_layers(
    scene: ObjectScene, grids: Grids, rays: Rays, scales: Float[Tensor, "object"], layers: Layers
) -> Rendering:
    """Render a flat batch of world rays in chunks, without gradients."""
    return in_chunks(lambda chunk: layered_chunk(scene, grids, chunk, scales, layers), rays)


def layered_chunk(
    scene: ObjectScene, grids: Grids, rays: Rays, scales: Float[Tensor, "object"], layers: Layers
) -> Rendering:
    """Render a few thousand rays."""
    with torch.no_grad():
        local = layered_rays(scene, rays, scales, layers)
        sums = scene.render_per_object(grids, local, rays.frames, scales.expand(len(rays.frames), -1).contiguous())
        colour, object_weights = composed(scene, sums, local.directions[0])
        opacity = sums.weight.sum(dim=1)
        clear = (1 - opacity).clamp(min=0)
        if not layers.shown[0]:
            colour = sums.colour.sum(dim=1) + PAPER * clear[:, None]
    return Rendering(colour.clamp(0, 1), sums.depth.sum(dim=1) + clear * scene.far, opacity.clamp(0, 1), object_weights)


def layered_rays(scene: ObjectScene, rays: Rays, scales: Float[Tensor, "object"], layers: Layers) -> ObjectRays:
    """Rays in every object's frame: what was moved is met by the rays moved the other way."""
    plain = scene.world_rays(rays, scales)
    origins, directions = plain.origins.clone(), plain.directions.clone()
    still = torch.eye(4, device=rays.origins.device)
    for k, moves in enumerate(layers.old_from_new):
        if torch.equal(moves, still.expand_as(moves)):
            continue
        back = moves[rays.frames]
        start = torch.einsum("nij,nj->ni", back[:, :3, :3], rays.origins) + back[:, :3, 3]
        turned = torch.einsum("nij,nj->ni", back[:, :3, :3], rays.directions)
        own = scene.world_rays(Rays(start, turned, rays.frames), scales)
        origins[k], directions[k] = own.origins[k], own.directions[k]
    return ObjectRays(origins, directions, plain.present & layers.shown[:, None])
