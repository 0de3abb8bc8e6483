"""Where things are: the cameras of all frames, and the region of the world that a grid covers."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from models.ops.constants import constant
from models.ops.contract import contracted_distance, expanded_distance
from models.rays import Rays, directions_at_unit_depth

NEAREST_DEPTH = 1e-3


@dataclass(frozen=True)
class Cameras:
    """The pinhole cameras of all frames, with one set of intrinsics (fx, fy, cx, cy) in pixels."""

    world_from_camera: Float[Tensor, "frame row=4 column=4"]
    intrinsics: Float[Tensor, "value=4"]
    height: int
    width: int

    @property
    def frame_count(self) -> int:
        return len(self.world_from_camera)

    def to(self, device: torch.device | str) -> "Cameras":
        return Cameras(self.world_from_camera.to(device), self.intrinsics.to(device), self.height, self.width)

    def directions(
        self, xy: Float[Tensor, "*batch xy=2"], frames: Int64[Tensor, "*batch"]
    ) -> Float[Tensor, "*batch xyz=3"]:
        """World directions through pixels, with z = 1 in the camera."""
        in_camera = directions_at_unit_depth(self.intrinsics, xy)
        return torch.einsum("...ij,...j->...i", self.world_from_camera[frames, :3, :3], in_camera)

    def rays(self, xy: Float[Tensor, "ray xy=2"], frames: Int64[Tensor, "ray"]) -> Rays:
        """Rays through pixels of given frames."""
        return Rays(self.world_from_camera[frames, :3, 3], self.directions(xy, frames), frames)

    def project(
        self, points: Float[Tensor, "*batch xyz=3"], frames: Int64[Tensor, "*batch"]
    ) -> tuple[Float[Tensor, "*batch xy=2"], Float[Tensor, "*batch"]]:
        """Pixels and depths of world points in the cameras of given frames; behind a camera depth is not positive."""
        pose = self.world_from_camera[frames]
        in_camera = torch.einsum("...ji,...j->...i", pose[..., :3, :3], points - pose[..., :3, 3])
        depth = in_camera[..., 2]
        xy = in_camera[..., :2] / depth.clamp(min=NEAREST_DEPTH)[..., None]
        return xy * self.intrinsics[:2] + self.intrinsics[2:], depth

    def inside(self, xy: Float[Tensor, "*batch xy=2"], depth: Float[Tensor, "*batch"]) -> Bool[Tensor, "*batch"]:
        """Whether projections fall into the image, in front of the camera."""
        x, y = xy.unbind(-1)
        return (depth > NEAREST_DEPTH) & (x >= 0) & (x <= self.width) & (y >= 0) & (y <= self.height)

    def normalised(self, xy: Float[Tensor, "*batch xy=2"]) -> Float[Tensor, "*batch xy=2"]:
        """Pixels as `grid_sample` with align_corners=False wants them, for maps of any resolution."""
        return 2 * xy / constant((self.width, self.height), xy) - 1


@dataclass(frozen=True)
class Region:
    """A box of the world, with all that lies beyond it contracted into a shell around it (`models.ops.contract`).

    Of the grid, `1 / (1 + shell)` per side belongs to the box; the rest, up to infinity, to the shell.
    """

    centre: Float[Tensor, "xyz=3"]
    half_extent: Float[Tensor, "xyz=3"]
    shell: float = 0.5

    def to(self, device: torch.device | str) -> "Region":
        return Region(self.centre.to(device), self.half_extent.to(device), self.shell)

    @cached_property  # read once: on a GPU the host waits for it
    def unit(self) -> float:
        """The unit of length of densities and velocities inside."""
        return float(self.half_extent.max())

    @cached_property
    def box(self) -> Float[Tensor, "number=7"]:
        """The box as operators on regions take it: centre, half extents, and the share of the grid that the shell takes."""
        return torch.cat([self.centre, self.half_extent, constant((self.shell / (1 + self.shell),), self.centre)])

    @cached_property
    def as_object_box(self) -> Float[Tensor, "object=1 number=8"]:
        """The box as `models.ops.contract_points` takes it: what lies beyond is drawn in, also where there is no shell."""
        return torch.cat([self.centre, self.half_extent, constant((self.shell, 0.0), self.centre)])[None]

    def in_box_frame(self, points: Float[Tensor, "*batch xyz=3"]) -> Float[Tensor, "*batch xyz=3"]:
        """World points in the frame in which the region is a box."""
        return points

    def coordinates(self, points: Float[Tensor, "*batch xyz=3"]) -> Float[Tensor, "*batch xyz=3"]:
        """Grid coordinates in [-1, 1]."""
        relative = (points - self.centre) / self.half_extent
        distance = relative.abs().amax(-1, keepdim=True).clamp(min=1.0)
        return relative / distance * contracted_distance(distance, self.shell) / (1 + self.shell)

    def points(self, coordinates: Float[Tensor, "*batch xyz=3"]) -> Float[Tensor, "*batch xyz=3"]:
        """World points of grid coordinates: the inverse."""
        stretched = coordinates * (1 + self.shell)
        reach = stretched.abs().amax(-1, keepdim=True).clamp(min=1.0)
        distance = expanded_distance(reach, self.shell) if self.shell else torch.ones_like(reach)
        return stretched / reach * distance * self.half_extent + self.centre
