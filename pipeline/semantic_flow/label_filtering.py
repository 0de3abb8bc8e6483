"""Label filtering: propagated labels are checked once the static scene is known, and dropped where they drifted.

A pixel that looks like the static scene, and moves like it, belongs to nothing that moves, unless it looks much more
like the pixel that its label was carried from: that is a thing that stands still for a while. One that does neither
belongs to nothing that rests. Only what both say counts as known to move or to rest. No mask and no label of an
unlabelled frame has a part in it.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from models.ops.parallel import ParallelMap
from models.rendering import rays_at_once
from models.semantic_flow.decoding import decode
from models.semantic_flow.model import SemanticFlow
from pipeline.semantic_flow.data import UNKNOWN, Pixels, known_motion
from pipeline.semantic_flow.labels import UNLABELLED
from pipeline.semantic_flow.pixels import Filtered, Video

STRIDE, LEAST_AT_ONCE = 2, 8192
LEAST_PX, LEAST_SHARE = 0.5, 0.003  # of the width: flow that is farther than this from the static scene's is another's
ALIKE, DIFFERENT = 0.15, 0.2  # root mean square difference of colours, of 1
CLEARLY = 1.5  # times the difference: how much worse the static scene is than the colour that came with a label


@dataclass(frozen=True)
class Compared:
    """A frame beside the static scene."""

    still: Bool[Tensor, "height width"]  # looks and moves like it
    other: Bool[Tensor, "height width"]  # surely does not
    kept: Bool[Tensor, "height width"]  # looks clearly more like the pixel that its label came from


def filtered_labels(
    model: SemanticFlow,
    video: Video,
    propagated_colours: UInt8[np.ndarray, "frame height width rgb=3"],
    parallel_map: ParallelMap,
) -> Filtered:
    """All labels but for the propagated ones that the static scene contradicts, and what is known to move or to rest."""
    labels, device = video.labels, model.bounds.cameras.intrinsics.device
    label = labels.ids.copy()
    known = known_motion(labels)
    moves = np.array([*labels.moves, False])
    with torch.no_grad():
        nodes = model.static.nodes()

    def check(frame: int) -> None:
        pixels, came_from = video.pixels([frame]).to(device), torch.from_numpy(propagated_colours[frame])
        still, other, kept = (
            mask.cpu().numpy() for mask in vars(compared(model, nodes, pixels, frame, came_from)).values()
        )
        own = label[frame]
        moving = moves[own]  # the last entry is that of pixels without a label
        rests = still & ~(moving & kept)
        own[(own != UNLABELLED) & np.where(moving, rests, other)] = UNLABELLED
        known[frame] = np.where(rests, 0, np.where(moving & other, 1, UNKNOWN))

    list(parallel_map(check, [frame for frame in range(len(label)) if not labels.labelled[frame]]))
    return Filtered(label, known)


def compared(
    model: SemanticFlow,
    nodes: Float[Tensor, "x y z"],
    pixels: Pixels,
    frame: int,
    propagated_colour: UInt8[Tensor, "height width rgb=3"],
) -> Compared:
    """Where a frame is surely the static scene, where it surely is not, and where what was carried there is more like it."""
    cameras, device = model.bounds.cameras, pixels.label.device
    rows, columns = (torch.arange(STRIDE // 2, size, STRIDE, device=device) for size in (cameras.height, cameras.width))
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    index = (int(pixels.place[frame]) * cameras.height + y.flatten()) * cameras.width + x.flatten()
    xy = torch.stack([x, y], dim=-1).reshape(-1, 2) + 0.5
    rays = cameras.rays(xy, torch.full((len(xy),), frame, device=device))
    colours, depths = [], []
    with torch.no_grad():
        for chunk in torch.arange(len(xy), device=device).split(max(LEAST_AT_ONCE, rays_at_once(device))):
            traced = model.trace(nodes, rays[chunk], None, moving=False)
            colours.append(decode(model, traced, torch.zeros_like(chunk, dtype=torch.bool)).colour)
            depths.append(traced.depth)
    image = pixels.images[index].float() / 255
    difference = (torch.cat(colours) - image).square().mean(-1).sqrt()
    came_from = propagated_colour.to(device)[y.flatten(), x.flatten()].float() / 255
    propagated = (came_from - image).square().mean(-1).sqrt()
    kept = smoothed(difference.view(y.shape)) > CLEARLY * smoothed(propagated.view(y.shape))
    points = rays.origins + torch.cat(depths)[:, None] * rays.directions
    follows, strays = flow_compared(model, pixels, frame, index, xy, points)
    still, other = follows & (difference < ALIKE), strays | (difference > DIFFERENT)
    masks = still.view(y.shape), other.view(y.shape), kept
    return Compared(*(enlarged(mask, cameras.height, cameras.width) for mask in masks))


def flow_compared(
    model: SemanticFlow,
    pixels: Pixels,
    frame: int,
    index: Tensor,
    xy: Float[Tensor, "ray xy=2"],
    points: Float[Tensor, "ray xyz=3"],
) -> tuple[Bool[Tensor, "ray"], Bool[Tensor, "ray"]]:
    """Where the flow to the neighbours is that of the static scene, and where it is another."""
    cameras = model.bounds.cameras
    least = max(LEAST_PX, LEAST_SHARE * cameras.width)
    follows = torch.ones(len(xy), dtype=torch.bool, device=xy.device)
    strays = ~follows
    for direction, by in ((0, 1), (1, -1)):
        if not 0 <= frame + by < cameras.frame_count:
            continue
        endpoint, _ = cameras.project(points, torch.full((len(xy),), frame + by, device=xy.device))
        away = (endpoint - xy - pixels.flow[direction, index]).norm(dim=-1)
        valid = pixels.flow_valid[direction, index]
        follows &= ~valid | (away < least)
        strays |= valid & (away > 2 * least)
    return follows, strays


def smoothed(values: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows columns"]:
    """The mean of each value and its neighbours."""
    return F.avg_pool2d(values[None], 3, stride=1, padding=1, count_include_pad=False)[0]


def enlarged(mask: Bool[Tensor, "rows columns"], height: int, width: int) -> Bool[Tensor, "height width"]:
    """Each value for its square of pixels."""
    large = mask.repeat_interleave(STRIDE, 0).repeat_interleave(STRIDE, 1)
    return F.pad(large, (0, STRIDE, 0, STRIDE))[:height, :width]
