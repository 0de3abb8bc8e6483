"""Fine edges by Triton: a ray a program, which holds its whole CDF."""

from typing import no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

from models.ops.fine_edges.reference import LEAST_WEIGHT


@triton.jit
@no_type_check
def place(edges, weights, u, finer, pieces, inner, uniform, least, width: tl.constexpr, wide: tl.constexpr) -> None:
    ray = tl.program_id(0)
    lane, edge = tl.arange(0, width), tl.arange(0, wide)
    there, own = lane < pieces, weights + ray * pieces
    before = tl.load(own + tl.maximum(lane - 1, 0), mask=there, other=0.0)
    after = tl.load(own + tl.minimum(lane + 1, pieces - 1), mask=there, other=0.0)
    widened = tl.maximum(tl.load(own + lane, mask=there, other=0.0), tl.maximum(before, after))
    pdf = (1 - uniform) * widened / tl.maximum(tl.sum(widened, axis=0), least) + uniform / pieces
    pdf = tl.where(there, pdf, 0.0)
    cdf = tl.cumsum(pdf, axis=0)
    whole = tl.sum(pdf, axis=0)
    start, end = (cdf - pdf) / whole, cdf / whole
    aim = tl.load(u + ray * inner + edge, mask=edge < inner, other=0.0)
    passed = (end[None, :] <= aim[:, None]) & there[None, :]
    piece = tl.minimum(tl.sum(passed.to(tl.int32), axis=1), pieces - 1)
    mine = lane[None, :] == piece[:, None]
    low = tl.sum(tl.where(mine, start[None, :], 0.0), axis=1)
    high = tl.sum(tl.where(mine, end[None, :], 0.0), axis=1)
    fraction = tl.minimum(tl.maximum((aim - low) / tl.maximum(high - low, least), 0.0), 1.0)
    at = edges + ray * (pieces + 1) + piece
    near, far = tl.load(at), tl.load(at + 1)
    into = finer + ray * (inner + 2)
    tl.store(into + 1 + edge, near + fraction * (far - near), mask=edge < inner)
    ends = tl.load(edges + ray * (pieces + 1) + tl.where(edge == 0, 0, pieces), mask=edge < 2, other=0.0)
    tl.store(into + tl.where(edge == 0, 0, inner + 1), ends, mask=edge < 2)


def fine_edges(edges: Tensor, weights: Tensor, u: Tensor, uniform: float) -> Tensor:
    rays, pieces = weights.shape
    inner = u.shape[1]
    finer = torch.empty(rays, inner + 2, dtype=edges.dtype, device=edges.device)
    tiles = {"width": triton.next_power_of_2(pieces), "wide": max(triton.next_power_of_2(inner), 2)}
    arrays = edges.contiguous(), weights.contiguous(), u.contiguous(), finer
    place[(rays,)](*arrays, pieces, inner, uniform, LEAST_WEIGHT, **tiles)
    return finer
