"""Where in space and time something was found, remembered from training: it says where samples are worth their price.

The papers' code skips empty space by a mask that is made anew a few times. Here every step leaves what it saw: a coarse
grid in space and time holds the mean opacity that samples in each cell had, as in NeRFAcc's occupancy grid but with time.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from models.ops.constants import constant

CELLS = 40  # along each axis
MOST_TIMES = 32
RATE = 0.4  # of a cell's opacity towards what a step found in it
UNKNOWN = 0.02  # opacity of a cell nobody has looked into


class OpacityCache(nn.Module):
    """Mean opacity of cells; the opacity is that of a path as long as a cell."""

    opacity: Tensor
    sums: Tensor
    counts: Tensor

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.times = min(frames, MOST_TIMES)
        count = self.times * CELLS**3
        self.register_buffer("opacity", torch.full((count,), UNKNOWN))
        self.register_buffer("sums", torch.zeros(count), persistent=False)
        self.register_buffer("counts", torch.zeros(count), persistent=False)

    def cells(
        self, coordinates: Float[Tensor, "ray sample xyz=3"], times: Float[Tensor, "ray"]
    ) -> Int64[Tensor, "ray sample"]:
        """The cell of each sample, at grid coordinates and times in [-1, 1]."""
        place = ((coordinates * 0.5 + 0.5) * CELLS).long().clamp(0, CELLS - 1)
        time = ((times * 0.5 + 0.5) * self.times).long().clamp(0, self.times - 1)
        inside = (place * constant((CELLS * CELLS, CELLS, 1), place)).sum(-1)
        return inside + (time * CELLS**3)[:, None]

    def density(self, cells: Int64[Tensor, "ray sample"], cell_length: float) -> Float[Tensor, "ray sample"]:
        """Density that would give the mean opacity over the length of a cell, in units of which that is a multiple."""
        return -torch.log1p(-self.opacity[cells]) / cell_length

    def remember(self, cells: Int64[Tensor, "sample"], density: Float[Tensor, "sample"], cell_length: float) -> None:
        """Move cells towards the mean opacity that was found in them; each is written once, whatever the order."""
        opacity = -torch.expm1(-density * cell_length)
        self.sums.index_add_(0, cells, opacity)
        self.counts.index_add_(0, cells, torch.ones_like(opacity))
        found = self.sums[cells] / self.counts[cells]
        self.opacity[cells] = torch.lerp(self.opacity[cells], found, RATE).clamp(max=0.9999)
        self.sums[cells] = 0.0
        self.counts[cells] = 0.0
