"""Products of planes in a region by Triton: contraction and interpolation in one pass over points; sums are atomic."""

from typing import no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 32


@triton.jit
@no_type_check
def relative(points, box, sample, there, axis: tl.constexpr) -> tl.tensor:
    """One coordinate of points from the box's centre in its half extents."""
    return (tl.load(points + sample * 3 + axis, mask=there, other=0.0) - tl.load(box + axis)) / tl.load(box + 3 + axis)


@triton.jit
@no_type_check
def contraction(x, y, z, box) -> tuple[tl.tensor, tl.tensor, tl.tensor]:
    """1 / distance of points, and the factor that brings them to within half a unit of the middle of the unit cube."""
    share = tl.load(box + 6)
    inverse = 1 / tl.maximum(tl.maximum(tl.maximum(tl.abs(x), tl.abs(y)), tl.abs(z)), 1.0)
    return inverse, 0.5 * inverse * (1 - inverse * share), share


@triton.jit
@no_type_check
def cell(place, size) -> tuple[tl.tensor, tl.tensor, tl.tensor]:
    """First and second node on one axis, and the fraction between them, of places in the unit interval."""
    position = tl.minimum(tl.maximum(place, 0.0), 1.0) * (size - 1)
    low = tl.maximum(tl.minimum(tl.floor(position), size - 2), 0)
    return low.to(tl.int64), tl.minimum(low + 1, size - 1).to(tl.int64), position - low


@triton.jit
@no_type_check
def corners(table, pair, i, j, rows, columns, channel, channels, inside) -> tuple[tl.tensor, tl.tensor]:
    """Where one node of a plane lies for each point, and its channels."""
    at = ((pair * rows + i) * columns + j)[:, None] * channels + channel[None, :]
    return at, tl.load(table + at, mask=inside, other=0.0)


@triton.jit
@no_type_check
def gather(
    space, others, points, times, box, products, count, channels, rows, columns, other_rows, other_columns,
    rate, start, timed: tl.constexpr, block: tl.constexpr, width: tl.constexpr,
) -> None:  # fmt: skip
    sample = tl.program_id(0) * block + tl.arange(0, block)
    there = sample < count
    channel = tl.arange(0, width)
    inside = there[:, None] & (channel < channels)[None, :]
    x, y, z = relatives(points, box, sample, there)
    _, factor, _ = contraction(x, y, z, box)
    x, y, z = x * factor + 0.5, y * factor + 0.5, z * factor + 0.5
    time = (start + rate * tl.load(times + sample, mask=there, other=0.0)) * 0.5 + 0.5 if timed else x * 0
    for pair in tl.static_range(3):
        j, j2, u = cell(y if pair == 2 else x, columns)
        i, i2, v = cell(y if pair == 0 else z, rows)
        along = z if pair == 0 else (y if pair == 1 else x)
        n, n2, r = cell(along if timed else time, other_columns)
        m, m2, q = cell(time if timed else along, other_rows)
        u, v, r, q = u[:, None], v[:, None], r[:, None], q[:, None]
        _, a = corners(space, pair, i, j, rows, columns, channel, channels, inside)
        _, b = corners(space, pair, i, j2, rows, columns, channel, channels, inside)
        _, c = corners(space, pair, i2, j, rows, columns, channel, channels, inside)
        _, d = corners(space, pair, i2, j2, rows, columns, channel, channels, inside)
        value = (a * (1 - u) + b * u) * (1 - v) + (c * (1 - u) + d * u) * v
        _, e = corners(others, pair, m, n, other_rows, other_columns, channel, channels, inside)
        _, g = corners(others, pair, m2, n, other_rows, other_columns, channel, channels, inside)
        if timed:
            _, f = corners(others, pair, m, n2, other_rows, other_columns, channel, channels, inside)
            _, h = corners(others, pair, m2, n2, other_rows, other_columns, channel, channels, inside)
            e, g = e * (1 - r) + f * r, g * (1 - r) + h * r
        into = products + sample[:, None] * (3 * channels) + pair * channels + channel[None, :]
        tl.store(into, value * (e * (1 - q) + g * q), mask=inside)


@triton.jit
@no_type_check
def relatives(points, box, sample, there) -> tuple[tl.tensor, tl.tensor, tl.tensor]:
    """All three coordinates."""
    return (
        relative(points, box, sample, there, 0),
        relative(points, box, sample, there, 1),
        relative(points, box, sample, there, 2),
    )


@triton.jit
@no_type_check
def within(place, size) -> tl.tensor:
    """The change of a position with its place; none beyond the faces."""
    return tl.where((place > 0) & (place < 1), size - 1, 0)


@triton.jit
@no_type_check
def store_slope(by_point, box, sample, there, direct, place, far, change, axis: tl.constexpr) -> None:
    """One coordinate's gradient; that of the farthest coordinate has the change of the contraction, too."""
    more = tl.where(tl.abs(place) == far, tl.where(place > 0, change, -change), 0.0)
    tl.store(by_point + sample * 3 + axis, (direct + more) / tl.load(box + 3 + axis), mask=there)


