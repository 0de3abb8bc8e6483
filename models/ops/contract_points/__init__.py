"""Where points lie in the unit cube of their object's grid, space beyond its box drawn into a shell; and their gradients.

    placed = contract_points(points, boxes, owner)

`points` (3, point) are in the objects' frames; `boxes` (object, 8) holds each one's centre, half extents, width of the
shell, and 1 where there is none (see `boxes_of`): there points beyond the box stay beyond the cube.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from models.ops.constants import constant
from models.ops.contract_points import cpu, reference
from models.ops.operators import by_triton, differentiable, operator


def boxes_of(
    centre: Float[Tensor, "object xyz=3"], half: Float[Tensor, "object xyz=3"], shells: Sequence[float]
) -> Float[Tensor, "object number=8"]:
    """The boxes of objects, of which some have a shell."""
    numbers = constant(tuple(number for shell in shells for number in (shell, float(shell == 0))), half)
    return torch.cat([centre, half, numbers.view(-1, 2)], dim=1)


contract_points = operator(
    "contract_points",
    "(Tensor points, Tensor boxes, Tensor owner) -> Tensor",
    reference.contract_points,
    cpu=cpu.contract_points,
    cuda=by_triton("contract_points", reference.contract_points),
)
contract_points_backward = operator(
    "contract_points_backward",
    "(Tensor gradient, Tensor points, Tensor boxes, Tensor owner) -> Tensor",
    reference.contract_points_backward,
    cpu=cpu.contract_points_backward,
    cuda=by_triton("contract_points_backward", reference.contract_points_backward),
)


def keep(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(*inputs)


def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    return contract_points_backward(gradient.contiguous(), *ctx.saved_tensors), None, None


differentiable(contract_points, keep, backward)
