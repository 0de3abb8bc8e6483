"""Features of points in space and time on planes, as HexPlane has them: read by compiled loops, or by tensors on GPUs.

Rows run along a plane's second axis and columns along its first, and coordinates are in [-1, 1]. Planes in time have a
row a frame and a column a node of the axis that their plane in space leaves out.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from models.ops.constants import constant
from models.ops.region_planes import region_planes
from models.ops.space import Region
from models.ops.table_reads import read, read_in_box

INITIAL_SPACE = 0.1


class SpaceTimePlanes(nn.Module):
    """Features of points in space and time: three products of a plane in space with a plane in time, as in HexPlane."""

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
        if coordinates.device.type == "cpu":
            return read(self, coordinates, time, self.space, self.time)
        return self.in_tensors(coordinates, time)

    def in_tensors(
        self, coordinates: Float[Tensor, "point xyz=3"], time: Float[Tensor, "point"]
    ) -> Float[Tensor, "point channel"]:
        """The same by the operator of GPUs, whose reference is tensor code; coordinates are placed already."""
        box = constant((0, 0, 0, 1, 1, 1, 0), coordinates)
        return region_planes(self.space, self.time, coordinates.clamp(-1, 1), time, box, 1.0, 0.0)

    def in_region(
        self, region: Region, points: Float[Tensor, "point xyz=3"], times: Float[Tensor, "point"], frames: int
    ) -> Float[Tensor, "point channel"]:
        """Features at world points and at times in frames, of which there are so many."""
        last, placed = max(frames - 1, 1), region.in_box_frame(points)
        if points.device.type == "cpu":
            return read_in_box(self, region.as_object_box, placed, times / last, self.space, self.time)
        return region_planes(self.space, self.time, placed, times, region.box, 2 / last, -1.0)

    def resize(self, resolution: int, frames: int) -> None:
        """Become the same function on other nodes; the tables are new parameters."""

        def resized(table: Tensor, size: tuple[int, int]) -> nn.Parameter:
            finer = F.interpolate(table.detach(), size=size, mode="bilinear", align_corners=True)
            return nn.Parameter(finer.contiguous(memory_format=torch.channels_last))

        self.space = resized(self.space, (resolution, resolution))
        self.time = resized(self.time, (frames, resolution))

    def smoothed_tables(self) -> list[nn.Parameter]:
        """Tables whose neighbouring nodes should be alike; their last two axes are the nodes'."""
        return [self.space, self.time]
