"""Pieces of rays: cheap coarse ones, and fine ones where the weight of the coarse ones is (NeRF, sec. 5.2)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.ops.constants import constant
from models.ops.fine_edges import fine_edges
from models.rays import Rays, TensorFields

BEYOND = 1e3  # optical depth added behind the last sample: whatever is farther is painted on the far end
UNIFORM_MIXTURE = 0.1  # part of the fine samples that is uniform over the coarse bins, so that nothing stays unseen


@dataclass(frozen=True)
class Intervals(TensorFields):
    """Pieces of rays: the depth of their middles, and their lengths in world units."""

    depth: Float[Tensor, "ray sample"]
    length: Float[Tensor, "ray sample"]


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
    edges: Float[Tensor, "ray edge"],
    weights: Float[Tensor, "ray sample"],
    u: Float[Tensor, "ray inner_edge"],
    uniform: float = UNIFORM_MIXTURE,
) -> Float[Tensor, "ray finer_edge"]:
    """Edges by the inverse CDF of the coarse intervals' weights, each widened to its neighbours; the ends stay."""
    return fine_edges(edges, weights, u, uniform)


def behind(optical_depth: Float[Tensor, "ray sample"]) -> Float[Tensor, "ray sample"]:
    """The same with a wall behind the last sample."""
    wall = constant((0.0,) * (optical_depth.shape[1] - 1) + (BEYOND,), optical_depth)
    return optical_depth + wall
