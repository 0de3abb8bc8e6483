"""Samples along rays through one object, only where they will matter.

In OSN a point of object k is X = R_k (z / s_k) d + t_k. Depth here is z' = z / s_k: it does not contain the scale, so an object
is sampled once for all scales. The released code samples z, evenly over the whole scene: `Reach` is that baseline.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from models.ops.compaction import places
from models.osn.field import density_at
from models.osn.space import Space, box_interval, ray_bins
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
class Reach:
    """The released code's sampling, a baseline: even in the scene's depth between the same bounds for all objects.

    Its optical lengths are the scene's: an object's opacity changes with its scale by `stretch`.
    """

    first: Float[Tensor, "ray"]
    last: Float[Tensor, "ray"]
    stretch: Float[Tensor, "ray"]


@dataclass(frozen=True)
class Steps:
    """Bins along a ray: inside the box and in the shell around it, or over a reach. Jitter only in training."""

    inner: int
    outer: int
    jitter: torch.Generator | None
    reach: Reach | None = None


def offsets(present: Bool[Tensor, "ray"], jitter: torch.Generator | None) -> Float[Tensor, "ray"]:
    """Where in their bins a ray's samples lie: in the middle, or anywhere."""
    if jitter is None:
        return torch.full(present.shape, 0.5, device=present.device)
    return torch.rand(present.shape, generator=jitter, device=present.device)


def march(
    space: Space,
    logits: Float[Tensor, "x y z"],
    rays: ObjectRays,
    index: int,
    steps: Steps,
    density_scale: float,
    most: int | None = None,
) -> Samples:
    """The samples of one object that would be seen if it stood alone. No gradients flow here.

    With `most` they come in a buffer of this size, so that the host need not know how many there are: its rest has no
    optical length, and what does not fit is left out.
    """
    with torch.no_grad():
        origins, directions = rays.origins[index].detach(), rays.directions[index].detach()
        offset = offsets(rays.present[index], steps.jitter)
        if steps.reach is None:
            enter, leave, hit = box_interval(space, origins, directions)
        else:
            enter, leave = steps.reach.first, steps.reach.last
            hit = leave > enter
        hit = hit & rays.present[index]
        bins = ray_bins(space, directions, enter, torch.where(hit, leave, enter), steps.inner, steps.outer)
        depth = bins.start + bins.length * offset[:, None]
        positions = origins.T[..., None] + depth * directions.T[..., None]
        density = density_at(logits.detach(), space.grid_points(positions).flatten(1)).view_as(depth)
        if steps.reach is not None:
            bins = bins.stretched(steps.reach.stretch)
            density = density * space.contains(positions)
        kept = (solo_weights(density * density_scale * bins.optical_length) > LEAST_WEIGHT) & hit[:, None]
        place, filled = places(kept.flatten(), most)
        ray = torch.div(place, kept.shape[1], rounding_mode="floor")
        length = bins.optical_length.flatten()[place] * filled
        return Samples(ray, torch.full_like(ray, index), depth.flatten()[place], length)


def solo_weights(optical_depth: Float[Tensor, "ray bin"]) -> Float[Tensor, "ray bin"]:
    """Weight of each sample in ordinary volume rendering (NeRF, eq. 3), samples in order of depth."""
    through = optical_depth.cumsum(dim=1)
    return torch.exp(optical_depth - through) - torch.exp(-through)
