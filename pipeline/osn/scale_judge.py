"""The scale network and the rays that explain it, as plain arrays."""

import numpy as np
import torch

from models.osn.hiding import border_error, counted
from models.osn.scale_network import SHIFT, ScaleNetwork
from models.osn.z_buffer import SoloViews, shared, solid
from pipeline.scene.method_interface import HidingRays, ScaleJudge, no_hiding_rays

MOST_RAYS = 6000
MOST_HIDING = 20000


def network_judge(network: ScaleNetwork, views: SoloViews | None, object_views: SoloViews | None) -> ScaleJudge:
    """What a network knows, and an even choice of the rays on which more than one object can be seen."""
    low = network.low.double()
    bounds = torch.stack([low, low + network.width.double()], dim=1).cpu().numpy()
    objects = len(bounds)
    weights, biases = ([value.detach().cpu().numpy() for value in part] for part in (network.weights, network.biases))
    hiding = hiding_rays(object_views, objects)
    if views is None or not bool(shared(views).any()):
        nothing = np.zeros((0, objects), np.float32), np.zeros(0, np.int64), np.zeros(0, np.int64)
        return ScaleJudge(bounds, weights, biases, SHIFT, *nothing, 0.0, hiding)
    open_rays = shared(views).nonzero()[:, 0]
    step = -(-len(open_rays) // MOST_RAYS)
    rays = plain(views[open_rays[::step]])
    return ScaleJudge(bounds, weights, biases, SHIFT, *rays, step / len(views.objects), hiding)


def hiding_rays(views: SoloViews | None, objects: int) -> HidingRays:
    """The rays of `hiding.worst_hidden` that scales decide; of a long video those of some frames, evenly chosen."""
    if views is None:
        return no_hiding_rays(objects)
    limit = border_error(views)
    rays = counted(views)
    views, counts = rays.views, rays.counts[rays.pair]
    decided = shared(views)
    frames = views.frames[decided].unique()
    step = -(-int(decided.sum()) // MOST_HIDING)
    chosen = decided & torch.isin(views.frames, frames[:: max(step, 1)])
    return HidingRays(*plain(views[chosen]), counts[chosen].cpu().numpy(), limit)


def plain(views: SoloViews) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Depths, infinite where an object cannot be seen; the objects seen; the frames."""
    depth = torch.where(solid(views), views.depth, torch.inf)
    return depth.cpu().numpy(), views.objects.cpu().numpy(), views.frames.cpu().numpy()
