"""Linear interpolation in grids whose nodes are rows of a table: one fused gather forwards, one sorted sum backwards.

On CPU this is several times faster than `grid_sample`, and deterministic.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Cells:
    """Where points lie in a grid: the cell's first node on each axis, and the weights of the cell's two ends there."""

    low: Int[Tensor, "point axis"]
    ends: Float[Tensor, "point axis two"]
    resolution: tuple[int, ...]

    @staticmethod
    def locate(points: Float[Tensor, "point axis"], resolution: Sequence[int]) -> "Cells":
        """Points of the unit cube; nodes lie on the cube's faces and evenly between."""
        last = torch.tensor([size - 1 for size in resolution], device=points.device, dtype=points.dtype)
        position = points.clamp(0, 1) * last
        low = torch.minimum(position.detach().floor(), last - 1)
        fraction = position - low
        return Cells(low.int(), torch.stack([1 - fraction, fraction], dim=-1), tuple(resolution))

    def axes(self, *axes: int) -> "Cells":
        """The same points in the plane or on the line of some axes."""
        return Cells(self.low[:, axes], self.ends[:, axes], tuple(self.resolution[axis] for axis in axes))

    def first_rows(self) -> Int[Tensor, "point"]:
        """The row of each cell's first node, last axis fastest."""
        row = self.low[:, 0]
        for axis, size in enumerate(self.resolution[1:], start=1):
            row = row * size + self.low[:, axis]
        return row

    def corner_offsets(self) -> Int[Tensor, "corner"]:
        """How many rows each corner lies after its cell's first."""
        offsets = torch.zeros(1, dtype=torch.int32, device=self.low.device)
        step = torch.tensor([0, 1], dtype=torch.int32, device=self.low.device)
        for size in self.resolution:
            offsets = (offsets[:, None] * size + step).flatten()
        return offsets

    def corner_weights(self) -> Float[Tensor, "point corner"]:
        weights = self.ends[:, 0]
        for axis in range(1, len(self.resolution)):
            weights = (weights[:, :, None] * self.ends[:, axis, None]).flatten(1)
        return weights


class WeightedRows(torch.autograd.Function):
    """Sums of the weighted rows at the corners of cells."""

    @staticmethod
    def forward(
        ctx: Any,
        table: Float[Tensor, "row channel"],
        first: Int[Tensor, "point"],
        offsets: Int[Tensor, "corner"],
        weights: Float[Tensor, "point corner"],
    ) -> Float[Tensor, "point channel"]:
        ctx.save_for_backward(table, first, offsets, weights)
        return F.embedding_bag(first[:, None] + offsets, table, per_sample_weights=weights, mode="sum")

    @staticmethod
    def backward(
        ctx: Any, gradient: Float[Tensor, "point channel"]
    ) -> tuple[Float[Tensor, "row channel"] | None, None, None, Float[Tensor, "point corner"] | None]:
        table, first, offsets, weights = ctx.saved_tensors
        by_row = by_weight = None
        if ctx.needs_input_grad[0]:
            by_row = transposed_sum(first, offsets, weights, gradient.contiguous(), len(table))
        if ctx.needs_input_grad[3]:
            rows = first[:, None] + offsets
            by_weight = (table[rows.long()] * gradient[:, None]).sum(-1)
        return by_row, None, None, by_weight


def transposed_sum(
    first: Int[Tensor, "point"],
    offsets: Int[Tensor, "corner"],
    weights: Float[Tensor, "point corner"],
    values: Float[Tensor, "point channel"],
    rows: int,
) -> Float[Tensor, "row channel"]:
    """For each row of the table, the sum of the values of the points that used it, times their weights.

    Points are sorted once, by cell; every corner is then a sum over cells, shifted to the corner's row.
    """
    used, order = torch.sort(first, stable=True)
    starts = torch.searchsorted(used, torch.arange(rows, device=used.device, dtype=used.dtype))
    total = values.new_zeros(rows, values.shape[1])
    for corner, offset in enumerate(offsets.tolist()):
        weight = weights[:, corner].index_select(0, order)
        by_cell = F.embedding_bag(order, values, starts, per_sample_weights=weight, mode="sum")
        total[offset:] += by_cell[: rows - offset]
    return total


def interpolate_rows(table: Float[Tensor, "row channel"], cells: Cells) -> Float[Tensor, "point channel"]:
    """Multilinear interpolation of a table whose rows are the nodes of a grid, last axis fastest."""
    return WeightedRows.apply(table, cells.first_rows(), cells.corner_offsets(), cells.corner_weights())


def interpolate_volume(volume: Float[Tensor, "x y z"], cells: Cells) -> Float[Tensor, "point"]:
    """Trilinear interpolation of one value per node."""
    rows = cells.first_rows()[:, None] + cells.corner_offsets()
    values = volume.flatten().index_select(0, rows.flatten()).view_as(rows)
    return (values * cells.corner_weights()).sum(-1)
