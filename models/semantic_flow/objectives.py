"""What one step of training asks of the model: a batch of rays in, named losses out."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from models.ops.space_planes import SpacePlanes
from models.ops.space_time_planes import SpaceTimePlanes
from models.semantic_flow import losses
from models.semantic_flow.batch import Batch, RayBudget, Weights
from models.semantic_flow.chosen_samples import matching, samples_seen
from models.semantic_flow.consistency import (
    CarriedRays,
    carried_rays,
    consistency,
    decoded_together,
    everywhere,
    masked_consistency,
)
from models.semantic_flow.decoding import Decoded, decode
from models.semantic_flow.model import SemanticFlow, Traced
from models.semantic_flow.planes import DensityGrid

SmoothedGrid = DensityGrid | SpacePlanes | SpaceTimePlanes
LEAST_TOTAL = 1e-3  # of the weights that expected endpoints are divided by


def static_losses(
    model: SemanticFlow, nodes: Float[Tensor, "x y z"], batch: Batch, weights: Weights, generator: torch.Generator
) -> dict[str, Float[Tensor, ""]]:
    """Semantic Flow's stage 1: the static field alone, on pixels that are not known to move.

    Departs by robust colours, and by depth and flow, which the paper's stage 1 does not have.
    """
    traced = model.trace(nodes, batch.rays, generator, moving=False)
    decoded = decode(model, traced, batch.label != losses.UNLABELLED, moving=False)
    endpoint = resting_flow_endpoints(model, traced, batch)
    parts: dict[str, tuple[float, losses.Loss]] = {
        "colour": (weights.colour, losses.robust_colour_loss(decoded.colour, batch.colour)),
        "semantics": (weights.semantics, losses.cross_entropy(decoded.logits, batch.label)),
        **geometry_losses(model, traced, batch, weights, endpoint),
    }
    return losses.weighted(parts)


def joint_losses(
    model: SemanticFlow,
    nodes: Float[Tensor, "x y z"],
    batch: Batch,
    weights: Weights,
    ray_budget: RayBudget,
    generator: torch.Generator,
    depths: Callable[[Float[Tensor, "ray"]], None],
) -> dict[str, Float[Tensor, ""]]:
    """Semantic Flow's stage 2: everything at once. The depths that the rays show are handed out besides."""
    traced = model.trace(nodes, batch.rays, generator)
    depths(traced.depth.detach())
    semantic = first_labelled(batch.label, ray_budget.semantic_rays)
    carried: CarriedRays | None = None
    decoded_carried: Decoded | None = None
    if traced.rays.frames.device.type == "cpu":
        decoded = decode(model, traced, semantic)
    else:  # a shard's rays fill a core's cache, a GPU wants few kernels
        carried = carried_rays(model, nodes, traced, batch, ray_budget, generator)
        assert carried is not None
        decoded, decoded_carried = decoded_together(model, traced, semantic, carried)
    label = torch.where(semantic, batch.label, losses.UNLABELLED)
    endpoint, moved, still = expected_flow_endpoints(model, traced, batch)
    unit = model.bounds.static_region.unit
    dynamicness = traced.dynamicness
    parts: dict[str, tuple[float, losses.Loss]] = {
        "colour": (weights.colour, losses.colour_loss(decoded.colour, batch.colour)),
        "semantics": (weights.semantics, losses.cross_entropy(decoded.logits, label)),
        "mask": (weights.mask, losses.mask_loss(dynamicness, batch.moving)),
        "entropy": (weights.entropy, losses.entropy_loss(dynamicness)),
        "sparse": (weights.sparse, losses.MaskedMean(dynamicness, batch.moving < 0)),
        "still": (1.0, weights.still * still / unit),
        "motion": (weights.motion, losses.motion_loss(moved, batch.motion, batch.motion_known, unit)),
        **geometry_losses(model, traced, batch, weights, endpoint),
    }
    if carried is not None and decoded_carried is not None:
        return losses.weighted(parts | masked_consistency(model, carried, decoded_carried, weights))
    result = losses.weighted(parts)
    carried = carried_rays(model, nodes, traced, batch, ray_budget, generator)
    if carried is None:
        return result
    decoded = decode(model, carried.warped, *everywhere(carried))
    return result | losses.weighted(consistency(model, carried, decoded, weights))


def geometry_losses(
    model: SemanticFlow, traced: Traced, batch: Batch, weights: Weights, endpoint: Float[Tensor, "ray xy=2"]
) -> dict[str, tuple[float, losses.Loss]]:
    """Depth of sparse points, flow, and weights that do not spread."""
    both, depth = traced.weights.both, traced.intervals.depth
    width = model.bounds.cameras.width
    return {
        "depth": (weights.depth, losses.depth_loss(both, depth, batch.depth, batch.confidence)),
        "flow": (weights.flow, losses.flow_loss(endpoint, batch.xy, batch.flow, batch.flow_valid, width)),
        "distortion": (weights.distortion, losses.distortion_loss(both, depth)),
    }


