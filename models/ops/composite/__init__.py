"""Volume rendering of samples of several objects, mixed along rays or each object alone; and its gradients.

    sums, order, weights, after = composite(optical_depth, features, depth, ray, owner, rays, objects, alone)

Samples come in any order; those of ray `rays` count nothing (the rest of a buffer). They are weighed with NeRF's eq. 3, by
depth: all objects' together (OSN's scaled composite rendering), or each object's alone. `sums` (ray, object, 4 + channel)
holds sums, weighted so, of 1, depth, its logarithm and the logarithm's square, of the first three features after a sigmoid
(colour), and of the other features. `order` is that in which samples were met, `after` what passes behind each. No gradients
flow to depths: where samples lie does not depend on what is learned.
"""

from typing import Any

from torch import Tensor

from models.ops.composite import cpu, reference
from models.ops.operators import by_triton, differentiable, operator

composite = operator(
    "composite",
    "(Tensor optical_depth, Tensor features, Tensor depth, Tensor ray, Tensor owner, int rays, int objects, bool alone)"
    " -> (Tensor, Tensor, Tensor, Tensor)",
    reference.composite,
    cpu=cpu.composite,
    cuda=by_triton("composite", reference.composite),
)
composite_backward = operator(
    "composite_backward",
    "(Tensor gradient, Tensor features, Tensor depth, Tensor ray, Tensor owner, Tensor order, Tensor weights, Tensor after,"
    " bool alone) -> (Tensor, Tensor)",
    reference.composite_backward,
    cpu=cpu.composite_backward,
    cuda=by_triton("composite_backward", reference.composite_backward),
)


def keep(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(*inputs[1:5], *output[1:])
    ctx.alone = inputs[7]
    ctx.mark_non_differentiable(*output[1:])


def backward(ctx: Any, gradient: Tensor, *_: Tensor | None) -> tuple[Tensor | None, ...]:
    by_depth, by_feature = composite_backward(gradient.contiguous(), *ctx.saved_tensors, ctx.alone)
    return by_depth, by_feature, None, None, None, None, None, None


differentiable(composite, keep, backward)
