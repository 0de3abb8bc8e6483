"""Trilinear interpolation by tensor operations."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from models.ops.constants import constant
from models.ops.places import locate, slopes_by_place


def corners(
    volumes: Float[Tensor, "object x y z"],
    last: Float[Tensor, "object xyz=3"],
    points: Float[Tensor, "xyz=3 point"],
    owner: Int64[Tensor, "point"],
) -> tuple[Int64[Tensor, "x=2 y=2 z=2 point"], Float[Tensor, "end=2 xyz=3 point"]]:
    """Flat index of the eight nodes around each point, and the weights of both ends on each axis."""
    low, fraction = locate(points, last, owner)
    _, nx, ny, nz = volumes.shape
    first = (low * constant((ny * nz, nz, 1), low)[:, None]).sum(0) + owner * (nx * ny * nz)
    offsets = constant(tuple(x * ny * nz + y * nz + z for x in (0, 1) for y in (0, 1) for z in (0, 1)), low)
    return (first + offsets.view(2, 2, 2, 1)), torch.stack([1 - fraction, fraction])


def interpolate_volume(volumes: Tensor, last: Tensor, points: Tensor, owner: Tensor) -> Float[Tensor, "point"]:
    """Values at points."""
    index, ends = corners(volumes, last, points, owner)
    x, y, z = ends[:, None, None, 0], ends[None, :, None, 1], ends[None, None, :, 2]
    values = volumes.flatten().index_select(0, index.flatten()).view(index.shape)
    return (values * (x * y * z)).sum((0, 1, 2))


def interpolate_volume_backward(
    gradient: Float[Tensor, "point"], volumes: Tensor, last: Tensor, points: Tensor, owner: Tensor, by_place: bool
) -> tuple[Float[Tensor, "object x y z"], Float[Tensor, "xyz=3 point"]]:
    """Gradients of the nodes, and of the points where they are asked for."""
    index, ends = corners(volumes, last, points, owner)
    x, y, z = ends[:, None, None, 0], ends[None, :, None, 1], ends[None, None, :, 2]
    spread = (x * y * z * gradient).flatten()
    by_node = torch.zeros_like(volumes).flatten().index_add_(0, index.flatten(), spread).view_as(volumes)
    if not by_place:
        return by_node, points.new_empty(0)
    values = volumes.flatten().index_select(0, index.flatten()).view(index.shape) * gradient
    on_yz = (values * y * z).sum((1, 2))
    on_x = (values * x).sum(0)
    slopes = [on_yz.diff(dim=0)[0], (on_x * z[0]).sum(1).diff(dim=0)[0], (on_x * y[0]).sum(0).diff(dim=0)[0]]
    return by_node, slopes_by_place(points, last, owner, torch.stack(slopes))
