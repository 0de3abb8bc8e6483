"""The scale network and the rays that explain it, as plain arrays."""

import numpy as np
import torch

from models.osn.scale_network import SHIFT, ScaleNetwork
from models.osn.z_buffer import SoloViews, shared, solid
from pipeline.scene.method_interface import ScaleJudge

MOST_RAYS = 6000


def network_judge(network: ScaleNetwork, views: SoloViews | None) -> ScaleJudge:
    """What a network knows, and an even choice of the rays on which more than one object can be seen."""
    low = network.low.double()
    bounds = torch.stack([low, low + network.width.double()], dim=1).cpu().numpy()
    objects = len(bounds)
    nothing = np.zeros((0, objects), np.float32), np.zeros(0, np.int64), np.zeros(0, np.int64)
    weights, biases = ([value.detach().cpu().numpy() for value in part] for part in (network.weights, network.biases))
    if views is None or not bool(shared(views).any()):
        return ScaleJudge(bounds, weights, biases, SHIFT, *nothing, 0.0)
    open_rays = shared(views).nonzero()[:, 0]
    step = -(-len(open_rays) // MOST_RAYS)
    chosen = views[open_rays[::step]]
    depth = torch.where(solid(chosen), chosen.depth, torch.inf)
    seen, frames = chosen.objects.cpu().numpy(), chosen.frames.cpu().numpy()
    return ScaleJudge(bounds, weights, biases, SHIFT, depth.cpu().numpy(), seen, frames, step / len(views.objects))
