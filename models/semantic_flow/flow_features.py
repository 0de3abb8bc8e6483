"""Features of the frames where a trajectory passes: projected, sampled, and marked as seen or hidden there."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from models.ops.constants import constant
from models.ops.seen_features import seen_features
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
    offsets = constant(tuple(range(-reach, reach + 1)), frames)
    points = path.transpose(0, 1)
    given = points.detach(), frames[:, None] + offsets
    features, seen = seen_features(
        maps.features,
        maps.depth,
        cameras.world_from_camera,
        cameras.intrinsics,
        *given,
        cameras.height,
        cameras.width,
        BEHIND,
    )
    seen = seen | (offsets == 0)
    moved = (points - points[:, reach : reach + 1]) / unit
    time = (offsets / max(reach, 1)).to(moved.dtype).expand(len(frames), -1)
    return Tokens(features, torch.cat([moved, time[..., None]], dim=-1), seen)
