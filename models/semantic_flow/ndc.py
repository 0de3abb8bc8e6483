"""Normalised device coordinates of one view, for scenes that are seen from about one side (NeRF, appendix C)."""

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from models.ops.space import Region


@dataclass(frozen=True)
class NdcRegion(Region):
    """A box in the NDC of a view, with what lies beyond it contracted into a shell as in a box of the world.

    Depth runs from -1 at `near` to 1 at infinity, even in its inverse; x and y are -1 and 1 at the borders of the image
    with half-sizes `slopes` at depth 1. `world_unit` is the unit of length of densities and velocities.
    """

    world_from_view: Float[Tensor, "row=4 column=4"] = field(default_factory=lambda: torch.eye(4))
    slopes: tuple[float, float] = (1.0, 1.0)
    near: float = 1.0
    world_unit: float = 1.0

    def to(self, device: torch.device | str) -> "NdcRegion":
        moved = {name: getattr(self, name).to(device) for name in ("centre", "half_extent", "world_from_view")}
        return replace(self, **moved)

    @property
    def unit(self) -> float:
        """The unit of length of densities and velocities inside."""
        return self.world_unit

    def in_box_frame(self, points: Float[Tensor, "*batch xyz=3"]) -> Float[Tensor, "*batch xyz=3"]:
        """World points in the view's NDC."""
        return self.ndc(points)

    def coordinates(self, points: Float[Tensor, "*batch xyz=3"]) -> Float[Tensor, "*batch xyz=3"]:
        """Grid coordinates in [-1, 1]."""
        return super().coordinates(self.ndc(points))

    def points(self, coordinates: Float[Tensor, "*batch xyz=3"]) -> Float[Tensor, "*batch xyz=3"]:
        """World points of grid coordinates: the inverse."""
        x, y, z = super().points(coordinates).unbind(-1)
        depth = 2 * self.near / (1 - z).clamp(min=1e-6)
        in_view = torch.stack([x * depth * self.slopes[0], y * depth * self.slopes[1], depth], dim=-1)
        return in_view @ self.world_from_view[:3, :3].T + self.world_from_view[:3, 3]

    def ndc(self, points: Float[Tensor, "*batch xyz=3"]) -> Float[Tensor, "*batch xyz=3"]:
        """NDC of world points; those nearer than `near` lie on it."""
        in_view = (points - self.world_from_view[:3, 3]) @ self.world_from_view[:3, :3]
        depth = in_view[..., 2].clamp(min=self.near)
        x, y = in_view[..., 0] / (depth * self.slopes[0]), in_view[..., 1] / (depth * self.slopes[1])
        return torch.stack([x, y, 1 - 2 * self.near / depth], dim=-1)
