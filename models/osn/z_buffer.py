"""Which object a pixel shows under many scale vectors, without rendering the scene again for each.

Every object is rendered alone once. Scales only multiply its depth, so the nearest one is found by comparison.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from models.rays import TensorFields

SOLID = 0.5  # an object with less opacity is not seen there
GLIMPSE = 0.1  # enough of the very object that the masks show there
CHUNK_ELEMENTS = 1 << 22
SCALES_AT_ONCE = 64


@dataclass(frozen=True)
class SoloViews(TensorFields):
    """Each object alone along rays: depth in its own units and opacity; and the object that was really seen.

    `certain`: the border of that object's mask is not near.
    """

    depth: Float[Tensor, "ray object"]
    opacity: Float[Tensor, "ray object"]
    objects: Int64[Tensor, "ray"]
    certain: Bool[Tensor, "ray"]
    frames: Int64[Tensor, "ray"]


def solid(views: SoloViews) -> Bool[Tensor, "ray object"]:
    """Objects that can be seen along a ray; the background always can.

    Near the borders of masks fields reach a little too far, or not far enough. So a moving object that was not seen there
    hides nothing, and the one that was seen is there if it shows at all. Otherwise such pixels are wrong under scales at
    which nothing is wrong, and right where an object has sunk into another: the valid region would grow.
    """
    there = (views.opacity > SOLID) & views.certain[:, None]
    own = torch.nn.functional.one_hot(views.objects, there.shape[1]).bool()
    there = torch.where(own, views.opacity > GLIMPSE, there)
    return torch.cat([torch.ones_like(there[:, :1]), there[:, 1:]], dim=1)


def shared(views: SoloViews) -> Bool[Tensor, "ray"]:
    """Rays on which more than one object can be seen, so that the scales decide."""
    return solid(views).sum(dim=1) > 1


def hard_agreement(views: SoloViews, scales: Float[Tensor, "sample object"]) -> Bool[Tensor, "sample ray"]:
    """Whether the nearest object is the one that was seen: the hard z-buffer of OSN's released code."""
    there = solid(views)
    rays = torch.arange(len(views.objects), device=scales.device)
    own = scales[:, views.objects] * views.depth[rays, views.objects]
    right = there[rays, views.objects].expand_as(own).clone()
    for k in range(scales.shape[1]):
        other = there[:, k] & (views.objects != k)
        right &= ~other | (own <= scales[:, k, None] * views.depth[:, k])
    return right


def soft_agreement(
    views: SoloViews, scales: Float[Tensor, "sample object"], sharpness: float
) -> Float[Tensor, "sample ray"]:
    """OSN's soft z-buffer: the blending weight a exp(-beta s d) of the object that was seen, normalised over the objects.

    Depths are in units of the background's median, so that beta does not depend on the scene's.
    """
    unit = views.depth[:, 0].median().clamp(min=1e-6)
    depth = scales[:, None] * views.depth / unit
    opacity = torch.cat([torch.ones_like(views.opacity[:, :1]), views.opacity[:, 1:]], dim=1)
    weight = torch.softmax(opacity.clamp(min=1e-6).log() - sharpness * depth, dim=-1)
    return weight.gather(2, views.objects.expand(len(scales), -1)[..., None])[..., 0]


def inlier_rays(views: SoloViews, scales: Float[Tensor, "sample object"], tolerance: float) -> SoloViews:
    """The rays that show the right object under most of the likely scale vectors: only these can be broken by another one.

    Likely is what hides little more of the moving objects than the least that any hides: the tolerance, of all rays. Where
    masks miss parts or poses are wrong, fields are seen where the background was. If such pixels counted, they would ask
    for scales at which objects sink into what is behind them, and would make up for what breaks there.
    """
    right = torch.cat([hard_agreement(views, chunk) for chunk in scales.split(SCALES_AT_ONCE)])
    hidden = (~right & (views.objects > 0)).sum(dim=1)
    likely = right[hidden <= hidden.min() + tolerance * len(views.objects)]
    return views[2 * likely.sum(dim=0) > len(likely)]


def visibility_accuracy(
    views: SoloViews, scales: Float[Tensor, "sample object"], soft_sharpness: float | None
) -> Float[Tensor, "sample"]:
    """OSN's accuracy of scale vectors: the fraction of rays that show the right object; rays with one candidate count once."""
    decided = views[~shared(views)]
    open_rays = views[shared(views)]
    constant = hard_agreement(decided, torch.ones_like(scales[:1])).sum() if len(decided.objects) else 0.0
    if not len(open_rays.objects):
        return torch.full_like(scales[:, 0], float(constant) / max(1, len(views.objects)))
    parts = []
    for chunk in scales.split(max(1, CHUNK_ELEMENTS // len(open_rays.objects))):
        if soft_sharpness is None:
            parts.append(hard_agreement(open_rays, chunk).float().sum(dim=1))
        else:
            parts.append(soft_agreement(open_rays, chunk, soft_sharpness).sum(dim=1))
    return (torch.cat(parts) + constant) / len(views.objects)
