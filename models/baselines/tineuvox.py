"""TiNeuVox (Fang et al., SIGGRAPH Asia 2022): time-aware voxel features behind a deformation network.

Written from the paper; sizes, learning rates and losses are those of the released configurations. Departure: displacements
begin at zero.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from models.baselines.field import BaselineField, RayPoints, seeded_linear
from models.ops.networks import encoded, encoded_size, perceptron
from models.ops.voxels import read_voxels

PLACE_OCTAVES, TIME_OCTAVES, VIEW_OCTAVES, VOXEL_OCTAVES = 10, 8, 4, 2
STRIDES = (1, 2, 4)


@dataclass(frozen=True)
class TiNeuVoxSizes:
    """Sizes of TiNeuVox; `grids` are voxels along each side of a cube, coarse to fine. `alpha` is a voxel's opacity at the start.

    `sides` are those of the scene's box: as many voxels as a cube has are shared out so that each is a cube, as in DVGO.
    """

    grids: Sequence[int]
    sides: Sequence[float] = (1.0, 1.0, 1.0)
    channels: int = 4
    width: int = 64
    deformation_layers: int = 3
    alpha: float = 1e-3
    grid_lr: float = 0.08
    deformation_lr: float = 6e-4
    network_lr: float = 8e-4


class TiNeuVox(BaselineField):
    """Voxels read at x + dx(x, t) at three strides, and a network of what was read, of x and of t."""

    def __init__(self, sizes: TiNeuVoxSizes, stage: int, generator: torch.Generator) -> None:
        super().__init__()
        self.sizes = sizes
        nodes, width = box_nodes(sizes.grids[stage], sizes.sides), sizes.width
        time, place = encoded_size(sizes.channels, VOXEL_OCTAVES), encoded_size(3, PLACE_OCTAVES)
        self.voxels = nn.Parameter(torch.zeros(*nodes, sizes.channels, device=generator.device))
        self.of_time = perceptron([encoded_size(1, TIME_OCTAVES), width, time], generator)
        self.deformation_in = seeded_linear(place + time, width, generator)
        self.deformation_out = perceptron([width] * (sizes.deformation_layers - 1) + [3], generator)
        for last in self.deformation_out[-1].parameters():
            nn.init.zeros_(last)  # at first nothing moves: random displacements shake all voxels
        self.features = seeded_linear(len(STRIDES) * time + place + time, width, generator)
        self.to_density = seeded_linear(width, 1, generator)
        self.to_feature = seeded_linear(width, width, generator)
        self.to_colour = perceptron([width + encoded_size(3, VIEW_OCTAVES), width // 2, 3], generator)
        self.shift = math.log(1 / (1 - sizes.alpha) - 1)  # DVGO's low-density initialisation

    def density(self, points: RayPoints) -> tuple[Float[Tensor, "ray sample"], Float[Tensor, "point width"]]:
        """Density of h = ReLU(linear(voxels at three strides, x, t)); per voxel of the finest grid, which two units hold."""
        place = encoded(points.flat, PLACE_OCTAVES)
        time = self.of_time(encoded(points.times[:, None] * 0.5 + 0.5, TIME_OCTAVES))
        moved = points.flat + self.displacement(place, time)
        read = encoded(read_voxels(self.voxels, moved, STRIDES), VOXEL_OCTAVES)
        hidden = F.relu(with_ray_inputs(self.features, torch.cat([read, place], dim=1), time))
        sides = self.sizes.sides
        voxels_per_unit = self.sizes.grids[-1] / 2 * max(sides) / math.prod(sides) ** (1 / 3)
        density = voxels_per_unit * F.softplus(self.to_density(hidden) + self.shift)
        return density.view(points.coordinates.shape[:2]), hidden

    def displacement(
        self, place: Float[Tensor, "point encoded"], time: Float[Tensor, "ray channel"]
    ) -> Float[Tensor, "point xyz=3"]:
        """How far each point lies from its place in the voxels (TiNeuVox's deformation), from encoded place and time."""
        hidden: Tensor = self.deformation_out(F.relu(with_ray_inputs(self.deformation_in, place, time)))
        return hidden

    def colour(
        self, points: RayPoints, chosen: Int64[Tensor, "chosen"], known: Tensor | None
    ) -> Float[Tensor, "chosen rgb=3"]:
        assert known is not None, "density gives what is known of every sample"
        ray = torch.div(chosen, points.coordinates.shape[1], rounding_mode="floor")
        views = encoded(points.views, VIEW_OCTAVES)[ray]
        return torch.sigmoid(self.to_colour(torch.cat([self.to_feature(known[chosen]), views], dim=1)))

    def refined(self, stage: int) -> None:
        size = box_nodes(self.sizes.grids[stage], self.sizes.sides)
        coarse = self.voxels.detach().permute(3, 0, 1, 2)[None]
        finer = F.interpolate(coarse, size=size, mode="trilinear", align_corners=True)[0]
        self.voxels = nn.Parameter(finer.permute(1, 2, 3, 0).contiguous())

    def penalty(self) -> Float[Tensor, ""]:
        """None: the released configurations use total variation on captured scenes only, of weight 1e-5 over 4096 rays."""
        return self.voxels.new_zeros(())

    def rates(self) -> Mapping[str, float]:
        names = ("of_time", "features", "to_density", "to_feature", "to_colour")
        deformation = dict.fromkeys(("deformation_in", "deformation_out"), self.sizes.deformation_lr)
        return {"voxels": self.sizes.grid_lr} | deformation | dict.fromkeys(names, self.sizes.network_lr)


def box_nodes(grid: int, sides: Sequence[float]) -> list[int]:
    """Nodes along each axis of a box with about grid^3 in all, evenly apart; every stride divides the cells of a side.

    A cube has what it was asked for.
    """
    mean, most = math.prod(sides) ** (1 / 3), max(STRIDES)
    if len(set(sides)) == 1:
        return [grid] * 3
    return [most * max(round((grid - 1) * side / mean / most), 1) + 1 for side in sides]


def with_ray_inputs(
    layer: nn.Linear, of_points: Float[Tensor, "point channel"], of_rays: Float[Tensor, "ray more"]
) -> Float[Tensor, "point width"]:
    """A layer of each point's inputs followed by its ray's, whose share is computed once a ray."""
    own = of_points.shape[1]
    shared = F.linear(of_rays, layer.weight[:, own:], layer.bias)
    by_ray = F.linear(of_points, layer.weight[:, :own]).view(len(of_rays), -1, shared.shape[1])
    return (by_ray + shared[:, None]).flatten(0, 1)
