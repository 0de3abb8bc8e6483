"""Every loss as a pure function; none changes its inputs, each is zero where nothing is known."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

UNLABELLED = -1
SURE = 0.9


@dataclass(frozen=True)
class MaskedMean:
    """A loss that is the mean of its rays' values over a mask, zero where that is empty."""

    values: Float[Tensor, "ray"]
    mask: Bool[Tensor, "ray"]

    def mean(self) -> Float[Tensor, ""]:
        return torch.where(self.mask, self.values, 0.0).sum() / self.mask.sum().clamp(min=1)


Loss = Float[Tensor, ""] | MaskedMean


def weighted(parts: dict[str, tuple[float, Loss]]) -> dict[str, Float[Tensor, ""]]:
    """Losses times their weights; on GPUs all means over masks are taken at once."""
    means = {name: part for name, (_, part) in parts.items() if isinstance(part, MaskedMean)}
    first = next(iter(means.values()), None)
    if first is None or first.values.device.type == "cpu":
        taken = {name: part.mean() for name, part in means.items()}
    else:
        taken = means_at_once(means)
    return {
        name: weight * (part if isinstance(part, Tensor) else taken[name]) for name, (weight, part) in parts.items()
    }


def means_at_once(means: dict[str, MaskedMean]) -> dict[str, Float[Tensor, ""]]:
    """Means over masks of losses of equally many rays, in as many kernels as one takes; those of fewer rays are taken alone."""
    most = max(len(part.values) for part in means.values())
    alone = {name: part.mean() for name, part in means.items() if len(part.values) < most}
    together = {name: part for name, part in means.items() if name not in alone}
    values, masks = (torch.stack([getattr(part, name) for part in together.values()]) for name in ("values", "mask"))
    found = torch.where(masks, values, 0.0).sum(1) / masks.sum(1).clamp(min=1)
    return alone | dict(zip(together, found.unbind(), strict=True))


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
) -> MaskedMean:
    """Expected relative distance of the ray's weight from the known depth; confidence 0 where none is known."""
    known = confidence > 0
    target = torch.where(known, wanted, torch.ones_like(wanted))
    error = (weights * (depth / target[:, None] - 1).abs().clamp(max=1.0)).sum(1)
    return MaskedMean(error * confidence, known)


def flow_loss(
    endpoint: Float[Tensor, "ray xy=2"],
    xy: Float[Tensor, "ray xy=2"],
    flow: Float[Tensor, "ray xy=2"],
    valid: Bool[Tensor, "ray"],
    width: int,
) -> MaskedMean:
    """Huber distance of expected flow endpoints to where the flow says, in percent of the image's width.

    NSFF, DynNeRF and Semantic Flow take absolute differences.
    """
    error = F.smooth_l1_loss(endpoint - xy, flow, reduction="none", beta=0.5).sum(-1)
    return MaskedMean(error.clamp(max=50.0) * (100 / width), valid)


def cross_entropy(logits: Float[Tensor, "ray classes"], labels: Int64[Tensor, "ray"]) -> MaskedMean:
    """Cross-entropy over the labelled rays: softmax comes after the logits were integrated, as in Semantic Flow."""
    known = labels != UNLABELLED
    return MaskedMean(F.cross_entropy(logits, labels.clamp(min=0), reduction="none"), known)


def mask_loss(dynamicness: Float[Tensor, "ray"], moving: Float[Tensor, "ray"]) -> MaskedMean:
    """Cross-entropy of rendered dynamicness against moving pixels (1), static ones (0); negative where not known."""
    known = moving >= 0
    error = F.binary_cross_entropy(dynamicness.clamp(1e-4, 1 - 1e-4), moving.clamp(0, 1), reduction="none")
    return MaskedMean(error, known)


def entropy_loss(probability: Float[Tensor, "ray"]) -> Float[Tensor, ""]:
    """Zero where a probability is 0 or 1; Semantic Flow takes the entropy of samples, this that of rays."""
    p = probability.clamp(1e-4, 1 - 1e-4)
    return -(p * p.log() + (1 - p) * (1 - p).log()).mean()


def motion_loss(
    predicted: Float[Tensor, "ray xyz=3"],
    wanted: Float[Tensor, "ray xyz=3"],
    known: Bool[Tensor, "ray"],
    unit: float,
) -> MaskedMean:
    """Distance of displacements to known ones, in percent of the scene's unit."""
    return MaskedMean((predicted - wanted).abs().sum(-1) * (100 / unit), known)


def distortion_loss(weights: Float[Tensor, "ray sample"], depth: Float[Tensor, "ray sample"]) -> Float[Tensor, ""]:
    """How far a ray's weight is spread, in the logarithm of depth (mip-NeRF 360, eq. 15, its first term)."""
    log_depth = depth.log()
    before, moment = weights.cumsum(1) - weights, (weights * log_depth).cumsum(1) - weights * log_depth
    return 2 * (weights * (log_depth * before - moment)).sum(1).mean()


def agreement_loss(
    predicted: Float[Tensor, "ray classes"], believed: Float[Tensor, "ray classes"], mask: Bool[Tensor, "ray"]
) -> MaskedMean:
    """Divergence from a belief, where the belief is sure."""
    belief = torch.softmax(believed, dim=-1)
    sure = mask & (belief.amax(-1) > SURE)
    divergence = F.kl_div(F.log_softmax(predicted, dim=-1), belief, reduction="none").sum(-1)
    return MaskedMean(divergence, sure)
