"""Trilinear interpolation by Triton: a block of points a program; sums of gradients are atomic."""

from typing import no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 128


@triton.jit
@no_type_check
def cell(
    points, last, k, sample, count, there, axis: tl.constexpr
) -> tuple[tl.tensor, tl.tensor, tl.tensor, tl.tensor]:
    """First node, fraction, last node of points on one axis, and whether a point is within it."""
    place = tl.load(points + axis * count + sample, mask=there, other=0.0)
    end = tl.load(last + k * 3 + axis, mask=there, other=1.0)
    position = tl.minimum(tl.maximum(place, 0.0), 1.0) * end
    low = tl.minimum(tl.floor(position), end - 1)
    return low.to(tl.int64), position - low, end, there & (place >= 0) & (place <= 1)


@triton.jit
@no_type_check
def gather(volumes, last, points, owner, values, count, nx, ny, nz, block: tl.constexpr) -> None:
    sample = tl.program_id(0) * block + tl.arange(0, block)
    there = sample < count
    k = tl.load(owner + sample, mask=there, other=0)
    i, u, _, _ = cell(points, last, k, sample, count, there, 0)
    j, v, _, _ = cell(points, last, k, sample, count, there, 1)
    m, w, _, _ = cell(points, last, k, sample, count, there, 2)
    first = volumes + ((k * nx + i) * ny + j) * nz + m
    total = u * 0
    for x in tl.static_range(2):
        for y in tl.static_range(2):
            at = first + x * ny * nz + y * nz
            line = tl.load(at, mask=there, other=0.0) * (1 - w) + tl.load(at + 1, mask=there, other=0.0) * w
            total += line * (u if x else 1 - u) * (v if y else 1 - v)
    tl.store(values + sample, total, mask=there)


@triton.jit
@no_type_check
def scatter(
    gradient, volumes, last, points, owner, by_node, by_point, count, nx, ny, nz,
    by_place: tl.constexpr, block: tl.constexpr,
) -> None:  # fmt: skip
    sample = tl.program_id(0) * block + tl.arange(0, block)
    there = sample < count
    k = tl.load(owner + sample, mask=there, other=0)
    given = tl.load(gradient + sample, mask=there, other=0.0)
    i, u, end_x, in_x = cell(points, last, k, sample, count, there, 0)
    j, v, end_y, in_y = cell(points, last, k, sample, count, there, 1)
    m, w, end_z, in_z = cell(points, last, k, sample, count, there, 2)
    first = ((k * nx + i) * ny + j) * nz + m
    slope_x, slope_y, slope_z = u * 0, u * 0, u * 0
    for x in tl.static_range(2):
        for y in tl.static_range(2):
            for z in tl.static_range(2):
                at = first + x * ny * nz + y * nz + z
                a, b, c = (u if x else 1 - u), (v if y else 1 - v), (w if z else 1 - w)
                tl.atomic_add(by_node + at, given * a * b * c, mask=there)
                if by_place:
                    value = given * tl.load(volumes + at, mask=there, other=0.0)
                    slope_x += (value if x else -value) * b * c
                    slope_y += (value if y else -value) * a * c
                    slope_z += (value if z else -value) * a * b
    if by_place:
        tl.store(by_point + sample, slope_x * end_x, mask=in_x)
        tl.store(by_point + count + sample, slope_y * end_y, mask=in_y)
        tl.store(by_point + 2 * count + sample, slope_z * end_z, mask=in_z)


def interpolate_volume(volumes: Tensor, last: Tensor, points: Tensor, owner: Tensor) -> Tensor:
    count = points.shape[1]
    values = points.new_empty(count)
    arrays = (volumes, last, points.contiguous(), owner, values)
    gather[(triton.cdiv(count, BLOCK),)](*arrays, count, *volumes.shape[1:], block=BLOCK)
    return values


def interpolate_volume_backward(
    gradient: Tensor, volumes: Tensor, last: Tensor, points: Tensor, owner: Tensor, by_place: bool
) -> tuple[Tensor, Tensor]:
    count = points.shape[1]
    by_node = torch.zeros_like(volumes)
    by_point = torch.zeros(3 if by_place else 0, count, dtype=points.dtype, device=points.device)
    arrays = (gradient, volumes, last, points.contiguous(), owner, by_node, by_point)
    scatter[(triton.cdiv(count, BLOCK),)](*arrays, count, *volumes.shape[1:], by_place=by_place, block=BLOCK)
    return by_node, by_point
