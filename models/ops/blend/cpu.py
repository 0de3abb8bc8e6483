"""Blending by compiled loops: one pass over rays, forwards and backwards."""

import math
from typing import no_type_check

import numpy as np
import torch
from torch import Tensor

from models.ops.compiled import njit
from models.ops.grid import ONE, ZERO

LEAST_SHARE = np.float32(1e-8)


@njit(nogil=True, cache=True)
@no_type_check
def weigh(static_depth, dynamic_depth, blending, static, dynamic) -> None:
    """Weights in one pass over each ray."""
    for ray in range(len(blending)):
        through = ONE
        for k in range(blending.shape[1]):
            still = (ONE - math.exp(-static_depth[ray, k])) * (ONE - blending[ray, k])
            moving = (ONE - math.exp(-dynamic_depth[ray, k])) * blending[ray, k]
            left = (ONE - still) * (ONE - moving)
            taken = through * (ONE - left) / max(still + moving, LEAST_SHARE)
            static[ray, k], dynamic[ray, k] = taken * still, taken * moving
            through *= left


@njit(nogil=True, cache=True)
@no_type_check
def weigh_backward(
    static_depth, dynamic_depth, blending, to_static, to_dynamic, by_static, by_dynamic, by_blending
) -> None:
    """Gradients of the inputs of `weigh`: each sample's own, and what it takes from those behind it."""
    count = blending.shape[1]
    before = np.empty(count, blending.dtype)
    for ray in range(len(blending)):
        through = ONE
        for k in range(count):
            before[k] = through
            still = (ONE - math.exp(-static_depth[ray, k])) * (ONE - blending[ray, k])
            moving = (ONE - math.exp(-dynamic_depth[ray, k])) * blending[ray, k]
            through *= (ONE - still) * (ONE - moving)
        behind = ZERO
        for k in range(count - 1, -1, -1):
            b = blending[ray, k]
            clear, see = math.exp(-static_depth[ray, k]), math.exp(-dynamic_depth[ray, k])
            still, moving = (ONE - clear) * (ONE - b), (ONE - see) * b
            left, total = (ONE - still) * (ONE - moving), max(still + moving, LEAST_SHARE)
            taken = before[k] * (ONE - left) / total
            a, c = to_static[ray, k], to_dynamic[ray, k]
            value = (a * still + c * moving) / total
            by_left = behind / max(left, LEAST_SHARE) - before[k] * value
            by_still = taken * (a - c) * moving / total - (ONE - moving) * by_left
            by_moving = taken * (c - a) * still / total - (ONE - still) * by_left
            by_static[ray, k] = by_still * (ONE - b) * clear
            by_dynamic[ray, k] = by_moving * b * see
            by_blending[ray, k] = by_moving * (ONE - see) - by_still * (ONE - clear)
            behind += taken * (a * still + c * moving)


def blend(static_depth: Tensor, dynamic_depth: Tensor, blending: Tensor) -> tuple[Tensor, Tensor]:
    static, dynamic = (torch.empty(blending.shape, dtype=blending.dtype) for _ in range(2))
    inputs = (tensor.detach().contiguous().numpy() for tensor in (static_depth, dynamic_depth, blending))
    weigh(*inputs, static.numpy(), dynamic.numpy())
    return static, dynamic


def blend_backward(
    static_depth: Tensor, dynamic_depth: Tensor, blending: Tensor, to_static: Tensor, to_dynamic: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    inputs = (static_depth, dynamic_depth, blending, to_static, to_dynamic)
    found = tuple(torch.empty(blending.shape, dtype=blending.dtype) for _ in range(3))
    weigh_backward(*(tensor.detach().contiguous().numpy() for tensor in inputs), *(tensor.numpy() for tensor in found))
    return found[0], found[1], found[2]
