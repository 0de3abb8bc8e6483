"""How much of a moving object others would hide in its worst frame: the inner bound of the valid scales.

The scale network judges by a share of all pixels, as OSN does, and there small objects may vanish: all of an object that
fills a hundredth of the picture is not more than the tolerance. Here every moving object is judged by its own pixels, frame
by frame. What may be hidden is what the fields themselves get wrong at borders where no scale has a part in it.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from models.osn.z_buffer import GLIMPSE, SCALES_AT_ONCE, SOLID, SoloViews, hard_agreement, inlier_rays

LEAST_RAYS = 30  # of an object in a frame; fewer say nothing of a share


def own_opacity(views: SoloViews) -> Float[Tensor, "ray"]:
    """Opacity of the object that was seen."""
    return views.opacity.gather(1, views.objects[:, None])[:, 0]


def border_error(views: SoloViews) -> float:
    """The share of the objects' rays on which their own field is not solid, whatever the scales."""
    return float((own_opacity(views) <= SOLID).float().mean())


def explained(views: SoloViews, scales: Float[Tensor, "sample object"], tolerance: float) -> SoloViews:
    """The rays that can judge: those that likely scale vectors get right, and those on which the own field is empty.

    What no likely vector gets right is a fault of masks or poses, and would forbid every scale.
    """
    there = own_opacity(views) > GLIMPSE
    parts = inlier_rays(views[there], scales, tolerance), views[~there]
    return SoloViews(*(torch.cat([getattr(part, name) for part in parts]) for name in SoloViews.__dataclass_fields__))


def countable(views: SoloViews) -> tuple[SoloViews, Int64[Tensor, "ray"]]:
    """The rays that can be counted, and of how many of its object in its frame each is one.

    Rays on which the object's own field is empty say nothing, nor do objects of which a frame has hardly any.
    """
    views = views[own_opacity(views) > GLIMPSE]
    _, pair = torch.stack([views.objects, views.frames]).unique(dim=1, return_inverse=True)
    counts = torch.bincount(pair)[pair]
    return views[counts >= LEAST_RAYS], counts[counts >= LEAST_RAYS]


def worst_hidden(views: SoloViews, scales: Float[Tensor, "sample object"]) -> Float[Tensor, "sample"]:
    """The largest share of any object in any frame that others would hide."""
    views, _ = countable(views)
    if not len(views.objects):
        return torch.zeros_like(scales[:, 0])
    _, pair = torch.stack([views.objects, views.frames]).unique(dim=1, return_inverse=True)
    counts = torch.bincount(pair)
    worst = []
    for chunk in scales.split(SCALES_AT_ONCE):
        hidden = (~hard_agreement(views, chunk)).float()
        shares = torch.zeros(len(chunk), len(counts), device=scales.device).index_add_(1, pair, hidden) / counts
        worst.append(shares.amax(dim=1))
    return torch.cat(worst)