@triton.jit
@no_type_check
def scatter(
    gradient, space, others, points, times, box, by_space, by_other, by_point, count, channels, rows, columns,
    other_rows, other_columns, rate, start, timed: tl.constexpr, by_place: tl.constexpr, block: tl.constexpr, width: tl.constexpr,
) -> None:  # fmt: skip
    sample = tl.program_id(0) * block + tl.arange(0, block)
    there = sample < count
    channel = tl.arange(0, width)
    inside = there[:, None] & (channel < channels)[None, :]
    px, py, pz = relatives(points, box, sample, there)
    inverse, factor, share = contraction(px, py, pz, box)
    x, y, z = px * factor + 0.5, py * factor + 0.5, pz * factor + 0.5
    time = (start + rate * tl.load(times + sample, mask=there, other=0.0)) * 0.5 + 0.5 if timed else x * 0
    to_x, to_y, to_z = x * 0, x * 0, x * 0
    for pair in tl.static_range(3):
        first, second = y if pair == 2 else x, y if pair == 0 else z
        along = z if pair == 0 else (y if pair == 1 else x)
        j, j2, u1 = cell(first, columns)
        i, i2, v1 = cell(second, rows)
        n, n2, r1 = cell(along if timed else time, other_columns)
        m, m2, q1 = cell(time if timed else along, other_rows)
        u, v, r, q = u1[:, None], v1[:, None], r1[:, None], q1[:, None]
        at_a, a = corners(space, pair, i, j, rows, columns, channel, channels, inside)
        at_b, b = corners(space, pair, i, j2, rows, columns, channel, channels, inside)
        at_c, c = corners(space, pair, i2, j, rows, columns, channel, channels, inside)
        at_d, d = corners(space, pair, i2, j2, rows, columns, channel, channels, inside)
        at_e, e = corners(others, pair, m, n, other_rows, other_columns, channel, channels, inside)
        at_f, f = corners(others, pair, m, n2, other_rows, other_columns, channel, channels, inside)
        at_g, g = corners(others, pair, m2, n, other_rows, other_columns, channel, channels, inside)
        at_h, h = corners(others, pair, m2, n2, other_rows, other_columns, channel, channels, inside)
        place = gradient + sample[:, None] * (3 * channels) + pair * channels + channel[None, :]
        given = tl.load(place, mask=inside, other=0.0)
        to_space = given * ((e * (1 - r) + f * r) * (1 - q) + (g * (1 - r) + h * r) * q)
        to_other = given * ((a * (1 - u) + b * u) * (1 - v) + (c * (1 - u) + d * u) * v)
        tl.atomic_add(by_space + at_a, to_space * (1 - u) * (1 - v), mask=inside)
        tl.atomic_add(by_space + at_b, to_space * u * (1 - v), mask=inside)
        tl.atomic_add(by_space + at_c, to_space * (1 - u) * v, mask=inside)
        tl.atomic_add(by_space + at_d, to_space * u * v, mask=inside)
        tl.atomic_add(by_other + at_e, to_other * (1 - r) * (1 - q), mask=inside)
        tl.atomic_add(by_other + at_g, to_other * (1 - r) * q, mask=inside)
        if timed:
            tl.atomic_add(by_other + at_f, to_other * r * (1 - q), mask=inside)
            tl.atomic_add(by_other + at_h, to_other * r * q, mask=inside)
        if by_place:
            to_first = tl.sum(to_space * ((b - a) * (1 - v) + (d - c) * v), axis=1) * within(first, columns)
            to_second = tl.sum(to_space * ((c - a) * (1 - u) + (d - b) * u), axis=1) * within(second, rows)
            if timed:
                to_along = tl.sum(to_other * ((f - e) * (1 - q) + (h - g) * q), axis=1) * within(along, other_columns)
            else:
                to_along = tl.sum(to_other * (g - e), axis=1) * within(along, other_rows)
            to_x += to_along if pair == 2 else to_first
            to_y += to_second if pair == 0 else (to_along if pair == 1 else to_first)
            to_z += to_along if pair == 0 else to_second
    if by_place:
        slope = 0.5 * inverse * inverse * (2 * share * inverse - 1)
        change = tl.where(inverse < 1, (to_x * px + to_y * py + to_z * pz) * slope, 0.0)
        far = tl.maximum(tl.maximum(tl.abs(px), tl.abs(py)), tl.abs(pz))
        store_slope(by_point, box, sample, there, to_x * factor, px, far, change, 0)
        store_slope(by_point, box, sample, there, to_y * factor, py, far, change, 1)
        store_slope(by_point, box, sample, there, to_z * factor, pz, far, change, 2)


def last_channels(table: Tensor) -> Tensor:
    """A table as its memory has it."""
    return table.permute(0, 2, 3, 1).contiguous()


def region_planes(
    space: Tensor, others: Tensor, points: Tensor, times: Tensor, box: Tensor, rate: float, start: float
) -> Tensor:
    count, channels = len(points), space.shape[1]
    products = points.new_empty(count, 3 * channels)
    arrays = (last_channels(space), last_channels(others), points.contiguous(), times.contiguous(), box, products)
    sizes = (count, channels, *space.shape[2:], *others.shape[2:], rate, start)
    blocks = {"timed": len(times) > 0, "block": BLOCK, "width": triton.next_power_of_2(channels)}
    gather[(triton.cdiv(count, BLOCK),)](*arrays, *sizes, **blocks)
    return products


def region_planes_backward(
    gradient: Tensor,
    space: Tensor,
    others: Tensor,
    points: Tensor,
    times: Tensor,
    box: Tensor,
    rate: float,
    start: float,
    by_place: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    count, channels = len(points), space.shape[1]
    tables = last_channels(space), last_channels(others)
    by_table = [torch.zeros_like(table) for table in tables]
    by_point = points.new_empty(count if by_place else 0, 3)
    arrays = (gradient, *tables, points.contiguous(), times.contiguous(), box, *by_table, by_point)
    sizes = (count, channels, *space.shape[2:], *others.shape[2:], rate, start)
    blocks = {"timed": len(times) > 0, "block": BLOCK, "width": triton.next_power_of_2(channels)}
    scatter[(triton.cdiv(count, BLOCK),)](*arrays, *sizes, by_place=by_place, **blocks)
    by_space, by_other = (table.permute(0, 3, 1, 2) for table in by_table)
    return by_space, by_other, by_point
