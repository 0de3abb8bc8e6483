"""The contraction of points by tensor operations."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from models.ops.contract import contracted_distance, contraction_slope


def contracted(placed: Tensor, shell: Tensor, without: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Places in the unit cube of points given from their box's centre in its half extents; distance, and factor."""
    distance = torch.where(without > 0, 1, placed.abs().amax(0).clamp(min=1))
    factor = contracted_distance(distance, shell) / (distance * (1 + shell)) * 0.5
    return placed * factor + 0.5, distance, factor


def own_boxes(
    boxes: Float[Tensor, "object number=8"], owner: Int64[Tensor, "point"]
) -> Float[Tensor, "number=8 point"]:
    return boxes.expand(len(owner), -1).T if len(boxes) == 1 else boxes.T.index_select(1, owner)


def contract_points(
    points: Float[Tensor, "xyz=3 point"], boxes: Float[Tensor, "object number=8"], owner: Int64[Tensor, "point"]
) -> Float[Tensor, "xyz=3 point"]:
    """Places in the unit cube."""
    own = own_boxes(boxes, owner)
    return contracted((points - own[:3]) / own[3:6], own[6], own[7])[0]


def contract_points_backward(
    gradient: Float[Tensor, "xyz=3 point"], points: Tensor, boxes: Tensor, owner: Tensor
) -> Float[Tensor, "xyz=3 point"]:
    """Gradients of the points: the factor's own, and its change along the coordinate that is the distance."""
    own = own_boxes(boxes, owner)
    placed = (points - own[:3]) / own[3:6]
    _, distance, factor = contracted(placed, own[6], own[7])
    along = (gradient * placed).sum(0) * contraction_slope(distance, own[6]) * (0.5 * (distance > 1))
    widest = placed.abs() == distance
    return (gradient * factor + along * widest * placed.sign()) / own[3:6]
