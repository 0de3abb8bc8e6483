"""What is known of motion: flow between neighbouring views, and which pixels move."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int8, Int64
from torch import Tensor

from models.rays import TensorFields
from pipeline.cameras import IGNORE_ID
from pipeline.formats.scene_file import Scene

UNKNOWN, STILL, MOVING = -1, 0, 1


@dataclass(frozen=True)
class KnownMotion(TensorFields):
    """Of every view: flow to the next and to the previous one where it is confirmed, and which views these are; and whether
    a pixel moves (1), stands still (0), or nobody knows (-1). Flow is kept in half precision: .03 pixels of 64."""

    flow_next: Float[Tensor, "view height width xy=2"]
    flow_previous: Float[Tensor, "view height width xy=2"]
    next_valid: Bool[Tensor, "view height width"]
    previous_valid: Bool[Tensor, "view height width"]
    moving: Int8[Tensor, "view height width"]
    neighbours: Int64[Tensor, "view next_previous=2"]


def scene_motion(scene: Scene) -> KnownMotion:
    """Motion of a packed scene: what the masks of its objects cover moves, and what they ignore is not known."""
    known = scene.visible[0]
    both = known[:-1] & known[1:]
    ids = scene.object_ids
    moving = np.where(ids == IGNORE_ID, UNKNOWN, np.where(ids > 0, MOVING, STILL))
    return motion_of_views(
        scene.flow_forward,
        scene.flow_backward,
        scene.flow_forward_valid & both[:, None, None],
        scene.flow_backward_valid & both[:, None, None],
        moving,
    )


def motion_of_views(
    forward: Float[np.ndarray, "pair height width xy=2"],
    backward: Float[np.ndarray, "pair height width xy=2"],
    forward_valid: Bool[np.ndarray, "pair height width"],
    backward_valid: Bool[np.ndarray, "pair height width"],
    moving: np.ndarray,
) -> KnownMotion:
    """Motion of views one after the other, from what is known of pairs of them."""
    count = len(moving)
    last, none = np.arange(count), np.zeros_like(forward_valid[:1])

    def half(flow: np.ndarray, missing: slice) -> Tensor:
        kept = np.zeros((count, *flow.shape[1:]), np.float16)
        kept[missing] = flow
        return torch.from_numpy(kept)

    return KnownMotion(
        half(forward, slice(0, count - 1)),
        half(backward, slice(1, count)),
        torch.from_numpy(np.concatenate([forward_valid, none])),
        torch.from_numpy(np.concatenate([none, backward_valid])),
        torch.from_numpy(moving.astype(np.int8)),
        torch.from_numpy(np.stack([(last + 1).clip(max=count - 1), (last - 1).clip(min=0)], axis=1)),
    )
