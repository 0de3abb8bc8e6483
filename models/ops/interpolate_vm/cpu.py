"""Planes times lines by the compiled loops of `models.ops.grid`, one object after another."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from models.ops.grid import LINE_AXES, PLANE_AXES, gather_product, product_slope, scatter_product

Pair = tuple[np.ndarray, int, int, slice, slice, slice, list[np.ndarray]]


def pairs(table: Tensor, last: Tensor, points: Tensor, owner: Tensor, channels: int) -> Iterator[Pair]:
    """Each pair of each object: whose samples, which object and pair, its channels, its rows, and places on its axes."""
    sizes = (last + 1).long().tolist()
    for k, entries in enumerate(table.tolist()):
        mine = (owner == k).nonzero()[:, 0].numpy()
        own = points.numpy()[:, mine]
        for number, ((a, b), c) in enumerate(zip(PLANE_AXES, LINE_AXES, strict=True)):
            plane, line = entries[number][0], entries[number][5]
            rows, nodes = slice(plane, plane + sizes[k][a] * sizes[k][b]), slice(line, line + sizes[k][c])
            yield (
                mine,
                k,
                number,
                slice(number * channels, (number + 1) * channels),
                rows,
                nodes,
                [own[a], own[b], own[c]],
            )


def interpolate_vm(planes: Tensor, lines: Tensor, table: Tensor, last: Tensor, points: Tensor, owner: Tensor) -> Tensor:
    channels = planes.shape[1]
    products = points.new_empty(points.shape[1], 3 * channels)
    for mine, k, number, columns, rows, nodes, places in pairs(table, last, points.detach(), owner, channels):
        part = np.empty((len(mine), channels), products.numpy().dtype)
        width = int(table[k, number, 4])
        gather_product(planes.detach().numpy()[rows], lines.detach().numpy()[nodes], *places, width, part)
        products.numpy()[mine, columns] = part
    return products


def interpolate_vm_backward(
    gradient: Tensor,
    planes: Tensor,
    lines: Tensor,
    table: Tensor,
    last: Tensor,
    points: Tensor,
    owner: Tensor,
    by_place: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    by_plane, by_line = torch.zeros_like(planes), torch.zeros_like(lines)
    by_point = points.new_zeros(3 * by_place, points.shape[1])
    for mine, k, number, columns, rows, nodes, places in pairs(table, last, points.detach(), owner, planes.shape[1]):
        plane, line = planes.detach().numpy()[rows], lines.detach().numpy()[nodes]
        wanted, width = np.ascontiguousarray(gradient.numpy()[mine, columns]), int(table[k, number, 4])
        scatter_product(plane, line, *places, width, wanted, by_plane.numpy()[rows], by_line.numpy()[nodes])
        if by_place:
            slopes = [np.zeros(len(mine), plane.dtype) for _ in range(3)]
            product_slope(plane, line, *places, width, wanted, *slopes)
            for axis, place, slope in zip((*PLANE_AXES[number], LINE_AXES[number]), places, slopes, strict=True):
                by_point.numpy()[axis, mine] += slope * ((place >= 0) & (place <= 1))
    return by_plane, by_line, by_point
