"""The contraction of points by Triton: one pass over points, forwards and backwards."""

from typing import no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 128


@triton.jit
@no_type_check
def relative(points, boxes, k, sample, count, there, axis: tl.constexpr) -> tuple[tl.tensor, tl.tensor]:
    """One coordinate of points from their box's centre in its half extents, and the half extent."""
    half = tl.load(boxes + k * 8 + 3 + axis, mask=there, other=1.0)
    centre = tl.load(boxes + k * 8 + axis, mask=there, other=0.0)
    return (tl.load(points + axis * count + sample, mask=there, other=0.0) - centre) / half, half


@triton.jit
@no_type_check
def contract(points, boxes, owner, gradient, out, count, backward: tl.constexpr, block: tl.constexpr) -> None:
    sample = tl.program_id(0) * block + tl.arange(0, block)
    there = sample < count
    k = tl.load(owner + sample, mask=there, other=0)
    x, half_x = relative(points, boxes, k, sample, count, there, 0)
    y, half_y = relative(points, boxes, k, sample, count, there, 1)
    z, half_z = relative(points, boxes, k, sample, count, there, 2)
    shell, open_space = (
        tl.load(boxes + k * 8 + 6, mask=there, other=0.0),
        tl.load(boxes + k * 8 + 7, mask=there, other=1.0),
    )
    far = tl.maximum(tl.maximum(tl.abs(x), tl.abs(y)), tl.abs(z))
    distance = tl.where(open_space > 0, 1.0, tl.maximum(far, 1.0))
    factor = 0.5 * (1 + shell * (1 - 1 / distance)) / (distance * (1 + shell))
    if backward:
        a = tl.load(gradient + sample, mask=there, other=0.0)
        b = tl.load(gradient + count + sample, mask=there, other=0.0)
        c = tl.load(gradient + 2 * count + sample, mask=there, other=0.0)
        slope = (2 * shell / distance - (1 + shell)) / (distance * distance * (1 + shell))
        along = tl.where(distance > 1, 0.5 * (a * x + b * y + c * z) * slope, 0.0)
        x = a * factor + tl.where(tl.abs(x) == distance, tl.where(x > 0, along, -along), 0.0)
        y = b * factor + tl.where(tl.abs(y) == distance, tl.where(y > 0, along, -along), 0.0)
        z = c * factor + tl.where(tl.abs(z) == distance, tl.where(z > 0, along, -along), 0.0)
        x, y, z = x / half_x, y / half_y, z / half_z
    else:
        x, y, z = x * factor + 0.5, y * factor + 0.5, z * factor + 0.5
    tl.store(out + sample, x, mask=there)
    tl.store(out + count + sample, y, mask=there)
    tl.store(out + 2 * count + sample, z, mask=there)


def launched(points: Tensor, boxes: Tensor, owner: Tensor, gradient: Tensor, backward: bool) -> Tensor:
    out, count = torch.empty_like(points, memory_format=torch.contiguous_format), points.shape[1]
    arrays = (points.contiguous(), boxes.contiguous(), owner, gradient.contiguous(), out)
    contract[(triton.cdiv(count, BLOCK),)](*arrays, count, backward=backward, block=BLOCK)
    return out


def contract_points(points: Tensor, boxes: Tensor, owner: Tensor) -> Tensor:
    return launched(points, boxes, owner, points, False)


def contract_points_backward(gradient: Tensor, points: Tensor, boxes: Tensor, owner: Tensor) -> Tensor:
    return launched(points, boxes, owner, gradient, True)
