"""Products of planes in a region of the world, read at its points, contraction included; and their gradients.

    products = region_planes(space, others, points, times, box, rate, start)

`space` (pair=3, channel, row, column) are planes of the pairs of axes of `models.ops.grid`, rows along the second axis,
columns along the first. `others` are what each is multiplied with: planes in time with a row a frame and a column a node of
the third axis (HexPlane), or lines of (node, 1) along it (TensoRF, sec. 3). `points` (point, 3) are in the frame of `box`:
its centre, half extents, and the share of the grid that its shell takes. Times (point), of lines none, become places in
[-1, 1] by start + rate * time. Products come side by side, (point, 3 channels). No gradients flow to times.

On CPU `models.ops.table_reads` reads the same tables, as it shares out a step's gradients among cores.
"""

from typing import Any

from torch import Tensor

from models.ops.operators import by_triton, differentiable, operator
from models.ops.region_planes import reference

region_planes = operator(
    "region_planes",
    "(Tensor space, Tensor others, Tensor points, Tensor times, Tensor box, float rate, float start) -> Tensor",
    reference.region_planes,
    cuda=by_triton("region_planes", reference.region_planes),
)
region_planes_backward = operator(
    "region_planes_backward",
    "(Tensor gradient, Tensor space, Tensor others, Tensor points, Tensor times, Tensor box, float rate, float start,"
    " bool by_place) -> (Tensor, Tensor, Tensor)",
    reference.region_planes_backward,
    cuda=by_triton("region_planes_backward", reference.region_planes_backward, backward=True),
)


def keep(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(*inputs[:5])
    ctx.rate, ctx.start = inputs[5:]


def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    by_place = ctx.needs_input_grad[2]
    found = region_planes_backward(gradient.contiguous(), *ctx.saved_tensors, ctx.rate, ctx.start, by_place)
    return found[0], found[1], found[2] if by_place else None, None, None, None, None


differentiable(region_planes, keep, backward)
