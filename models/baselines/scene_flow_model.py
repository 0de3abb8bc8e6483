"""Rays through the field of NSFF and DynNeRF: both parts blended, each part alone, and the dynamic part of another frame.

Displacements are in the world, in units of the scene's region. NSFF moves points in normalised device coordinates, which
only serve scenes that are seen from one side; the region contracts what is far instead (`models.ops.space`).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from models.baselines.field import RayPoints
from models.baselines.model import Baseline, Found, SampleBudget, SceneExtent, Seen, painted, worth_a_colour
from models.baselines.scene_flow_field import Motion, Optics, Part, SceneFlowField, SceneFlowSizes
from models.baselines.scene_flow_grids import DynamicGrids, StaticGrids
from models.baselines.scene_flow_networks import DynamicNetwork, StaticNetwork
from models.ops.intervals import Intervals, behind
from models.rays import Rays


@dataclass(frozen=True)
class Traced:
    """Rays with their samples, and what both parts say of each: opacities and, of the dynamic one, its share of the place."""

    rays: Rays
    pieces: Intervals
    points: RayPoints
    static: Optics
    dynamic: Optics
    static_alpha: Float[Tensor, "ray sample"]
    dynamic_alpha: Float[Tensor, "ray sample"]
    blend: Float[Tensor, "ray sample"]

    @property
    def places(self) -> Float[Tensor, "ray sample xyz=3"]:
        """The samples in the world."""
        return self.rays.origins[:, None] + self.pieces.depth[..., None] * self.rays.directions[:, None]


@dataclass(frozen=True)
class Warped:
    """The samples of rays carried to a neighbouring frame: where they are there, and what the dynamic part says of them."""

    places: Float[Tensor, "ray sample xyz=3"]
    points: RayPoints
    optics: Optics
    weights: Float[Tensor, "ray sample"]


class SceneFlowBaseline(Baseline):
    """NSFF or DynNeRF in a scene."""

    field: SceneFlowField

    def __init__(self, field: SceneFlowField, extent: SceneExtent, budget: SampleBudget) -> None:
        super().__init__(extent, budget)
        self.field = field

    def look(self, rays: Rays, generator: torch.Generator | None) -> tuple[Seen, Found]:
        """Both parts, blended."""
        traced = self.trace(rays, generator)
        static, dynamic, beyond = blended(traced.static_alpha, traced.dynamic_alpha, traced.blend)
        colour = self.colour(self.field.static, traced.points, traced.static, static)
        colour = colour + self.colour(self.field.dynamic, traced.points, traced.dynamic, dynamic)
        return Seen(colour, mean_depth(static + dynamic, traced.pieces), beyond), self.found(traced)

    def trace(self, rays: Rays, generator: torch.Generator | None) -> Traced:
        """Place samples and ask both parts; shaken where there is a generator."""
        pieces = self.pieces(rays, generator)
        points = self.points(rays, pieces)
        static = self.field.static.optics(points)
        dynamic = self.field.dynamic.optics(points)
        blend = dynamic.blend if static.blend is None else static.blend
        assert blend is not None, "one of the parts blends"
        alphas = self.alpha(static, pieces), self.alpha(dynamic, pieces)
        return Traced(rays, pieces, points, static, dynamic, *alphas, blend)

    def look_at_static(self, rays: Rays, generator: torch.Generator) -> tuple[Seen, Found]:
        """The static part as if nothing moved."""
        pieces = self.pieces(rays, generator)
        points = self.points(rays, pieces)
        optics = self.field.static.optics(points)
        weights = alone(self.alpha(optics, pieces))
        colour = self.colour(self.field.static, points, optics, weights)
        found = Found(self.cache.cells(points.coordinates, points.times), optics.density.detach())
        return Seen(colour, mean_depth(weights, pieces), torch.zeros_like(points.times)), found

    def alpha(self, optics: Optics, pieces: Intervals) -> Float[Tensor, "ray sample"]:
        """Opacities, with a wall behind the last sample."""
        return -torch.expm1(-behind(optics.density * pieces.length / self.extent.region.unit))

    def colour(
        self, part: Part, points: RayPoints, optics: Optics, weights: Float[Tensor, "ray sample"]
    ) -> Float[Tensor, "ray rgb=3"]:
        """What rays see of one part by its weights."""
        chosen = worth_a_colour(weights)
        return painted(weights, chosen, part.colour(points, chosen, optics.known))

    def warped(self, rays: Rays, pieces: Intervals, places: Float[Tensor, "ray sample xyz=3"], by: int) -> Warped:
        """The dynamic part of another frame, at the places to which samples were carried: what photometric consistency shows."""
        times = self.time(rays.frames.float() + by)
        coordinates = self.extent.region.coordinates(places)
        read = torch.nan_to_num(coordinates)  # tables cannot be read at what is no number; the flow's own losses say it
        points = RayPoints(read, times, F.normalize(rays.directions, dim=1))
        optics = self.field.dynamic.optics(points)
        return Warped(places, points, optics, alone(self.alpha(optics, pieces)))

    def motion(self, points: RayPoints, optics: Optics) -> Motion:
        """Where samples were and will be, in units of the world."""
        motion = self.field.dynamic.motion(points, optics.known)
        return Motion(motion.flow * self.extent.region.unit, motion.hidden)

    def found(self, traced: Traced) -> Found:
        """The memory is told what the full picture shows: of each part its share."""
        density = traced.static.density * (1 - traced.blend) + traced.dynamic.density * traced.blend
        return Found(self.cache.cells(traced.points.coordinates, traced.points.times), density.detach())


def blended(
    static_alpha: Float[Tensor, "ray sample"],
    dynamic_alpha: Float[Tensor, "ray sample"],
    blend: Float[Tensor, "ray sample"],
) -> tuple[Float[Tensor, "ray sample"], Float[Tensor, "ray sample"], Float[Tensor, "ray"]]:
    """Weights of the static and the dynamic part in the full picture, and the light before the last sample.

    With b the share that moves, T = prod (1 - alpha_d b) (1 - alpha_s (1 - b)) and the weights are T alpha_s (1 - b) and
    T alpha_d b, as the released code of both has it; in the papers b mixes densities.
    """
    static, dynamic = static_alpha * (1 - blend), dynamic_alpha * blend
    through = transmittance((1 - static) * (1 - dynamic))
    return through * static, through * dynamic, through[:, -1]


def alone(alpha: Float[Tensor, "ray sample"]) -> Float[Tensor, "ray sample"]:
    """Weights of one part without the other (NeRF, eq. 3)."""
    return transmittance(1 - alpha) * alpha


def transmittance(left: Float[Tensor, "ray sample"]) -> Float[Tensor, "ray sample"]:
    """The light that reaches each sample, of what each sample leaves of it."""
    # A sum of logarithms: the gradient of a product makes the host look for zeros.
    return torch.exp(F.pad(left[:, :-1].clamp(min=1e-7).log().cumsum(1), (1, 0)))


def mean_depth(weights: Float[Tensor, "ray sample"], pieces: Intervals) -> Float[Tensor, "ray"]:
    """Expected depth; the weights of a blend may sum to more than one."""
    return (weights * pieces.depth).sum(1) / weights.sum(1).clamp(min=1e-6)


def scene_flow_field(sizes: SceneFlowSizes, stage: int, generator: torch.Generator) -> SceneFlowField:
    """A field of the body that the sizes ask for, at a stage of coarse to fine."""
    if sizes.body == "reference":
        return SceneFlowField(sizes, StaticNetwork(sizes, generator), DynamicNetwork(sizes, generator))
    return SceneFlowField(sizes, StaticGrids(sizes, stage, generator), DynamicGrids(sizes, stage, generator))
