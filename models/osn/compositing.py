"""Volume rendering of samples that lie flat in memory, of one object or of many mixed along a ray."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from models.rays import TensorFields

LEAST_DEPTH = 1e-6


class RayWeights(torch.autograd.Function):
    """Weights T (1 - exp(-tau)) of samples sorted by segment, then by depth (NeRF, eq. 3)."""

    @staticmethod
    def forward(
        ctx: Any, optical_depth: Float[Tensor, "sample"], segment: Int64[Tensor, "sample"]
    ) -> Float[Tensor, "sample"]:
        first, last = segment_ends(segment)
        tau = optical_depth.double()  # sums run over all rays; in float32 they would lose the small ones
        through = tau.cumsum(0)
        before_ray = through[first] - tau[first]
        after = torch.exp(before_ray - through)
        weights = torch.exp(before_ray - through + tau) - after
        ctx.save_for_backward(after, weights, last)
        return weights.to(optical_depth.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Float[Tensor, "sample"]) -> tuple[Float[Tensor, "sample"], None]:
        after, weights, last = ctx.saved_tensors
        g = gradient.double()
        weighted = (weights * g).cumsum(0)
        behind = weighted[last] - weighted  # what a denser sample takes away from those behind it
        return (after * g - behind).to(gradient.dtype), None


def segment_ends(segment: Int64[Tensor, "sample"]) -> tuple[Int64[Tensor, "sample"], Int64[Tensor, "sample"]]:
    """The first and the last sample of each sample's segment, segments being sorted; the host does not wait for a count."""
    place = torch.arange(len(segment), device=segment.device)
    changes = segment[1:] != segment[:-1]
    first = torch.where(F.pad(changes, (1, 0)), place, 0).cummax(0).values
    last = torch.where(F.pad(changes, (0, 1)), place, len(segment) - 1).flip(0).cummin(0).values.flip(0)
    return first, last


def ray_weights(optical_depth: Float[Tensor, "sample"], segment: Int64[Tensor, "sample"]) -> Float[Tensor, "sample"]:
    """Weights of samples sorted by segment (a ray, or an object on a ray), then by depth."""
    if not len(segment):
        return optical_depth
    return RayWeights.apply(optical_depth, segment)


@dataclass(frozen=True)
class PerObjectSums(TensorFields):
    """Per-object accumulation: what each object adds to each ray, sums weighted by the samples' weights."""

    weight: Float[Tensor, "ray object"]
    depth: Float[Tensor, "ray object"]
    log_depth: Float[Tensor, "ray object"]
    log_depth_squared: Float[Tensor, "ray object"]
    colour: Float[Tensor, "ray object rgb=3"]
    features: Float[Tensor, "ray object channel"]
    samples: Float[Tensor, "ray object"]


def weights_by_depth(
    optical_depth: Float[Tensor, "sample"], segment: Int64[Tensor, "sample"], depth: Float[Tensor, "sample"]
) -> Float[Tensor, "sample"]:
    """Weights of samples in any order, each behind the nearer ones of its segment.

    Where segments are rays this is OSN's scaled composite rendering: all objects' samples, sorted by scaled depth.
    """
    order = depth_order(segment, depth)
    weights = ray_weights(optical_depth.index_select(0, order), segment[order])
    return torch.zeros_like(weights).index_copy(0, order, weights)


def depth_order(segment: Int64[Tensor, "sample"], depth: Float[Tensor, "sample"]) -> Int64[Tensor, "sample"]:
    """The order of samples by segment, then by depth."""
    reach = depth.max().double() * 1.001 + 1e-6 if len(depth) else 1.0
    return torch.argsort(segment.double() + depth.double().clamp(min=0) / reach, stable=True)


def accumulate_per_object(
    ray_object: Int64[Tensor, "sample"],
    weights: Float[Tensor, "sample"],
    depth: Float[Tensor, "sample"],
    channels: Float[Tensor, "sample channel"],
    rays: int,
    objects: int,
) -> PerObjectSums:
    """Sum the samples of each object on each ray, the segmentation of OSN's composite; the first three channels are colour."""
    log_depth = depth.clamp(min=LEAST_DEPTH).log()
    moments = torch.stack([torch.ones_like(depth), depth, log_depth, log_depth.square()], dim=1)
    values = torch.cat([moments, channels], dim=1) * weights[:, None]
    sums = values.new_zeros(rays * objects, values.shape[1]).index_add(0, ray_object, values)
    sums = sums.view(rays, objects, values.shape[1])
    counts = values.new_zeros(rays * objects).index_add(0, ray_object, torch.ones_like(depth)).view(rays, objects)
    weight, depth_sum, first, second = sums[..., :4].unbind(-1)
    return PerObjectSums(weight, depth_sum, first, second, sums[..., 4:7], sums[..., 7:], counts)
