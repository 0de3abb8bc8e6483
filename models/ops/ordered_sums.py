"""Gradients of multilinear reads whose sums have an order, for GPUs that must repeat themselves bit by bit.

`grid_sample` adds the gradients of its tables in whatever order the device's threads arrive; sums over indices have an order
there where deterministic algorithms are asked for.
"""

from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from models.ops.constants import constant


def read_gradients(
    wanted: Float[Tensor, "table channel point"],
    tables: Float[Tensor, "table channel *size"],
    places: Float[Tensor, "table point axis"],
    by_place: bool,
) -> tuple[Float[Tensor, "table channel *size"], Float[Tensor, "table point axis"]]:
    """Gradients of tables, and of places if asked for, from those of the values read: those of `grid_sample`.

    Places are in [-1, 1] between the first and last nodes (`align_corners`), the last axis of a table first; beyond them
    the border's value goes on, without a slope.
    """
    count, channels, *sizes = tables.shape
    last = constant(tuple(size - 1 for size in reversed(sizes)), places)
    position = (places + 1) * 0.5 * last
    clamped = position.clamp(min=0).minimum(last)
    low = clamped.floor().minimum((last - 1).clamp(min=0))
    weights = torch.stack([1 - (clamped - low), clamped - low])
    nodes = torch.stack([low, (low + 1).minimum(last)]).long()
    flat, given = tables.flatten(2).transpose(1, 2).reshape(-1, channels), wanted.transpose(1, 2)
    by_table, by_position = torch.zeros_like(flat), torch.zeros_like(places)
    for corner in product((0, 1), repeat=len(sizes)):
        row = torch.arange(count, device=places.device)[:, None]
        for axis in reversed(range(len(sizes))):  # rows of a table lie as its axes do
            row = row * sizes[len(sizes) - 1 - axis] + nodes[corner[axis], ..., axis]
        shares = [weights[side, ..., axis] for axis, side in enumerate(corner)]
        weight = torch.stack(shares).prod(0)
        by_table.index_add_(0, row.flatten(), (given * weight[..., None]).reshape(-1, channels))
        if by_place:
            along = (given * flat[row]).sum(-1)
            for axis, side in enumerate(corner):
                others = [share for other, share in enumerate(shares) if other != axis]
                by_position[..., axis] += (2 * side - 1) * along * torch.stack(others).prod(0)
    inside = (position > 0) & (position < last)
    by_table = by_table.view(count, -1, channels).transpose(1, 2).view(tables.shape)
    return by_table, by_position * inside * (0.5 * last)
