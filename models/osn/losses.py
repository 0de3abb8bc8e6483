"""What training minimises."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from models.osn.compositing import PerObjectSums

LEAST_WEIGHT = 1e-3


def weighted_mean(values: Float[Tensor, "ray"], weights: Float[Tensor, "ray"]) -> Float[Tensor, ""]:
    """The mean over the rays as far as each counts; where none does it is 0."""
    return (values * weights).sum() / weights.sum().clamp(min=1e-6)


def colour_loss(
    seen: Float[Tensor, "ray rgb=3"], wanted: Float[Tensor, "ray rgb=3"], weights: Float[Tensor, "ray"]
) -> Float[Tensor, ""]:
    """Mean squared error (NeRF, eq. 6, of one rendering), each ray as far as it counts."""
    return weighted_mean((seen - wanted).square().mean(dim=1), weights)


def depth_loss(
    sums: PerObjectSums, objects: Int64[Tensor, "ray"], depth: Float[Tensor, "ray"], weight: Float[Tensor, "ray"]
) -> Float[Tensor, ""]:
    """Weighted squared error of log depth of all samples on each ray, of the ray's own object; depth as in the sums.

    Of the samples, not of their mean as in the official code, so that fog before and behind the surface is removed too;
    of the logarithm, so that neither units nor far points matter.
    """
    own, log_depth = objects[:, None], depth.log()
    opacity, first, second = (
        sums_of.gather(1, own)[:, 0] for sums_of in (sums.weight, sums.log_depth, sums.log_depth_squared)
    )
    error = second - 2 * log_depth * first + log_depth.square() * opacity
    return (weight * error).sum() / weight.sum().clamp(min=1e-6)


def distortion_loss(sums: PerObjectSums) -> Float[Tensor, ""]:
    """Variance of log depth of each object's samples on a ray: a surface, not a cloud.

    It takes the place of mip-NeRF 360's distortion (eq. 15), which needs all pairs of samples instead of three sums.
    """
    mean_square = sums.log_depth.square() / sums.weight.clamp(min=LEAST_WEIGHT)
    return (sums.log_depth_squared - mean_square).clamp(min=0).sum() / len(sums.weight)


def segmentation_loss(
    weights: Float[Tensor, "ray object"], objects: Int64[Tensor, "ray"], trust: Float[Tensor, "ray"]
) -> Float[Tensor, ""]:
    """Cross-entropy of the normalised weights per object against the observed object, as in OSN."""
    normalised = weights / weights.sum(dim=1, keepdim=True).clamp(min=LEAST_WEIGHT)
    return weighted_mean(-normalised.gather(1, objects[:, None])[:, 0].clamp(min=LEAST_WEIGHT).log(), trust)


def silhouette_loss(
    weight: Float[Tensor, "ray object"],
    objects: Int64[Tensor, "ray"],
    trust: Float[Tensor, "ray"],
    depth_is_told: Bool[Tensor, ""],
) -> Float[Tensor, ""]:
    """Objects alone: opaque on their own pixels, transparent where the background is seen through their box.

    Where another object is seen nothing is known of this one: it may be behind. The background is asked to be opaque only
    where depth says at which place: alone, opacity grows alike with all samples of a ray, and what grows is fog right
    before the cameras. What passes through the background is its own far colour. OSN has no such loss.
    """
    own = torch.nn.functional.one_hot(objects, weight.shape[1]).bool()
    background = objects == 0
    opaque = -(weight * own).sum(dim=1).clamp(min=LEAST_WEIGHT).log() * (~background | depth_is_told)
    clear = -(1 - weight).clamp(min=LEAST_WEIGHT).log() * (background[:, None] & ~own)
    return weighted_mean(opaque + clear.sum(dim=1), trust)
