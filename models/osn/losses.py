"""What training minimises."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from models.osn.compositing import PairSums

LEAST_SHARE = 1e-3


def colour_loss(seen: Float[Tensor, "ray rgb=3"], wanted: Float[Tensor, "ray rgb=3"]) -> Float[Tensor, ""]:
    """Mean squared error."""
    return (seen - wanted).square().mean()


def depth_loss(
    sums: PairSums, objects: Int64[Tensor, "ray"], depth: Float[Tensor, "ray"], weight: Float[Tensor, "ray"]
) -> Float[Tensor, ""]:
    """Weighted squared relative error of each ray's own object's depth; relative, so that it does not know units.

    The official code squares depths in scene units, so that far points outweigh near ones.
    """
    own = objects[:, None]
    opacity = sums.weight.gather(1, own)[:, 0]
    reached = sums.depth.gather(1, own)[:, 0] / opacity.clamp(min=LEAST_SHARE)
    error = (reached / depth - 1).clamp(-1, 1).square() * (opacity > LEAST_SHARE)
    return (weight * error).sum() / weight.sum().clamp(min=1e-6)


def segmentation_loss(shares: Float[Tensor, "ray object"], objects: Int64[Tensor, "ray"]) -> Float[Tensor, ""]:
    """Cross-entropy of the normalised weights per object against the observed object."""
    normalised = shares / shares.sum(dim=1, keepdim=True).clamp(min=LEAST_SHARE)
    return -normalised.gather(1, objects[:, None]).clamp(min=LEAST_SHARE).log().mean()


def silhouette_loss(weight: Float[Tensor, "ray object"], objects: Int64[Tensor, "ray"]) -> Float[Tensor, ""]:
    """Objects alone: opaque on their own pixels, transparent where the background is seen through their box.

    Where another object is seen nothing is known of this one: it may be behind.
    """
    own = torch.nn.functional.one_hot(objects, weight.shape[1]).bool()
    opaque = -weight[own].clamp(min=LEAST_SHARE).log()
    background = (objects == 0)[:, None] & ~own
    clear = -(1 - weight).clamp(min=LEAST_SHARE).log() * background
    return opaque.mean() + clear.sum() / len(weight)
