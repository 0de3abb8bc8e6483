"""What traced rays show: colour, and logits of classes weighted by the densities."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.rays import Rays, TensorFields
from models.rendering import Rendering
from models.semantic_flow.marching import Shares
from models.semantic_flow.model import LEAST_WEIGHT, SemanticFlow, Traced, ray_sums, strongest


@dataclass(frozen=True)
class Shown(TensorFields):
    """Colour and logits of rays."""

    colour: Float[Tensor, "ray rgb=3"]
    logits: Float[Tensor, "ray classes"]


def show(
    model: SemanticFlow,
    traced: Traced,
    semantic: Bool[Tensor, "ray"],
    by: Float[Tensor, "ray sample xyz=3"] | None = None,
    frames_by: Tensor | None = None,
) -> Shown:
    """Decode the samples that matter. Only rays marked `semantic` get logits; the others' are zero.

    With `by`, the dynamic field is read at points moved by that much, `frames_by` frames later: what the ray would show
    if the moving things of that time were brought back along their flow.
    """
    weights, points = traced.shares, traced.points
    kept = weights.static > LEAST_WEIGHT
    features = model.static_features(points[kept])
    colour = ray_sums(weights.static, kept, torch.sigmoid(model.static.colour(features)))
    logits = semantic_sums(
        weights.static, kept, semantic, model.sizes.density_prior, model.static.semantics(features), weights
    )
    frames = traced.rays.frames if frames_by is None else traced.rays.frames + frames_by
    there = points if by is None else points + by
    kept = weights.dynamic > LEAST_WEIGHT
    frame = frames[kept.nonzero()[:, 0]]
    features = model.dynamic_features(there[kept], frame.to(points.dtype))
    colour = colour + ray_sums(weights.dynamic, kept, torch.sigmoid(model.dynamic.colour(features)))
    few = strongest(weights.dynamic, model.sizes.semantic_samples) & semantic[:, None]
    mine = few[kept]
    moving = model.dynamic_logits(there[few], frame[mine], features[mine])
    return Shown(
        colour, logits + semantic_sums(weights.dynamic, few, semantic, model.sizes.density_prior, moving, weights)
    )


def semantic_sums(
    weights: Float[Tensor, "ray sample"],
    chosen: Bool[Tensor, "ray sample"],
    semantic: Bool[Tensor, "ray"],
    density_prior: bool,
    values: Float[Tensor, "chosen classes"],
    shares: Shares,
) -> Float[Tensor, "ray classes"]:
    """Raw logits integrated with the densities as opacity prior; without it, those of the heaviest sample alone."""
    if not density_prior:
        heaviest = shares.both >= shares.both.amax(1, keepdim=True)
        share = weights / shares.both.clamp(min=1e-8)
        weights = torch.where(heaviest, share, torch.zeros_like(share)).detach()
    return ray_sums(weights * semantic[:, None], chosen, values)


def rendering(model: SemanticFlow, nodes: Float[Tensor, "x y z"], rays: Rays) -> Rendering:
    """Render rays as everyone else sees them; the weight of a class is its probability times the opacity."""
    traced = model.trace(nodes, rays, None)
    shown = show(model, traced, torch.ones_like(rays.frames, dtype=torch.bool))
    opacity = traced.shares.both.sum(1)
    probabilities = torch.softmax(shown.logits, dim=-1) * opacity[:, None]
    return Rendering(shown.colour.clamp(0, 1), traced.depth, opacity, probabilities)
