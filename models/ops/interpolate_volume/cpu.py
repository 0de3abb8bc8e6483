"""Trilinear interpolation by compiled loops."""

from typing import no_type_check

import numpy as np
import torch
from torch import Tensor

from models.ops.compiled import njit
from models.ops.grid import ONE, ZERO, cell


@njit(nogil=True, cache=True)
@no_type_check
def gather(volumes, last, points, owner, values) -> None:
    """Values at points."""
    for sample in range(points.shape[1]):
        k = owner[sample]
        i, u = cell(points[0, sample], int(last[k, 0]) + 1)
        j, v = cell(points[1, sample], int(last[k, 1]) + 1)
        m, w = cell(points[2, sample], int(last[k, 2]) + 1)
        total = ZERO
        for a in range(2):
            for b in range(2):
                on_line = (ONE - w) * volumes[k, i + a, j + b, m] + w * volumes[k, i + a, j + b, m + 1]
                total += (u if a else ONE - u) * (v if b else ONE - v) * on_line
        values[sample] = total


@njit(nogil=True, cache=True)
@no_type_check
def scatter(gradient, volumes, last, points, owner, by_node, by_point) -> None:
    """Gradients of the nodes, and of the points where there is room for them."""
    for sample in range(points.shape[1]):
        k, g = owner[sample], gradient[sample]
        i, u = cell(points[0, sample], int(last[k, 0]) + 1)
        j, v = cell(points[1, sample], int(last[k, 1]) + 1)
        m, w = cell(points[2, sample], int(last[k, 2]) + 1)
        slope = np.zeros(3, volumes.dtype)
        for a in range(2):
            for b in range(2):
                for c in range(2):
                    x, y, z = (u if a else ONE - u), (v if b else ONE - v), (w if c else ONE - w)
                    by_node[k, i + a, j + b, m + c] += g * x * y * z
                    value = g * volumes[k, i + a, j + b, m + c]
                    slope[0] += (ONE if a else -ONE) * y * z * value
                    slope[1] += (ONE if b else -ONE) * x * z * value
                    slope[2] += (ONE if c else -ONE) * x * y * value
        for axis in range(by_point.shape[0]):
            if ZERO <= points[axis, sample] <= ONE:
                by_point[axis, sample] = slope[axis] * last[k, axis]


def arrays(*tensors: Tensor) -> list[np.ndarray]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


def interpolate_volume(volumes: Tensor, last: Tensor, points: Tensor, owner: Tensor) -> Tensor:
    values = points.new_empty(points.shape[1])
    gather(*arrays(volumes, last, points, owner), values.numpy())
    return values


def interpolate_volume_backward(
    gradient: Tensor, volumes: Tensor, last: Tensor, points: Tensor, owner: Tensor, by_place: bool
) -> tuple[Tensor, Tensor]:
    by_node, by_point = torch.zeros(volumes.shape, dtype=volumes.dtype), points.new_zeros(3 * by_place, points.shape[1])
    scatter(*arrays(gradient, volumes, last, points, owner), by_node.numpy(), by_point.numpy())
    return by_node, by_point
