"""Samples along rays, and how a static and a dynamic field share their weight."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from models.rays import Rays, TensorFields
from models.semantic_flow import kernels

SPARE_SHARE = 0.1  # of the fine samples that go anywhere along the ray, so that nothing stays unseen
BEYOND = 1e3  # optical depth added behind the last sample: whatever is farther is painted on the far end


@dataclass(frozen=True)
class Intervals(TensorFields):
    """Pieces of rays: the depth of their middles, and their lengths in world units."""

    depth: Float[Tensor, "ray sample"]
    length: Float[Tensor, "ray sample"]


@dataclass(frozen=True)
class Shares(TensorFields):
    """Weights of samples in the full rendering, by the field that they come from; together they sum to the opacity."""

    static: Float[Tensor, "ray sample"]
    dynamic: Float[Tensor, "ray sample"]

    @property
    def both(self) -> Float[Tensor, "ray sample"]:
        return self.static + self.dynamic


def coarse_edges(
    near: float, far: float, count: int, rays: int, generator: torch.Generator | None, device: torch.device
) -> Float[Tensor, "ray edge"]:
    """Edges of intervals, even in the logarithm of depth; shifted as one by a random amount in training."""
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


def wanted_shares(
    count: int, rays: int, generator: torch.Generator | None, device: torch.device
) -> Float[Tensor, "ray inner_edge"]:
    """Which shares of a ray's weight lie before the inner edges of its fine intervals; random in training."""
    wanted = torch.linspace(0, 1, count + 1, device=device)[1:-1].expand(rays, -1)
    if generator is not None:
        wanted = wanted + (torch.rand(wanted.shape, generator=generator, device=device) - 0.5) / count
    return wanted.contiguous()


def fine_edges(
    edges: Float[Tensor, "ray edge"], weights: Float[Tensor, "ray sample"], wanted: Float[Tensor, "ray inner_edge"]
) -> Float[Tensor, "ray finer_edge"]:
    """Edges at shares of the weights of coarse intervals, each widened to its neighbours; the ends stay."""
    wide = F.max_pool1d(weights[:, None], 3, stride=1, padding=1)[:, 0]
    wide = wide / wide.sum(1, keepdim=True).clamp(min=1e-8)
    density = (1 - SPARE_SHARE) * wide + SPARE_SHARE / weights.shape[1]
    below = F.pad(density.cumsum(1), (1, 0))
    below = below / below[:, -1:]
    index = torch.searchsorted(below, wanted, right=True).clamp(1, below.shape[1] - 1)
    low, high = below.gather(1, index - 1), below.gather(1, index)
    share = (wanted - low) / (high - low).clamp(min=1e-8)
    start, end = edges.gather(1, index - 1), edges.gather(1, index)
    return torch.cat([edges[:, :1], start + share.clamp(0, 1) * (end - start), edges[:, -1:]], dim=1)


def blend(
    static_depth: Float[Tensor, "ray sample"],
    dynamic_depth: Float[Tensor, "ray sample"],
    share: Float[Tensor, "ray sample"],
) -> Shares:
    """Weights from the optical depths of both fields and the dynamic share b of each sample.

    As in the paper T = prod (1 - alpha_d b)(1 - alpha_s (1 - b)). What a sample takes, 1 minus its factor, is
    divided in proportion; the paper adds both terms, which exceeds what was taken where both are opaque.
    """
    if share.device.type == "cpu":
        return Shares(*FusedBlend.apply(static_depth, dynamic_depth, share))
    return blend_in_tensors(static_depth, dynamic_depth, share)


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
    share: Float[Tensor, "ray sample"],
) -> Shares:
    """The same by tensor operations: the reference, and the way of GPUs."""
    static = -torch.expm1(-static_depth) * (1 - share)
    dynamic = -torch.expm1(-dynamic_depth) * share
    left = (1 - static) * (1 - dynamic)
    through = torch.cumprod(F.pad(left[:, :-1], (1, 0), value=1.0).clamp(min=1e-7), dim=1)
    taken = through * (1 - left) / (static + dynamic).clamp(min=1e-8)
    return Shares(taken * static, taken * dynamic)


Optics = Callable[[Intervals], tuple[Tensor, Tensor, Tensor]]


def march(
    optics: Optics, near: float, far: float, coarse: int, fine: int, rays: Rays, generator: torch.Generator | None
) -> Intervals:
    """Where to look along rays: many cheap samples say where the few costly ones go. No gradients flow here."""
    count, device = len(rays.frames), rays.origins.device
    with torch.no_grad():
        edges = coarse_edges(near, far, coarse, count, generator, device)
        wanted = wanted_shares(fine, count, generator, device)
        shares = blend(*optics(intervals(edges, rays)))
        return intervals(fine_edges(edges, shares.both, wanted), rays)
