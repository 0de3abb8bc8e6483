"""Trilinear interpolation of one value a node in a grid that fills a region of the world, contraction included; its gradients.

    values = region_volume(nodes, points, box)

`nodes` (x, y, z) are read at `points` (point, 3) in the frame of `box`, as `models.ops.region_planes` has them. No gradients
flow to points: places in volumes are not learned. On CPU `models.ops.table_reads` reads them.
"""

from typing import Any

from torch import Tensor

from models.ops.operators import by_triton, differentiable, operator
from models.ops.region_volume import reference

region_volume = operator(
    "region_volume",
    "(Tensor nodes, Tensor points, Tensor box) -> Tensor",
    reference.region_volume,
    cuda=by_triton("region_volume", reference.region_volume),
)
region_volume_backward = operator(
    "region_volume_backward",
    "(Tensor gradient, Tensor nodes, Tensor points, Tensor box) -> Tensor",
    reference.region_volume_backward,
    cuda=by_triton("region_volume_backward", reference.region_volume_backward, backward=True),
)


def keep(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(*inputs)


def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    assert not ctx.needs_input_grad[1], "places in volumes are not learned"
    return region_volume_backward(gradient.contiguous(), *ctx.saved_tensors), None, None


differentiable(region_volume, keep, backward)
