"""Features of points in space on planes and lines: read by compiled loops, or by tensors on GPUs.

The convention is that of `models.ops.grid`, with two departures, since `grid_sample` reads them on GPUs: rows run along a
plane's second axis and columns along its first, and coordinates are in [-1, 1].
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from models.ops.constants import constant
from models.ops.region_planes import region_planes
from models.ops.space import Region
from models.ops.table_reads import read, read_in_box

INITIAL_FEATURES = 0.3


class SpacePlanes(nn.Module):
    """Features of points in space: products of planes with lines (TensoRF, sec. 3)."""

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
        if coordinates.device.type == "cpu":
            return read(self, coordinates, None, self.planes, self.lines)
        return self.in_tensors(coordinates)

    def in_tensors(self, coordinates: Float[Tensor, "point xyz=3"]) -> Float[Tensor, "point channel"]:
        """The same by the operator of GPUs, whose reference is tensor code; coordinates are placed already."""
        box = constant((0, 0, 0, 1, 1, 1, 0), coordinates)
        nothing = coordinates.new_empty(0)
        return region_planes(self.planes, self.lines, coordinates.clamp(-1, 1), nothing, box, 0.0, 0.0)

    def in_region(self, region: Region, points: Float[Tensor, "point xyz=3"]) -> Float[Tensor, "point channel"]:
        """Features at points of the world."""
        placed = region.in_box_frame(points)
        if points.device.type == "cpu":
            return read_in_box(self, region.as_object_box, placed, None, self.planes, self.lines)
        return region_planes(self.planes, self.lines, placed, placed.new_empty(0), region.box, 0.0, 0.0)

    def take(self, coarser: "SpacePlanes") -> None:
        """Become a coarser grid's function."""
        with torch.no_grad():
            for mine, other in ((self.planes, coarser.planes), (self.lines, coarser.lines)):
                mine.copy_(F.interpolate(other, size=mine.shape[2:], mode="bilinear", align_corners=True))

    def resize(self, resolution: int) -> None:
        """Become the same function on other nodes; the tables are new parameters."""

        def resized(table: Tensor, size: tuple[int, int]) -> nn.Parameter:
            finer = F.interpolate(table.detach(), size=size, mode="bilinear", align_corners=True)
            return nn.Parameter(finer.contiguous(memory_format=torch.channels_last))

        self.planes = resized(self.planes, (resolution, resolution))
        self.lines = resized(self.lines, (resolution, 1))

    def smoothed_tables(self) -> list[nn.Parameter]:
        """Tables whose neighbouring nodes should be alike; their last two axes are the nodes'."""
        return [self.planes]
