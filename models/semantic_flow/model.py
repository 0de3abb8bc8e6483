"""The model of one scene: fields, velocity, features, semantic head; and how rays are rendered with them."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from models.ops.intervals import Intervals, behind
from models.ops.seen_features.reference import cells
from models.ops.space import Cameras, Region
from models.rays import Rays, TensorFields, points_along
from models.semantic_flow.attention import Head, SemanticHead
from models.semantic_flow.fields import DynamicField, StaticField
from models.semantic_flow.flow_features import FrameMaps, flow_tokens
from models.semantic_flow.fused_marching import march_grids
from models.semantic_flow.marching import SampleWeights, blend, march
from models.semantic_flow.ndc import NdcRegion
from models.semantic_flow.velocity import Integrator, VelocityField, advance, trajectory

Body = Literal["grids", "reference"]
LEAST_WEIGHT = 1e-3  # samples that add less are not decoded


@dataclass(frozen=True)
class Sizes:
    """What the networks look like, and what of the method is switched on."""

    classes: int
    static_resolution: tuple[int, int, int]
    static_channels: int
    static_feature_resolution: int
    dynamic_resolution: int
    dynamic_channels: int
    velocity_resolution: int
    velocity_channels: int
    coarse_samples: int
    fine_samples: int
    semantic_samples: int
    reach: int
    integrator: Integrator
    substeps: int
    head: Head
    displacement: bool
    density_prior: bool
    geometry_feature: bool
    body: Body = "grids"


@dataclass(frozen=True)
class SceneBounds:
    """Scene bounds: the cameras, the regions of the grids, and the depths between which everything lies."""

    cameras: Cameras
    static_region: Region
    dynamic_region: Region
    near: float
    far: float

    def to(self, device: torch.device | str) -> "Place":
        regions = self.static_region.to(device), self.dynamic_region.to(device)
        return SceneBounds(self.cameras.to(device), *regions, self.near, self.far)


@dataclass(frozen=True)
class Traced(TensorFields):
    """Rays with their samples, and the weight of each in the rendering."""

    rays: Rays
    intervals: Intervals
    weights: SampleWeights

    @property
    def points(self) -> Float[Tensor, "ray sample xyz=3"]:
        return points_along(self.rays, self.intervals.depth)

    def points_at(self, chosen: Int64[Tensor, "chosen"]) -> Float[Tensor, "chosen xyz=3"]:
        """Places of samples given by their flat indices."""
        ray = torch.div(chosen, self.intervals.depth.shape[1], rounding_mode="floor")
        depth = self.intervals.depth.flatten()[chosen]
        return self.rays.origins[ray] + depth[:, None] * self.rays.directions[ray]

    @property
    def depth(self) -> Float[Tensor, "ray"]:
        weights = self.weights.both
        return (weights * self.intervals.depth).sum(1) / weights.sum(1).clamp(min=1e-6)

    @property
    def dynamicness(self) -> Float[Tensor, "ray"]:
        return self.weights.dynamic.sum(1)


class SemanticFlow(nn.Module):
    """One scene's fields with the semantic head. Times are frames; points are in the world."""

    reads_grids = True  # whether the loops that are compiled for grids can read the fields

    def __init__(self, sizes: Sizes, bounds: SceneBounds, maps: FrameMaps, generator: torch.Generator) -> None:
        super().__init__()
        self.sizes, self.bounds = sizes, bounds
        self.make_fields(maps, generator)
        self.head = SemanticHead(
            sizes.head,
            maps.features.shape[-1],
            2 * sizes.reach + 1,
            self.dynamic.channels,
            sizes.classes,
            sizes.displacement,
            sizes.geometry_feature,
            generator,
        )
        self.register_buffer("frame_features", maps.features)
        self.register_buffer("frame_depth", maps.depth)

    def make_fields(self, maps: FrameMaps, generator: torch.Generator) -> None:
        """The static, the dynamic and the velocity field: here grids."""
        sizes, frames = self.sizes, self.bounds.cameras.frame_count
        self.static = StaticField(
            sizes.static_resolution, sizes.static_feature_resolution, sizes.static_channels, sizes.classes, generator
        )
        self.dynamic = DynamicField(sizes.dynamic_channels, sizes.dynamic_resolution, frames, generator)
        self.velocity = VelocityField(
            self.bounds.dynamic_region, sizes.velocity_channels, sizes.velocity_resolution, frames, generator
        )

    @property
    def maps(self) -> FrameMaps:
        """The frames' features, and the depths they show."""
        return FrameMaps(self.get_buffer("frame_features"), self.get_buffer("frame_depth"))

    def remember_depth(
        self, frames: Int64[Tensor, "ray"], xy: Float[Tensor, "ray xy=2"], depth: Float[Tensor, "ray"]
    ) -> None:
        """Keep the depth of training rays: later it says which trajectory points a frame does not see."""
        depths = self.get_buffer("frame_depth")
        row, column = cells(depths, self.bounds.cameras, xy)
        depths[frames, row, column] = depth

    def normalised_time(self, times: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        return 2 * times / max(self.bounds.cameras.frame_count - 1, 1) - 1

    def dynamic_optics(
        self, points: Float[Tensor, "point xyz=3"], times: Float[Tensor, "point"]
    ) -> tuple[Float[Tensor, "point"], Float[Tensor, "point"]]:
        """Density and blending weight of the dynamic field at world points and frame times."""
        frames = self.bounds.cameras.frame_count
        return self.dynamic.density_and_blend(self.bounds.dynamic_region, points, times, frames)

    def static_optics(
        self, nodes: Float[Tensor, "x y z"], points: Float[Tensor, "point xyz=3"], frames: Int64[Tensor, "point"]
    ) -> Float[Tensor, "point"]:
        """Density of the static field; `frames`, from which points are looked at, do not matter to grids."""
        return self.static.density(nodes, self.bounds.static_region, points)

    def optics(
        self, nodes: Float[Tensor, "x y z"], rays: Rays, pieces: Intervals
    ) -> tuple[Float[Tensor, "ray sample"], Float[Tensor, "ray sample"], Float[Tensor, "ray sample"]]:
        """Optical depths of both fields along pieces of rays, and the blending weights."""
        points = points_along(rays, pieces.depth)
        frames = rays.frames[:, None].expand_as(pieces.depth).flatten()
        density, blending = self.dynamic_optics(points.flatten(0, 1), frames.to(points.dtype))
        static = self.static_optics(nodes, points.flatten(0, 1), frames).view_as(pieces.depth)
        length = pieces.length / self.bounds.static_region.unit
        return behind(static * length), density.view_as(length) * length, blending.view_as(length)

    def static_only(
        self, nodes: Float[Tensor, "x y z"], rays: Rays, pieces: Intervals
    ) -> tuple[Float[Tensor, "ray sample"], Float[Tensor, "ray sample"], Float[Tensor, "ray sample"]]:
        """The same with nothing that moves."""
        points = points_along(rays, pieces.depth)
        frames = rays.frames[:, None].expand_as(pieces.depth).flatten()
        static = self.static_optics(nodes, points.flatten(0, 1), frames).view_as(pieces.depth)
        none = torch.zeros_like(static)
        return behind(static * pieces.length / self.bounds.static_region.unit), none, none

    def trace(
        self, nodes: Float[Tensor, "x y z"], rays: Rays, generator: torch.Generator | None, moving: bool = True
    ) -> Traced:
        """March rays and weigh their samples; jittered where a generator is given, without moving things on request."""
        bounds, sizes = self.bounds, self.sizes
        optics = self.optics if moving else self.static_only
        if self.reads_grids and rays.origins.device.type == "cpu" and not isinstance(bounds.static_region, NdcRegion):
            pieces = march_grids(
                nodes,
                self.dynamic if moving else None,
                (bounds.static_region, bounds.dynamic_region),
                (bounds.near, bounds.far),
                bounds.cameras.frame_count,
                (sizes.coarse_samples, sizes.fine_samples),
                rays,
                generator,
            )
            return Traced(rays, pieces, blend(*optics(nodes, rays, pieces)))
        pieces = march(
            lambda coarse: optics(nodes, rays, coarse),
            bounds.near,
            bounds.far,
            sizes.coarse_samples,
            sizes.fine_samples,
            rays,
            generator,
        )
        return Traced(rays, pieces, blend(*optics(nodes, rays, pieces)))

    def static_features(
        self,
        points: Float[Tensor, "point xyz=3"],
        frames: Int64[Tensor, "point"],
        directions: Float[Tensor, "point xyz=3"] | None = None,
    ) -> Float[Tensor, "point channel"]:
        """What colour and classes are decoded from; frames and directions of view do not matter to grids."""
        return self.static.appearance.in_region(self.bounds.static_region, points)

    def dynamic_features(
        self, points: Float[Tensor, "point xyz=3"], times: Float[Tensor, "point"]
    ) -> Float[Tensor, "point channel"]:
        frames = self.bounds.cameras.frame_count
        return self.dynamic.appearance.in_region(self.bounds.dynamic_region, points, times, frames)

    def moved(
        self,
        points: Float[Tensor, "point xyz=3"],
        times: Float[Tensor, "point"],
        by: Float[Tensor, "point"],
        hops: int = 1,
    ) -> Float[Tensor, "point xyz=3"]:
        """World points `by` frames later, |by| <= hops."""
        return advance(self.velocity, points, times, by, self.sizes.integrator, self.sizes.substeps * hops)

    def dynamic_logits(
        self,
        points: Float[Tensor, "point xyz=3"],
        frames: Int64[Tensor, "point"],
        point_features: Float[Tensor, "point channel"],
    ) -> Float[Tensor, "point classes"]:
        """Class logits of moving points at frames, from what their trajectories meet; the baseline's from the point."""
        times = frames.to(points.dtype)
        if not self.head.needs_tokens:
            coordinates = self.bounds.dynamic_region.coordinates(points)
            point = torch.cat([coordinates, self.normalised_time(times)[:, None]], dim=1)
            return self.head.from_point(point, point_features)
        sizes = self.sizes
        path = trajectory(self.velocity, points, times, sizes.reach, sizes.integrator, sizes.substeps)
        tokens = flow_tokens(self.maps, self.bounds.cameras, path, frames, self.bounds.static_region.unit)
        attended = self.head.tokens(tokens.features, tokens.displacement, tokens.visible)
        return self.head.from_trajectory(attended, point_features)


def top_k(weights: Float[Tensor, "ray sample"], count: int) -> Bool[Tensor, "ray sample"]:
    """The top k samples of each ray, k = `count`, that are above the least weight."""
    least = weights.topk(min(count, weights.shape[1]), dim=1).values[:, -1:]
    return (weights >= least) & (weights > LEAST_WEIGHT)


def flat_indices(mask: Bool[Tensor, "ray sample"]) -> Int64[Tensor, "chosen"]:
    """Flat indices of the chosen samples of all rays."""
    return mask.flatten().nonzero()[:, 0]


def ray_sums(
    weights: Float[Tensor, "ray sample"],
    chosen: Int64[Tensor, "chosen"],
    values: Float[Tensor, "chosen channel"],
) -> Float[Tensor, "ray channel"]:
    """Weighted sums over the chosen samples of each ray, given by their flat indices."""
    ray = torch.div(chosen, weights.shape[1], rounding_mode="floor")
    weighted = weights.flatten().index_select(0, chosen)[:, None] * values
    return values.new_zeros(len(weights), values.shape[1]).index_add_(0, ray, weighted)
