"""Rays, and the containers of tensors that travel together.

The one convention of rays, that of pipeline/cameras.py: a direction has unit depth (z = 1 in its camera), not unit length.
"""

from dataclasses import dataclass, fields
from typing import Any, TypeVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor

Container = TypeVar("Container", bound="TensorFields")


@dataclass(frozen=True)
class TensorFields:
    """A frozen dataclass of tensors with the same leading axes: moved and indexed as one."""

    def map(self: Container, function: Any) -> Container:
        return type(self)(**{field.name: function(getattr(self, field.name)) for field in fields(self)})

    def to(self: Container, device: torch.device | str) -> Container:
        return self.map(lambda tensor: tensor.to(device))

    def __getitem__(self: Container, index: Any) -> Container:
        return self.map(lambda tensor: tensor[index])


def joined(first: Container, second: Container) -> Container:
    """The tensors of two containers, those within them too, one after the other."""

    def both(one: Any, other: Any) -> Any:
        return joined(one, other) if isinstance(one, TensorFields) else torch.cat([one, other])

    names = [field.name for field in fields(first)]
    return type(first)(**{name: both(getattr(first, name), getattr(second, name)) for name in names})


@dataclass(frozen=True)
class Rays(TensorFields):
    """Rays in world coordinates. Directions have z = 1 in their camera, so that the parameter along the ray is depth."""

    origins: Float[Tensor, "*batch xyz=3"]
    directions: Float[Tensor, "*batch xyz=3"]
    frames: Int64[Tensor, "*batch"]


def directions_at_unit_depth(
    intrinsics: Float[Tensor, "value=4"], xy: Float[Tensor, "*batch xy=2"]
) -> Float[Tensor, "*batch xyz=3"]:
    """Directions through image points, in the camera's frame, with z = 1; intrinsics are (fx, fy, cx, cy) in pixels."""
    return torch.cat([(xy - intrinsics[2:]) / intrinsics[:2], torch.ones_like(xy[..., :1])], dim=-1)


def points_along(rays: Rays, depth: Float[Tensor, "ray sample"]) -> Float[Tensor, "ray sample xyz=3"]:
    """The points of rays at depths."""
    if depth.device.type == "cpu":
        return rays.origins[:, None] + depth[..., None] * rays.directions[:, None]
    return torch.addcmul(rays.origins[:, None], depth[..., None], rays.directions[:, None])
