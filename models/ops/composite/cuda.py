"""Compositing by Triton: after one sort a program walks through the samples of its ray, near to far, and back for gradients."""

from typing import no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

from models.ops.composite.reference import depth_order


@triton.jit
@no_type_check
def summands(features, depth, sample, lane, channels) -> tuple[tl.tensor, tl.tensor]:
    """What is summed of one sample, and where it is colour, its activation's slope: else 1."""
    z = tl.load(depth + sample)
    log_depth = tl.log(tl.maximum(z, 1e-6))
    raw = tl.load(features + sample * channels + lane - 4, mask=(lane >= 4) & (lane < 4 + channels), other=0.0)
    lit = 1 / (1 + tl.exp(-raw))
    colour = (lane >= 4) & (lane < 7)
    value = tl.where(colour, lit, raw)
    value = tl.where(lane == 0, 1.0, tl.where(lane == 1, z, tl.where(lane == 2, log_depth, value)))
    return tl.where(lane == 3, log_depth * log_depth, value), tl.where(colour, lit * (1 - lit), 1.0)


@triton.jit
@no_type_check
def accumulate(
    optical_depth,
    features,
    depth,
    ray,
    owner,
    order,
    starts,
    weights,
    after,
    sums,
    objects,
    channels,
    width: tl.constexpr,
) -> None:
    segment = tl.program_id(0)
    lane = tl.arange(0, width)
    place, end, passed = tl.load(starts + segment), tl.load(starts + segment + 1), 1.0
    while place < end:
        sample = tl.load(order + place)
        left = passed * tl.exp(-tl.load(optical_depth + sample))
        weight = passed - left
        tl.store(weights + sample, weight)
        tl.store(after + sample, left)
        value, _ = summands(features, depth, sample, lane, channels)
        pair = tl.load(ray + sample) * objects + tl.load(owner + sample)
        tl.atomic_add(sums + pair * (4 + channels) + lane, weight * value, mask=lane < 4 + channels)
        passed = left
        place += 1


@triton.jit
@no_type_check
def accumulate_backward(
    gradient, features, depth, ray, owner, order, starts, weights, after, by_depth, by_feature, objects, channels,
    width: tl.constexpr,
) -> None:  # fmt: skip
    segment = tl.program_id(0)
    lane = tl.arange(0, width)
    start, place, behind = tl.load(starts + segment), tl.load(starts + segment + 1), 0.0
    while place > start:
        place -= 1
        sample = tl.load(order + place)
        value, slope = summands(features, depth, sample, lane, channels)
        pair = tl.load(ray + sample) * objects + tl.load(owner + sample)
        wanted = tl.load(gradient + pair * (4 + channels) + lane, mask=lane < 4 + channels, other=0.0)
        weight, total = tl.load(weights + sample), tl.sum(wanted * value, axis=0)
        tl.store(by_depth + sample, tl.load(after + sample) * total - behind)
        own = by_feature + sample * channels + lane - 4
        tl.store(own, weight * wanted * slope, mask=(lane >= 4) & (lane < 4 + channels))
        behind += weight * total


def segment_starts(ray: Tensor, owner: Tensor, order: Tensor, rays: int, objects: int, alone: bool) -> Tensor:
    """Where in the order the samples of each ray, or of each object on each ray, begin."""
    segment = (ray * objects + owner if alone else ray)[order]
    return torch.searchsorted(segment, torch.arange(rays * (objects if alone else 1) + 1, device=ray.device))


def composite(
    optical_depth: Tensor,
    features: Tensor,
    depth: Tensor,
    ray: Tensor,
    owner: Tensor,
    rays: int,
    objects: int,
    alone: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    order = depth_order(ray * objects + owner if alone else ray, depth)
    starts, channels = segment_starts(ray, owner, order, rays, objects, alone), features.shape[1]
    weights, after = torch.zeros_like(depth), torch.zeros_like(depth)
    sums = torch.zeros(rays, objects, 4 + channels, dtype=depth.dtype, device=depth.device)
    arrays = (optical_depth, features.contiguous(), depth, ray, owner, order, starts, weights, after, sums)
    accumulate[(len(starts) - 1,)](*arrays, objects, channels, width=triton.next_power_of_2(4 + channels), num_warps=1)
    return sums, order, weights, after


def composite_backward(
    gradient: Tensor,
    features: Tensor,
    depth: Tensor,
    ray: Tensor,
    owner: Tensor,
    order: Tensor,
    weights: Tensor,
    after: Tensor,
    alone: bool,
) -> tuple[Tensor, Tensor]:
    rays, objects, sums = gradient.shape
    starts = segment_starts(ray, owner, order, rays, objects, alone)
    by_depth, by_feature = torch.zeros_like(depth), torch.zeros_like(features, memory_format=torch.contiguous_format)
    arrays = (gradient, features.contiguous(), depth, ray, owner, order, starts, weights, after, by_depth, by_feature)
    accumulate_backward[(len(starts) - 1,)](*arrays, objects, sums - 4, width=triton.next_power_of_2(sums), num_warps=1)
    return by_depth, by_feature
