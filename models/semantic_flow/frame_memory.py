"""Colours from the frames themselves, where a frame sees the point: sharper than any field.

As in the paper's pixel-aligned fields, a point takes on what frames show where it projects; here the frames' own
colours, only in rendering, and only where depth and dynamicness of that frame say that it is this point that is seen
there. A view through the camera of a frame never takes that frame's colours, which would only copy it. What moves gets
those that the flow leads to one frame before and after; what rests, those of the frames that look at it most alike.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from models.ops.parallel import ParallelMap
from models.ops.seen_features.reference import sample_maps
from models.rays import Rays, TensorFields
from models.rendering import rays_at_once
from models.semantic_flow.model import SemanticFlow

TOLERANCE = 0.03  # of the depth: how much deeper than what is seen there a point may be
SAME_PLACE = 1e-4  # of the scene's unit: cameras this near are one
VIEWS, CANDIDATES = 4, 16  # frames that what rests takes its colours from, and those of which they are taken
FRAME_ANGLE = 1e-3  # radians that a frame of time between two views counts as: light and shadows change
LEAST_ANGLE = 0.01  # radians: of views that differ by less, none is better
STRIDE, LEAST_AT_ONCE = 2, 8192


@dataclass(frozen=True)
class FrameMemory(TensorFields):
    """The frames as they are, and depth and dynamicness as the model shows them, at a fraction of the size."""

    images: UInt8[Tensor, "frame height width rgb=3"]
    shown: Float[Tensor, "frame small_height small_width depth_and_dynamicness=2"]


def remembered(
    model: SemanticFlow,
    images: UInt8[Tensor, "frame height width rgb=3"],
    known: Bool[Tensor, "frame"],
    parallel_map: ParallelMap,
) -> FrameMemory:
    """Look at every frame whose camera is known once more; of the others nothing is taken."""
    cameras, device = model.bounds.cameras, model.bounds.cameras.intrinsics.device
    rows, columns = (torch.arange(STRIDE // 2, size, STRIDE, device=device) for size in images.shape[1:3])
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    xy = torch.stack([x, y], dim=-1).reshape(-1, 2).float()
    with torch.no_grad():
        nodes, at_once = model.static.nodes(), max(LEAST_AT_ONCE, rays_at_once(device))

    def look(frame: int) -> Float[Tensor, "ray value=2"]:
        if not known[frame]:
            return torch.zeros(len(xy), 2, device=device)
        frames = torch.full((len(xy),), frame, device=device)
        rays = Rays(cameras.world_from_camera[frames, :3, 3], cameras.directions(xy, frames), frames)
        with torch.no_grad():
            parts = [
                model.trace(nodes, rays[chunk], None) for chunk in torch.arange(len(xy), device=device).split(at_once)
            ]
        return torch.cat([torch.stack([part.depth, part.dynamicness], dim=-1) for part in parts])

    shown = torch.stack(list(parallel_map(look, range(len(images)))))
    return FrameMemory(images.to(device), shown.view(len(images), *y.shape, 2))


def repainted(
    memory: FrameMemory,
    model: SemanticFlow,
    rays: Rays,
    ray: Int64[Tensor, "point"],
    points: Float[Tensor, "point xyz=3"],
    colours: Float[Tensor, "point rgb=3"],
) -> Float[Tensor, "point rgb=3"]:
    """Colours of moving points on rays: of their own frame, else of its neighbours, else as they were."""
    frames = rays.frames[ray]
    own, sure = moving_looks(memory, model, points, frames)
    sure = sure * ~through_own_camera(model, rays)[ray]
    part = (sure < 0.5).nonzero()[:, 0]
    beside, trust = neighbours(memory, model, points[part], frames[part])
    colours = colours.index_copy(0, part, torch.lerp(colours[part], beside, trust[:, None]))
    return torch.lerp(colours, own, sure[:, None])


def neighbours(
    memory: FrameMemory, model: SemanticFlow, points: Float[Tensor, "point xyz=3"], frames: Int64[Tensor, "point"]
) -> tuple[Float[Tensor, "point rgb=3"], Float[Tensor, "point"]]:
    """Colours where the flow leads one frame before and after, and how sure they are."""
    total, weight = torch.zeros_like(points), torch.full_like(points[:, 0], 1e-6)
    best = torch.zeros_like(weight)
    for by in (-1, 1):
        there = (frames + by).clamp(0, model.bounds.cameras.frame_count - 1)
        span = (there - frames).to(points.dtype)
        moved = model.moved(points, frames.to(points.dtype), span)
        colour, sure = moving_looks(memory, model, moved, there)
        sure = sure * (span != 0)
        total, weight, best = total + sure[:, None] * colour, weight + sure, torch.maximum(best, sure)
    return total / weight[:, None], best


def repainted_rest(
    memory: FrameMemory,
    model: SemanticFlow,
    rays: Rays,
    weights: Float[Tensor, "ray sample"],
    points: Float[Tensor, "ray sample xyz=3"],
    ray: Int64[Tensor, "point"],
    colours: Float[Tensor, "point rgb=3"],
) -> Float[Tensor, "point rgb=3"]:
    """Colours of resting samples on rays: those of the ray's surface in the frames that see it, else as they were.

    The surface is the weighted mean of the ray's samples: the samples themselves would each show another pixel.
    """
    surface = (weights[..., None] * points).sum(1) / weights.sum(1).clamp(min=1e-6)[:, None]
    frames, angle = views_alike(memory, model, rays, surface)
    shown, dynamicness, visible = looks(memory, model, surface[:, None].expand(-1, frames.shape[1], -1), frames)
    sure = visible * (1 - dynamicness) * angle.isfinite()
    weight = sure / (angle + LEAST_ANGLE)
    seen = (weight[..., None] * shown).sum(1) / weight.sum(1).clamp(min=1e-6)[:, None]
    return torch.lerp(colours, seen[ray], sure.amax(1)[ray, None])


def views_alike(
    memory: FrameMemory, model: SemanticFlow, rays: Rays, points: Float[Tensor, "ray xyz=3"]
) -> tuple[Int64[Tensor, "ray view"], Float[Tensor, "ray view"]]:
    """The frames that look at points most as rays do, and the angle between (radians, with time); infinite for no view."""
    cameras = model.bounds.cameras
    frames = torch.arange(cameras.frame_count, device=points.device)
    of_ray = F.normalize(points - rays.origins, dim=-1)
    of_frames = F.normalize(points[:, None] - cameras.world_from_camera[:, :3, 3], dim=-1)
    angle = (of_frames - of_ray[:, None]).norm(dim=-1) + FRAME_ANGLE * (frames - rays.frames[:, None]).abs()
    own = (frames == rays.frames[:, None]) & through_own_camera(model, rays)[:, None]
    known = memory.shown[:, 0, 0, 0] > 0  # where the camera is not known, all depths are zero
    angle, near = angle.masked_fill(own | ~known, torch.inf).topk(min(CANDIDATES, len(frames)), largest=False)
    inside = cameras.inside(*cameras.project(points[:, None].expand(-1, near.shape[1], -1), near))
    angle, best = angle.masked_fill(~inside, torch.inf).topk(min(VIEWS, len(frames)), largest=False)
    return near.gather(1, best), angle


def through_own_camera(model: SemanticFlow, rays: Rays) -> Bool[Tensor, "ray"]:
    """Whether rays start where the camera of their frame was."""
    centre = model.bounds.cameras.world_from_camera[rays.frames, :3, 3]
    return (rays.origins - centre).norm(dim=-1) < SAME_PLACE * model.bounds.static_region.unit


def moving_looks(
    memory: FrameMemory, model: SemanticFlow, points: Float[Tensor, "point xyz=3"], frames: Int64[Tensor, "point"]
) -> tuple[Float[Tensor, "point rgb=3"], Float[Tensor, "point"]]:
    """What frames show where moving points project, and how sure it is that it is them."""
    colour, dynamicness, visible = looks(memory, model, points[:, None], frames[:, None])
    return colour[:, 0], (visible * dynamicness)[:, 0]


def looks(
    memory: FrameMemory,
    model: SemanticFlow,
    points: Float[Tensor, "point view xyz=3"],
    frames: Int64[Tensor, "point view"],
) -> tuple[Float[Tensor, "point view rgb=3"], Float[Tensor, "point view"], Float[Tensor, "point view"]]:
    """What frames show where points project: colour, dynamicness in [0, 1], and whether nothing nearer hides the point."""
    cameras = model.bounds.cameras
    xy, depth = cameras.project(points, frames)
    shown, dynamicness = sample_maps(memory.shown, cameras, xy, frames).unbind(-1)
    hidden = (depth / shown.clamp(min=1e-6) - 1).clamp(min=0) / TOLERANCE
    visible = torch.exp(-hidden.square()) * cameras.inside(xy, depth)
    return sample_maps(memory.images, cameras, xy, frames) / 255, dynamicness.clamp(0, 1), visible
