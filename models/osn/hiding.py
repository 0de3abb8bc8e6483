"""How much of a moving object others would hide in its worst frame: the inner bound of the valid scales.

The scale network judges by a share of all pixels, as OSN does, and there small objects may vanish: all of an object that
fills a hundredth of the picture is not more than the tolerance. Here every moving object is judged by its own pixels, frame
by frame. What may be hidden is what the fields themselves get wrong at borders where no scale has a part in it. Poses have errors,
too: an object may be farther away than they say, and what is before or behind it nearer, by a margin of its depth.
"""

from dataclasses import dataclass, replace

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


def with_margins(views: SoloViews, margins: Float[Tensor, "object"]) -> SoloViews:
    """The views as they are at worst: the object that was seen farther away by its margin, a share, all others nearer by theirs."""
    own = torch.nn.functional.one_hot(views.objects, len(margins)).bool()
    return replace(views, depth=views.depth * torch.where(own, 1 + margins, (1 - margins).clamp(min=0)))


@dataclass(frozen=True)
class CountedRays:
    """The rays that can be counted, the place of each one's object and frame among all such pairs, and how many each pair has."""

    views: SoloViews
    pair: Int64[Tensor, "ray"]
    counts: Int64[Tensor, "pair"]

    def worst_hidden(self, scales: Float[Tensor, "sample object"]) -> Float[Tensor, "sample"]:
        """The largest share of any object in any frame that others would hide."""
        if not len(self.counts):
            return torch.zeros_like(scales[:, 0])
        worst = []
        for chunk in scales.split(SCALES_AT_ONCE):
            hidden = (~hard_agreement(self.views, chunk)).float()
            shares = torch.zeros(len(chunk), len(self.counts), device=scales.device).index_add_(1, self.pair, hidden)
            worst.append((shares / self.counts).amax(dim=1))
        return torch.cat(worst)


def counted(views: SoloViews) -> CountedRays:
    """Rays on which the object's own field is empty say nothing, nor do objects of which a frame has hardly any."""
    views = views[own_opacity(views) > GLIMPSE]
    _, pair = torch.stack([views.objects, views.frames]).unique(dim=1, return_inverse=True)
    enough = torch.bincount(pair)[pair] >= LEAST_RAYS
    _, pair = pair[enough].unique(return_inverse=True)
    return CountedRays(views[enough], pair, torch.bincount(pair))


def worst_hidden(views: SoloViews, scales: Float[Tensor, "sample object"]) -> Float[Tensor, "sample"]:
    """The largest share of any object in any frame that others would hide, of rays that are counted for this once."""
    return counted(views).worst_hidden(scales)
