"""Grids as products of planes: density at dense nodes, features in space, features in space and time."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

SPACE_AXES = ((0, 1), (0, 2), (1, 2))
TIME_AXES = (2, 1, 0)  # the axis that the plane in space leaves out goes with time
INITIAL_SPACE = 0.1
INITIAL_FEATURES = 0.3


class DensityGrid(nn.Module):
    """A dense grid of one value a node, kept as sums of planes times lines (TensoRF) and made anew at each step.

    Trilinear interpolation of such nodes is exactly the sum of bilinear planes times lines, at a tenth of the reads.
    """

    def __init__(self, resolution: Sequence[int], channels: int, shift: float, generator: torch.Generator) -> None:
        super().__init__()
        self.resolution, self.shift = tuple(int(size) for size in resolution), shift

        def factor(*shape: int) -> nn.Parameter:
            return nn.Parameter(INITIAL_SPACE * torch.randn(shape, generator=generator, device=generator.device))

        self.planes = nn.ParameterList([factor(channels, *(self.resolution[a] for a in axes)) for axes in SPACE_AXES])
        self.lines = nn.ParameterList([factor(channels, self.resolution[axis]) for axis in TIME_AXES])

    def nodes(self) -> Float[Tensor, "x y z"]:
        """Density before its activation, at every node."""
        xy, xz, yz = self.planes
        z, y, x = self.lines
        nx, ny, nz = self.resolution
        from_yz = (x.T @ yz.flatten(1)).view(nx, ny, nz)
        left = torch.cat([y.T.expand(nx, -1, -1), xy.permute(1, 2, 0)], dim=2)
        right = torch.cat([xz.permute(1, 0, 2), z.expand(nx, -1, -1)], dim=1)
        return torch.baddbmm(from_yz, left, right) + self.shift

    def take(self, coarser: "DensityGrid") -> None:
        """Become a coarser grid's function."""
        with torch.no_grad():
            for mine, other in zip(self.planes, coarser.planes, strict=True):
                mine.copy_(F.interpolate(other[None], size=mine.shape[1:], mode="bilinear", align_corners=True)[0])
            for mine, other in zip(self.lines, coarser.lines, strict=True):
                mine.copy_(F.interpolate(other[None], size=mine.shape[1], mode="linear", align_corners=True)[0])

    def roughness(self) -> Float[Tensor, ""]:
        """Mean squared difference of neighbouring nodes of the planes."""
        return sum(
            (plane.diff(dim=dim).square().mean() for plane in self.planes for dim in (1, 2)),
            start=torch.zeros((), device=self.planes[0].device),
        )


class SpacePlanes(nn.Module):
    """Features of points in space: products of planes with lines."""

    def __init__(self, channels: int, resolution: int, generator: torch.Generator) -> None:
        super().__init__()

        def factor(*shape: int) -> nn.Parameter:
            values = INITIAL_FEATURES * torch.randn(shape, generator=generator, device=generator.device)
            return nn.Parameter(values.contiguous(memory_format=torch.channels_last))

        self.planes = factor(3, channels, resolution, resolution)
        self.lines = factor(3, channels, resolution, 1)
        self.channels = 3 * channels

    def forward(self, coordinates: Float[Tensor, "point xyz=3"]) -> Float[Tensor, "point channel"]:
        """Features at grid coordinates in [-1, 1]."""
        on_planes = torch.stack([coordinates[:, axes] for axes in SPACE_AXES])
        along = torch.stack([coordinates[:, axis] for axis in TIME_AXES])
        on_lines = torch.stack([torch.zeros_like(along), along], dim=-1)
        product = bilinear(self.planes, on_planes) * bilinear(self.lines, on_lines)
        return product.permute(2, 0, 1).flatten(1)

    def take(self, coarser: "SpacePlanes") -> None:
        """Become a coarser grid's function."""
        with torch.no_grad():
            for mine, other in ((self.planes, coarser.planes), (self.lines, coarser.lines)):
                mine.copy_(F.interpolate(other, size=mine.shape[2:], mode="bilinear", align_corners=True))

    def roughness(self) -> Float[Tensor, ""]:
        """Mean squared difference of neighbouring nodes of the planes."""
        return self.planes.diff(dim=2).square().mean() + self.planes.diff(dim=3).square().mean()


class SpaceTimePlanes(nn.Module):
    """Features of points in space and time: three products of a plane in space with a plane in time."""

    def __init__(self, channels: int, resolution: int, frames: int, generator: torch.Generator) -> None:
        super().__init__()
        device = generator.device
        space = INITIAL_SPACE * torch.randn(3, channels, resolution, resolution, generator=generator, device=device)
        time = torch.ones(3, channels, frames, resolution, device=device)
        self.space = nn.Parameter(space.contiguous(memory_format=torch.channels_last))
        self.time = nn.Parameter(time.contiguous(memory_format=torch.channels_last))
        self.channels = 3 * channels

    def forward(
        self, coordinates: Float[Tensor, "point xyz=3"], time: Float[Tensor, "point"]
    ) -> Float[Tensor, "point channel"]:
        """Features at grid coordinates and times in [-1, 1]."""
        in_space = torch.stack([coordinates[:, axes] for axes in SPACE_AXES])
        in_time = torch.stack([torch.stack([coordinates[:, axis], time], dim=-1) for axis in TIME_AXES])
        product = bilinear(self.space, in_space) * bilinear(self.time, in_time)
        return product.permute(2, 0, 1).flatten(1)

    def roughness(self) -> Float[Tensor, ""]:
        """Mean squared difference of neighbouring nodes, in space and in time."""
        return sum(
            (plane.diff(dim=dim).square().mean() for plane in (self.space, self.time) for dim in (2, 3)),
            start=torch.zeros((), device=self.space.device),
        )


def bilinear(
    planes: Float[Tensor, "plane channel height width"], points: Float[Tensor, "plane point xy=2"]
) -> Float[Tensor, "plane channel point"]:
    """One plane for each set of points."""
    return F.grid_sample(planes, points[:, :, None], align_corners=True, padding_mode="border")[..., 0]


def trilinear(nodes: Float[Tensor, "x y z"], points: Float[Tensor, "point xyz=3"]) -> Float[Tensor, "point"]:
    """One value a node, read at grid coordinates in [-1, 1]."""
    grid = points.flip(-1)[None, :, None, None]  # grid_sample names the last axis first
    return F.grid_sample(nodes[None, None], grid, align_corners=True, padding_mode="border").flatten()
