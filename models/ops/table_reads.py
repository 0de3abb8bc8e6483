"""Reads of grids on CPU by compiled loops, with the same results as the tensor code.

Gradients of the tables that were read go where `gathering` says: into a list, one a shard of a step, from which they
are added to the tables once, in the shards' order. Without it they are made like those of any other operation.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.ops import grid as grid_kernels
from models.ops import space_time as kernels
from models.ops.contract_points.cpu import contract

Points = Float[np.ndarray, "xyz=3 point"]
NO_GRADIENT = np.empty((0, 0), np.float32)


@dataclass(frozen=True)
class TableRead:
    """Gradients of what was read from a module's tables at points of the unit cube, and at times where it has them."""

    owner: nn.Module
    points: Points
    times: Float[np.ndarray, "point"] | None
    gradient: Float[np.ndarray, "point *channel"]


@dataclass
class GradientBuffer:
    """What a shard leaves behind. Reads hang on `handle` in the graph, as their tables are left out of it."""

    handle: Tensor = field(default_factory=lambda: torch.zeros((), requires_grad=True))
    reads: list[TableRead] = field(default_factory=list)


class Local(threading.local):
    buffer: GradientBuffer | None = None


LOCAL = Local()


@contextmanager
def gathering(buffer: GradientBuffer) -> Iterator[GradientBuffer]:
    """Reads of this thread leave their tables' gradients in the sink."""
    LOCAL.buffer = buffer
    try:
        yield buffer
    finally:
        LOCAL.buffer = None


def array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()


def unit_points(coordinates: Float[Tensor, "point xyz=3"]) -> Points:
    """Grid coordinates in [-1, 1] as three rows in the unit cube."""
    return array(coordinates.detach().T * 0.5 + 0.5)


def points_in_box(points: Float[Tensor, "point xyz=3"], box: Float[Tensor, "object=1 number=8"]) -> Points:
    """Points as three rows in the unit cube, from the frame of a box as `contract_points` has it."""
    placed = np.empty((3, len(points)), np.float32)
    contract(array(points).T, box.numpy(), of_one_box(len(points)), NO_GRADIENT, placed)
    return placed


def gradient_in_box(
    gradient: Points, points: Float[Tensor, "point xyz=3"], box: Float[Tensor, "object=1 number=8"]
) -> Float[Tensor, "point xyz=3"]:
    """Gradients of points, from those of their places in the unit cube."""
    by_point = np.empty((len(points), 3), np.float32)
    contract(array(points).T, box.numpy(), of_one_box(len(points)), gradient, by_point.T)
    return torch.from_numpy(by_point)


def of_one_box(count: int) -> np.ndarray:
    """The owners of points that are all in the first box."""
    return np.zeros(count, np.int64)


def last_channels(tables: Float[Tensor, "plane channel row column"]) -> Float[np.ndarray, "plane row column channel"]:
    """The tables as their memory has them."""
    return tables.detach().permute(0, 2, 3, 1).numpy()


def zeros_last_channels(tables: Tensor) -> Tensor:
    """Zeros in the memory layout of tables."""
    planes, channels, rows, columns = tables.shape
    return torch.zeros(planes, rows, columns, channels).permute(0, 3, 1, 2)


class Read(torch.autograd.Function):
    """One read of a module's tables at points of a box; without a box coordinates are in [-1, 1]."""

    @staticmethod
    def forward(
        ctx: Any,
        owner: Any,
        buffer: GradientBuffer | None,
        points: Tensor,
        times: np.ndarray | None,
        box: Tensor | None,
        handle: Tensor,
        *tables: Tensor,
    ) -> Tensor:
        placed = unit_points(points) if box is None else points_in_box(points, box)
        ctx.kept = owner, buffer, points.detach(), placed, times, box, tables
        return torch.from_numpy(gather(placed, times, tables))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        owner, buffer, points, placed, times, box, tables = ctx.kept
        gradient = array(gradients[0])
        by_point = None
        if ctx.needs_input_grad[2]:
            slopes = point_slopes(placed, times, tables, gradient)
            by_point = torch.from_numpy(slopes).T * 0.5 if box is None else gradient_in_box(slopes, points, box)
        one = TableRead(owner, placed, times, gradient)
        if buffer is not None:
            buffer.reads.append(one)
            return (None, None, by_point, None, None, None, *(None for _ in tables))
        return (None, None, by_point, None, None, None, *table_gradients(tables, [one]))


