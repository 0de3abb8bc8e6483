"""Weights of samples along rays where a static and a dynamic field are blended (NSFF, Semantic Flow); and their gradients.

    static, dynamic = blend(static_depth, dynamic_depth, blending)

All are (ray, sample), near to far: optical depths of both fields, and the share of the dynamic one. What a sample takes of
the light is divided between the fields in proportion to what each would take alone.
"""

from typing import Any

from torch import Tensor

from models.ops.blend import cpu, reference
from models.ops.operators import by_triton, differentiable, operator

blend = operator(
    "blend",
    "(Tensor static_depth, Tensor dynamic_depth, Tensor blending) -> (Tensor, Tensor)",
    reference.blend,
    cpu=cpu.blend,
    cuda=by_triton("blend", reference.blend),
)
blend_backward = operator(
    "blend_backward",
    "(Tensor static_depth, Tensor dynamic_depth, Tensor blending, Tensor to_static, Tensor to_dynamic)"
    " -> (Tensor, Tensor, Tensor)",
    reference.blend_backward,
    cpu=cpu.blend_backward,
    cuda=by_triton("blend_backward", reference.blend_backward),
)


def keep(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(*inputs)


def backward(ctx: Any, to_static: Tensor, to_dynamic: Tensor) -> tuple[Tensor, ...]:
    return blend_backward(*ctx.saved_tensors, to_static.contiguous(), to_dynamic.contiguous())


differentiable(blend, keep, backward)
