"""The box an object lives in, and where a point of it lies in the grid; `models.ops.march` says where samples go.

The background's box has a shell around it (mip-NeRF 360), into which everything beyond is contracted, so that nothing is left out.
"""

from dataclasses import dataclass
from functools import cached_property

from jaxtyping import Float
from torch import Tensor

from models.ops.contract import contracted_distance


@dataclass(frozen=True)
class Space:
    """A box [-half_extent, half_extent]; `shell` is the share of the grid, per side, given to what lies beyond it."""

    half_extent: Float[Tensor, "xyz=3"]
    near: float
    shell: float = 0.0

    @cached_property  # read once: on a GPU the host waits for it
    def unit(self) -> float:
        """The object's own unit of length, in which its density is expressed."""
        return float(self.half_extent.max())

    def grid_points(self, points: Float[Tensor, "xyz=3 *batch"]) -> Float[Tensor, "xyz=3 *batch"]:
        """Positions in the unit cube of the grid."""
        relative = points / self.half_extent.view(3, *[1] * (points.ndim - 1))
        if self.shell:
            distance = relative.abs().amax(0).clamp(min=1.0)
            relative = relative * (contracted_distance(distance, self.shell) / (distance * (1 + self.shell)))
        return relative * 0.5 + 0.5
