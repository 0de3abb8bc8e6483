"""HexPlane (Cao and Johnson, CVPR 2023): a field of space and time on six planes.

Written from the paper. Departures: planes in time begin as ones instead of noise (as K-Planes has it), so that the field
begins as one that stands still; space is contracted into the grid, as in all our grids, in place of a box that holds all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from models.baselines.field import BaselineField, RayPoints, seeded_linear, total_variation
from models.ops.networks import encoded, encoded_size, perceptron
from models.ops.space_time_planes import SpaceTimePlanes

OCTAVES = 2  # of the encodings of features and of views


@dataclass(frozen=True)
class HexPlaneSizes:
    """Sizes of HexPlane; `grids` and `time_grids` are nodes along each axis and over time, coarse to fine."""

    grids: Sequence[int]
    time_grids: Sequence[int]
    density_channels: int = 24
    colour_channels: int = 48
    features: int = 27
    width: int = 128
    density_shift: float = -10.0
    density_scale: float = 25.0
    density_smoothness: float = 1e-4
    colour_smoothness: float = 1e-4
    time_smoothness: float = 2.0  # of planes in time along time, times the others
    grid_lr: float = 0.02
    network_lr: float = 0.001


class HexPlane(BaselineField):
    """D(x, t) = sum of all channels of P_xy P_zt, P_xz P_yt and P_yz P_xt; colours from other planes: HexPlane's fusion."""

    def __init__(self, sizes: HexPlaneSizes, stage: int, generator: torch.Generator) -> None:
        super().__init__()
        self.sizes = sizes
        nodes, frames = sizes.grids[stage], sizes.time_grids[stage]
        self.shape = SpaceTimePlanes(sizes.density_channels, nodes, frames, generator)
        self.appearance = SpaceTimePlanes(sizes.colour_channels, nodes, frames, generator)
        self.to_density = seeded_linear(self.shape.channels, 1, generator, bias=False)
        nn.init.ones_(self.to_density.weight)
        self.to_features = seeded_linear(self.appearance.channels, sizes.features, generator, bias=False)
        inputs = encoded_size(sizes.features, OCTAVES) + encoded_size(3, OCTAVES)
        self.to_colour = perceptron([inputs, sizes.width, sizes.width, 3], generator)

    def density(self, points: RayPoints) -> tuple[Float[Tensor, "ray sample"], None]:
        """softplus(features + shift), as in TensoRF."""
        features = self.to_density(self.shape(points.flat, points.flat_times))
        density = self.sizes.density_scale * F.softplus(features + self.sizes.density_shift)
        return density.view(points.coordinates.shape[:2]), None

    def colour(
        self, points: RayPoints, chosen: Int64[Tensor, "chosen"], known: Tensor | None
    ) -> Float[Tensor, "chosen rgb=3"]:
        """A small network of features and of the view; it knows neither place nor time."""
        ray = torch.div(chosen, points.coordinates.shape[1], rounding_mode="floor")
        features = self.to_features(self.appearance(points.flat[chosen], points.times[ray]))
        seen = torch.cat([encoded(features, OCTAVES), encoded(points.views, OCTAVES)[ray]], dim=1)
        return torch.sigmoid(self.to_colour(seen))

    def refined(self, stage: int) -> None:
        for planes in (self.shape, self.appearance):
            planes.resize(self.sizes.grids[stage], self.sizes.time_grids[stage])

    def penalty(self) -> Float[Tensor, ""]:
        """Total variation of all planes, summed over the planes: HexPlane's regulariser."""
        weights = ((self.shape, self.sizes.density_smoothness), (self.appearance, self.sizes.colour_smoothness))
        return (
            3
            * torch.stack(
                [
                    weight * (total_variation(planes.space) + total_variation(planes.time, self.sizes.time_smoothness))
                    for planes, weight in weights
                ]
            ).sum()
        )  # a mean over the three planes, times three

    def rates(self) -> Mapping[str, float]:
        grids = dict.fromkeys(("shape", "appearance"), self.sizes.grid_lr)
        return grids | dict.fromkeys(("to_density", "to_features", "to_colour"), self.sizes.network_lr)
