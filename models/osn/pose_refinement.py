"""Small corrections of the objects' poses, learnt with the fields.

A correction moves the camera in the object's frame: a rotation about the middle of the object's box, then a shift.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.ops.constants import constant

ROTATION_SIGMA, SHIFT_SIGMA = 0.01, 0.01  # radians, and half the longest side of the box: what SfM may be off
TINY = 1e-12


def corrected(
    poses: Float[Tensor, "object frame 4 4"],
    corrections: Float[Tensor, "object frame six"],
    units: Float[Tensor, "object"],
) -> Float[Tensor, "object frame 4 4"]:
    """Poses after their corrections: rotation vectors in radians, shifts in the objects' own units of length."""
    rotation = rotations(corrections[..., :3])
    shift = corrections[..., 3:] * units[:, None, None]
    turned = rotation @ poses[..., :3, :]
    moved = torch.cat([turned[..., :3], turned[..., 3:] + shift[..., None]], dim=-1)
    return torch.cat([moved, poses[..., 3:, :]], dim=-2)


def rotations(vectors: Float[Tensor, "*batch xyz=3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rodrigues' formula."""
    angle = (vectors.square().sum(-1) + TINY).sqrt()[..., None, None]
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    identity = torch.eye(3, device=vectors.device, dtype=vectors.dtype)
    return identity + angle.sin() / angle * cross + (1 - angle.cos()) / angle.square() * cross @ cross


def prior_gradient(corrections: Float[Tensor, "object frame six"]) -> Float[Tensor, "object frame six"]:
    """Gradient of half the mean square of the corrections, in standard deviations of what SfM may be off."""
    sigma = constant((*[ROTATION_SIGMA] * 3, *[SHIFT_SIGMA] * 3), corrections)
    return corrections.detach() / sigma.square() / corrections[..., 0].numel()


def without_common_motion(
    corrections: Float[Tensor, "object frame six"], visible: Bool[Tensor, "object frame"]
) -> Float[Tensor, "object frame six"]:
    """The gauge: a correction that all of an object's frames share only moves its field. Unknown poses stay as they are."""
    known = visible[..., None].to(corrections.dtype)
    mean = (corrections * known).sum(1, keepdim=True) / known.sum(1, keepdim=True).clamp(min=1)
    return (corrections - mean) * known
