"""How the samples' values change with where they lie, compiled by Numba: what the refinement of poses needs on CPU."""

from typing import no_type_check

import numpy as np

from models.ops.compiled import njit
from models.ops.contract import contracted_distance_in_loops as contracted_distance
from models.ops.contract import contraction_slope_in_loops as contraction_slope
from models.ops.grid import ONE, ZERO, cell

HALF = np.float32(0.5)


@njit(nogil=True, cache=True)
@no_type_check
def volume_slope(volume, points, gradient, by_point) -> None:
    """The derivative of trilinear interpolation by the point, times `gradient`, added to `by_point`."""
    for sample in range(points.shape[1]):
        i, u = cell(points[0, sample], volume.shape[0])
        j, v = cell(points[1, sample], volume.shape[1])
        k, w = cell(points[2, sample], volume.shape[2])
        g = gradient[sample]
        for a in range(2):
            by_u, wu = (ONE, u) if a else (-ONE, ONE - u)
            for b in range(2):
                by_v, wv = (ONE, v) if b else (-ONE, ONE - v)
                for c in range(2):
                    by_w, ww = (ONE, w) if c else (-ONE, ONE - w)
                    value = g * volume[i + a, j + b, k + c]
                    by_point[0, sample] += value * by_u * wv * ww * np.float32(volume.shape[0] - 1)
                    by_point[1, sample] += value * wu * by_v * ww * np.float32(volume.shape[1] - 1)
                    by_point[2, sample] += value * wu * wv * by_w * np.float32(volume.shape[2] - 1)


@njit(nogil=True, cache=True)
@no_type_check
def ray_slope(ray, depth, by_point, origins, directions, half, shell, by_origin, by_direction) -> None:
    """From points of the unit cube back to the rays they lie on, through the contraction beyond the box."""
    place, wanted = np.empty(3, np.float32), np.empty(3, np.float32)
    for sample in range(len(ray)):
        row, z = ray[sample], depth[sample]
        widest, far = 0, ONE
        for axis in range(3):
            place[axis] = (origins[row, axis] + z * directions[row, axis]) / half[axis]
            wanted[axis] = by_point[axis, sample] * HALF
            if abs(place[axis]) > far:
                widest, far = axis, abs(place[axis])
        if shell > ZERO:
            shrink = contracted_distance(far, shell, ONE) / (far * (ONE + shell))
            along = wanted[0] * place[0] + wanted[1] * place[1] + wanted[2] * place[2]
            wanted *= shrink
            if far > ONE:
                change = contraction_slope(far, shell, ONE)
                wanted[widest] += along * change * (ONE if place[widest] > ZERO else -ONE)
        for axis in range(3):
            by_origin[row, axis] += wanted[axis] / half[axis]
            by_direction[row, axis] += wanted[axis] / half[axis] * z
