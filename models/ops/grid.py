"""Linear interpolation in grids and its transpose, compiled by Numba: one pass over points on one core, without a lock.

The convention of all grids of both methods:

- A grid fills the unit cube. The first and last node of an axis lie on the cube's faces and the others evenly between
  (`align_corners=True`), so an axis of n nodes has n - 1 cells; beyond the faces the border's value goes on.
- A volume has axes (x, y, z). A table holds its nodes as rows, the last axis fastest.
- A vector-matrix decomposition (TensoRF, sec. 3) and planes in space and time (HexPlane) have three pairs in the order
  (xy, z), (xz, y), (yz, x): `PLANE_AXES` with `LINE_AXES`; a plane's rows run along its first axis, columns along its second.
- Points are three rows of coordinates. What is scattered is added in the order of the points.
"""

from typing import no_type_check

import numpy as np

from models.ops.compiled import njit

PLANE_AXES, LINE_AXES = ((0, 1), (0, 2), (1, 2)), (2, 1, 0)
ONE, ZERO = np.float32(1), np.float32(0)


@njit(nogil=True, cache=True, inline="always")
@no_type_check
def cell(position, size) -> tuple[int, float]:
    """First node and fraction on one axis of a grid, of a position in [0, 1]."""
    scaled = min(max(position, ZERO), ONE) * np.float32(size - 1)
    low = min(int(scaled), size - 2)
    return low, scaled - np.float32(low)


@njit(nogil=True, cache=True, inline="always")
@no_type_check
def trilinear(volume, x, y, z) -> float:
    """The value of a grid at a point of the unit cube."""
    i, u = cell(x, volume.shape[0])
    j, v = cell(y, volume.shape[1])
    k, w = cell(z, volume.shape[2])
    lower = (ONE - v) * ((ONE - w) * volume[i, j, k] + w * volume[i, j, k + 1])
    lower += v * ((ONE - w) * volume[i, j + 1, k] + w * volume[i, j + 1, k + 1])
    upper = (ONE - v) * ((ONE - w) * volume[i + 1, j, k] + w * volume[i + 1, j, k + 1])
    upper += v * ((ONE - w) * volume[i + 1, j + 1, k] + w * volume[i + 1, j + 1, k + 1])
    return (ONE - u) * lower + u * upper


@njit(nogil=True, cache=True)
@no_type_check
def scatter_volume(gradient, points, total) -> None:
    """The transpose of trilinear interpolation, added to `total`."""
    for sample in range(points.shape[1]):
        i, u = cell(points[0, sample], total.shape[0])
        j, v = cell(points[1, sample], total.shape[1])
        k, w = cell(points[2, sample], total.shape[2])
        g = gradient[sample]
        for a in range(2):
            by_x = g * (u if a else ONE - u)
            for b in range(2):
                by_y = by_x * (v if b else ONE - v)
                total[i + a, j + b, k] += by_y * (ONE - w)
                total[i + a, j + b, k + 1] += by_y * w


@njit(nogil=True, cache=True, fastmath=True)
@no_type_check
def gather_product(plane, line, first, second, along, width, products) -> None:
    """A plane's rows times a line's rows, interpolated at many points, into `products`."""
    height, length, channels = len(plane) // width, len(line), plane.shape[1]
    for sample in range(len(first)):
        i, u = cell(first[sample], height)
        j, v = cell(second[sample], width)
        k, w = cell(along[sample], length)
        row = i * width + j
        a, b, c, d = plane[row], plane[row + 1], plane[row + width], plane[row + width + 1]
        e, f = line[k], line[k + 1]
        wa, wb, wc, wd = (ONE - u) * (ONE - v), (ONE - u) * v, u * (ONE - v), u * v
        out = products[sample]
        for channel in range(channels):
            value = wa * a[channel] + wb * b[channel] + wc * c[channel] + wd * d[channel]
            out[channel] = value * ((ONE - w) * e[channel] + w * f[channel])


@njit(nogil=True, cache=True, fastmath=True)
@no_type_check
def scatter_product(plane, line, first, second, along, width, gradient, by_plane, by_line) -> None:
    """The transpose of `gather_product`, added to the gradients of plane and line."""
    height, length, channels = len(plane) // width, len(line), plane.shape[1]
    for sample in range(len(first)):
        i, u = cell(first[sample], height)
        j, v = cell(second[sample], width)
        k, w = cell(along[sample], length)
        row = i * width + j
        a, b, c, d = plane[row], plane[row + 1], plane[row + width], plane[row + width + 1]
        e, f = line[k], line[k + 1]
        ga, gb, gc, gd = by_plane[row], by_plane[row + 1], by_plane[row + width], by_plane[row + width + 1]
        ge, gf = by_line[k], by_line[k + 1]
        wa, wb, wc, wd = (ONE - u) * (ONE - v), (ONE - u) * v, u * (ONE - v), u * v
        out = gradient[sample]
        for channel in range(channels):
            value = wa * a[channel] + wb * b[channel] + wc * c[channel] + wd * d[channel]
            to_plane = out[channel] * ((ONE - w) * e[channel] + w * f[channel])
            to_line = out[channel] * value
            ga[channel] += wa * to_plane
            gb[channel] += wb * to_plane
            gc[channel] += wc * to_plane
            gd[channel] += wd * to_plane
            ge[channel] += (ONE - w) * to_line
            gf[channel] += w * to_line


@njit(nogil=True, cache=True, fastmath=True)
@no_type_check
def product_slope(plane, line, first, second, along, width, gradient, by_first, by_second, by_along) -> None:
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
