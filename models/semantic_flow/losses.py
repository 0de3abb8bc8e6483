"""Every loss as a pure function; none changes its inputs, each is zero where nothing is known."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

UNLABELLED = -1
SURE = 0.9


def masked_mean(values: Float[Tensor, "ray"], mask: Bool[Tensor, "ray"]) -> Float[Tensor, ""]:
    """Mean over a mask, zero where it is empty."""
    return torch.where(mask, values, torch.zeros_like(values)).sum() / mask.sum().clamp(min=1)


def colour_loss(predicted: Float[Tensor, "ray rgb=3"], wanted: Float[Tensor, "ray rgb=3"]) -> Float[Tensor, ""]:
    """NeRF, eq. 6, of one rendering, as a mean."""
    return (predicted - wanted).square().mean()


def robust_colour_loss(predicted: Float[Tensor, "ray rgb=3"], wanted: Float[Tensor, "ray rgb=3"]) -> Float[Tensor, ""]:
    """Charbonnier: pixels that do not belong to the static scene pull less."""
    return ((predicted - wanted).square().sum(-1) + 1e-4).sqrt().mean()


def depth_loss(
    weights: Float[Tensor, "ray sample"],
    depth: Float[Tensor, "ray sample"],
    wanted: Float[Tensor, "ray"],
    confidence: Float[Tensor, "ray"],
) -> Float[Tensor, ""]:
    """Expected relative distance of the ray's weight from the known depth; confidence 0 where none is known."""
    known = confidence > 0
    target = torch.where(known, wanted, torch.ones_like(wanted))
    error = (weights * (depth / target[:, None] - 1).abs().clamp(max=1.0)).sum(1)
    return masked_mean(error * confidence, known)


def flow_loss(
    endpoint: Float[Tensor, "ray xy=2"],
    xy: Float[Tensor, "ray xy=2"],
    flow: Float[Tensor, "ray xy=2"],
    valid: Bool[Tensor, "ray"],
    width: int,
) -> Float[Tensor, ""]:
    """Huber distance of expected flow endpoints to where the flow says, in percent of the image's width.

    NSFF, DynNeRF and Semantic Flow take absolute differences.
    """
    error = F.smooth_l1_loss(endpoint - xy, flow, reduction="none", beta=0.5).sum(-1)
    return masked_mean(error.clamp(max=50.0) * (100 / width), valid)


def cross_entropy(logits: Float[Tensor, "ray classes"], labels: Int64[Tensor, "ray"]) -> Float[Tensor, ""]:
    """Cross-entropy over the labelled rays: softmax comes after the logits were integrated, as in Semantic Flow."""
    known = labels != UNLABELLED
    return masked_mean(F.cross_entropy(logits, labels.clamp(min=0), reduction="none"), known)


def mask_loss(dynamicness: Float[Tensor, "ray"], moving: Float[Tensor, "ray"]) -> Float[Tensor, ""]:
    """Cross-entropy of rendered dynamicness against moving pixels (1), static ones (0); negative where not known."""
    known = moving >= 0
    error = F.binary_cross_entropy(dynamicness.clamp(1e-4, 1 - 1e-4), moving.clamp(0, 1), reduction="none")
    return masked_mean(error, known)


def entropy_loss(probability: Float[Tensor, "ray"]) -> Float[Tensor, ""]:
    """Zero where a probability is 0 or 1; Semantic Flow takes the entropy of samples, this that of rays."""
    p = probability.clamp(1e-4, 1 - 1e-4)
    return -(p * p.log() + (1 - p) * (1 - p).log()).mean()


def motion_loss(
    predicted: Float[Tensor, "ray xyz=3"],
    wanted: Float[Tensor, "ray xyz=3"],
    known: Bool[Tensor, "ray"],
    unit: float,
) -> Float[Tensor, ""]:
    """Distance of displacements to known ones, in percent of the scene's unit."""
    return masked_mean((predicted - wanted).abs().sum(-1) * (100 / unit), known)


def distortion_loss(weights: Float[Tensor, "ray sample"], depth: Float[Tensor, "ray sample"]) -> Float[Tensor, ""]:
    """How far a ray's weight is spread, in the logarithm of depth (mip-NeRF 360, eq. 15, its first term)."""
    log_depth = depth.log()
    before, moment = weights.cumsum(1) - weights, (weights * log_depth).cumsum(1) - weights * log_depth
    return 2 * (weights * (log_depth * before - moment)).sum(1).mean()


def agreement_loss(
    predicted: Float[Tensor, "ray classes"], believed: Float[Tensor, "ray classes"], mask: Bool[Tensor, "ray"]
) -> Float[Tensor, ""]:
    """Divergence from a belief, where the belief is sure."""
    belief = torch.softmax(believed, dim=-1)
    sure = mask & (belief.amax(-1) > SURE)
    divergence = F.kl_div(F.log_softmax(predicted, dim=-1), belief, reduction="none").sum(-1)
    return masked_mean(divergence, sure)
