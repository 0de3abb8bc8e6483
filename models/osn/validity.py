"""Why a scale vector does not explain the video: which object hides which, and in which frames."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.osn.z_buffer import SOLID, SoloViews, hard_agreement, solid
from models.rendering import VALID_SCORE

CONTACT_QUANTILE = 0.02
LIMIT_STEPS, JUST_PAST = 96, 1.05
Validity = Callable[[Float[Tensor, "sample object"]], Float[Tensor, "sample"]]


@dataclass(frozen=True)
class Conflict:
    """Pixels that should show `seen` and would show `shown`: their share of all pixels, and the worst frames first."""

    seen: int
    shown: int
    share: float
    frames: list[int]


def conflicts(
    views: SoloViews,
    scales: Float[Tensor, "object"],
    least_share: float = 1e-3,
    unlike: Float[Tensor, "object"] | None = None,
) -> list[Conflict]:
    """What a scale vector gets wrong, largest first; pairs below a share of all pixels are left out.

    `seen` equals `shown` where an object is not there at all, whatever the scales: a fault of field or masks. With
    `unlike` only those pixels count that this other scale vector gets right.
    """
    wrong = ~hard_agreement(views, scales[None])[0]
    if unlike is not None:
        wrong &= hard_agreement(views, unlike[None])[0]
    depth = torch.where(solid(views), views.depth * scales, torch.inf)
    shown = depth.argmin(dim=1)
    found = []
    for seen in range(len(scales)):
        for other in range(len(scales)):
            there = wrong & (views.objects == seen) & (shown == other)
            share = float(there.sum()) / max(1, len(there))
            if share > 0 and share >= least_share:
                frames, counts = views.frames[there].unique(return_counts=True)
                worst = frames[counts.argsort(descending=True, stable=True)]
                found.append(Conflict(seen, other, share, worst.tolist()))
    return sorted(found, key=lambda conflict: -conflict.share)


def conflict_text(conflict: Conflict, names: list[str]) -> str:
    """A conflict in words."""
    seen, shown = names[conflict.seen], names[conflict.shown]
    frames = ", ".join(str(frame) for frame in sorted(conflict.frames[:5]))
    share = f"{100 * conflict.share:.1f} % of pixels"
    if conflict.seen == conflict.shown:
        return f"{seen} was seen where its field is empty ({share}; frames {frames})"
    return f"{shown} would hide {seen} ({share}; frames {frames})"


@dataclass(frozen=True)
class Limit:
    """How far one object's scale may go one way while the others stay, and what breaks just past it.

    No conflict: the scale may go to the end of its range.
    """

    object: int
    above: bool
    scale: float
    conflict: Conflict | None


def limits(
    views: SoloViews,
    validity: Validity,
    start: Float[Tensor, "object"],
    scale_range: Float[Tensor, "object bound=2"],
) -> list[Limit]:
    """What limits each object's scale on both sides of a valid scale vector."""
    found = []
    for k in range(1, len(start)):
        for above in (False, True):
            end = float(scale_range[k, int(above)])
            path = start.repeat(LIMIT_STEPS, 1)
            path[:, k] = torch.linspace(float(start[k].log()), float(torch.tensor(end).log()), LIMIT_STEPS).exp()
            broken = (validity(path) < VALID_SCORE).nonzero()[:, 0]
            if not len(broken):
                found.append(Limit(k, above, end, None))
                continue
            past = path[int(broken[0])].clone()
            scale = float(past[k])
            past[k] *= JUST_PAST if above else 1 / JUST_PAST
            new = conflicts(views, past, 0.0, unlike=start)
            found.append(Limit(k, above, scale, new[0] if new else None))
    return found


def contact_scales(views: SoloViews) -> Float[Tensor, "object"]:
    """The largest scale at which each object stays before the background, but for a few outliers among the pixels."""
    scales = torch.ones_like(views.depth[0])
    for k in range(1, len(scales)):
        own = (views.objects == k) & views.certain & (views.opacity[:, k] > SOLID)
        if own.any():
            scales[k] = (views.depth[own, 0] / views.depth[own, k]).quantile(CONTACT_QUANTILE)
    return scales
