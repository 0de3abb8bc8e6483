"""The static and the dynamic radiance field. Densities are per unit of the static region."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from models.ops.networks import perceptron
from models.ops.space import Region
from models.ops.space_planes import SpacePlanes
from models.ops.space_time_planes import SpaceTimePlanes
from models.semantic_flow.planes import DensityGrid

STATIC_SHIFT, DYNAMIC_SHIFT, BLEND_SHIFT = -1.0, -1.0, -2.0
HIDDEN = 64


class StaticField(nn.Module):
    """What never moves: a density grid, and features on planes from which colour and semantics are decoded."""

    def __init__(
        self,
        density_resolution: Sequence[int],
        feature_resolution: int,
        channels: int,
        classes: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.grid = DensityGrid(density_resolution, channels, STATIC_SHIFT, generator)
        self.appearance = SpacePlanes(channels, feature_resolution, generator)
        self.colour = perceptron([self.appearance.channels, 3], generator)
        self.semantics = perceptron([self.appearance.channels, classes], generator)

    def nodes(self) -> Float[Tensor, "x y z"]:
        """The grid's nodes, before their activation."""
        return self.grid.nodes()

    def density(
        self, nodes: Float[Tensor, "x y z"], region: Region, points: Float[Tensor, "point xyz=3"]
    ) -> Float[Tensor, "point"]:
        """Density from the grid's nodes, which are made once a step and read many times."""
        return F.softplus(self.grid.density(nodes, region, points))

    def take(self, coarser: "StaticField") -> None:
        """Become a coarser field's function."""
        self.grid.take(coarser.grid)
        self.appearance.take(coarser.appearance)
        self.colour.load_state_dict(coarser.colour.state_dict())
        self.semantics.load_state_dict(coarser.semantics.state_dict())


class DynamicField(nn.Module):
    """What moves: density, blending and features on planes in space and time."""

    def __init__(self, channels: int, resolution: int, frames: int, generator: torch.Generator) -> None:
        super().__init__()
        self.shape = SpaceTimePlanes(max(channels // 2, 1), resolution, frames, generator)
        self.appearance = SpaceTimePlanes(channels, resolution, frames, generator)
        self.decode = perceptron([self.shape.channels, 2], generator)
        self.colour = perceptron([self.appearance.channels, HIDDEN, 3], generator)
        decoder = self.decode[0]
        assert isinstance(decoder, nn.Linear)
        with torch.no_grad():
            decoder.weight[0].fill_(1.0)
            decoder.bias.copy_(torch.tensor([DYNAMIC_SHIFT, BLEND_SHIFT]))

    @property
    def channels(self) -> int:
        return self.appearance.channels

    def density_and_blend(
        self, region: Region, points: Float[Tensor, "point xyz=3"], times: Float[Tensor, "point"], frames: int
    ) -> tuple[Float[Tensor, "point"], Float[Tensor, "point"]]:
        """Density and blending weight at world points and frame times."""
        density, blend = self.decode(self.shape.in_region(region, points, times, frames)).unbind(-1)
        return F.softplus(density), torch.sigmoid(blend)
