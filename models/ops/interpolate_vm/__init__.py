"""Planes times lines, interpolated in the vector-matrix factors of several objects (TensoRF, sec. 3); and their gradients.

    products = interpolate_vm(planes, lines, table, last, points, owner)

`planes` and `lines` hold the rows of all objects' tables, one table after another, channels last. `table` (object, pair, 7)
says of each object's pairs (xy, z), (xz, y), (yz, x) which rows the four corners of a plane's first cell are, how many rows
its first axis steps over, and which rows the first two nodes of its line are: see `vm_table`. `last`, `points`, `owner` are
those of `interpolate_volume`. Products come side by side, (point, 3 channels).
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from models.ops.grid import LINE_AXES, PLANE_AXES
from models.ops.interpolate_vm import cpu, reference
from models.ops.operators import by_triton, differentiable, operator


def vm_table(resolutions: Sequence[Sequence[int]]) -> Int64[Tensor, "object pair=3 entry=7"]:
    """Where each object's tables lie among all rows."""
    entries, plane, line = [], 0, 0
    for size in resolutions:
        for (a, b), along in zip(PLANE_AXES, LINE_AXES, strict=True):
            width = size[b]
            entries.append([plane, plane + 1, plane + width, plane + width + 1, width, line, line + 1])
            plane, line = plane + size[a] * width, line + size[along]
    return torch.tensor(entries).view(-1, 3, 7)


interpolate_vm = operator(
    "interpolate_vm",
    "(Tensor planes, Tensor lines, Tensor table, Tensor last, Tensor points, Tensor owner) -> Tensor",
    reference.interpolate_vm,
    cpu=cpu.interpolate_vm,
    cuda=by_triton("interpolate_vm", reference.interpolate_vm),
)
interpolate_vm_backward = operator(
    "interpolate_vm_backward",
    "(Tensor gradient, Tensor planes, Tensor lines, Tensor table, Tensor last, Tensor points, Tensor owner, bool by_place)"
    " -> (Tensor, Tensor, Tensor)",
    reference.interpolate_vm_backward,
    cpu=cpu.interpolate_vm_backward,
    cuda=by_triton("interpolate_vm_backward", reference.interpolate_vm_backward, backward=True),
)


def keep(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(*inputs)


def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    by_place = ctx.needs_input_grad[4]
    found = interpolate_vm_backward(gradient.contiguous(), *ctx.saved_tensors, by_place)
    return found[0], found[1], None, None, found[2] if by_place else None, None


differentiable(interpolate_vm, keep, backward)
