"""Colours of moving things from the frames themselves, where a frame sees the point: sharper than any field of theirs.

As in the paper's pixel-aligned fields, a moving point takes on what frames show where it projects; here the frames'
own colours, only in rendering, and only where depth and dynamicness of that frame say that it is this point that is
seen there. A view through the camera of a frame never takes that frame's colours, which would only copy it: it gets
those that the flow leads to one frame before and after.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from models.rays import Rays, TensorFields
from models.semantic_flow.flow_features import sample_maps
from models.semantic_flow.model import SemanticFlow
from models.workers import Spread

TOLERANCE = 0.03  # of the depth: how much deeper than what is seen there a point may be
SAME_PLACE = 1e-4  # of the scene's unit: cameras this near are one
STRIDE, RAYS_AT_ONCE = 2, 8192


@dataclass(frozen=True)
class FrameMemory(TensorFields):
    """The frames as they are, and depth and dynamicness as the model shows them, at a fraction of the size."""

    images: UInt8[Tensor, "frame height width rgb=3"]
    shown: Float[Tensor, "frame small_height small_width depth_and_dynamicness=2"]


def remembered(
    model: SemanticFlow, images: UInt8[Tensor, "frame height width rgb=3"], known: Bool[Tensor, "frame"], spread: Spread
) -> FrameMemory:
    """Look at every frame whose camera is known once more; of the others nothing is taken."""
    cameras, device = model.place.cameras, model.place.cameras.intrinsics.device
    rows, columns = (torch.arange(STRIDE // 2, size, STRIDE, device=device) for size in images.shape[1:3])
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    xy = torch.stack([x, y], dim=-1).reshape(-1, 2).float()
    with torch.no_grad():
        nodes = model.static.nodes()

    def look(frame: int) -> Float[Tensor, "ray value=2"]:
        if not known[frame]:
            return torch.zeros(len(xy), 2, device=device)
        frames = torch.full((len(xy),), frame, device=device)
        rays = Rays(cameras.world_from_camera[frames, :3, 3], cameras.directions(xy, frames), frames)
        with torch.no_grad():
            parts = [model.trace(nodes, rays[i : i + RAYS_AT_ONCE], None) for i in range(0, len(xy), RAYS_AT_ONCE)]
        return torch.cat([torch.stack([part.depth, part.dynamicness], dim=-1) for part in parts])

    shown = torch.stack(list(spread(look, range(len(images)))))
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
    cameras, frames = model.place.cameras, rays.frames[ray]
    centre = cameras.world_from_camera[rays.frames, :3, 3]
    copy = (rays.origins - centre).norm(dim=-1) < SAME_PLACE * model.place.static_region.unit
    own, sure = looked_up(memory, model, points, frames)
    sure = sure * ~copy[ray]
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
        there = (frames + by).clamp(0, model.place.cameras.frame_count - 1)
        span = (there - frames).to(points.dtype)
        moved = model.moved(points, frames.to(points.dtype), span)
        colour, sure = looked_up(memory, model, moved, there)
        sure = sure * (span != 0)
        total, weight, best = total + sure[:, None] * colour, weight + sure, torch.maximum(best, sure)
    return total / weight[:, None], best


def looked_up(
    memory: FrameMemory, model: SemanticFlow, points: Float[Tensor, "point xyz=3"], frames: Int64[Tensor, "point"]
) -> tuple[Float[Tensor, "point rgb=3"], Float[Tensor, "point"]]:
    """What frames show where points project, and how sure it is that it is them."""
    cameras = model.place.cameras
    xy, depth = cameras.project(points, frames)
    shown, dynamic = sample_maps(memory.shown, cameras, xy[:, None], frames[:, None])[:, 0].unbind(-1)
    hidden = (depth / shown.clamp(min=1e-6) - 1).clamp(min=0) / TOLERANCE
    sure = torch.exp(-hidden.square()) * dynamic * cameras.inside(xy, depth)
    colour = sample_maps(memory.images, cameras, xy[:, None], frames[:, None])[:, 0] / 255
    return colour, sure.clamp(0, 1)
