"""What baselines are trained by."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.baselines.model import RadianceBaseline, Samples, Seen
from models.rays import Rays, TensorFields

Losses = dict[str, Float[Tensor, ""]]


@dataclass(frozen=True)
class Batch(TensorFields):
    """Rays with what they should see: colour, and depth with a confidence of zero where it is not known."""

    rays: Rays
    colour: Float[Tensor, "ray rgb=3"]
    depth: Float[Tensor, "ray"]
    confidence: Float[Tensor, "ray"]


@dataclass(frozen=True)
class LossWeights:
    """How much each loss counts; `background` and `point_colour` are TiNeuVox's."""

    depth: float
    background: float = 0.0
    point_colour: float = 0.0


def step_losses(
    model: RadianceBaseline, batch: Batch, weights: LossWeights, generator: torch.Generator
) -> tuple[Losses, Samples]:
    """All losses of a batch but the field's own regulariser, weighed, and the samples that were looked at."""
    seen, samples = model.look(batch.rays, generator)
    losses = {"colour": (seen.colour - batch.colour).square().mean()}
    if weights.depth:
        losses["depth"] = weights.depth * depth_loss(seen, batch)
    if weights.background:
        losses["background"] = weights.background * background_entropy(seen.beyond)
    if weights.point_colour:
        losses["point_colour"] = weights.point_colour * point_colour_loss(samples, batch.colour)
    return losses, samples


def depth_loss(seen: Seen, batch: Batch) -> Float[Tensor, ""]:
    """Relative error of depth where it is known, by its confidence; a mean over the rays of the batch."""
    known = batch.confidence > 0
    wanted = torch.where(known, batch.depth, 1.0)
    return (batch.confidence * (seen.depth / wanted - 1).abs()).mean()


def background_entropy(beyond: Float[Tensor, "ray"]) -> Float[Tensor, ""]:
    """Rays either end in the scene or pass it: TiNeuVox's entropy of the light that is left."""
    left = beyond.clamp(1e-6, 1 - 1e-6)
    return -(left * left.log() + (1 - left) * (1 - left).log()).mean()


def point_colour_loss(samples: Samples, colour: Float[Tensor, "ray rgb=3"]) -> Float[Tensor, ""]:
    """Every sample's own colour against its ray's, by its weight, as in DVGO and TiNeuVox."""
    error = (samples.colours - colour[samples.rays]).square().sum(1)
    return (error * samples.weights.detach().flatten()[samples.chosen]).sum() / len(colour)
