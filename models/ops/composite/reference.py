"""Compositing by tensor operations: one sort, then sums over segments."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

LEAST_DEPTH = 1e-6


def depth_order(segment: Int64[Tensor, "sample"], depth: Float[Tensor, "sample"]) -> Int64[Tensor, "sample"]:
    """The order of samples by segment, then by depth."""
    reach = depth.max().double() * 1.001 + 1e-6 if len(depth) else 1.0
    return torch.argsort(segment + depth.double().clamp(min=0) / reach, stable=True)


def moments(depth: Float[Tensor, "sample"], features: Tensor) -> Float[Tensor, "sample sums"]:
    """What is summed of each sample: 1, depth, its logarithm and the logarithm's square, colour, features."""
    log_depth = depth.clamp(min=LEAST_DEPTH).log()
    colour, rest = features[:, :3].sigmoid(), features[:, 3:]
    parts = (torch.ones_like(depth), depth, log_depth, log_depth.square())
    return torch.cat([torch.stack(parts, dim=1), colour, rest], dim=1)


def composite(
    optical_depth: Float[Tensor, "sample"],
    features: Float[Tensor, "sample channel"],
    depth: Float[Tensor, "sample"],
    ray: Int64[Tensor, "sample"],
    owner: Int64[Tensor, "sample"],
    rays: int,
    objects: int,
    alone: bool,
) -> tuple[Float[Tensor, "ray object sums"], Int64[Tensor, "sample"], Float[Tensor, "sample"], Float[Tensor, "sample"]]:
    """The sums; the samples' order, weights, and what passes behind them."""
    pair = ray * objects + owner
    segment = pair if alone else ray
    order = depth_order(segment, depth)
    segment, tau = segment[order], optical_depth[order].double()  # sums run over all rays; float32 loses the small ones
    through = tau.cumsum(0)
    before = (through - tau)[torch.searchsorted(segment, segment)]
    behind = torch.exp(before - through)
    there = segment < (rays * objects if alone else rays)
    taken = torch.stack([torch.exp(before - through + tau) - behind, behind]).to(depth.dtype) * there
    weights, after = torch.empty_like(taken).index_copy_(1, order, taken).unbind(0)
    values = moments(depth, features) * weights[:, None]
    sums = values.new_zeros((rays + 1) * objects, values.shape[1]).index_add_(0, pair, values)
    return sums[: rays * objects].view(rays, objects, -1).clone(), order, weights.clone(), after.clone()


def composite_backward(
    gradient: Float[Tensor, "ray object sums"],
    features: Float[Tensor, "sample channel"],
    depth: Float[Tensor, "sample"],
    ray: Int64[Tensor, "sample"],
    owner: Int64[Tensor, "sample"],
    order: Int64[Tensor, "sample"],
    weights: Float[Tensor, "sample"],
    after: Float[Tensor, "sample"],
    alone: bool,
) -> tuple[Float[Tensor, "sample"], Float[Tensor, "sample channel"]]:
    """Gradients of optical depths and features: a denser sample gains what it lets not pass, and takes from those behind."""
    objects = gradient.shape[1]
    pair = ray * objects + owner
    there = ray < len(gradient)
    wanted = gradient.flatten(0, 1)[pair * there] * there[:, None]
    value = (wanted * moments(depth, features)).sum(1)
    segment = (pair if alone else ray)[order]
    weighted = (weights * value)[order].double().cumsum(0)
    behind = weighted[torch.searchsorted(segment, segment, right=True) - 1] - weighted
    by_depth = after * value - torch.empty_like(depth).index_copy_(0, order, behind.to(depth.dtype))
    by_feature = weights[:, None] * wanted[:, 4:]
    colour = features[:, :3].sigmoid()
    by_feature[:, :3] *= colour * (1 - colour)
    return by_depth, by_feature
