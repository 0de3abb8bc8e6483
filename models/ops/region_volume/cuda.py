"""Trilinear interpolation in a region by Triton: a block of points a program; sums of gradients are atomic."""

from typing import no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

from models.ops.region_planes.cuda import cell, contraction, relative

BLOCK = 128


@triton.jit
@no_type_check
def visit(
    gradient, nodes, points, box, out, count, nx, ny, nz, backward: tl.constexpr, block: tl.constexpr
) -> None:  # fmt: skip
    """Values of points into `out`, or of a gradient what it adds to the nodes."""
    sample = tl.program_id(0) * block + tl.arange(0, block)
    there = sample < count
    x = relative(points, box, sample, there, 0)
    y = relative(points, box, sample, there, 1)
    z = relative(points, box, sample, there, 2)
    _, factor, _ = contraction(x, y, z, box)
    i, i2, u = cell(x * factor + 0.5, nx)
    j, j2, v = cell(y * factor + 0.5, ny)
    k, k2, w = cell(z * factor + 0.5, nz)
    given = tl.load(gradient + sample, mask=there, other=0.0) if backward else u * 0
    total = u * 0
    for a in tl.static_range(2):
        for b in tl.static_range(2):
            for c in tl.static_range(2):
                at = ((i2 if a else i) * ny + (j2 if b else j)) * nz + (k2 if c else k)
                weight = (u if a else 1 - u) * (v if b else 1 - v) * (w if c else 1 - w)
                if backward:
                    tl.atomic_add(out + at, given * weight, mask=there)
                else:
                    total += tl.load(nodes + at, mask=there, other=0.0) * weight
    if not backward:
        tl.store(out + sample, total, mask=there)


def region_volume(nodes: Tensor, points: Tensor, box: Tensor) -> Tensor:
    values = points.new_empty(len(points))
    arrays = (values, nodes.contiguous(), points.contiguous(), box, values)
    visit[(triton.cdiv(len(points), BLOCK),)](*arrays, len(points), *nodes.shape, backward=False, block=BLOCK)
    return values


def region_volume_backward(gradient: Tensor, nodes: Tensor, points: Tensor, box: Tensor) -> Tensor:
    by_node = torch.zeros_like(nodes, memory_format=torch.contiguous_format)
    arrays = (gradient, nodes.contiguous(), points.contiguous(), box, by_node)
    visit[(triton.cdiv(len(points), BLOCK),)](*arrays, len(points), *nodes.shape, backward=True, block=BLOCK)
    return by_node
