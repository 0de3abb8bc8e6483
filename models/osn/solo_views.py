"""Every object rendered alone along some pixels' rays: what the scale network and the validity analysis need.

As in OSN's z-buffer rendering: one volume rendering serves all scale vectors. Fields stand still meanwhile, so it is made once.
"""

import torch

from models.ops.parallel import ParallelMap
from models.osn.object_scene import Grids, ObjectScene
from models.osn.training_pixels import PixelBatch
from models.osn.z_buffer import SoloViews
from models.rendering import rays_at_once


def solo_views(scene: ObjectScene, batch: PixelBatch, parallel_map: ParallelMap) -> SoloViews:
    """Depth and opacity of every object alone; an object whose pose is unknown there is transparent."""
    with torch.no_grad():
        grids = scene.density_grids()
    device = batch.frames.device
    chunks = torch.arange(len(batch.frames), device=device).split(rays_at_once(device))
    parts = list(parallel_map(lambda chunk: solo_views_chunk(scene, grids, batch[chunk]), chunks))
    return SoloViews(*(torch.cat([getattr(part, name) for part in parts]) for name in SoloViews.__dataclass_fields__))


def solo_views_chunk(scene: ObjectScene, grids: Grids, pixels: PixelBatch) -> SoloViews:
    """A few thousand rays."""
    with torch.no_grad():
        rays = scene.observed_rays(pixels.frames, pixels.directions)
        sums = scene.render_per_object(grids, rays, pixels.frames, None, colour=False)
        depth = sums.depth / sums.weight.clamp(min=1e-3)
        depth[:, 0] = depth[:, 0] + (1 - sums.weight[:, 0]) * (scene.far - depth[:, 0])
        return SoloViews(depth, sums.weight, pixels.objects, pixels.certain, pixels.frames)
