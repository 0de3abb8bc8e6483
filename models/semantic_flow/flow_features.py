"""Features of the frames where a trajectory passes: projected, sampled, and marked as seen or hidden there."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from models.ops.constants import constant
from models.ops.space import Cameras
from models.rays import TensorFields

BEHIND = 1.05  # a point this much deeper than what the frame shows is hidden there


@dataclass(frozen=True)
class FrameMaps(TensorFields):
    """What is known of each frame: its features, and the depth it shows (infinite where not yet known)."""

    features: Tensor  # half precision on purpose; (frame height width channel)
    depth: Float[Tensor, "frame height width"]


@dataclass(frozen=True)
class Tokens(TensorFields):
    """Trajectory points as the frames see them."""

    features: Float[Tensor, "point token channel"]
    displacement: Float[Tensor, "point token xyzt=4"]
    visible: Bool[Tensor, "point token"]


def flow_tokens(
    maps: FrameMaps,
    cameras: Cameras,
    path: Float[Tensor, "token point xyz=3"],
    frames: Int64[Tensor, "point"],
    unit: float,
) -> Tokens:
    """Semantic Flow's flow feature aggregation: the tokens of trajectories around `frames`.

    Features pass no gradient to the places they are read at. Unlike in the released code points are projected in the world.

    A token is visible when its frame exists, the point projects into it, and nothing nearer is seen there.
    """
    reach = len(path) // 2
    offsets = torch.arange(-reach, reach + 1, device=frames.device)
    wanted = frames[:, None] + offsets
    frame = wanted.clamp(0, cameras.frame_count - 1)
    points = path.transpose(0, 1)
    with torch.no_grad():
        xy, depth = cameras.project(points, frame)
        seen = (
            (frame == wanted)
            & cameras.inside(xy, depth)
            & (depth <= BEHIND * largest_around(maps.depth, cameras, xy, frame))
        )
        seen = seen | (offsets == 0)
        features = sample_maps(maps.features, cameras, xy, frame)
    moved = (points - points[:, reach : reach + 1]) / unit
    time = (offsets / max(reach, 1)).to(moved.dtype).expand(len(frames), -1)
    return Tokens(features, torch.cat([moved, time[..., None]], dim=-1), seen)


def sample_maps(
    maps: Tensor, cameras: Cameras, xy: Float[Tensor, "point token xy=2"], frame: Int64[Tensor, "point token"]
) -> Float[Tensor, "point token channel"]:
    """Bilinear samples of maps (frame height width channel) of any resolution, at pixels of the full image."""
    height, width = maps.shape[1:3]
    size = constant((width, height), frame)
    position = (cameras.normalised(xy) + 1) / 2 * size - 0.5
    position = torch.minimum(position.clamp(min=0), size - 1.0)
    low = torch.minimum(position.floor(), size - 2.0).clamp(min=0)
    x, y = (position - low).unbind(-1)
    column, row = low.long().unbind(-1)
    table = maps.flatten(0, 2)
    across, down = torch.stack([1 - x, x]), torch.stack([1 - y, y])
    rows = frame * height + torch.stack([row, row + 1]).clamp(max=height - 1)
    index = rows[:, None] * width + torch.stack([column, column + 1]).clamp(max=width - 1)
    corners = table[index].float() * (across * down[:, None])[..., None]
    return corners[0, 0] + corners[0, 1] + corners[1, 0] + corners[1, 1]


def largest_around(
    maps: Float[Tensor, "frame height width"],
    cameras: Cameras,
    xy: Float[Tensor, "point token xy=2"],
    frame: Int64[Tensor, "point token"],
) -> Float[Tensor, "point token"]:
    """The largest value of the cell that a pixel of the full image lies in and its neighbours.

    Of depths the largest, so that borders of things do not hide what lies beside them.
    """
    height, width = maps.shape[1:]
    row, column = cells(maps, cameras, xy)
    rows = frame * height + torch.stack([row - 1, row, row + 1]).clamp(0, height - 1)
    columns = torch.stack([column - 1, column, column + 1]).clamp(0, width - 1)
    return maps.flatten()[rows[:, None] * width + columns].amax((0, 1))


def cells(
    maps: Float[Tensor, "frame height width"], cameras: Cameras, xy: Float[Tensor, "*batch xy=2"]
) -> tuple[Int64[Tensor, "*batch"], Int64[Tensor, "*batch"]]:
    """Row and column of the cell that each pixel of the full image lies in."""
    height, width = maps.shape[1:]
    column = (xy[..., 0] * (width / cameras.width)).long().clamp(0, width - 1)
    row = (xy[..., 1] * (height / cameras.height)).long().clamp(0, height - 1)
    return row, column
