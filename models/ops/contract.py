"""The contraction that brings all of space into the grids of both methods, stated once for tensors and for compiled loops.

A grid covers a box and a shell around it: points in the box stay, those beyond it are drawn into the shell, infinity onto
its outer face. `distance` is a point's largest coordinate, from the box's centre and in its half extents, at least 1.

mip-NeRF 360, eq. 10, with two departures: the largest coordinate takes the place of the Euclidean norm, so that boxes
become boxes, and the shell is `shell` wide instead of 1. Loops say what their `one` is, so that they stay in float32.
"""

from typing import no_type_check

from torch import Tensor

from models.ops.compiled import njit


@no_type_check
def contracted_distance(distance, shell, one=1) -> float | Tensor:
    """Where a distance comes to lie, in half extents of the box: 1 stays, infinity goes to 1 + shell."""
    return one + shell * (one - one / distance)


@no_type_check
def expanded_distance(contracted, shell) -> Tensor:
    """The inverse for tensors; from the outer face on, very far."""
    return 1 / (1 - (contracted - 1) / shell).clamp(min=1e-6)


@no_type_check
def contraction_slope(distance, shell, one=1) -> float | Tensor:
    """Derivative by the distance of contracted_distance / (distance (1 + shell)), which points are multiplied with."""
    return ((one + one) * shell / distance - (one + shell)) / (distance * distance * (one + shell))


contracted_distance_in_loops = njit(inline="always")(contracted_distance)
contraction_slope_in_loops = njit(inline="always")(contraction_slope)
