"""The contraction of points by compiled loops."""

from typing import no_type_check

import numpy as np
import torch
from torch import Tensor

from models.ops.compiled import njit
from models.ops.contract import contracted_distance_in_loops as contracted_distance
from models.ops.contract import contraction_slope_in_loops as contraction_slope
from models.ops.grid import ONE

HALF = np.float32(0.5)


@njit(nogil=True, cache=True)
@no_type_check
def contract(points, boxes, owner, gradient, out) -> None:
    """Places of points, or where a gradient is given, the points'."""
    place = np.empty(3, points.dtype)
    for sample in range(points.shape[1]):
        box = boxes[owner[sample]]
        far, widest = points.dtype.type(1), -1
        for axis in range(3):
            place[axis] = (points[axis, sample] - box[axis]) / box[3 + axis]
            if abs(place[axis]) > far and box[7] == 0:
                far, widest = abs(place[axis]), axis
        factor = contracted_distance(far, box[6], ONE) / (far * (ONE + box[6]))
        along = points.dtype.type(0)
        for axis in range(3):
            if len(gradient):
                along += gradient[axis, sample] * place[axis]
                out[axis, sample] = gradient[axis, sample] * factor * HALF / box[3 + axis]
            else:
                out[axis, sample] = place[axis] * factor * HALF + HALF
        if len(gradient) and widest >= 0:
            change = along * contraction_slope(far, box[6], ONE) * np.sign(place[widest])
            out[widest, sample] += change * HALF / box[3 + widest]


def contract_points(points: Tensor, boxes: Tensor, owner: Tensor) -> Tensor:
    placed = torch.empty(points.shape, dtype=points.dtype)
    arrays = (tensor.detach().contiguous().numpy() for tensor in (points, boxes, owner))
    contract(*arrays, np.empty((0, 0), placed.numpy().dtype), placed.numpy())
    return placed


def contract_points_backward(gradient: Tensor, points: Tensor, boxes: Tensor, owner: Tensor) -> Tensor:
    by_point = torch.empty(points.shape, dtype=points.dtype)
    arrays = (tensor.detach().contiguous().numpy() for tensor in (points, boxes, owner, gradient))
    contract(*arrays, by_point.numpy())
    return by_point
