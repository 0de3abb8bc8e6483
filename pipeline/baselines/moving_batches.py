"""Batches of NSFF and DynNeRF: each shard of a step sees rays of one frame, with its flow, its mask and its depths."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from models.baselines.scene_flow_objectives import MovingBatch
from pipeline.baselines.data import KnownDepths, TrainingViews, rays_of
from pipeline.baselines.motion import MOVING, STILL, KnownMotion


@dataclass(frozen=True)
class RayPlan:
    """Ray plan of a step: pixels from anywhere in a frame, from what moves, from what stands still, and with known depth."""

    anywhere: int
    moving: int
    still: int
    depth: int


def draw_moving(
    views: TrainingViews, motion: KnownMotion, plan: RayPlan, shards: int, generator: torch.Generator
) -> MovingBatch:
    """Pixels of as many random views as there are shards; ray n is of view n modulo their number."""
    device = generator.device
    chosen = views.used[torch.randint(len(views.used), (shards,), generator=generator, device=device)]
    parts = [pixels_of_view(views, motion, view, plan, shards, generator) for view in chosen]
    xy = torch.stack([xy for xy, _, _ in parts], dim=1).flatten(0, 1)
    depth, confidence = (torch.stack([part[n] for part in parts], dim=1).flatten(0, 1) for n in (1, 2))
    return seen_at(views, motion, chosen.repeat(len(xy) // shards), xy, depth, confidence)


def pixels_of_view(
    views: TrainingViews,
    motion: KnownMotion,
    view: Int64[Tensor, ""],
    plan: RayPlan,
    shards: int,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "ray xy=2"], Float[Tensor, "ray"], Float[Tensor, "ray"]]:
    """A shard's pixels of a view, with depths and their confidence, which is 0 where nobody knows them."""
    moving = motion.moving[view].flatten()
    everywhere = torch.arange(len(moving), device=moving.device)
    wanted = (
        (everywhere, plan.anywhere),
        ((moving == MOVING).nonzero()[:, 0], plan.moving),
        ((moving == STILL).nonzero()[:, 0], plan.still),
    )
    pixels = torch.cat(
        [some(pixels if len(pixels) else everywhere, share(count, shards), generator) for pixels, count in wanted]
    )
    width = views.images.shape[2]
    xy = torch.stack([pixels % width, torch.div(pixels, width, rounding_mode="floor")], dim=1) + 0.5
    nothing = torch.zeros(len(xy), device=xy.device)
    if views.depths is None or not plan.depth:
        return xy, nothing, nothing
    known = depths_of_view(views.depths, view, share(plan.depth, shards), generator)
    return tuple(map(torch.cat, zip((xy, nothing, nothing), known, strict=True)))  # type: ignore[return-value]


def share(count: int, shards: int) -> int:
    """A shard's part of so many rays: one at least where there are any."""
    return -(-count // shards)


def some(pixels: Int64[Tensor, "pixel"], count: int, generator: torch.Generator) -> Int64[Tensor, "some"]:
    """Random ones."""
    return pixels[torch.randint(len(pixels), (count,), generator=generator, device=generator.device)]


def depths_of_view(
    depths: KnownDepths, view: Int64[Tensor, ""], count: int, generator: torch.Generator
) -> tuple[Float[Tensor, "ray xy=2"], Float[Tensor, "ray"], Float[Tensor, "ray"]]:
    """Random known depths of a view; depths of another, without confidence, where it has none."""
    own = (depths.view == view).nonzero()[:, 0]
    chosen = depths[some(own if len(own) else torch.arange(len(depths.view), device=own.device), count, generator)]
    return chosen.xy, chosen.depth, chosen.confidence * (chosen.view == view)


def seen_at(
    views: TrainingViews,
    motion: KnownMotion,
    view: Int64[Tensor, "ray"],
    xy: Float[Tensor, "ray xy=2"],
    depth: Float[Tensor, "ray"],
    confidence: Float[Tensor, "ray"],
) -> MovingBatch:
    """All that is known at pixels of views."""
    height, width = views.images.shape[1:3]
    column, row = xy.long().unbind(1)
    here = view, row.clamp(0, height - 1), column.clamp(0, width - 1)
    return MovingBatch(
        rays_of(views, xy, view),
        views.images[here] / 255,
        depth,
        confidence,
        xy,
        motion.moving[here].float(),
        motion.neighbours[view],
        torch.stack([motion.flow_next[here], motion.flow_previous[here]], dim=1).float(),
        torch.stack([motion.next_valid[here], motion.previous_valid[here]], dim=1),
    )
