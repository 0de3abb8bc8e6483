"""Every object rendered alone along some pixels' rays: what the scale network and the validity analysis need."""

import torch

from models.osn.object_scene import ObjectScene
from models.osn.training_pixels import PixelBatch
from models.osn.z_buffer import SoloViews

RAYS_AT_ONCE = 8192


def solo_views(scene: ObjectScene, batch: PixelBatch) -> SoloViews:
    """Depth and opacity of every object alone; an object whose pose is unknown there is transparent."""
    parts = []
    with torch.no_grad():
        grids = scene.density_grids()
        for chunk in torch.arange(len(batch.frames), device=batch.frames.device).split(RAYS_AT_ONCE):
            pixels = batch[chunk]
            rays = scene.observed_rays(pixels.frames, pixels.directions)
            sums = scene.render_pairs(grids, rays, pixels.frames, None, colour=False)
            depth = sums.depth / sums.weight.clamp(min=1e-3)
            depth[:, 0] = depth[:, 0] + (1 - sums.weight[:, 0]) * (scene.far - depth[:, 0])
            parts.append(SoloViews(depth, sums.weight, pixels.objects, pixels.frames))
    return SoloViews(*(torch.cat([getattr(part, name) for part in parts]) for name in SoloViews.__dataclass_fields__))