def read(owner: nn.Module, coordinates: Tensor, times: Tensor | None, *tables: Tensor) -> Tensor:
    """Values at grid coordinates and times in [-1, 1]: from one volume, planes and lines, or planes in space and time."""
    return read_at(owner, coordinates, None if times is None else array(times * 0.5 + 0.5), None, *tables)


def read_in_box(
    owner: nn.Module,
    box: Float[Tensor, "object=1 number=8"],
    points: Float[Tensor, "point xyz=3"],
    times: Float[Tensor, "point"] | None,
    *tables: Tensor,
) -> Tensor:
    """The same at points in the frame of a box as `contract_points` has it, and at times in [0, 1]."""
    return read_at(owner, points, None if times is None else array(times), box, *tables)


def read_at(owner: nn.Module, points: Tensor, times: np.ndarray | None, box: Tensor | None, *tables: Tensor) -> Tensor:
    """The same, with a graph where something is learned."""
    learned = torch.is_grad_enabled() and any(parameter.requires_grad for parameter in owner.parameters())
    if not learned and not points.requires_grad:
        return torch.from_numpy(
            gather(unit_points(points) if box is None else points_in_box(points, box), times, tables)
        )
    buffer = LOCAL.buffer if torch.is_grad_enabled() else None
    if buffer is not None:
        return Read.apply(owner, buffer, points, times, box, buffer.handle, *(table.detach() for table in tables))
    return Read.apply(owner, None, points, times, box, points.new_zeros(()), *tables)


def gather(points: Points, at: np.ndarray | None, tables: tuple[Tensor, ...]) -> np.ndarray:
    """Values read at points."""
    count = points.shape[1]
    if len(tables) == 1:
        values = np.empty(count, np.float32)
        kernels.gather_volume(array(tables[0]), points, values)
        return values
    channels = tables[0].shape[1]
    products = np.empty((count, 3 * channels), np.float32)
    planes, others = (last_channels(table) for table in tables)
    if at is not None:
        kernels.gather_space_time(planes, others, points, at, products)
        return products
    for p in range(3):
        second, first, along = points[kernels.SECOND[p]], points[kernels.FIRST[p]], points[kernels.ALONG[p]]
        into = products[:, p * channels : (p + 1) * channels]
        rows = planes[p].reshape(-1, channels)
        grid_kernels.gather_product(rows, others[p, :, 0], second, first, along, planes.shape[2], into)
    return products


def point_slopes(
    points: Points, at: np.ndarray | None, tables: tuple[Tensor, ...], gradient: np.ndarray
) -> Float[np.ndarray, "xyz=3 point"]:
    """Gradients of points of the unit cube. Only what moves is ever read at places that are learned."""
    assert at is not None, "places in static tables are not learned"
    by_point = np.zeros_like(points)
    space, time = (last_channels(table) for table in tables)
    kernels.space_time_slopes(space, time, points, at, gradient, by_point)
    return by_point


def table_gradients(tables: tuple[Tensor, ...], reads: list[TableRead]) -> list[Tensor]:
    """Gradients of tables from everything that was read from them."""
    if len(tables) == 1:
        return [volume_gradient(tables[0], reads)]
    results = [zeros_last_channels(table) for table in tables]
    for p in range(3):
        add_plane_gradients(p, tables, results, reads)
    return results


def volume_gradient(volume: Tensor, reads: list[TableRead]) -> Tensor:
    total = torch.zeros(volume.shape)
    for one in reads:
        grid_kernels.scatter_volume(one.gradient, one.points, total.numpy())
    return total


def add_plane_gradients(p: int, tables: tuple[Tensor, ...], results: list[Tensor], reads: list[TableRead]) -> None:
    """What the reads say of the plane with this number and of its partner."""
    planes, others = (last_channels(table) for table in tables)
    by_plane, by_other = (last_channels(result)[p] for result in results)
    channels = planes.shape[3]
    for one in reads:
        if one.times is not None:
            kernels.scatter_space_time(p, planes, others, one.points, one.times, one.gradient, by_plane, by_other)
            continue
        where = one.points[kernels.SECOND[p]], one.points[kernels.FIRST[p]], one.points[kernels.ALONG[p]]
        wanted = one.gradient[:, p * channels : (p + 1) * channels]
        flat, into = planes[p].reshape(-1, channels), by_plane.reshape(-1, channels)
        line, along = others[p, :, 0], by_other[:, 0]
        grid_kernels.scatter_product(flat, line, *where, planes.shape[2], wanted, into, along)
