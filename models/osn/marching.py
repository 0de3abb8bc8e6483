"""Samples along rays through one object, only where they will matter.

Depth along a ray is z' = z / s: it does not contain the object's scale, so an object is sampled once for all scales.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from models.osn import kernels
from models.osn.field import density_at
from models.osn.space import Space, box_interval, ray_bins, shell_edges
from models.rays import TensorFields

LEAST_WEIGHT = 3e-3  # a sample that adds less to its object's own image is dropped


@dataclass(frozen=True)
class ObjectRays(TensorFields):
    """Rays in the frames of all objects, depth in the object's units; absent where its pose is unknown."""

    origins: Float[Tensor, "object ray xyz=3"]
    directions: Float[Tensor, "object ray xyz=3"]
    present: Bool[Tensor, "object ray"]


@dataclass(frozen=True)
class Samples(TensorFields):
    """Samples of one or more objects: which ray, which object, how deep, and the length they stand for."""

    ray: Int64[Tensor, "sample"]
    object: Int64[Tensor, "sample"]
    depth: Float[Tensor, "sample"]
    optical_length: Float[Tensor, "sample"]

    @staticmethod
    def joined(parts: list["Samples"]) -> "Samples":
        return Samples(*(torch.cat([getattr(part, name) for part in parts]) for name in Samples.__dataclass_fields__))


@dataclass(frozen=True)
class Steps:
    """Bins along a ray: inside the box, and in the shell around it. Jitter only in training."""

    inner: int
    outer: int
    jitter: torch.Generator | None


def march(
    space: Space,
    logits: Float[Tensor, "x y z"],
    rays: ObjectRays,
    index: int,
    steps: Steps,
    density_scale: float,
) -> Samples:
    """The samples of one object that would be seen if it stood alone. No gradients flow here."""
    with torch.no_grad():
        one = rays.origins[index].detach(), rays.directions[index].detach(), rays.present[index]
        offset = offsets(one[2], steps.jitter)
        marched = march_on_cpu if logits.device.type == "cpu" else march_in_tensors
        ray, depth, optical_length = marched(space, logits.detach(), *one, offset, steps, density_scale)
        return Samples(ray, torch.full_like(ray, index), depth, optical_length)


def offsets(present: Bool[Tensor, "ray"], jitter: torch.Generator | None) -> Float[Tensor, "ray"]:
    """Where in their bins a ray's samples lie: in the middle, or anywhere."""
    if jitter is None:
        return torch.full(present.shape, 0.5, device=present.device)
    return torch.rand(present.shape, generator=jitter, device=present.device)


def march_on_cpu(
    space: Space,
    logits: Float[Tensor, "x y z"],
    origins: Float[Tensor, "ray xyz=3"],
    directions: Float[Tensor, "ray xyz=3"],
    present: Bool[Tensor, "ray"],
    offset: Float[Tensor, "ray"],
    steps: Steps,
    density_scale: float,
) -> tuple[Int64[Tensor, "sample"], Float[Tensor, "sample"], Float[Tensor, "sample"]]:
    """Ray, depth and optical length of the samples, ray by ray, left where nothing behind can be seen."""
    arrays = (tensor.contiguous().numpy() for tensor in (origins, directions, present, offset, space.half_extent))
    numbers = np.array([space.near, space.shell, space.unit], np.float32)
    edges = shell_edges(steps.outer if space.shell else 0, origins.device).numpy()
    limits = np.array([density_scale, LEAST_WEIGHT], np.float32)
    found = kernels.march_rays(*arrays, *numbers, logits.numpy(), steps.inner, edges, *limits)
    ray, depth, optical_length = (torch.from_numpy(values) for values in found)
    return ray, depth, optical_length


def march_in_tensors(
    space: Space,
    logits: Float[Tensor, "x y z"],
    origins: Float[Tensor, "ray xyz=3"],
    directions: Float[Tensor, "ray xyz=3"],
    present: Bool[Tensor, "ray"],
    offset: Float[Tensor, "ray"],
    steps: Steps,
    density_scale: float,
) -> tuple[Int64[Tensor, "sample"], Float[Tensor, "sample"], Float[Tensor, "sample"]]:
    """The same with all bins of all rays at once."""
    enter, leave, hit = box_interval(space, origins, directions)
    ray = (hit & present).nonzero()[:, 0]
    origins, directions = origins[ray], directions[ray]
    bins = ray_bins(space, directions, enter[ray], leave[ray], steps.inner, steps.outer)
    depth = bins.start + bins.length * offset[ray, None]
    points = space.grid_points(origins.T[..., None] + depth * directions.T[..., None])
    density = density_at(logits, points.flatten(1)).view_as(depth)
    kept = solo_weights(density * density_scale * bins.optical_length) > LEAST_WEIGHT
    row, bin_index = kept.nonzero().unbind(1)
    return ray[row], depth[row, bin_index], bins.optical_length[row, bin_index]


def solo_weights(optical_depth: Float[Tensor, "ray bin"]) -> Float[Tensor, "ray bin"]:
    """Weight of each sample in ordinary volume rendering, samples in order of depth."""
    through = optical_depth.cumsum(dim=1)
    return torch.exp(optical_depth - through) - torch.exp(-through)