def expected_flow_endpoints(
    model: SemanticFlow, traced: Traced, batch: Batch
) -> tuple[Float[Tensor, "ray xy=2"], Float[Tensor, "ray xyz=3"], Float[Tensor, ""]]:
    """Expected flow endpoint of rays in the neighbour's image, as in NSFF: what is static stays, the velocity carries what moves.

    Also how far the batch's known points are moved, and the mean speed of the moving samples.
    """
    cameras, rays = model.bounds.cameras, batch.rays
    target, endpoint, total = resting_endpoint_sums(model, traced, batch)
    dynamic = traced.weights.dynamic
    _, few = samples_seen(dynamic).strongest(dynamic, model.sizes.semantic_samples, None)
    taken = few.taken(dynamic)
    moving = few.points(traced)
    known = rays.origins + batch.depth[:, None] * rays.directions
    told = matching(batch.motion_known)  # where nothing is known the loss looks at nothing
    start = torch.cat([moving, known[told]])
    frame = torch.cat([few.of_rays(rays.frames), rays.frames[told]]).to(start.dtype)
    by = torch.cat([few.of_rays(batch.neighbour), batch.neighbour[told]]).to(start.dtype)
    displacement = model.moved(start, frame, by) - start
    moved = torch.zeros_like(known)
    moved[told] = displacement[len(moving) :]
    xy, _ = cameras.project(moving + displacement[: len(moving)], few.of_rays(target))
    endpoint = endpoint + few.sums(dynamic, bounded(xy, cameras.width))
    total = few.added_up(total, taken)
    speed = displacement[: len(moving)].abs().sum(1)
    mean_speed = (taken.detach() * speed).sum() / max(len(rays.frames), 1)
    return endpoint / total.clamp(min=LEAST_TOTAL)[:, None], moved, mean_speed


def resting_flow_endpoints(model: SemanticFlow, traced: Traced, batch: Batch) -> Float[Tensor, "ray xy=2"]:
    """The same of rays that were traced without moving things: what is static stays."""
    _, endpoint, total = resting_endpoint_sums(model, traced, batch)
    return endpoint / total.clamp(min=LEAST_TOTAL)[:, None]


def resting_endpoint_sums(
    model: SemanticFlow, traced: Traced, batch: Batch
) -> tuple[Int64[Tensor, "ray"], Float[Tensor, "ray xy=2"], Float[Tensor, "ray"]]:
    """The neighbour that each ray's flow leads to, and where the static samples lie in its image: weighted sum, and weight."""
    target = (batch.rays.frames + batch.neighbour).clamp(0, model.bounds.cameras.frame_count - 1)
    static = ray_projections(model, traced, target)
    return target, (traced.weights.static[..., None] * static).sum(1), traced.weights.static.sum(1)


def ray_projections(
    model: SemanticFlow, traced: Traced, target: Int64[Tensor, "ray"]
) -> Float[Tensor, "ray sample xy=2"]:
    """Projections of all samples, as still points, into the cameras of the target frames."""
    cameras, rays = model.bounds.cameras, traced.rays
    pose = cameras.world_from_camera[target]
    start = torch.einsum("rji,rj->ri", pose[:, :3, :3], rays.origins - pose[:, :3, 3])
    along = torch.einsum("rji,rj->ri", pose[:, :3, :3], rays.directions)
    placed = start[:, None] + traced.intervals.depth[..., None] * along[:, None]
    xy = placed[..., :2] / placed[..., 2:].clamp(min=1e-3)
    return bounded(xy * cameras.intrinsics[:2] + cameras.intrinsics[2:], cameras.width)


def bounded(xy: Float[Tensor, "*batch xy=2"], width: int) -> Float[Tensor, "*batch xy=2"]:
    """Projections near a camera's plane run off to infinity and would drown all others."""
    return xy.clamp(-width, 2 * width)


def first_labelled(label: Int64[Tensor, "ray"], count: int) -> Bool[Tensor, "ray"]:
    """The first labelled rays of a batch, whose order is random."""
    known = label != losses.UNLABELLED
    return known & (known.cumsum(0) <= count)


def smoothed_grids(model: SemanticFlow) -> list[tuple[SmoothedGrid, float]]:
    """The grids that the smoothness regulariser acts on, and how much."""
    if not model.reads_grids:
        return []
    return [
        (model.static.grid, 1.0),
        (model.static.appearance, 0.1),
        (model.dynamic.shape, 1.0),
        (model.dynamic.appearance, 0.3),
        (model.velocity.planes, 1.0),
    ]


def smoothness(model: SemanticFlow) -> Float[Tensor, ""]:
    """Smoothness regulariser: mean squared differences of neighbouring nodes of all grids, weighted."""
    parts = [
        weight * (table.diff(dim=-2).square().mean() + table.diff(dim=-1).square().mean())
        for module, weight in smoothed_grids(model)
        for table in module.smoothed_tables()
    ]
    return torch.stack(parts).sum()
