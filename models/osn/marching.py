"""Samples along rays through one object, only where they will matter.

In OSN a point of object k is X = R_k (z / s_k) d + t_k. Depth here is z' = z / s_k: it does not contain the scale, so an object
is sampled once for all scales. The released code samples z, evenly over the whole scene: `Reach` is that baseline.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from models.ops.constants import constant
from models.ops.march import march as march_operator
from models.osn.field_tables import FieldTables
from models.osn.space import Space
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

    def places(self) -> Int64[Tensor, "sample"]:
        """The samples' own numbers."""
        return torch.arange(len(self.ray), device=self.ray.device)


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


def offsets(present: Bool[Tensor, "*ray"], jitter: torch.Generator | None) -> Float[Tensor, "*ray"]:
    """Where in their bins rays' samples lie: in the middle, or anywhere."""
    if jitter is None:
        return torch.full(present.shape, 0.5, device=present.device)
    return torch.rand(present.shape, generator=jitter, device=present.device)


def march(
    grids: FieldTables,
    boxes: Float[Tensor, "object number=8"],
    spaces: list[Space],
    rays: ObjectRays,
    steps: list[Steps],
    reach: Float[Tensor, "object ray numbers=3"] | None,
    density_scale: float,
    most: int = 0,
) -> Samples:
    """The samples of all objects, of each those that would be seen if it stood alone. See `models.ops.march`."""
    near, unit = (constant(tuple(numbers), boxes) for numbers in zip(*((s.near, s.unit) for s in spaces), strict=True))
    outer = [step.outer if space.shell else 0 for step, space in zip(steps, spaces, strict=True)]
    ray, owner, depth, length = march_operator(
        *(
            grids.volumes.detach(),
            grids.layout.last,
            boxes,
            near,
            unit,
            rays.origins.detach(),
            rays.directions.detach(),
        ),
        *(rays.present, offsets(rays.present, steps[0].jitter), boxes.new_empty(0) if reach is None else reach),
        *([step.inner for step in steps], outer, density_scale, LEAST_WEIGHT, most),
    )
    return Samples(ray.clamp(max=rays.present.shape[1] - 1), owner, depth, length)
