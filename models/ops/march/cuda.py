"""Marching by Triton: a block of rays a program, bin by bin until nothing behind can be seen.

It walks twice: once to count each ray's samples, and once to write them behind those of the rays before. So no bin is ever
held in memory, and samples come in the order of rays without a sort.
"""

from collections.abc import Sequence
from typing import no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

from models.ops.march.reference import bin_tables, box_intervals

BLOCK = 32


@triton.jit
@no_type_check
def place(origins, directions, boxes, at, depth, k, there, axis: tl.constexpr) -> tl.tensor:
    """One coordinate of points, from their box's centre in its half extents."""
    origin = tl.load(origins + at * 3 + axis, mask=there, other=0.0)
    direction = tl.load(directions + at * 3 + axis, mask=there, other=0.0)
    return (origin + depth * direction - tl.load(boxes + k * 8 + axis)) / tl.load(boxes + k * 8 + 3 + axis)


@triton.jit
@no_type_check
def node(relative, factor, end) -> tuple[tl.tensor, tl.tensor]:
    """First node and fraction on one axis."""
    position = tl.minimum(tl.maximum(relative * factor + 0.5, 0.0), 1.0) * end
    low = tl.minimum(tl.floor(position), end - 1)
    return low.to(tl.int64), position - low


@triton.jit
@no_type_check
def logits(volumes, k, i, j, m, u, v, w, nx, ny, nz, there) -> tl.tensor:
    """Trilinear interpolation in one object's grid."""
    base = volumes + ((k.to(tl.int64) * nx + i) * ny + j) * nz + m
    total = u * 0
    for x in tl.static_range(2):
        for y in tl.static_range(2):
            at = base + x * ny * nz + y * nz
            line = tl.load(at, mask=there, other=0.0) * (1 - w) + tl.load(at + 1, mask=there, other=0.0) * w
            total += line * (u if x else 1 - u) * (v if y else 1 - v)
    return total


@triton.jit
@no_type_check
def walk(
    volumes, last, boxes, origins, directions, enter, span, jitter, to_shell, to_unit, tables, counts, starts, ray_of,
    owner_of, depth_of, length_of, objects, rays, bins, nx, ny, nz, scale, least, most,
    bounded: tl.constexpr, writes: tl.constexpr, block: tl.constexpr,
) -> None:  # fmt: skip
    k = tl.program_id(0)
    ray = tl.program_id(1) * block + tl.arange(0, block)
    there = ray < rays
    at = k * rays + ray
    begin, reach = tl.load(enter + at, mask=there, other=0.0), tl.load(span + at, mask=there, other=0.0)
    offset, shell_unit = tl.load(jitter + at, mask=there, other=0.0), tl.load(to_shell + at, mask=there, other=0.0)
    unit = tl.load(to_unit + at, mask=there, other=0.0)
    shell, open_space = tl.load(boxes + k * 8 + 6), tl.load(boxes + k * 8 + 7)
    ends = tl.load(last + k * 3), tl.load(last + k * 3 + 1), tl.load(last + k * 3 + 2)
    optical = tl.where(there & (reach > 0), 0.0, float("inf"))
    found = tl.zeros([block], tl.int64)
    if writes:
        found = tl.load(starts + ray * objects + k, mask=there, other=0)
    index = 0
    nearest = tl.min(optical, axis=0)
    while (index < bins) & (nearest < -tl.log(least)):
        table = tables + k * bins + index
        step = objects * bins
        share = tl.load(table + step)
        depth = begin + reach * (tl.load(table) + share * offset)
        depth += shell_unit * (tl.load(table + 2 * step) + tl.load(table + 3 * step) * offset)
        length = (reach * share + shell_unit * tl.load(table + 4 * step)) * unit
        x = place(origins, directions, boxes, at, depth, k, there, 0)
        y = place(origins, directions, boxes, at, depth, k, there, 1)
        z = place(origins, directions, boxes, at, depth, k, there, 2)
        far = tl.maximum(tl.maximum(tl.abs(x), tl.abs(y)), tl.abs(z))
        distance = tl.where(open_space > 0, 1.0, tl.maximum(far, 1.0))
        factor = 0.5 * (1 + shell * (1 - 1 / distance)) / (distance * (1 + shell))
        i, u = node(x, factor, ends[0])
        j, v = node(y, factor, ends[1])
        m, w = node(z, factor, ends[2])
        logit = logits(volumes, k, i, j, m, u, v, w, nx, ny, nz, there)
        density = tl.where(logit > 20, logit, tl.log(1 + tl.exp(tl.minimum(logit, 20.0))))
        if bounded:
            density = tl.where(far <= 1, density, density * (1 - open_space))
        tau = density * length * scale
        weight = tl.exp(-optical) - tl.exp(-optical - tau)
        kept = there & (reach > 0) & (weight > least)
        if writes:
            fits = kept & (found < most)
            tl.store(ray_of + found, ray.to(tl.int64), mask=fits)
            tl.store(owner_of + found, tl.zeros([block], tl.int64) + k, mask=fits)
            tl.store(depth_of + found, depth, mask=fits)
            tl.store(length_of + found, length, mask=fits)
        found += kept.to(tl.int64)
        optical += tau
        nearest = tl.min(optical, axis=0)
        index += 1
    if not writes:
        tl.store(counts + ray * objects + k, found, mask=there)


def march(
    volumes: Tensor,
    last: Tensor,
    boxes: Tensor,
    near: Tensor,
    unit: Tensor,
    origins: Tensor,
    directions: Tensor,
    present: Tensor,
    jitter: Tensor,
    reach: Tensor,
    inner: Sequence[int],
    outer: Sequence[int],
    scale: float,
    least: float,
    most: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    objects, rays = present.shape
    tables = torch.stack(bin_tables(tuple(inner), tuple(outer), origins.dtype, origins.device))
    enter, leave = reach[..., :2].unbind(-1) if reach.numel() else box_intervals(boxes, near, origins, directions)
    span = torch.where((leave > enter) & present, leave - enter, 0)
    to_shell = 1 / (directions / boxes[:, None, 3:6]).abs().amax(-1)
    to_unit = directions.norm(dim=-1) / unit[:, None] * (reach[..., 2] if reach.numel() else 1)
    given = [volumes, last, boxes, origins, directions, enter, span, jitter, to_shell, to_unit, tables]
    given = [tensor.contiguous() for tensor in given]
    counts = torch.zeros(rays * objects, dtype=torch.int64, device=origins.device)
    numbers = objects, rays, tables.shape[-1], *volumes.shape[1:], scale, least
    grid, bounded = (objects, triton.cdiv(rays, BLOCK)), bool(reach.numel())
    nothing = [counts] * 5
    walk[grid](*given, counts, *nothing, *numbers, 0, bounded=bounded, writes=False, block=BLOCK)
    ends = counts.cumsum(0)
    size = most if most > 0 else int(ends[-1])
    found = [torch.full((size,), rays, device=origins.device), torch.zeros_like(counts[:1]).expand(size).contiguous()]
    found += [torch.zeros(size, dtype=origins.dtype, device=origins.device) for _ in range(2)]
    walk[grid](*given, counts, ends - counts, *found, *numbers, size, bounded=bounded, writes=True, block=BLOCK)
    return found[0], found[1], found[2], found[3]
