"""What traced rays show: colour, and logits of classes weighted by the densities."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from models.rays import Rays, TensorFields
from models.rendering import Rendering
from models.semantic_flow.chosen_samples import samples_seen
from models.semantic_flow.frame_memory import FrameMemory, repainted, repainted_rest
from models.semantic_flow.marching import SampleWeights
from models.semantic_flow.model import SemanticFlow, Traced


@dataclass(frozen=True)
class Decoded(TensorFields):
    """Colour and logits of rays."""

    colour: Float[Tensor, "ray rgb=3"]
    logits: Float[Tensor, "ray classes"]


def decode(
    model: SemanticFlow,
    traced: Traced,
    semantic: Bool[Tensor, "ray"],
    by: Float[Tensor, "ray sample xyz=3"] | None = None,
    frames_by: Int64[Tensor, "ray"] | None = None,
    memory: FrameMemory | None = None,
    compact: bool = False,
    moving: bool = True,
) -> Decoded:
    """Decode the samples that matter. Only rays marked `semantic` get logits; the others' are zero.

    With `by`, the dynamic field is read at points moved by that much, `frames_by` frames later: what the ray would show
    if the moving things of that time were brought back along their flow. With `memory`, everything takes on the colours
    of the frames that see it. `compact`: samples that do not matter are left out on GPUs too, for which the host waits.
    Rays that were traced without moving things are decoded so, too: `moving` is false for both.
    """
    resting = decode_resting(model, traced, semantic, memory, compact)
    if not moving:
        return resting
    weights, rays = traced.weights, traced.rays
    frames = rays.frames if frames_by is None else rays.frames + frames_by
    seen = samples_seen(weights.dynamic, compact)
    few, strongest = seen.strongest(weights.dynamic, model.sizes.semantic_samples, semantic)
    there = seen.points(traced) if by is None else seen.points(traced) + seen.of_samples(by)
    frame = seen.of_rays(frames)
    features = model.dynamic_features(there, frame.to(there.dtype))
    paint = torch.sigmoid(model.dynamic.colour(features))
    if memory is not None:
        ray = seen.of_rays(torch.arange(len(rays.frames), device=paint.device))
        paint = repainted(memory, model, rays, ray, there, paint)
    colour = resting.colour + seen.sums(weights.dynamic, paint)
    meant = model.dynamic_logits(there[few], frame[few], features[few])
    told = class_weights(weights, weights.dynamic, model.sizes.density_prior)
    return Decoded(colour, resting.logits + strongest.sums(told, meant))


def decode_resting(
    model: SemanticFlow, traced: Traced, semantic: Bool[Tensor, "ray"], memory: FrameMemory | None, compact: bool
) -> Decoded:
    """What the static field adds to colours and logits."""
    weights, rays = traced.weights, traced.rays
    seen = samples_seen(weights.static, compact)
    features = model.static_features(seen.points(traced), seen.of_rays(rays.frames), seen.of_rays(rays.directions))
    paint = torch.sigmoid(model.static.colour(features))
    if memory is not None:
        ray = seen.of_rays(torch.arange(len(rays.frames), device=paint.device))
        paint = repainted_rest(memory, model, rays, weights.static, traced.points, ray, paint)
    told = class_weights(weights, weights.static, model.sizes.density_prior) * semantic[:, None]
    return Decoded(seen.sums(weights.static, paint), seen.sums(told, model.static.semantics(features)))


def class_weights(
    all_weights: SampleWeights, weights: Float[Tensor, "ray sample"], density_prior: bool
) -> Float[Tensor, "ray sample"]:
    """What raw logits are integrated with: Semantic Flow's densities as opacity prior; without, the heaviest sample alone."""
    if density_prior:
        return weights
    heaviest = all_weights.both >= all_weights.both.amax(1, keepdim=True)
    alone = weights / all_weights.both.clamp(min=1e-8)
    return torch.where(heaviest, alone, torch.zeros_like(alone)).detach()


def rendering(
    model: SemanticFlow, nodes: Float[Tensor, "x y z"], rays: Rays, memory: FrameMemory | None = None
) -> Rendering:
    """Render rays as everyone else sees them; the weight of a class is its probability times the opacity."""
    traced = model.trace(nodes, rays, None)
    decoded = decode(model, traced, torch.ones_like(rays.frames, dtype=torch.bool), memory=memory, compact=True)
    opacity = traced.weights.both.sum(1)
    probabilities = torch.softmax(decoded.logits, dim=-1) * opacity[:, None]
    return Rendering(decoded.colour.clamp(0, 1), traced.depth, opacity, probabilities)
