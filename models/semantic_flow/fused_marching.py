"""The march of `marching.march` through grids on CPU, in one compiled loop over rays."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.ops.intervals import UNIFORM_MIXTURE, Intervals, coarse_edges, intervals, inverse_cdf_samples
from models.ops.space import Region
from models.ops.table_reads import array, last_channels
from models.rays import Rays
from models.semantic_flow import kernels
from models.semantic_flow.fields import DynamicField


def march_grids(
    nodes: Float[Tensor, "x y z"],
    dynamic: DynamicField | None,
    regions: tuple[Region, Region],
    bounds: tuple[float, float],
    frames: int,
    samples: tuple[int, int],
    rays: Rays,
    generator: torch.Generator | None,
) -> Intervals:
    """Where to look along rays through the static region's nodes, and the dynamic field in its own region."""
    count, (coarse, fine) = len(rays.frames), samples
    edges = coarse_edges(*bounds, coarse, count, generator, rays.origins.device)
    u = inverse_cdf_samples(fine, count, generator, rays.origins.device)
    placed = torch.empty(count, fine + 1)
    times = rays.frames.float() / max(frames - 1, 1)
    kernels.march(
        *(array(tensor) for tensor in (rays.origins, rays.directions, times, edges, u)),
        np.float32(UNIFORM_MIXTURE),
        np.float32(regions[0].unit),
        *(region_numbers(region) for region in regions),
        array(nodes),
        *dynamic_tables(dynamic),
        dynamic is not None,
        placed.numpy(),
    )
    return intervals(placed, rays)


def region_numbers(region: Region) -> Float[np.ndarray, "number=7"]:
    return np.array([*region.centre.tolist(), *region.half_extent.tolist(), region.shell], np.float32)


def dynamic_tables(dynamic: DynamicField | None) -> tuple[np.ndarray, ...]:
    """Planes of the dynamic field's shape, and the layer behind them; something of the same kind where there is none."""
    if dynamic is None:
        nothing = np.zeros((3, 2, 2, 1), np.float32)
        return nothing, nothing, np.zeros((2, 3), np.float32), np.zeros(2, np.float32)
    decoder = dynamic.decode[0]
    assert isinstance(decoder, nn.Linear)
    planes = last_channels(dynamic.shape.space), last_channels(dynamic.shape.time)
    return *planes, array(decoder.weight), array(decoder.bias)
