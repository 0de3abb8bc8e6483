"""Planes times lines by tensor operations: one gather for the planes of all objects, one for the lines."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from models.ops.constants import constant
from models.ops.grid import LINE_AXES, PLANE_AXES
from models.ops.places import locate, slopes_by_place

FIRST, SECOND = zip(*PLANE_AXES, strict=True)


@dataclass(frozen=True)
class Reads:
    """The rows that points read, and the weights of both ends on each axis of each pair."""

    corners: Int64[Tensor, "point pair=3 corner=4"]
    nodes: Int64[Tensor, "point pair=3 node=2"]
    first: Float[Tensor, "point pair=3 end=2"]
    second: Float[Tensor, "point pair=3 end=2"]
    along: Float[Tensor, "point pair=3 end=2"]

    @staticmethod
    def of(table: Tensor, last: Tensor, points: Tensor, owner: Tensor) -> "Reads":
        low, fraction = (values.T for values in locate(points, last, owner))
        own = table.index_select(0, owner)
        ends = torch.stack([1 - fraction, fraction], dim=-1)
        axes = [constant(numbers, owner) for numbers in (FIRST, SECOND, LINE_AXES)]
        a, b, c = (low.index_select(1, axis) for axis in axes)
        first, second, along = (ends.index_select(1, axis) for axis in axes)
        corners = own[..., :4] + (a * own[..., 4] + b)[..., None]
        return Reads(corners, own[..., 5:] + c[..., None], first, second, along)

    def corner_weights(self) -> Float[Tensor, "row corner=4"]:
        return (self.first[..., None] * self.second[..., None, :]).view(-1, 4)

    def on_planes(self, planes: Tensor) -> Float[Tensor, "row channel"]:
        weights = self.corner_weights()
        return F.embedding_bag(self.corners.view(-1, 4), planes, per_sample_weights=weights, mode="sum")

    def on_lines(self, lines: Tensor) -> Float[Tensor, "row channel"]:
        weights = self.along.view(-1, 2)
        return F.embedding_bag(self.nodes.view(-1, 2), lines, per_sample_weights=weights, mode="sum")


def interpolate_vm(
    planes: Float[Tensor, "row channel"],
    lines: Float[Tensor, "node channel"],
    table: Int64[Tensor, "object pair=3 entry=7"],
    last: Float[Tensor, "object xyz=3"],
    points: Float[Tensor, "xyz=3 point"],
    owner: Int64[Tensor, "point"],
) -> Float[Tensor, "point channels"]:
    """Products at points."""
    reads = Reads.of(table, last, points, owner)
    return (reads.on_planes(planes) * reads.on_lines(lines)).view(points.shape[1], 3 * planes.shape[1])


def interpolate_vm_backward(
    gradient: Float[Tensor, "point channels"],
    planes: Tensor,
    lines: Tensor,
    table: Tensor,
    last: Tensor,
    points: Tensor,
    owner: Tensor,
    by_place: bool,
) -> tuple[Tensor, Tensor, Float[Tensor, "xyz=3 point"]]:
    """Gradients of the rows, and of the points where they are asked for."""
    reads = Reads.of(table, last, points, owner)
    given = gradient.view(-1, planes.shape[1])
    to_plane, to_line = given * reads.on_lines(lines), given * reads.on_planes(planes)
    by_plane = spread(to_plane, reads.corners, reads.corner_weights(), planes)
    by_line = spread(to_line, reads.nodes, reads.along.view(-1, 2), lines)
    if not by_place:
        return by_plane, by_line, points.new_empty(0)
    at_corners = pulled(planes, reads.corners, to_plane).view(*reads.corners.shape[:2], 2, 2)
    by_first = (at_corners * reads.second[:, :, None]).sum(3).diff(dim=2)[..., 0]
    by_second = (at_corners * reads.first[..., None]).sum(2).diff(dim=2)[..., 0]
    by_along = pulled(lines, reads.nodes, to_line).view(reads.nodes.shape).diff(dim=2)[..., 0]
    pairs = torch.stack([by_first, by_second, by_along])  # of pairs (xy, z), (xz, y), (yz, x)
    slopes = [
        pairs[0, :, :2].sum(1) + pairs[2, :, 2],
        pairs[0, :, 2] + pairs[1, :, 0] + pairs[2, :, 1],
        pairs[1, :, 1:].sum(1) + pairs[2, :, 0],
    ]
    return by_plane, by_line, slopes_by_place(points, last, owner, torch.stack(slopes))


def spread(values: Tensor, rows: Tensor, weights: Tensor, table: Tensor) -> Float[Tensor, "row channel"]:
    """Values added to the rows that they were read from, by their weights."""
    weighted = weights[..., None] * values[:, None]
    return torch.zeros_like(table).index_add_(0, rows.flatten(), weighted.flatten(0, 1))


def pulled(table: Tensor, rows: Tensor, values: Tensor) -> Float[Tensor, "row corner"]:
    """How much each row that was read says in the direction of values."""
    read = table.index_select(0, rows.flatten()).view(len(values), -1, table.shape[1])
    return torch.bmm(read, values[..., None])[..., 0]
