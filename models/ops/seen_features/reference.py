"""Features of frames by tensor operations."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from models.ops.constants import constant
from models.ops.space import Cameras


def seen_features(
    maps: Tensor,
    depths: Float[Tensor, "frame height width"],
    world_from_camera: Float[Tensor, "camera row=4 column=4"],
    intrinsics: Float[Tensor, "value=4"],
    points: Float[Tensor, "point token xyz=3"],
    frames: Int64[Tensor, "point token"],
    height: int,
    width: int,
    behind: float,
) -> tuple[Float[Tensor, "point token channel"], Bool[Tensor, "point token"]]:
    """Features, and where they are those of the points themselves."""
    cameras = Cameras(world_from_camera, intrinsics, height, width)
    frame = frames.clamp(0, cameras.frame_count - 1)
    xy, depth = cameras.project(points, frame)
    seen = (
        (frame == frames) & cameras.inside(xy, depth) & (depth <= behind * largest_around(depths, cameras, xy, frame))
    )
    return sample_maps(maps, cameras, xy, frame), seen


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
