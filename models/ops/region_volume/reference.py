"""Trilinear interpolation in a region by tensor operations."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from models.ops.ordered_sums import read_gradients
from models.ops.region_planes.reference import BILINEAR, BORDER, contraction


def grid(points: Float[Tensor, "point xyz=3"], box: Float[Tensor, "number=7"]) -> Float[Tensor, "1 point 1 1 zyx=3"]:
    """Where the nodes are read, in [-1, 1]; grid_sample names the last axis first."""
    placed, _, factor = contraction(points, box)
    return (placed * factor).flip(-1)[None, :, None, None]


def region_volume(
    nodes: Float[Tensor, "x y z"], points: Float[Tensor, "point xyz=3"], box: Float[Tensor, "number=7"]
) -> Float[Tensor, "point"]:
    """Values at points."""
    return F.grid_sample(nodes[None, None], grid(points, box), align_corners=True, padding_mode="border").flatten()


def region_volume_backward(
    gradient: Float[Tensor, "point"], nodes: Tensor, points: Tensor, box: Tensor
) -> Float[Tensor, "x y z"]:
    """Gradients of the nodes."""
    where = grid(points, box)
    if torch.are_deterministic_algorithms_enabled():
        return read_gradients(gradient[None, None], nodes[None, None], where[:, :, 0, 0], False)[0][0, 0]
    given = gradient[None, None, :, None, None]
    backward = torch.ops.aten.grid_sampler_3d_backward
    return backward(given, nodes[None, None], where, BILINEAR, BORDER, True, [True, False])[0][0, 0]
