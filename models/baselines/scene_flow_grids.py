"""The grid body of NSFF and DynNeRF: planes in space and in time with small decoders, for CPUs.

The papers' networks cost a hundred times as much. The heads, and all that is learned from, are the papers'.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from models.baselines.field import RayPoints, seeded_linear
from models.baselines.scene_flow_field import (
    DENSITY_SHIFT,
    FLOWS,
    HIDDEN,
    INITIAL_MOTION,
    Motion,
    MovingPart,
    Optics,
    Part,
    SceneFlowSizes,
    motion_of,
)
from models.ops.networks import encoded, encoded_size, perceptron
from models.ops.space_planes import SpacePlanes
from models.ops.space_time_planes import SpaceTimePlanes

VIEW_OCTAVES = 2
BLEND_SHIFT = -2.0  # at first nearly all is static: what moves learns faster, and would take all
HIDDEN_SHIFT = -2.0  # at first neighbouring frames show nearly everything
FLOW_SMOOTHNESS = 10.0  # of the planes of motion, times the others'


class StaticGrids(Part):
    """Planes and lines in space."""

    def __init__(self, sizes: SceneFlowSizes, stage: int, generator: torch.Generator) -> None:
        super().__init__()
        self.sizes, nodes = sizes, sizes.grids[stage]
        self.shape = SpacePlanes(sizes.density_channels, nodes, generator)
        self.appearance = SpacePlanes(sizes.colour_channels, nodes, generator)
        self.to_optics = optics_decoder(self.shape.channels, sizes.static_blends, generator)
        self.to_colour = colour_decoder(self.appearance.channels, sizes.width, generator)

    def optics(self, points: RayPoints) -> Optics:
        return decoded_optics(self.to_optics(self.shape(points.flat)), points)

    def colour(
        self, points: RayPoints, chosen: Int64[Tensor, "chosen"], known: Tensor | None
    ) -> Float[Tensor, "chosen rgb=3"]:
        ray = torch.div(chosen, points.coordinates.shape[1], rounding_mode="floor")
        return seen_colour(self.to_colour, self.appearance(points.flat[chosen]), points.views, ray)

    def resize(self, stage: int) -> None:
        self.shape.resize(self.sizes.grids[stage])
        self.appearance.resize(self.sizes.grids[stage])

    def penalty(self) -> Float[Tensor, ""]:
        return roughness(self.shape) + roughness(self.appearance)

    def rates(self) -> Mapping[str, float]:
        grids = dict.fromkeys(("shape", "appearance"), self.sizes.grid_lr)
        return grids | dict.fromkeys(("to_optics", "to_colour"), self.sizes.network_lr)


class DynamicGrids(MovingPart):
    """Planes in space and time."""

    def __init__(self, sizes: SceneFlowSizes, stage: int, generator: torch.Generator) -> None:
        super().__init__()
        self.sizes = sizes
        nodes, times = sizes.dynamic_grids[stage], sizes.time_grids[stage]
        self.shape = SpaceTimePlanes(sizes.density_channels, nodes, times, generator)
        self.appearance = SpaceTimePlanes(sizes.colour_channels, nodes, times, generator)
        self.moves = SpaceTimePlanes(sizes.flow_channels, sizes.flow_grid, sizes.time_grids[-1], generator)
        self.to_optics = optics_decoder(self.shape.channels, not sizes.static_blends, generator)
        self.to_colour = colour_decoder(self.appearance.channels, sizes.width, generator)
        heads = FLOWS + (HIDDEN if sizes.knows_hidden else 0)
        self.to_motion = seeded_linear(self.moves.channels, heads, generator)  # a layer with ReLU dies of `still`
        with torch.no_grad():
            self.to_motion.weight[:FLOWS].mul_(INITIAL_MOTION)
            self.to_motion.bias[FLOWS:] = HIDDEN_SHIFT

    def optics(self, points: RayPoints) -> Optics:
        return decoded_optics(self.to_optics(self.shape(points.flat, points.flat_times)), points)

    def colour(
        self, points: RayPoints, chosen: Int64[Tensor, "chosen"], known: Tensor | None
    ) -> Float[Tensor, "chosen rgb=3"]:
        ray = torch.div(chosen, points.coordinates.shape[1], rounding_mode="floor")
        features = self.appearance(points.flat[chosen], points.times[ray])
        return seen_colour(self.to_colour, features, points.views, ray)

    def motion(self, points: RayPoints, known: Tensor | None) -> Motion:
        heads = self.to_motion(self.moves(points.flat, points.flat_times))
        return motion_of(heads, len(points.times), self.sizes.knows_hidden)

    def resize(self, stage: int) -> None:
        for planes in (self.shape, self.appearance):
            planes.resize(self.sizes.dynamic_grids[stage], self.sizes.time_grids[stage])

    def penalty(self) -> Float[Tensor, ""]:
        return roughness(self.shape) + roughness(self.appearance) + FLOW_SMOOTHNESS * roughness(self.moves)

    def rates(self) -> Mapping[str, float]:
        grids = dict.fromkeys(("shape", "appearance", "moves"), self.sizes.grid_lr)
        return grids | dict.fromkeys(("to_optics", "to_colour", "to_motion"), self.sizes.network_lr)


def optics_decoder(channels: int, blends: bool, generator: torch.Generator) -> nn.Linear:
    """From features to density, which is their sum at first, and to blending, by which little moves at first.

    Blending is their alternating sum at first: planes learn fast, weights do not, and both heads can go their own ways.
    """
    decoder = seeded_linear(channels, 2 if blends else 1, generator)
    with torch.no_grad():
        decoder.weight.fill_(1.0)
        decoder.weight[1:, 1::2] = -1.0
        decoder.bias[0] = DENSITY_SHIFT
        decoder.bias[1:] = BLEND_SHIFT
    return decoder


def colour_decoder(channels: int, width: int, generator: torch.Generator) -> nn.Sequential:
    """From features and the encoded view to a colour before its activation."""
    return perceptron([channels + encoded_size(3, VIEW_OCTAVES), width, 3], generator)


def decoded_optics(decoded: Float[Tensor, "point head"], points: RayPoints) -> Optics:
    by_ray = decoded.view(*points.coordinates.shape[:2], -1)
    blend = torch.sigmoid(by_ray[..., 1]) if by_ray.shape[2] > 1 else None
    return Optics(F.softplus(by_ray[..., 0]), blend, None)


def seen_colour(
    decoder: nn.Sequential,
    features: Float[Tensor, "chosen channel"],
    views: Float[Tensor, "ray xyz=3"],
    ray: Int64[Tensor, "chosen"],
) -> Float[Tensor, "chosen rgb=3"]:
    """Colours of features as they are seen from their rays."""
    return torch.sigmoid(decoder(torch.cat([features, encoded(views, VIEW_OCTAVES)[ray]], dim=1)))


def roughness(planes: SpacePlanes | SpaceTimePlanes) -> Float[Tensor, ""]:
    """Mean squared differences of neighbouring nodes, summed over a module's tables."""
    return torch.stack(
        [table.diff(dim=-2).square().mean() + table.diff(dim=-1).square().mean() for table in planes.smoothed_tables()]
    ).sum()
