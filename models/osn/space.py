"""The box an object lives in: which part of a ray lies in it, where the samples go, and where a point lies in the grid.

The background's box has a shell around it (mip-NeRF 360), into which everything beyond is contracted, so that nothing is left out.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.ops.contract import contracted_distance

SHELL_END = 0.97  # the last shell sample lies 1 / (1 - 0.97) = 33 boxes away; what is beyond is the far colour's
TINY = 1e-6


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

    def contains(self, points: Float[Tensor, "xyz=3 *batch"]) -> Bool[Tensor, "*batch"]:
        """Whether the grid knows of positions; with a shell it does of all."""
        relative = points / self.half_extent.view(3, *[1] * (points.ndim - 1))
        return (relative.abs().amax(0) <= 1) | bool(self.shell)


@dataclass(frozen=True)
class Bins:
    """Intervals along rays: where each starts, how long it is, and its length in the object's own contracted units."""

    start: Float[Tensor, "ray bin"]
    length: Float[Tensor, "ray bin"]
    optical_length: Float[Tensor, "ray bin"]

    def stretched(self, factors: Float[Tensor, "ray"]) -> "Bins":
        """The same bins with other optical lengths."""
        return Bins(self.start, self.length, self.optical_length * factors[:, None])


def box_interval(
    space: Space, origins: Float[Tensor, "ray xyz=3"], directions: Float[Tensor, "ray xyz=3"]
) -> tuple[Float[Tensor, "ray"], Float[Tensor, "ray"], Bool[Tensor, "ray"]]:
    """Where rays enter and leave the box, and whether they pass through it at all."""
    safe = torch.where(directions.abs() < TINY, torch.full_like(directions, TINY), directions)
    one, other = (-space.half_extent - origins) / safe, (space.half_extent - origins) / safe
    enter = torch.minimum(one, other).amax(-1).clamp(min=space.near)
    leave = torch.maximum(one, other).amin(-1)
    return enter, leave, leave > enter


def shell_edges(bins: int, device: torch.device) -> Float[Tensor, "edge"]:
    """Borders of the shell's bins, as multiples of the box: even in inverse distance."""
    return 1 / (1 - torch.linspace(0, SHELL_END, bins + 1, device=device))


def ray_bins(
    space: Space,
    directions: Float[Tensor, "ray xyz=3"],
    enter: Float[Tensor, "ray"],
    leave: Float[Tensor, "ray"],
    inner: int,
    outer: int,
) -> Bins:
    """`inner` equal bins inside the box, then `outer` bins in the shell, even in inverse distance."""
    step = (leave - enter) / inner
    start = enter[:, None] + step[:, None] * torch.arange(inner, device=enter.device)
    length = step[:, None].expand(-1, inner)
    optical = length
    if space.shell and outer:
        slope = (directions / space.half_extent).abs().amax(-1, keepdim=True)
        m = shell_edges(outer, enter.device)
        edges = leave[:, None] + (m - 1) / slope
        beyond = edges.diff(dim=1)
        start = torch.cat([start, edges[:, :-1]], dim=1)
        length = torch.cat([length, beyond], dim=1)
        optical = torch.cat([optical, beyond / (m[:-1] * m[1:])], dim=1)
    return Bins(start, length, optical * (directions.norm(dim=-1, keepdim=True) / space.unit))
