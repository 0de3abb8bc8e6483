"""Blending by tensor operations."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

LEAST_LEFT, LEAST_SHARE = 1e-7, 1e-8

Samples = Float[Tensor, "ray sample"]


def parts(static_depth: Samples, dynamic_depth: Samples, blending: Samples) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What each field would take alone, what a sample leaves, and what reaches it."""
    static = -torch.expm1(-static_depth) * (1 - blending)
    dynamic = -torch.expm1(-dynamic_depth) * blending
    left = (1 - static) * (1 - dynamic)
    through = torch.exp(F.pad(left[:, :-1].clamp(min=LEAST_LEFT).log().cumsum(1), (1, 0)))
    return static, dynamic, left, through


def blend(static_depth: Samples, dynamic_depth: Samples, blending: Samples) -> tuple[Samples, Samples]:
    """Weights of the static and the dynamic field."""
    static, dynamic, left, through = parts(static_depth, dynamic_depth, blending)
    taken = through * (1 - left) / (static + dynamic).clamp(min=LEAST_SHARE)
    return taken * static, taken * dynamic


def blend_backward(
    static_depth: Samples, dynamic_depth: Samples, blending: Samples, to_static: Samples, to_dynamic: Samples
) -> tuple[Samples, Samples, Samples]:
    """Gradients of the inputs: each sample's own, and what it takes from those behind it."""
    static, dynamic, left, through = parts(static_depth, dynamic_depth, blending)
    share = (static + dynamic).clamp(min=LEAST_SHARE)
    taken = through * (1 - left) / share
    wanted = to_static * static + to_dynamic * dynamic
    value = taken * wanted
    behind = value.sum(1, keepdim=True) - value.cumsum(1)
    by_left = behind / left.clamp(min=LEAST_LEFT) * (left > LEAST_LEFT) - through * wanted / share
    difference = (to_static - to_dynamic) * (taken / share)
    by_static = torch.addcmul(difference * dynamic, 1 - dynamic, by_left, value=-1)
    by_dynamic = torch.addcmul(-difference * static, 1 - static, by_left, value=-1)
    clear, see = torch.exp(-static_depth), torch.exp(-dynamic_depth)
    return (
        by_static * (1 - blending) * clear,
        by_dynamic * blending * see,
        by_dynamic * (1 - see) - by_static * (1 - clear),
    )
