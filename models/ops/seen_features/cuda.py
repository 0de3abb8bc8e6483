"""Features of frames by Triton: a block of points a program, with all channels."""

from typing import no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

from models.ops.space import NEAREST_DEPTH

BLOCK = 64


@triton.jit
@no_type_check
def component(points, poses, sample, frame, there, column: tl.constexpr) -> tl.tensor:
    """One coordinate of points in their frame's camera."""
    total = tl.zeros_like(tl.load(points + sample * 3, mask=there, other=0.0))
    for row in tl.static_range(3):
        at = poses + frame * 16 + row * 4
        offset = tl.load(points + sample * 3 + row, mask=there, other=0.0) - tl.load(at + 3, mask=there, other=0.0)
        total += tl.load(at + column, mask=there, other=0.0) * offset
    return total


@triton.jit
@no_type_check
def node(place, size) -> tuple[tl.tensor, tl.tensor, tl.tensor]:
    """First and second pixel of a map on one axis, and the fraction between, of places in pixels of the map."""
    position = tl.minimum(tl.maximum(place - 0.5, 0.0), size - 1.0)
    low = tl.maximum(tl.minimum(tl.floor(position), size - 2.0), 0.0)
    return low.to(tl.int64), tl.minimum(low + 1, size - 1.0).to(tl.int64), position - low


@triton.jit
@no_type_check
def look(
    maps, depths, poses, intrinsics, points, frames, features, seen, count, last, rows, columns, channels, depth_rows,
    depth_columns, height, width, behind, nearest, block: tl.constexpr, wide: tl.constexpr,
) -> None:  # fmt: skip
    sample = tl.program_id(0) * block + tl.arange(0, block)
    there = sample < count
    wanted = tl.load(frames + sample, mask=there, other=0)
    frame = tl.minimum(tl.maximum(wanted, 0), last)
    depth = component(points, poses, sample, frame, there, 2)
    before = tl.maximum(depth, nearest)
    x = component(points, poses, sample, frame, there, 0) / before * tl.load(intrinsics) + tl.load(intrinsics + 2)
    y = component(points, poses, sample, frame, there, 1) / before * tl.load(intrinsics + 1) + tl.load(intrinsics + 3)
    inside = (depth > nearest) & (x >= 0) & (x <= width) & (y >= 0) & (y <= height)
    column = tl.minimum(tl.maximum(x * (depth_columns / width), 0.0), depth_columns - 1.0).to(tl.int64)
    row = tl.minimum(tl.maximum(y * (depth_rows / height), 0.0), depth_rows - 1.0).to(tl.int64)
    deepest = depth * 0 - float("inf")
    for i in tl.static_range(3):
        for j in tl.static_range(3):
            at_row = tl.minimum(tl.maximum(row + (i - 1), 0), depth_rows - 1)
            at_column = tl.minimum(tl.maximum(column + (j - 1), 0), depth_columns - 1)
            at = (frame * depth_rows + at_row) * depth_columns + at_column
            deepest = tl.maximum(deepest, tl.load(depths + at, mask=there, other=0.0))
    shown = inside & (wanted == frame) & (depth <= behind * deepest)
    tl.store(seen + sample, shown, mask=there)
    j, j2, u = node(x * (columns / width), columns)
    i, i2, v = node(y * (rows / height), rows)
    u, v = u[:, None], v[:, None]
    channel = tl.arange(0, wide)
    mask = there[:, None] & (channel < channels)[None, :]
    upper, lower = (frame * rows + i) * columns, (frame * rows + i2) * columns
    a = tl.load(maps + (upper + j)[:, None] * channels + channel[None, :], mask=mask, other=0.0).to(tl.float32)
    b = tl.load(maps + (upper + j2)[:, None] * channels + channel[None, :], mask=mask, other=0.0).to(tl.float32)
    c = tl.load(maps + (lower + j)[:, None] * channels + channel[None, :], mask=mask, other=0.0).to(tl.float32)
    d = tl.load(maps + (lower + j2)[:, None] * channels + channel[None, :], mask=mask, other=0.0).to(tl.float32)
    value = (a * (1 - u) + b * u) * (1 - v) + (c * (1 - u) + d * u) * v
    tl.store(features + sample[:, None] * channels + channel[None, :], value, mask=mask)


def seen_features(
    maps: Tensor,
    depths: Tensor,
    world_from_camera: Tensor,
    intrinsics: Tensor,
    points: Tensor,
    frames: Tensor,
    height: int,
    width: int,
    behind: float,
) -> tuple[Tensor, Tensor]:
    count, channels = frames.numel(), maps.shape[3]
    features = points.new_empty(*frames.shape, channels)
    seen = torch.empty(frames.shape, dtype=torch.bool, device=points.device)
    given = (maps, depths, world_from_camera, intrinsics, points, frames)
    arrays = (*(tensor.contiguous() for tensor in given), features, seen)
    sizes = count, len(maps) - 1, *maps.shape[1:], *depths.shape[1:]
    numbers = float(height), float(width), behind, NEAREST_DEPTH
    look[(triton.cdiv(count, BLOCK),)](*arrays, *sizes, *numbers, block=BLOCK, wide=triton.next_power_of_2(channels))
    return features, seen
