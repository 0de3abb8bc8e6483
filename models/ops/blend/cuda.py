"""Blending by Triton: a tile of rays and their samples a program."""

from typing import no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

from models.ops.blend.reference import LEAST_LEFT, LEAST_SHARE

BLOCK = 8


@triton.jit
@no_type_check
def walk(
    static_depth, dynamic_depth, blending, to_static, to_dynamic, by_static, by_dynamic, by_blending, rays, samples,
    least_left, least_share, backward: tl.constexpr, block: tl.constexpr, width: tl.constexpr,
) -> None:  # fmt: skip
    ray = tl.program_id(0) * block + tl.arange(0, block)
    lane = tl.arange(0, width)
    there = (ray < rays)[:, None] & (lane < samples)[None, :]
    at = ray[:, None] * samples + lane[None, :]
    share = tl.load(blending + at, mask=there, other=0.0)
    clear = tl.exp(-tl.load(static_depth + at, mask=there, other=0.0))
    see = tl.exp(-tl.load(dynamic_depth + at, mask=there, other=0.0))
    still, moving = (1 - clear) * (1 - share), (1 - see) * share
    left = (1 - still) * (1 - moving)
    log_left = tl.log(tl.maximum(left, least_left))
    through = tl.exp(tl.cumsum(log_left, axis=1) - log_left)
    total = tl.maximum(still + moving, least_share)
    taken = through * (1 - left) / total
    if backward:
        a = tl.load(to_static + at, mask=there, other=0.0)
        c = tl.load(to_dynamic + at, mask=there, other=0.0)
        wanted = a * still + c * moving
        value = taken * wanted
        behind = tl.sum(value, axis=1)[:, None] - tl.cumsum(value, axis=1)
        by_left = tl.where(left > least_left, behind / tl.maximum(left, least_left), 0.0) - through * wanted / total
        difference = (a - c) * taken / total
        by_still = difference * moving - (1 - moving) * by_left
        by_moving = -difference * still - (1 - still) * by_left
        tl.store(by_static + at, by_still * (1 - share) * clear, mask=there)
        tl.store(by_dynamic + at, by_moving * share * see, mask=there)
        tl.store(by_blending + at, by_moving * (1 - see) - by_still * (1 - clear), mask=there)
    else:
        tl.store(by_static + at, taken * still, mask=there)
        tl.store(by_dynamic + at, taken * moving, mask=there)


def launched(inputs: list[Tensor], gradients: list[Tensor], outputs: int) -> tuple[Tensor, ...]:
    rays, samples = inputs[0].shape
    found = [torch.empty_like(inputs[0], memory_format=torch.contiguous_format) for _ in range(outputs)]
    arrays = [tensor.contiguous() for tensor in inputs + (gradients or inputs[:2])] + found + found[:1] * (3 - outputs)
    numbers = rays, samples, LEAST_LEFT, LEAST_SHARE
    tile = {"block": BLOCK, "width": triton.next_power_of_2(samples)}
    walk[(triton.cdiv(rays, BLOCK),)](*arrays, *numbers, backward=bool(gradients), **tile)
    return tuple(found)


def blend(static_depth: Tensor, dynamic_depth: Tensor, blending: Tensor) -> tuple[Tensor, ...]:
    return launched([static_depth, dynamic_depth, blending], [], 2)


def blend_backward(
    static_depth: Tensor, dynamic_depth: Tensor, blending: Tensor, to_static: Tensor, to_dynamic: Tensor
) -> tuple[Tensor, ...]:
    return launched([static_depth, dynamic_depth, blending], [to_static, to_dynamic], 3)
