"""Trilinear reads of many channels a voxel, at several strides at once: compiled loops on CPU, `grid_sample` on GPUs.

A volume has axes (x, y, z, channel). With a stride of k every k-th node is read, as a coarser grid of the same box. Where
k does not divide the number of cells, the volume goes on with one layer of zeros, so that the coarser grid covers the box.
"""

from collections.abc import Sequence
from typing import Any, no_type_check

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from models.ops.compiled import njit
from models.ops.grid import ONE, ZERO, cell
from models.ops.table_reads import array, unit_points

Volume = Float[Tensor, "x y z channel"]


def read_voxels(
    volume: Volume, coordinates: Float[Tensor, "point xyz=3"], strides: Sequence[int] = (1,)
) -> Float[Tensor, "point values"]:
    """Values at grid coordinates in [-1, 1], those of each stride side by side; beyond the border its value goes on."""
    padded = padded_for(volume, max(strides))
    if coordinates.device.type == "cpu":
        read: Tensor = VoxelRead.apply(padded, coordinates, tuple(strides))
        return read
    return read_in_tensors(padded, coordinates, strides)


def padded_for(volume: Volume, stride: int) -> Float[Tensor, "wider deeper higher channel"]:
    """The volume with zeros behind its last nodes, until the stride divides the number of cells."""
    missing = [-(size - 1) % stride for size in volume.shape[:3]]
    if not any(missing):
        return volume
    return F.pad(volume, (0, 0, 0, missing[2], 0, missing[1], 0, missing[0]))


def read_in_tensors(
    volume: Volume, coordinates: Float[Tensor, "point xyz=3"], strides: Sequence[int]
) -> Float[Tensor, "point values"]:
    """The same by tensor operations: the reference, and the way of GPUs."""
    grid = coordinates.flip(-1)[None, :, None, None]  # grid_sample names the last axis first
    nodes = volume.permute(3, 0, 1, 2)[None]
    parts = [F.grid_sample(nodes[..., ::k, ::k, ::k], grid, align_corners=True, padding_mode="border") for k in strides]
    return torch.cat([part[0, :, :, 0, 0].T for part in parts], dim=1)


class VoxelRead(torch.autograd.Function):
    """One compiled pass over points for each stride, forwards and backwards."""

    @staticmethod
    def forward(
        ctx: Any, volume: Volume, coordinates: Float[Tensor, "point xyz=3"], strides: tuple[int, ...]
    ) -> Float[Tensor, "point values"]:
        nodes, points, channels = array(volume), unit_points(coordinates), volume.shape[3]
        lost = ~np.isfinite(points).all(axis=0)  # loops would look for them anywhere in memory
        points = np.where(lost, np.float32(0), points) if lost.any() else points
        values = np.empty((points.shape[1], len(strides) * channels), np.float32)
        for number, stride in enumerate(strides):
            gather_voxels(nodes[::stride, ::stride, ::stride], points, values, number * channels)
        values[lost] = np.nan
        ctx.kept = nodes, points, strides
        return torch.from_numpy(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Float[Tensor, "point values"]) -> tuple[Tensor | None, ...]:
        nodes, points, strides = ctx.kept
        gradient, channels = array(gradients[0]), nodes.shape[3]
        total, by_point = np.zeros_like(nodes), np.zeros_like(points)
        for number, stride in enumerate(strides):
            coarse = (slice(None, None, stride),) * 3
            scatter_voxels(nodes[coarse], points, gradient, number * channels, total[coarse], by_point)
        return torch.from_numpy(total), torch.from_numpy(np.float32(0.5) * by_point).T, None


@njit(nogil=True, cache=True, fastmath=True)
@no_type_check
def gather_voxels(nodes, points, values, first) -> None:
    """Trilinear interpolation of all channels, into the columns from `first` on."""
    for sample in range(points.shape[1]):
        i, u = cell(points[0, sample], nodes.shape[0])
        j, v = cell(points[1, sample], nodes.shape[1])
        k, w = cell(points[2, sample], nodes.shape[2])
        out = values[sample, first : first + nodes.shape[3]]
        out[:] = ZERO
        for a in range(2):
            by_x = u if a else ONE - u
            for b in range(2):
                by_y = by_x * (v if b else ONE - v)
                low, high = nodes[i + a, j + b, k], nodes[i + a, j + b, k + 1]
                for channel in range(nodes.shape[3]):
                    out[channel] += by_y * ((ONE - w) * low[channel] + w * high[channel])


@njit(nogil=True, cache=True, fastmath=True)
@no_type_check
def scatter_voxels(nodes, points, gradient, first, total, by_point) -> None:
    """The transpose of `gather_voxels`, added to `total`, and the slopes by the points, in the unit cube."""
    scale_x, scale_y = np.float32(nodes.shape[0] - 1), np.float32(nodes.shape[1] - 1)
    scale_z, channels = np.float32(nodes.shape[2] - 1), nodes.shape[3]
    for sample in range(points.shape[1]):
        x, y, z = points[0, sample], points[1, sample], points[2, sample]
        i, u = cell(x, nodes.shape[0])
        j, v = cell(y, nodes.shape[1])
        k, w = cell(z, nodes.shape[2])
        wanted = gradient[sample, first : first + channels]
        by_x, by_y, by_z = ZERO, ZERO, ZERO
        for a in range(2):
            p, sign_x = (u, ONE) if a else (ONE - u, -ONE)
            for b in range(2):
                q, sign_y = (v, ONE) if b else (ONE - v, -ONE)
                low, high = nodes[i + a, j + b, k], nodes[i + a, j + b, k + 1]
                to_low, to_high = total[i + a, j + b, k], total[i + a, j + b, k + 1]
                along, across = ZERO, ZERO
                for channel in range(channels):
                    g = wanted[channel]
                    along += g * ((ONE - w) * low[channel] + w * high[channel])
                    across += g * (high[channel] - low[channel])
                    to_low[channel] += p * q * (ONE - w) * g
                    to_high[channel] += p * q * w * g
                by_x += sign_x * q * along
                by_y += p * sign_y * along
                by_z += p * q * across
        if ZERO <= x <= ONE:
            by_point[0, sample] += scale_x * by_x
        if ZERO <= y <= ONE:
            by_point[1, sample] += scale_y * by_y
        if ZERO <= z <= ONE:
            by_point[2, sample] += scale_z * by_z
