"""Samples along rays, and their weights where a static and a dynamic field are blended."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from models.ops.blend import blend as blend_operator
from models.ops.blend import cpu
from models.ops.intervals import Intervals, coarse_edges, intervals, inverse_cdf, inverse_cdf_samples
from models.rays import Rays, TensorFields


@dataclass(frozen=True)
class SampleWeights(TensorFields):
    """Weights of samples in the full rendering, by the field that they come from; together they sum to the opacity."""

    static: Float[Tensor, "ray sample"]
    dynamic: Float[Tensor, "ray sample"]

    @property
    def both(self) -> Float[Tensor, "ray sample"]:
        return self.static + self.dynamic


def blend(
    static_depth: Float[Tensor, "ray sample"],
    dynamic_depth: Float[Tensor, "ray sample"],
    blending: Float[Tensor, "ray sample"],
) -> SampleWeights:
    """Weights from the optical depths of both fields and the blending weight b of each sample.

    As in NSFF and Semantic Flow T = prod (1 - alpha_d b)(1 - alpha_s (1 - b)). What a sample takes, 1 minus its factor, is
    divided in proportion; the papers add both terms, which exceeds what was taken where both are opaque.
    """
    if blending.device.type == "cpu":
        return SampleWeights(*FusedBlend.apply(static_depth, dynamic_depth, blending))
    return SampleWeights(*blend_operator(static_depth, dynamic_depth, blending))


class FusedBlend(torch.autograd.Function):
    """The operator's compiled loops without its dispatch, which takes longer than the samples of a shard."""

    @staticmethod
    def forward(ctx: Any, *inputs: Float[Tensor, "ray sample"]) -> tuple[Tensor, Tensor]:
        ctx.kept = inputs
        return cpu.blend(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Float[Tensor, "ray sample"]) -> tuple[Tensor, ...]:
        return cpu.blend_backward(*ctx.kept, *gradients)


Optics = Callable[[Intervals], tuple[Tensor, Tensor, Tensor]]


def march(
    optics: Optics, near: float, far: float, coarse: int, fine: int, rays: Rays, generator: torch.Generator | None
) -> Intervals:
    """Where to look along rays: many cheap samples say where the few costly ones go (NeRF, sec. 5.2). No gradients flow here.

    Unlike in NeRF the coarse samples come from the fields themselves, and are not among the fine ones.
    """
    count, device = len(rays.frames), rays.origins.device
    with torch.no_grad():
        edges = coarse_edges(near, far, coarse, count, generator, device)
        u = inverse_cdf_samples(fine, count, generator, device)
        weights = blend(*optics(intervals(edges, rays)))
        return intervals(inverse_cdf(edges, weights.both, u), rays)
