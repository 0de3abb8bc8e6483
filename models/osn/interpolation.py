"""Linear interpolation in grids: of rows of a table, of planes times lines, of volumes.

The convention is that of `models.ops.grid`. One fused gather forwards, one sorted sum backwards: deterministic, and on CPU
faster than `grid_sample`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from models.ops.constants import constant
from models.ops.grid import LINE_AXES, PLANE_AXES

AXES = tuple((*axes, along) for axes, along in zip(PLANE_AXES, LINE_AXES, strict=True))


@dataclass(frozen=True)
class Cells:
    """Where points lie in a grid: the cell's first node on each axis, and how far to the next.

    Axes come before points, here and wherever samples are many: an innermost axis of 2 or 3 is slow on CPU.
    """

    low: Int[Tensor, "axis point"]
    fraction: Float[Tensor, "axis point"]
    resolution: tuple[int, ...]

    @staticmethod
    def locate(points: Float[Tensor, "axis point"], resolution: Sequence[int]) -> "Cells":
        """Points of the unit cube; those outside are moved to its faces."""
        last = constant(tuple(size - 1 for size in resolution), points)[:, None]
        position = points.clamp(0, 1) * last
        low = torch.minimum(position.detach().floor(), last - 1)
        return Cells(low.int(), position - low, tuple(resolution))

    def axes(self, *axes: int) -> "Cells":
        """The same points in the plane or on the line of one or two axes, in order."""
        chosen = slice(axes[0], axes[-1] + 1, axes[-1] - axes[0] or 1)  # a view: no index goes to the device
        return Cells(self.low[chosen], self.fraction[chosen], tuple(self.resolution[axis] for axis in axes))

    def first_rows(self) -> Int[Tensor, "point"]:
        """The row of each cell's first node, last axis fastest."""
        row = self.low[0]
        for axis, size in enumerate(self.resolution[1:], start=1):
            row = row * size + self.low[axis]
        return row

    def corner_offsets(self) -> list[int]:
        """How many rows each corner lies after its cell's first."""
        offsets = [0]
        for size in self.resolution:
            offsets = [offset * size + step for offset in offsets for step in (0, 1)]
        return offsets

    def corner_weights(self) -> Float[Tensor, "corner point"]:
        weights: list[Tensor] = []
        for fraction in self.fraction:
            ends = 1 - fraction, fraction
            weights = [weight * end for weight in weights for end in ends] if weights else list(ends)
        return torch.stack(weights)


class WeightedRows(torch.autograd.Function):
    """Sums of the weighted rows at the corners of cells."""

    @staticmethod
    def forward(
        ctx: Any,
        table: Float[Tensor, "row channel"],
        first: Int[Tensor, "point"],
        weights: Float[Tensor, "corner point"],
        offsets: list[int],
    ) -> Float[Tensor, "point channel"]:
        ctx.save_for_backward(table, first, weights)
        ctx.offsets = offsets
        rows = torch.stack([first + offset for offset in offsets], dim=1)
        return F.embedding_bag(rows, table, per_sample_weights=weights.T.contiguous(), mode="sum")

    @staticmethod
    def backward(
        ctx: Any, gradient: Float[Tensor, "point channel"]
    ) -> tuple[Float[Tensor, "row channel"] | None, None, Float[Tensor, "corner point"] | None, None]:
        table, first, weights = ctx.saved_tensors
        by_row = by_weight = None
        if ctx.needs_input_grad[0]:
            by_row = transposed_sum(first, weights, ctx.offsets, gradient.contiguous(), len(table))
        if ctx.needs_input_grad[2]:
            corners = (table.index_select(0, first + offset) for offset in ctx.offsets)
            by_weight = torch.stack([(corner * gradient).sum(1) for corner in corners])
        return by_row, None, by_weight, None


def transposed_sum(
    first: Int[Tensor, "point"],
    weights: Float[Tensor, "corner point"],
    offsets: list[int],
    values: Float[Tensor, "point channel"],
    rows: int,
) -> Float[Tensor, "row channel"]:
    """For each row of the table, the sum of the values of the points that used it, times their weights.

    Points are sorted once, by cell; every corner is then a sum over cells, shifted to the corner's row.
    """
    used, order = torch.sort(first, stable=True)
    starts = torch.searchsorted(used, torch.arange(rows, device=used.device, dtype=used.dtype))
    total = values.new_zeros(rows, values.shape[1])
    for weight, offset in zip(weights.index_select(1, order), offsets, strict=True):
        by_cell = F.embedding_bag(order, values, starts, per_sample_weights=weight, mode="sum")
        total[offset:] += by_cell[: rows - offset]
    return total


def interpolate_rows(table: Float[Tensor, "row channel"], cells: Cells) -> Float[Tensor, "point channel"]:
    """Multilinear interpolation of a table whose rows are the nodes of a grid, last axis fastest."""
    return WeightedRows.apply(table, cells.first_rows(), cells.corner_weights(), cells.corner_offsets())


def interpolate_volume(volume: Float[Tensor, "x y z"], points: Float[Tensor, "axis=3 point"]) -> Float[Tensor, "point"]:
    """Trilinear interpolation of one value per node, at points of the unit cube."""
    cells = Cells.locate(points, volume.shape)
    first, weights = cells.first_rows(), cells.corner_weights()
    rows = torch.stack([first + offset for offset in cells.corner_offsets()])
    values = volume.flatten().index_select(0, rows.flatten()).view_as(weights)
    return (values * weights).sum(0)


def planes_times_lines(
    planes: Sequence[Float[Tensor, "_ channel"]],
    lines: Sequence[Float[Tensor, "_ channel"]],
    points: Float[Tensor, "axis=3 point"],
    resolution: tuple[int, ...],
) -> Float[Tensor, "point channels"]:
    """The three bilinear planes times the three linear lines of a grid, side by side."""
    cells = Cells.locate(points, resolution)
    products = [
        interpolate_rows(plane, cells.axes(a, b)) * interpolate_rows(line, cells.axes(c))
        for (a, b, c), plane, line in zip(AXES, planes, lines, strict=True)
    ]
    return torch.cat(products, dim=1)
