"""A grid of density at dense nodes, kept as products of planes. The convention is that of `models.ops.grid`."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from models.ops.grid import LINE_AXES, PLANE_AXES
from models.ops.region_volume import region_volume
from models.ops.space import Region
from models.ops.space_time_planes import INITIAL_SPACE
from models.ops.table_reads import read_in_box


class DensityGrid(nn.Module):
    """A dense grid of one value a node, kept as sums of planes times lines (TensoRF, sec. 3) and made anew at each step.

    Trilinear interpolation of such nodes is exactly the sum of bilinear planes times lines, at a tenth of the reads.
    """

    def __init__(self, resolution: Sequence[int], channels: int, shift: float, generator: torch.Generator) -> None:
        super().__init__()
        self.resolution, self.shift = tuple(int(size) for size in resolution), shift

        def factor(*shape: int) -> nn.Parameter:
            return nn.Parameter(INITIAL_SPACE * torch.randn(shape, generator=generator, device=generator.device))

        self.planes = nn.ParameterList([factor(channels, *(self.resolution[a] for a in axes)) for axes in PLANE_AXES])
        self.lines = nn.ParameterList([factor(channels, self.resolution[axis]) for axis in LINE_AXES])

    def nodes(self, rows: slice = slice(None)) -> Float[Tensor, "x y z"]:
        """Density before its activation, at every node; or at some rows of the first axis."""
        xy, xz, yz = self.planes[0][:, rows], self.planes[1][:, rows], self.planes[2]
        z, y, x = self.lines[0], self.lines[1], self.lines[2][:, rows]
        nx, ny, nz = x.shape[1], *self.resolution[1:]
        from_yz = (x.T @ yz.flatten(1)).view(nx, ny, nz)
        left = torch.cat([y.T.expand(nx, -1, -1), xy.permute(1, 2, 0)], dim=2)
        right = torch.cat([xz.permute(1, 0, 2), z.expand(nx, -1, -1)], dim=1)
        return torch.baddbmm(from_yz, left, right) + self.shift

    def factor_gradients(
        self, by_node: Float[Tensor, "x y z"], number: int
    ) -> tuple[Float[Tensor, "channel first second"], Float[Tensor, "channel node"]]:
        """Gradients of one plane and its line from those of the nodes."""
        plane, line = self.planes[number].detach(), self.lines[number].detach()
        if number == 0:
            by_plane = (by_node @ line.T).permute(2, 0, 1)
            return by_plane.contiguous(), plane.flatten(1) @ by_node.flatten(0, 1)
        if number == 1:
            by_plane = (line @ by_node).permute(1, 0, 2)
            return by_plane.contiguous(), (plane.permute(1, 0, 2) @ by_node.mT).sum(0)
        return (line @ by_node.flatten(1)).view_as(plane), plane.flatten(1) @ by_node.flatten(1).T

    def density(
        self, nodes: Float[Tensor, "x y z"], region: Region, points: Float[Tensor, "point xyz=3"]
    ) -> Float[Tensor, "point"]:
        """Before its activation, from the nodes, at points of the world."""
        placed = region.in_box_frame(points)
        if points.device.type == "cpu":
            return read_in_box(self, region.as_object_box, placed, None, nodes)
        return region_volume(nodes, placed, region.box)

    def take(self, coarser: "DensityGrid") -> None:
        """Become a coarser grid's function."""
        with torch.no_grad():
            for mine, other in zip(self.planes, coarser.planes, strict=True):
                mine.copy_(F.interpolate(other[None], size=mine.shape[1:], mode="bilinear", align_corners=True)[0])
            for mine, other in zip(self.lines, coarser.lines, strict=True):
                mine.copy_(F.interpolate(other[None], size=mine.shape[1], mode="linear", align_corners=True)[0])

    def smoothed_tables(self) -> list[nn.Parameter]:
        """Tables whose neighbouring nodes should be alike; their last two axes are the nodes'."""
        return list(self.planes)
