"""A baseline's field in a scene: rays are sampled where something is remembered, looked at, and composited.

The papers' code takes even samples of half a voxel; on CPU their number decides everything, so a few are placed by the
inverse CDF of what earlier steps found (NeRF, sec. 5.2, with a memory in place of the coarse network).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from models.baselines.field import BaselineField, LearnedField, RayPoints
from models.baselines.opacity_cache import CELLS, OpacityCache
from models.ops.intervals import Intervals, behind, coarse_edges, intervals, inverse_cdf, inverse_cdf_samples
from models.ops.space import Region
from models.rays import Rays, TensorFields

LEAST_WEIGHT = 1e-4  # of a sample that gets a colour, as in the papers' code
EXPLORING, RENDERING = 0.3, 0.1  # part of the samples that is placed without regard to what is remembered


@dataclass(frozen=True)
class SceneExtent:
    """Where rays may meet something, and how many frames there are."""

    region: Region
    near: float
    far: float
    frames: int

    def to(self, device: torch.device | str) -> "SceneExtent":
        return SceneExtent(self.region.to(device), self.near, self.far, self.frames)

    @property
    def cell_length(self) -> float:
        """Length of a remembered cell in units of the region."""
        return 2 * (1 + self.region.shell) / CELLS


@dataclass(frozen=True)
class SampleBudget:
    """Samples of a ray: those that are only looked up, and those that are looked at."""

    coarse: int
    fine: int


@dataclass(frozen=True)
class Seen(TensorFields):
    """What rays saw: colour, depth, and the light left before the last sample, behind which there is a wall."""

    colour: Float[Tensor, "ray rgb=3"]
    depth: Float[Tensor, "ray"]
    beyond: Float[Tensor, "ray"]


@dataclass(frozen=True)
class Found:
    """What the memory is told of a look: densities, and the cells in which they are."""

    cells: Int64[Tensor, "ray sample"]
    density: Float[Tensor, "ray sample"]


@dataclass(frozen=True)
class Samples(Found):
    """The samples that rays were looked at by: those with a colour by their flat index."""

    weights: Float[Tensor, "ray sample"]
    chosen: Int64[Tensor, "chosen"]
    colours: Float[Tensor, "chosen rgb=3"]

    @property
    def rays(self) -> Int64[Tensor, "chosen"]:
        """The ray of every sample with a colour."""
        return torch.div(self.chosen, self.weights.shape[1], rounding_mode="floor")


class Baseline(nn.Module, ABC):
    """A field, the extent of its scene, and the memory of where something is."""

    field: LearnedField

    def __init__(self, extent: SceneExtent, budget: SampleBudget) -> None:
        super().__init__()
        self.extent, self.budget = extent, budget
        self.cache = OpacityCache(extent.frames)

    @abstractmethod
    def look(self, rays: Rays, generator: torch.Generator | None) -> tuple[Seen, Found]:
        """What rays see; samples are shaken where there is a generator, as training wants it."""

    def pieces(self, rays: Rays, generator: torch.Generator | None) -> Intervals:
        """Where to look: fine pieces where the memory has something. No gradients flow here."""
        count, device, extent = len(rays.frames), rays.origins.device, self.extent
        with torch.no_grad():
            edges = coarse_edges(extent.near, extent.far, self.budget.coarse, count, generator, device)
            coarse = intervals(edges, rays)
            points = self.points(rays, coarse)
            cells = self.cache.cells(points.coordinates, points.times)
            density = self.cache.density(cells, extent.cell_length)
            weights, _ = blending_weights(density * coarse.length / extent.region.unit)
            u = inverse_cdf_samples(self.budget.fine, count, generator, device)
            return intervals(inverse_cdf(edges, weights, u, RENDERING if generator is None else EXPLORING), rays)

    def points(self, rays: Rays, pieces: Intervals) -> RayPoints:
        """The middles of pieces, in the grid."""
        places = rays.origins[:, None] + pieces.depth[..., None] * rays.directions[:, None]
        times = self.time(rays.frames.float())
        return RayPoints(self.extent.region.coordinates(places), times, F.normalize(rays.directions, dim=1))

    def time(self, frames: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """Times of frames, in [-1, 1]."""
        return 2 * frames / max(self.extent.frames - 1, 1) - 1

    def remember(self, samples: list[Found]) -> None:
        """What a step found, for the steps after it."""
        cells = torch.cat([one.cells.flatten() for one in samples])
        density = torch.cat([one.density.flatten() for one in samples])
        self.cache.remember(cells, density, self.extent.cell_length)


class RadianceBaseline(Baseline):
    """One radiance field."""

    field: BaselineField

    def __init__(self, field: BaselineField, extent: SceneExtent, budget: SampleBudget) -> None:
        super().__init__(extent, budget)
        self.field = field

    def look(self, rays: Rays, generator: torch.Generator | None) -> tuple[Seen, Samples]:
        pieces = self.pieces(rays, generator)
        points = self.points(rays, pieces)
        density, known = self.field.density(points)
        weights, beyond = blending_weights(density * pieces.length / self.extent.region.unit)
        chosen = worth_a_colour(weights)
        colours = self.field.colour(points, chosen, known)
        depth = (weights * pieces.depth).sum(1)  # the weights sum to one
        cells = self.cache.cells(points.coordinates, points.times)
        seen = Seen(painted(weights, chosen, colours), depth, beyond)
        return seen, Samples(cells, density.detach(), weights, chosen, colours)


def worth_a_colour(weights: Float[Tensor, "ray sample"]) -> Int64[Tensor, "chosen"]:
    """Flat indices of the samples that are seen; what is no number is among them, so that it reaches the loss."""
    return (~(weights.detach() <= LEAST_WEIGHT)).flatten().nonzero()[:, 0]


def painted(
    weights: Float[Tensor, "ray sample"], chosen: Int64[Tensor, "chosen"], colours: Float[Tensor, "chosen rgb=3"]
) -> Float[Tensor, "ray rgb=3"]:
    """Colours of rays: sums over their chosen samples."""
    ray = torch.div(chosen, weights.shape[1], rounding_mode="floor")
    shown = weights.flatten()[chosen][:, None] * colours
    return weights.new_zeros(len(weights), 3).index_add(0, ray, shown)


def blending_weights(
    optical_depth: Float[Tensor, "ray sample"],
) -> tuple[Float[Tensor, "ray sample"], Float[Tensor, "ray"]]:
    """w_i = T_i alpha_i with a wall behind the last sample (NeRF, eq. 3), and T of the last sample."""
    through = torch.exp(-F.pad(behind(optical_depth).cumsum(1), (1, 0)))
    return through[:, :-1] - through[:, 1:], through[:, -2]
