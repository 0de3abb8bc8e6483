"""Samples along rays, and their weights where a static and a dynamic field are blended."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from models.rays import Rays, TensorFields
from models.semantic_flow import kernels

UNIFORM_MIXTURE = 0.1  # part of the fine samples that is uniform over the coarse bins, so that nothing stays unseen
BEYOND = 1e3  # optical depth added behind the last sample: whatever is farther is painted on the far end


@dataclass(frozen=True)
class Intervals(TensorFields):
    """Pieces of rays: the depth of their middles, and their lengths in world units."""

    depth: Float[Tensor, "ray sample"]
    length: Float[Tensor, "ray sample"]


@dataclass(frozen=True)
class SampleWeights(TensorFields):
    """Weights of samples in the full rendering, by the field that they come from; together they sum to the opacity."""

    static: Float[Tensor, "ray sample"]
    dynamic: Float[Tensor, "ray sample"]

    @property
    def both(self) -> Float[Tensor, "ray sample"]:
        return self.static + self.dynamic


def coarse_edges(
    near: float, far: float, count: int, rays: int, generator: torch.Generator | None, device: torch.device
) -> Float[Tensor, "ray edge"]:
    """Edges of intervals, even in the logarithm of depth; shifted as one by a random amount in training.

    NeRF, eq. 2, draws each sample in its own bin, even in depth.
    """
    position = torch.linspace(0, 1, count + 1, device=device).expand(rays, -1)
    if generator is not None:
        shift = (torch.rand(rays, 1, generator=generator, device=device) - 0.5) / count
        inner = position[:, 1:-1] + shift
        position = torch.cat([position[:, :1], inner, position[:, -1:]], dim=1)
    return near * (far / near) ** position


def intervals(edges: Float[Tensor, "ray edge"], rays: Rays) -> Intervals:
    """The pieces between edges."""
    speed = rays.directions.norm(dim=-1, keepdim=True)
    return Intervals((edges[:, 1:] + edges[:, :-1]) / 2, edges.diff(dim=1) * speed)


def inverse_cdf_samples(
    count: int, rays: int, generator: torch.Generator | None, device: torch.device
) -> Float[Tensor, "ray inner_edge"]:
    """u in [0, 1], at which the inverse CDF of a ray's weight places its inner fine edges; random in training."""
    u = torch.linspace(0, 1, count + 1, device=device)[1:-1].expand(rays, -1)
    if generator is not None:
        u = u + (torch.rand(u.shape, generator=generator, device=device) - 0.5) / count
    return u.contiguous()


def inverse_cdf(
    edges: Float[Tensor, "ray edge"], weights: Float[Tensor, "ray sample"], u: Float[Tensor, "ray inner_edge"]
) -> Float[Tensor, "ray finer_edge"]:
    """Edges by the inverse CDF of the coarse intervals' weights, each widened to its neighbours; the ends stay.

    NeRF, sec. 5.2. Weights are widened by a maximum, as in mip-NeRF, which also blurs them.
    """
    widened = F.max_pool1d(weights[:, None], 3, stride=1, padding=1)[:, 0]
    widened = widened / widened.sum(1, keepdim=True).clamp(min=1e-8)
    pdf = (1 - UNIFORM_MIXTURE) * widened + UNIFORM_MIXTURE / weights.shape[1]
    cdf = F.pad(pdf.cumsum(1), (1, 0))
    cdf = cdf / cdf[:, -1:]
    index = torch.searchsorted(cdf, u, right=True).clamp(1, cdf.shape[1] - 1)
    low, high = cdf.gather(1, index - 1), cdf.gather(1, index)
    fraction = (u - low) / (high - low).clamp(min=1e-8)
    start, end = edges.gather(1, index - 1), edges.gather(1, index)
    return torch.cat([edges[:, :1], start + fraction.clamp(0, 1) * (end - start), edges[:, -1:]], dim=1)


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
    return blend_in_tensors(static_depth, dynamic_depth, blending)


class FusedBlend(torch.autograd.Function):
    """One compiled pass over rays, forwards and backwards."""

    @staticmethod
    def forward(ctx: Any, *inputs: Float[Tensor, "ray sample"]) -> tuple[Tensor, Tensor]:
        ctx.kept = arrays = [tensor.detach().contiguous().numpy() for tensor in inputs]
        static, dynamic = torch.empty(inputs[0].shape), torch.empty(inputs[0].shape)
        kernels.blend(*arrays, static.numpy(), dynamic.numpy())
        return static, dynamic

    @staticmethod
    def backward(ctx: Any, *gradients: Float[Tensor, "ray sample"]) -> tuple[Tensor, ...]:
        found = tuple(torch.empty(gradients[0].shape) for _ in range(3))
        wanted = (gradient.contiguous().numpy() for gradient in gradients)
        kernels.blend_gradient(*ctx.kept, *wanted, *(tensor.numpy() for tensor in found))
        return found


def blend_in_tensors(
    static_depth: Float[Tensor, "ray sample"],
    dynamic_depth: Float[Tensor, "ray sample"],
    blending: Float[Tensor, "ray sample"],
) -> SampleWeights:
    """The same by tensor operations: the reference, and the way of GPUs."""
    static = -torch.expm1(-static_depth) * (1 - blending)
    dynamic = -torch.expm1(-dynamic_depth) * blending
    left = (1 - static) * (1 - dynamic)
    # A sum of logarithms: the gradient of a product makes the host look for zeros.
    through = torch.exp(F.pad(left[:, :-1].clamp(min=1e-7).log().cumsum(1), (1, 0)))
    taken = through * (1 - left) / (static + dynamic).clamp(min=1e-8)
    return SampleWeights(taken * static, taken * dynamic)


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
