"""Semantic Flow's consistency along the flow: what moves at another time, brought back, must look and mean the same."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from models.ops.host_draws import host_randint
from models.ops.intervals import Intervals, behind
from models.rays import Rays, joined, points_along
from models.semantic_flow import losses
from models.semantic_flow.batch import Batch, RayBudget, Weights
from models.semantic_flow.chosen_samples import matching
from models.semantic_flow.decoding import Decoded, decode
from models.semantic_flow.marching import SampleWeights, blend
from models.semantic_flow.model import SemanticFlow, Traced

LEAST_INTEREST = 0.1  # of a ray to the consistency along the flow


@dataclass(frozen=True)
class CarriedRays:
    """Rays with what moves at another time brought back along its flow: those of `chosen` among the traced. `live` count."""

    traced: Traced
    chosen: Int64[Tensor, "ray"]
    warped: Traced
    colour: Float[Tensor, "ray rgb=3"]
    label: Int64[Tensor, "ray"]
    displacement: Float[Tensor, "ray sample xyz=3"]
    by: Int64[Tensor, "ray"]
    live: Bool[Tensor, "picked"]

    @property
    def seen(self) -> Traced:
        """The rays as they were traced at their own time."""
        return self.traced[self.chosen]


def carried_rays(
    model: SemanticFlow,
    nodes: Float[Tensor, "x y z"],
    traced: Traced,
    batch: Batch,
    ray_budget: RayBudget,
    generator: torch.Generator,
) -> CarriedRays | None:
    """Semantic Flow's consistency along the flow: the moving things of another time, brought back, must look and mean the same.

    The ray of frame t is rendered with the dynamic field of frame t + h at the points carried there by the velocity;
    colour and label are those of t. Pixels whose flow is not confirmed (occluded next) are left out; none may be left.
    """
    hop = host_randint(1, ray_budget.hops + 1, generator)
    by = batch.neighbour * hop
    exists = (batch.rays.frames + by >= 0) & (batch.rays.frames + by < model.bounds.cameras.frame_count)
    interest = traced.dynamicness.detach() + (batch.moving > 0)
    score = interest * (exists & batch.flow_valid)
    picked = score.topk(min(ray_budget.warped_rays, len(score)))
    live = picked.values > LEAST_INTEREST
    chosen = picked.indices[matching(live)]
    if len(chosen) == 0:
        return None
    rays, intervals = batch.rays[chosen], traced.intervals[chosen]
    weights, displacement = warped(model, nodes, rays, intervals, by[chosen], hop)
    return CarriedRays(
        traced,
        chosen,
        Traced(rays, intervals, weights),
        batch.colour[chosen],
        batch.label[chosen],
        displacement,
        by[chosen],
        live,
    )


def warped(
    model: SemanticFlow,
    nodes: Float[Tensor, "x y z"],
    rays: Rays,
    intervals: Intervals,
    by: Int64[Tensor, "ray"],
    hop: int,
) -> tuple[SampleWeights, Float[Tensor, "ray sample xyz=3"]]:
    """Weights of rays' samples with the dynamic field of another time, and how far it is away from them."""
    points, samples = points_along(rays, intervals.depth), intervals.depth.shape[1]
    times = rays.frames.to(points.dtype).repeat_interleave(samples)
    span = by.to(points.dtype).repeat_interleave(samples)
    moved = model.moved(points.flatten(0, 1), times, span, hop)
    density, blending = model.dynamic_optics(moved, times + span)
    length = intervals.length / model.bounds.static_region.unit
    frames = rays.frames.repeat_interleave(samples)
    static = behind(model.static_optics(nodes, points.flatten(0, 1), frames).view_as(length) * length)
    weights = blend(static, density.view_as(length) * length, blending.view_as(length))
    return weights, moved.view_as(points) - points


def everywhere(
    carried: CarriedRays,
) -> tuple[Bool[Tensor, "ray"], Float[Tensor, "ray sample xyz=3"], Int64[Tensor, "ray"]]:
    """What decoding is told of carried rays: all have logits, and their moving things are elsewhere at another time."""
    return torch.ones_like(carried.label, dtype=torch.bool), carried.displacement, carried.by


def decoded_together(
    model: SemanticFlow, traced: Traced, semantic: Bool[Tensor, "ray"], carried: CarriedRays
) -> tuple[Decoded, Decoded]:
    """Rays, and those of them that are carried, decoded in one go."""
    count, depth = len(semantic), traced.intervals.depth
    told, displacement, by = everywhere(carried)
    here = torch.zeros_like(depth)[..., None].expand(-1, -1, 3), torch.zeros_like(traced.rays.frames)
    decoded = decode(
        model,
        joined(traced, carried.warped),
        torch.cat([semantic, told]),
        torch.cat([here[0], displacement]),
        torch.cat([here[1], by]),
    )
    return decoded[:count], decoded[count:]


def consistency(
    model: SemanticFlow, carried: CarriedRays, decoded: Decoded, weights: Weights
) -> dict[str, tuple[float, losses.Loss]]:
    """Colour and labels of carried rays against those of their own time; where there are none, a sure belief of the model."""
    known = carried.label != losses.UNLABELLED
    result: dict[str, tuple[float, losses.Loss]] = {
        "consistency_colour": (weights.consistency_colour, losses.colour_loss(decoded.colour, carried.colour)),
        "consistency_semantics": (weights.consistency_semantics, losses.cross_entropy(decoded.logits, carried.label)),
    }
    if weights.self_consistency and not bool(known.all()):
        with torch.no_grad():
            original = decode(model, carried.seen, torch.ones_like(known)).logits
        result["self_consistency"] = (
            weights.self_consistency,
            losses.agreement_loss(decoded.logits, original, ~known),
        )
    return result


def masked_consistency(
    model: SemanticFlow, carried: CarriedRays, decoded: Decoded, weights: Weights
) -> dict[str, tuple[float, losses.Loss]]:
    """The same losses over the rays that are live, none of which asks the host how many these are."""
    live, known = carried.live, carried.live & (carried.label != losses.UNLABELLED)
    error = (decoded.colour - carried.colour).square().mean(1)
    label = torch.where(known, carried.label, losses.UNLABELLED)
    result: dict[str, tuple[float, losses.Loss]] = {
        "consistency_colour": (weights.consistency_colour, losses.MaskedMean(error, live)),
        "consistency_semantics": (weights.consistency_semantics, losses.cross_entropy(decoded.logits, label)),
    }
    if weights.self_consistency:
        with torch.no_grad():
            original = decode(model, carried.seen, torch.ones_like(known)).logits
        agreement = losses.agreement_loss(decoded.logits, original, live & ~known)
        result["self_consistency"] = (weights.self_consistency, agreement)
    return result
