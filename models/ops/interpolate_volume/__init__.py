"""Trilinear interpolation of one value a node, in the grids of several objects; and its gradients.

    values = interpolate_volume(volumes, last, points, owner)

`volumes` (object, x, y, z) are padded to the largest grid; `last` (object, 3) is each one's last node, `points` (3, point)
are of the unit cube, `owner` (point) says whose grid is read.
"""

from typing import Any

from torch import Tensor

from models.ops.interpolate_volume import cpu, reference
from models.ops.operators import by_triton, differentiable, operator

interpolate_volume = operator(
    "interpolate_volume",
    "(Tensor volumes, Tensor last, Tensor points, Tensor owner) -> Tensor",
    reference.interpolate_volume,
    cpu=cpu.interpolate_volume,
    cuda=by_triton("interpolate_volume", reference.interpolate_volume),
)
interpolate_volume_backward = operator(
    "interpolate_volume_backward",
    "(Tensor gradient, Tensor volumes, Tensor last, Tensor points, Tensor owner, bool by_place) -> (Tensor, Tensor)",
    reference.interpolate_volume_backward,
    cpu=cpu.interpolate_volume_backward,
    cuda=by_triton("interpolate_volume_backward", reference.interpolate_volume_backward, backward=True),
)


def keep(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(*inputs)


def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    by_place = ctx.needs_input_grad[2]
    by_volume, by_point = interpolate_volume_backward(gradient.contiguous(), *ctx.saved_tensors, by_place)
    return by_volume, None, by_point if by_place else None, None


differentiable(interpolate_volume, keep, backward)
