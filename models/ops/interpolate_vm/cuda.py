"""Planes times lines by Triton: a block of points a program, every pair of every point in registers; atomic sums backwards."""

from typing import no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 32


@triton.jit
@no_type_check
def cell(
    points, last, k, sample, count, there, axis: tl.constexpr
) -> tuple[tl.tensor, tl.tensor, tl.tensor, tl.tensor]:
    """First node, fraction, last node and place of points on one axis."""
    place = tl.load(points + axis * count + sample, mask=there, other=0.0)
    end = tl.load(last + k * 3 + axis, mask=there, other=1.0)
    position = tl.minimum(tl.maximum(place, 0.0), 1.0) * end
    low = tl.minimum(tl.floor(position), end - 1)
    return low.to(tl.int64), position - low, end, place


@triton.jit
@no_type_check
def gather(
    planes, lines, table, last, points, owner, products, count, channels, block: tl.constexpr, width: tl.constexpr
) -> None:
    sample = tl.program_id(0) * block + tl.arange(0, block)
    there = sample < count
    k = tl.load(owner + sample, mask=there, other=0)
    channel = tl.arange(0, width)
    inside = there[:, None] & (channel < channels)[None, :]
    for pair in tl.static_range(3):
        i, u, _, _ = cell(points, last, k, sample, count, there, 1 if pair == 2 else 0)
        j, v, _, _ = cell(points, last, k, sample, count, there, 1 if pair == 0 else 2)
        m, w, _, _ = cell(points, last, k, sample, count, there, 2 - pair)
        entry = table + (k * 3 + pair) * 7
        step = tl.load(entry + 4, mask=there, other=0)
        row = tl.load(entry, mask=there, other=0) + i * step + j
        node = tl.load(entry + 5, mask=there, other=0) + m
        at = planes + row[:, None] * channels + channel[None, :]
        across = step[:, None] * channels
        near = tl.load(at, mask=inside, other=0.0) * (1 - v)[:, None]
        near += tl.load(at + channels, mask=inside, other=0.0) * v[:, None]
        far = tl.load(at + across, mask=inside, other=0.0) * (1 - v)[:, None]
        far += tl.load(at + across + channels, mask=inside, other=0.0) * v[:, None]
        along = lines + node[:, None] * channels + channel[None, :]
        on_line = tl.load(along, mask=inside, other=0.0) * (1 - w)[:, None]
        on_line += tl.load(along + channels, mask=inside, other=0.0) * w[:, None]
        value = (near * (1 - u)[:, None] + far * u[:, None]) * on_line
        into = products + sample[:, None] * (3 * channels) + pair * channels + channel[None, :]
        tl.store(into, value, mask=inside)


@triton.jit
@no_type_check
def scatter(
    gradient, planes, lines, table, last, points, owner, by_plane, by_line, by_point, count, channels,
    by_place: tl.constexpr, block: tl.constexpr, width: tl.constexpr,
) -> None:  # fmt: skip
    sample = tl.program_id(0) * block + tl.arange(0, block)
    there = sample < count
    k = tl.load(owner + sample, mask=there, other=0)
    channel = tl.arange(0, width)
    inside = there[:, None] & (channel < channels)[None, :]
    for pair in tl.static_range(3):
        i, u, end_a, place_a = cell(points, last, k, sample, count, there, 1 if pair == 2 else 0)
        j, v, end_b, place_b = cell(points, last, k, sample, count, there, 1 if pair == 0 else 2)
        m, w, end_c, place_c = cell(points, last, k, sample, count, there, 2 - pair)
        entry = table + (k * 3 + pair) * 7
        step = tl.load(entry + 4, mask=there, other=0)
        row = tl.load(entry, mask=there, other=0) + i * step + j
        node = tl.load(entry + 5, mask=there, other=0) + m
        at, across = row[:, None] * channels + channel[None, :], step[:, None] * channels
        along = node[:, None] * channels + channel[None, :]
        given = tl.load(
            gradient + sample[:, None] * (3 * channels) + pair * channels + channel[None, :], mask=inside, other=0.0
        )
        p00 = tl.load(planes + at, mask=inside, other=0.0)
        p01 = tl.load(planes + at + channels, mask=inside, other=0.0)
        p10 = tl.load(planes + at + across, mask=inside, other=0.0)
        p11 = tl.load(planes + at + across + channels, mask=inside, other=0.0)
        e, f = tl.load(lines + along, mask=inside, other=0.0), tl.load(lines + along + channels, mask=inside, other=0.0)
        u2, v2, w2 = u[:, None], v[:, None], w[:, None]
        near, far = p00 * (1 - v2) + p01 * v2, p10 * (1 - v2) + p11 * v2
        to_plane = given * (e * (1 - w2) + f * w2)
        to_line = given * (near * (1 - u2) + far * u2)
        tl.atomic_add(by_plane + at, to_plane * (1 - u2) * (1 - v2), mask=inside)
        tl.atomic_add(by_plane + at + channels, to_plane * (1 - u2) * v2, mask=inside)
        tl.atomic_add(by_plane + at + across, to_plane * u2 * (1 - v2), mask=inside)
        tl.atomic_add(by_plane + at + across + channels, to_plane * u2 * v2, mask=inside)
        tl.atomic_add(by_line + along, to_line * (1 - w2), mask=inside)
        tl.atomic_add(by_line + along + channels, to_line * w2, mask=inside)
        if by_place:
            by_a = tl.sum(to_plane * (far - near), axis=1) * end_a
            by_b = tl.sum(to_plane * ((p01 - p00) * (1 - u2) + (p11 - p10) * u2), axis=1) * end_b
            by_c = tl.sum(to_line * (f - e), axis=1) * end_c
            tl.atomic_add(
                by_point + (1 if pair == 2 else 0) * count + sample, by_a, mask=there & (place_a >= 0) & (place_a <= 1)
            )
            tl.atomic_add(
                by_point + (1 if pair == 0 else 2) * count + sample, by_b, mask=there & (place_b >= 0) & (place_b <= 1)
            )
            tl.atomic_add(by_point + (2 - pair) * count + sample, by_c, mask=there & (place_c >= 0) & (place_c <= 1))


def sizes(channels: int) -> dict[str, int]:
    return {"block": BLOCK, "width": triton.next_power_of_2(channels)}


def interpolate_vm(planes: Tensor, lines: Tensor, table: Tensor, last: Tensor, points: Tensor, owner: Tensor) -> Tensor:
    count, channels = points.shape[1], planes.shape[1]
    products = points.new_empty(count, 3 * channels)
    arrays = (planes, lines, table, last, points.contiguous(), owner, products)
    gather[(triton.cdiv(count, BLOCK),)](*arrays, count, channels, **sizes(channels))
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
    count, channels = points.shape[1], planes.shape[1]
    by_plane, by_line = torch.zeros_like(planes), torch.zeros_like(lines)
    by_point = torch.zeros(3 if by_place else 0, count, dtype=points.dtype, device=points.device)
    arrays = (gradient, planes, lines, table, last, points.contiguous(), owner, by_plane, by_line, by_point)
    scatter[(triton.cdiv(count, BLOCK),)](*arrays, count, channels, by_place=by_place, **sizes(channels))
    return by_plane, by_line, by_point
