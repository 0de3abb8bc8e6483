"""What one step of training asks of the model: a batch of rays in, named losses out."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from models.ops.host_draws import host_randint
from models.ops.intervals import behind
from models.ops.space_planes import SpacePlanes
from models.ops.space_time_planes import SpaceTimePlanes
from models.rays import Rays, TensorFields
from models.semantic_flow import losses
from models.semantic_flow.decoding import Decoded, decode
from models.semantic_flow.marching import blend
from models.semantic_flow.model import SemanticFlow, Traced, chosen_samples, ray_sums, top_k
from models.semantic_flow.planes import DensityGrid

LEAST_INTEREST = 0.1  # of a ray to the consistency along the flow
SmoothedGrid = DensityGrid | SpacePlanes | SpaceTimePlanes


@dataclass(frozen=True)
class Batch(TensorFields):
    """Rays of pixels with everything known of them. `neighbour` is +1 or -1: the frame that flow and motion lead to."""

    rays: Rays
    xy: Float[Tensor, "ray xy=2"]
    colour: Float[Tensor, "ray rgb=3"]
    label: Int64[Tensor, "ray"]
    moving: Float[Tensor, "ray"]
    neighbour: Int64[Tensor, "ray"]
    flow: Float[Tensor, "ray xy=2"]
    flow_valid: Bool[Tensor, "ray"]
    depth: Float[Tensor, "ray"]
    confidence: Float[Tensor, "ray"]
    motion: Float[Tensor, "ray xyz=3"]
    motion_known: Bool[Tensor, "ray"]


@dataclass(frozen=True)
class Weights:
    """How much each loss counts."""

    colour: float
    depth: float
    flow: float
    motion: float
    mask: float
    semantics: float
    consistency_colour: float
    consistency_semantics: float
    self_consistency: float
    still: float
    sparse: float
    entropy: float
    distortion: float
    smooth: float


@dataclass(frozen=True)
class RayBudget:
    """Ray budget: how many rays of a batch the costlier losses look at, and how many frames away consistency reaches."""

    semantic_rays: int
    warped_rays: int
    hops: int


def static_losses(
    model: SemanticFlow, nodes: Float[Tensor, "x y z"], batch: Batch, weights: Weights, generator: torch.Generator
) -> dict[str, Float[Tensor, ""]]:
    """Semantic Flow's stage 1: the static field alone, on pixels that are not known to move.

    Departs by robust colours, and by depth and flow, which the paper's stage 1 does not have.
    """
    traced = model.trace(nodes, batch.rays, generator, moving=False)
    decoded = decode(model, traced, batch.label != losses.UNLABELLED)
    endpoint, _, _ = expected_flow_endpoints(model, traced, batch)
    return {
        "colour": weights.colour * losses.robust_colour_loss(decoded.colour, batch.colour),
        "semantics": weights.semantics * losses.cross_entropy(decoded.logits, batch.label),
        **geometry_losses(model, traced, batch, weights, endpoint),
    }


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
    decoded = decode(model, traced, semantic)
    label = torch.where(semantic, batch.label, losses.UNLABELLED)
    endpoint, moved, still = expected_flow_endpoints(model, traced, batch)
    unit = model.bounds.static_region.unit
    dynamicness = traced.dynamicness
    return {
        "colour": weights.colour * losses.colour_loss(decoded.colour, batch.colour),
        "semantics": weights.semantics * losses.cross_entropy(decoded.logits, label),
        "mask": weights.mask * losses.mask_loss(dynamicness, batch.moving),
        "entropy": weights.entropy * losses.entropy_loss(dynamicness),
        "sparse": weights.sparse * losses.masked_mean(dynamicness, batch.moving < 0),
        "still": weights.still * still / unit,
        "motion": weights.motion * losses.motion_loss(moved, batch.motion, batch.motion_known, unit),
        **geometry_losses(model, traced, batch, weights, endpoint),
        **warped_losses(model, nodes, traced, batch, weights, ray_budget, generator),
    }


def geometry_losses(
    model: SemanticFlow, traced: Traced, batch: Batch, weights: Weights, endpoint: Float[Tensor, "ray xy=2"]
) -> dict[str, Float[Tensor, ""]]:
    """Depth of sparse points, flow, and weights that do not spread."""
    both, depth = traced.weights.both, traced.intervals.depth
    width = model.bounds.cameras.width
    return {
        "depth": weights.depth * losses.depth_loss(both, depth, batch.depth, batch.confidence),
        "flow": weights.flow * losses.flow_loss(endpoint, batch.xy, batch.flow, batch.flow_valid, width),
        "distortion": weights.distortion * losses.distortion_loss(both, depth),
    }


def expected_flow_endpoints(
    model: SemanticFlow, traced: Traced, batch: Batch
) -> tuple[Float[Tensor, "ray xy=2"], Float[Tensor, "ray xyz=3"], Float[Tensor, ""]]:
    """Expected flow endpoint of rays in the neighbour's image, as in NSFF: what is static stays, the velocity carries what moves.

    Also how far the batch's known points are moved, and the mean speed of the moving samples.
    """
    cameras, rays = model.bounds.cameras, batch.rays
    target = (rays.frames + batch.neighbour).clamp(0, cameras.frame_count - 1)
    static = ray_projections(model, traced, target)
    endpoint = (traced.weights.static[..., None] * static).sum(1)
    total = traced.weights.static.sum(1)
    most = len(rays.frames) * model.sizes.semantic_samples
    few, filled = chosen_samples(top_k(traced.weights.dynamic, model.sizes.semantic_samples), False, most)
    ray = torch.div(few, traced.weights.dynamic.shape[1], rounding_mode="floor")
    taken = traced.weights.dynamic.flatten()[few]
    taken = taken if filled is None else taken * filled
    moving = traced.points_at(few)
    known = rays.origins + batch.depth[:, None] * rays.directions
    told, _ = chosen_samples(batch.motion_known[None], False)  # where nothing is known the loss looks at nothing
    start = torch.cat([moving, known[told]])
    frame = torch.cat([rays.frames[ray], rays.frames[told]]).to(start.dtype)
    by = torch.cat([batch.neighbour[ray], batch.neighbour[told]]).to(start.dtype)
    displacement = model.moved(start, frame, by) - start
    moved = torch.zeros_like(known)
    moved[told] = displacement[len(ray) :]
    xy, _ = cameras.project(moving + displacement[: len(ray)], target[ray])
    endpoint = endpoint + ray_sums(traced.weights.dynamic, few, bounded(xy, cameras.width), filled)
    total = total.index_add(0, ray, taken)
    speed = displacement[: len(ray)].abs().sum(1)
    mean_speed = (taken.detach() * speed).sum() / max(len(rays.frames), 1)
    return endpoint / total.clamp(min=1e-3)[:, None], moved, mean_speed


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


def warped_losses(
    model: SemanticFlow,
    nodes: Float[Tensor, "x y z"],
    traced: Traced,
    batch: Batch,
    weights: Weights,
    ray_budget: RayBudget,
    generator: torch.Generator,
) -> dict[str, Float[Tensor, ""]]:
    """Semantic Flow's consistency along the flow: the moving things of another time, brought back, must look and mean the same.

    The ray of frame t is rendered with the dynamic field of frame t + h at the points carried there by the velocity;
    colour and label are those of t. Pixels whose flow is not confirmed (occluded next) are left out.
    """
    hop = host_randint(1, ray_budget.hops + 1, generator)
    by = batch.neighbour * hop
    exists = (batch.rays.frames + by >= 0) & (batch.rays.frames + by < model.bounds.cameras.frame_count)
    interest = traced.dynamicness.detach() + (batch.moving > 0)
    score = interest * (exists & batch.flow_valid)
    picked = score.topk(min(ray_budget.warped_rays, len(score)))
    worth, live = chosen_samples((picked.values > LEAST_INTEREST)[None], False)
    if len(worth) == 0:
        return {}
    chosen = picked.indices[worth]
    part, seen = batch[chosen], traced[chosen]
    decoded = warped(model, nodes, seen, part, by[chosen], hop)
    if live is not None:
        return masked_consistency(model, seen, part, decoded, weights, live)
    known = part.label != losses.UNLABELLED
    result = {
        "consistency_colour": weights.consistency_colour * losses.colour_loss(decoded.colour, part.colour),
        "consistency_semantics": weights.consistency_semantics * losses.cross_entropy(decoded.logits, part.label),
    }
    if weights.self_consistency and not bool(known.all()):
        with torch.no_grad():
            original = decode(model, seen, torch.ones_like(known)).logits
        result["self_consistency"] = weights.self_consistency * losses.agreement_loss(decoded.logits, original, ~known)
    return result


def masked_consistency(
    model: SemanticFlow, seen: Traced, part: Batch, decoded: Decoded, weights: Weights, live: Bool[Tensor, "ray"]
) -> dict[str, Float[Tensor, ""]]:
    """The same losses over the rays of a batch that are live, none of which asks the host how many these are."""
    known = live & (part.label != losses.UNLABELLED)
    error = (decoded.colour - part.colour).square().mean(1)
    label = torch.where(known, part.label, losses.UNLABELLED)
    result = {
        "consistency_colour": weights.consistency_colour * losses.masked_mean(error, live),
        "consistency_semantics": weights.consistency_semantics * losses.cross_entropy(decoded.logits, label),
    }
    if weights.self_consistency:
        with torch.no_grad():
            original = decode(model, seen, torch.ones_like(known)).logits
        agreement = losses.agreement_loss(decoded.logits, original, live & ~known)
        result["self_consistency"] = weights.self_consistency * agreement
    return result


def warped(
    model: SemanticFlow,
    nodes: Float[Tensor, "x y z"],
    seen: Traced,
    part: Batch,
    by: Int64[Tensor, "ray"],
    hop: int,
) -> Decoded:
    """What rays show with the dynamic field of another time."""
    points, samples = seen.points, seen.intervals.depth.shape[1]
    times = part.rays.frames.to(points.dtype).repeat_interleave(samples)
    span = by.to(points.dtype).repeat_interleave(samples)
    moved = model.moved(points.flatten(0, 1), times, span, hop)
    density, blending = model.dynamic_optics(moved, times + span)
    length = seen.intervals.length / model.bounds.static_region.unit
    frames = part.rays.frames.repeat_interleave(samples)
    static = behind(model.static_optics(nodes, points.flatten(0, 1), frames).view_as(length) * length)
    weights = blend(static, density.view_as(length) * length, blending.view_as(length))
    everywhere = torch.ones_like(part.label, dtype=torch.bool)
    return decode(model, Traced(part.rays, seen.intervals, weights), everywhere, moved.view_as(points) - points, by)


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
