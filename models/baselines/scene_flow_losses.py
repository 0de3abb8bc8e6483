"""The losses of NSFF and DynNeRF as pure functions; each is zero where nothing is known.

NSFF: Li et al., CVPR 2021, and its supplement. DynNeRF: Gao et al., ICCV 2021. Both move along three axes: displacements are
in units of the scene's region here. The released code's numbers (weights, decays, powers) are in the settings and in
docs/DEPARTURES.md.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from models.ops.space import Cameras

PAPER_WIDTH = 512.0  # of the papers' images: flow is compared in their pixels
MOST_FLOW_ERROR = 100.0  # pixels: points near a camera's plane project to anywhere
NEAREST_SAMPLES = 0.95  # of a ray's samples, which should move alike
SMALLEST = 1e-6


def masked_mean(values: Float[Tensor, "ray"], weight: Float[Tensor, "ray"]) -> Float[Tensor, ""]:
    """Mean over the rays that count, each by its weight in [0, 1]; few of them do not count for many."""
    return (values * weight).sum() / weight.sum().clamp(min=1.0)


def colour_error(shown: Float[Tensor, "ray rgb=3"], wanted: Float[Tensor, "ray rgb=3"]) -> Float[Tensor, "ray"]:
    """Squared error of each ray, a mean over the colours."""
    return (shown - wanted).square().mean(1)


def cycle_error(
    there: Float[Tensor, "ray sample xyz=3"],
    back: Float[Tensor, "ray sample xyz=3"],
    shown: Float[Tensor, "ray sample"],
) -> Float[Tensor, "ray"]:
    """|f(x) + f_back(x + f)|_1 where the neighbour shows the sample: NSFF's scene flow cycle consistency, DynNeRF's too."""
    return (shown * (there + back).abs().sum(-1)).mean(1)


def flow_rest(flow: Float[Tensor, "ray sample next_previous=2 xyz=3"]) -> Float[Tensor, ""]:
    """|f|_1: most of space stands still (NSFF's supplement, eq. 3; DynNeRF's slow motion)."""
    return flow.abs().sum(-1).mean()


def flow_roughness(
    flow: Float[Tensor, "ray sample next_previous=2 xyz=3"], places: Float[Tensor, "ray sample xyz=3"]
) -> Float[Tensor, ""]:
    """Neighbours on a ray move alike: exp(-2 |x - y|) |f(x) - f(y)|_1 (NSFF's supplement, eq. 1), of the nearer samples."""
    kept = max(int(NEAREST_SAMPLES * flow.shape[1]), 2)
    near = torch.exp(-2 * places[:, :kept].diff(dim=1).norm(dim=-1))
    return (near[..., None] * flow[:, :kept].diff(dim=1).abs().sum(-1)).mean()


def flow_bend(flow: Float[Tensor, "ray sample next_previous=2 xyz=3"]) -> Float[Tensor, ""]:
    """Paths are straight and even: f_next + f_previous is zero (NSFF's supplement, eq. 2, has half its square; the code |.|)."""
    kept = max(int(NEAREST_SAMPLES * flow.shape[1]), 2)
    return flow[:, :kept].sum(2).abs().sum(-1).mean()


def induced_pixels(
    weights: Float[Tensor, "ray sample"],
    carried: Float[Tensor, "ray sample xyz=3"],
    cameras: Cameras,
    views: Int64[Tensor, "ray"],
) -> Float[Tensor, "ray xy=2"]:
    """Where a neighbouring view sees what rays met: the expected carried point, projected (NSFF's geometric consistency)."""
    total = weights.sum(1, keepdim=True).clamp(min=SMALLEST)
    xy, _ = cameras.project((weights[..., None] * carried).sum(1) / total, views)
    return xy


def flow_error(
    pixels: Float[Tensor, "ray xy=2"], xy: Float[Tensor, "ray xy=2"], flow: Float[Tensor, "ray xy=2"], width: int
) -> Float[Tensor, "ray"]:
    """|.|_1 of the induced flow against the optical one: NSFF's geometric consistency, DynNeRF's motion matching."""
    return ((pixels - xy - flow) * (PAPER_WIDTH / width)).abs().clamp(max=MOST_FLOW_ERROR).mean(1)


def whitened(values: Float[Tensor, "known"]) -> Float[Tensor, "known"]:
    """Shifted by the median and divided by the mean absolute deviation, as in MiDaS: scale and shift drop out."""
    centred = values - values.median()
    return centred / centred.abs().mean().clamp(min=SMALLEST)


def disparity_loss(
    shown: Float[Tensor, "ray"], wanted: Float[Tensor, "ray"], known: Float[Tensor, "ray"]
) -> Float[Tensor, ""]:
    """Squared difference of whitened disparities, of rays of one frame: NSFF's and DynNeRF's single-view depth."""
    chosen = known > 0
    if int(chosen.sum()) < 2:
        return shown.new_zeros(())
    return (whitened(shown[chosen]) - whitened(wanted[chosen])).square().mean()


def order_loss(
    dynamic: Float[Tensor, "ray"], static: Float[Tensor, "ray"], still: Float[Tensor, "ray"]
) -> Float[Tensor, ""]:
    """On static pixels the dynamic part is as far as the static one, relatively: DynNeRF's depth order."""
    return masked_mean((dynamic / static.detach().clamp(min=SMALLEST) - 1).abs(), still)


def mask_loss(
    blend: Float[Tensor, "ray sample"],
    dynamicness: Float[Tensor, "ray"],
    moving: Float[Tensor, "ray"],
    known: Float[Tensor, "ray"],
) -> Float[Tensor, ""]:
    """On static pixels nothing along the ray moves, and the rendered share that moves is the motion mask: DynNeRF's."""
    still = known * (1 - moving)
    return masked_mean(blend.abs().mean(1), still) + masked_mean((dynamicness - moving).abs(), known)


def blend_entropy(blend: Float[Tensor, "ray sample"]) -> Float[Tensor, ""]:
    """Every place is static or moves."""
    share = blend.clamp(SMALLEST, 1 - SMALLEST)
    return F.binary_cross_entropy(share, share)


def weight_entropy(weights: Float[Tensor, "ray sample"]) -> Float[Tensor, ""]:
    """A ray meets what moves in one place: DynNeRF's sparsity along rays."""
    share = weights / weights.sum(1, keepdim=True).clamp(min=SMALLEST)
    return -(share * share.clamp(min=SMALLEST).log()).sum(1).mean()
