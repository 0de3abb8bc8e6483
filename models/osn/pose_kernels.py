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
def volume_slope(volume, points, gradient, by_point):
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


@njit(nogil=True, cache=True, fastmath=True)
@no_type_check
def product_slope(plane, line, first, second, along, width, gradient, by_first, by_second, by_along):
    """The derivative of `gather_product` by the point, times `gradient`, added to the rows of its three axes."""
    height, length, channels = len(plane) // width, len(line), plane.shape[1]
    for sample in range(len(first)):
        i, u = cell(first[sample], height)
        j, v = cell(second[sample], width)
        k, w = cell(along[sample], length)
        row = i * width + j
        a, b, c, d = plane[row], plane[row + 1], plane[row + width], plane[row + width + 1]
        e, f = line[k], line[k + 1]
        out, by_u, by_v, by_w = gradient[sample], ZERO, ZERO, ZERO
        for channel in range(channels):
            near = (ONE - v) * a[channel] + v * b[channel]
            far = (ONE - v) * c[channel] + v * d[channel]
            left = (ONE - u) * a[channel] + u * c[channel]
            right = (ONE - u) * b[channel] + u * d[channel]
            on_line = out[channel] * ((ONE - w) * e[channel] + w * f[channel])
            by_u += on_line * (far - near)
            by_v += on_line * (right - left)
            by_w += out[channel] * ((ONE - u) * near + u * far) * (f[channel] - e[channel])
        by_first[sample] += by_u * np.float32(height - 1)
        by_second[sample] += by_v * np.float32(width - 1)
        by_along[sample] += by_w * np.float32(length - 1)


@njit(nogil=True, cache=True)
@no_type_check
def ray_slope(ray, depth, by_point, origins, directions, half, shell, by_origin, by_direction):
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
